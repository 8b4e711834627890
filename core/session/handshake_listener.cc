// The listener's half of the handshake: Hello in, HelloAck out, Verify in, VerifyAck out.
#include <utility>

#include "session/handshake.h"
#include "session/handshake_parts.h"

namespace atlas::session {

struct ListenerHandshake::Impl {
  enum class Awaits { kHello, kVerify };

  const Self self;
  const ListenerPolicy policy;
  const identity::PublicKey tls_key;
  const std::string observed;
  const base::MonoNs deadline;
  base::Random& random;
  Awaits awaits = Awaits::kHello;
  base::ByteArray<wire::kChallengeSize> challenge{};
  PeerIdentity peer;
  Ending ending;

  Step on_hello(base::ByteView payload, std::int64_t unix_now);
  Step on_verify(base::ByteView payload);
  wire::HelloAck hello_ack() const;
};

wire::HelloAck ListenerHandshake::Impl::hello_ack() const {
  wire::HelloAck ack;
  ack.node_id = self.key->node_id();
  ack.name = self.name;
  ack.skills = self.skills;
  ack.operator_map = self.operator_map;
  ack.public_key.assign(self.key->public_key().begin(), self.key->public_key().end());
  ack.challenge.assign(challenge.begin(), challenge.end());
  if (!observed.empty()) ack.observed = observed;
  if (!self.agent_version.empty()) ack.agent_version = self.agent_version;
  ack.features = self.features;
  return ack;
}

Step ListenerHandshake::Impl::on_hello(base::ByteView payload, std::int64_t unix_now) {
  const auto hello = wire::decode_hello(payload);
  if (!hello) {
    const Refusal refusal = refuse_undecodable(payload, "malformed Hello");
    return ending.fail(refusal.code, refusal.rule);
  }
  if (const auto refusal = check_identity(hello->protocol_v, hello->node_id, hello->public_key, tls_key)) {
    return ending.fail(refusal->code, refusal->rule);
  }
  if (base::distance(unix_now, hello->timestamp) > policy.max_clock_drift_s) {
    return ending.fail(wire::Code::kHandshakeFailed, "clocks differ by more than security.max_clock_drift_secs");
  }
  peer = identity_from(*hello, tls_key);
  random.fill(challenge);
  awaits = Awaits::kVerify;
  Step step;
  step.send.push_back(wire::encode(hello_ack()));
  return step;
}

Step ListenerHandshake::Impl::on_verify(base::ByteView payload) {
  const auto verify = wire::decode_verify(payload);
  if (!verify) return ending.fail(wire::Code::kRejected, "malformed Verify");
  if (!base::equal_constant_time(verify->challenge, challenge)) {
    return ending.fail(wire::Code::kHandshakeFailed, "echo is not the challenge");
  }
  if (!identity::verify(tls_key, challenge, verify->signature)) {
    return ending.fail(wire::Code::kHandshakeFailed, "signature does not verify");
  }
  Step step;
  step.finish = true;
  if (auto reason = policy.refuse ? policy.refuse(peer) : std::nullopt) {
    if (reason->size() > kMaxReasonBytes) reason->resize(kMaxReasonBytes);
    step.send.push_back(wire::encode(wire::VerifyAck{false, reason}));
    return ending.reject(std::move(step), *reason);
  }
  step.send.push_back(wire::encode(wire::VerifyAck{true, std::nullopt}));
  return ending.succeed(std::move(step));
}

ListenerHandshake::ListenerHandshake(const Self& self, const ListenerPolicy& policy, const identity::PublicKey& tls_key,
                                     std::string observed_address, base::MonoNs started, base::Random& random)
    : impl_(new Impl{.self = self,
                     .policy = policy,
                     .tls_key = tls_key,
                     .observed = std::move(observed_address),
                     .deadline = base::after(started, kHandshakeTimeout),
                     .random = random,
                     .peer = {},
                     .ending = {}}) {}

Step ListenerHandshake::on_message(std::uint8_t type, base::ByteView payload, base::MonoNs now, std::int64_t unix_now) {
  Ending& ending = impl_->ending;
  if (ending.over()) return ending.message_after();
  if (now >= impl_->deadline) return on_timeout();
  if (payload.size() > wire::kMaxHandshakePayload) return on_fault(wire::Code::kPayloadTooLarge);
  if (impl_->awaits == Impl::Awaits::kHello && type == wire::kHello) return impl_->on_hello(payload, unix_now);
  if (impl_->awaits == Impl::Awaits::kVerify && type == wire::kVerify) return impl_->on_verify(payload);
  if (impl_->awaits == Impl::Awaits::kVerify && type == wire::kError) {
    const auto error = wire::decode_error(payload);
    if (!error) return ending.fail(wire::Code::kRejected, "malformed Error");
    return ending.failed_by_peer(kCloseProtocolError, static_cast<wire::Code>(error->code), error->message);
  }
  return ending.fail(wire::Code::kNotVerified, "message out of order before VerifyAck");
}

Step ListenerHandshake::on_fault(wire::Code code) {
  return impl_->ending.fault(code);
}

Step ListenerHandshake::on_finish() {
  if (impl_->ending.over()) return impl_->ending.again();
  return impl_->ending.fail(wire::Code::kNotVerified, "stream finished before Verify");
}

Step ListenerHandshake::on_timeout() {
  if (impl_->ending.over()) return impl_->ending.again();
  return impl_->ending.fail(wire::Code::kHandshakeTimeout, "handshake not finished in 10 s");
}

base::MonoNs ListenerHandshake::deadline() const {
  return impl_->ending.over() ? base::kNever : impl_->deadline;
}
bool ListenerHandshake::done() const {
  return impl_->ending.done();
}
const PeerIdentity& ListenerHandshake::peer() const {
  return impl_->peer;
}
ListenerHandshake::~ListenerHandshake() = default;
ListenerHandshake::ListenerHandshake(ListenerHandshake&&) noexcept = default;
ListenerHandshake& ListenerHandshake::operator=(ListenerHandshake&&) noexcept = default;

}  // namespace atlas::session
