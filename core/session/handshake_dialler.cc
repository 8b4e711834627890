// The dialler's half of the handshake: Hello out, HelloAck in, Verify out, VerifyAck in.
#include <utility>

#include "net/address.h"
#include "session/handshake.h"
#include "session/handshake_parts.h"

namespace atlas::session {

struct DiallerHandshake::Impl {
  enum class Awaits { kHelloAck, kVerifyAck };

  const Self self;
  const identity::PublicKey tls_key;
  const base::MonoNs deadline;
  const RefuseFn refuse;
  Awaits awaits = Awaits::kHelloAck;
  PeerIdentity peer;
  Ending ending;

  std::optional<Step> refused_here();
  Step on_hello_ack(base::ByteView payload);
  Step on_verify_ack(base::ByteView payload);
  Step on_error(base::ByteView payload);
};

std::optional<Step> DiallerHandshake::Impl::refused_here() {
  auto reason = refuse ? refuse(peer) : std::nullopt;
  if (!reason) return std::nullopt;
  if (reason->size() > kMaxReasonBytes) reason->resize(kMaxReasonBytes);
  return ending.reject(Step{}, *reason);
}

Step DiallerHandshake::Impl::on_hello_ack(base::ByteView payload) {
  // Decoding holds the challenge to 32 bytes: nothing else that this key signs can pass for one.
  const auto ack = wire::decode_hello_ack(payload);
  if (!ack) {
    const Refusal refusal = refuse_undecodable(payload, "malformed HelloAck");
    return ending.fail(refusal.code, refusal.rule);
  }
  if (const auto refusal = check_identity(ack->protocol_v, ack->node_id, ack->public_key, tls_key)) {
    return ending.fail(refusal->code, refusal->rule);
  }
  peer = identity_from(*ack, tls_key);
  if (const auto seen = ack->observed ? net::SocketAddress::parse(*ack->observed) : std::nullopt) {
    peer.observed = seen->text();
  }
  // TLS has proved the key: a node that is not wanted here is not given our signature.
  if (auto refused = refused_here()) return std::move(*refused);
  const identity::Signature signature = self.key->sign(ack->challenge);
  wire::Verify verify;
  verify.signature.assign(signature.begin(), signature.end());
  verify.challenge = ack->challenge;
  awaits = Awaits::kVerifyAck;
  ending.finished();
  Step step;
  step.send.push_back(wire::encode(verify));
  step.finish = true;
  return step;
}

Step DiallerHandshake::Impl::on_verify_ack(base::ByteView payload) {
  const auto ack = wire::decode_verify_ack(payload);
  if (!ack) return ending.fail(wire::Code::kRejected, "malformed VerifyAck");
  if (!ack->ok) return ending.failed_by_peer(kCloseRejected, wire::Code{}, ack->reason.value_or("no reason given"));
  // A ban may have come since HelloAck.
  if (auto refused = refused_here()) return std::move(*refused);
  return ending.succeed(Step{});
}

Step DiallerHandshake::Impl::on_error(base::ByteView payload) {
  const auto error = wire::decode_error(payload);
  if (!error) return ending.fail(wire::Code::kRejected, "malformed Error");
  return ending.failed_by_peer(kCloseProtocolError, static_cast<wire::Code>(error->code), error->message);
}

DiallerHandshake::DiallerHandshake(const Self& self, const identity::PublicKey& tls_key, base::MonoNs started,
                                   RefuseFn refuse)
    : impl_(new Impl{.self = self,
                     .tls_key = tls_key,
                     .deadline = base::after(started, kHandshakeTimeout),
                     .refuse = std::move(refuse),
                     .peer = {},
                     .ending = {}}) {}

Step DiallerHandshake::begin(std::int64_t unix_now) {
  const Self& self = impl_->self;
  wire::Hello hello;
  hello.node_id = self.key->node_id();
  hello.name = self.name;
  hello.skills = self.skills;
  hello.operator_map = self.operator_map;
  hello.public_key.assign(self.key->public_key().begin(), self.key->public_key().end());
  hello.timestamp = unix_now;
  if (!self.agent_version.empty()) hello.agent_version = self.agent_version;
  hello.features = self.features;
  Step step;
  step.send.push_back(wire::encode(hello));
  return step;
}

Step DiallerHandshake::on_message(std::uint8_t type, base::ByteView payload) {
  Ending& ending = impl_->ending;
  if (ending.over()) return ending.message_after();
  if (payload.size() > wire::kMaxHandshakePayload) return on_fault(wire::Code::kPayloadTooLarge);
  if (type == wire::kError) return impl_->on_error(payload);
  if (impl_->awaits == Impl::Awaits::kHelloAck && type == wire::kHelloAck) return impl_->on_hello_ack(payload);
  if (impl_->awaits == Impl::Awaits::kVerifyAck && type == wire::kVerifyAck) return impl_->on_verify_ack(payload);
  return ending.fail(wire::Code::kNotVerified, "message out of order before VerifyAck");
}

Step DiallerHandshake::on_fault(wire::Code code) {
  return impl_->ending.fault(code);
}

Step DiallerHandshake::on_finish() {
  if (impl_->ending.over()) return impl_->ending.again();
  return impl_->ending.fail(wire::Code::kHandshakeFailed, "stream finished before VerifyAck");
}

Step DiallerHandshake::on_timeout() {
  if (impl_->ending.over()) return impl_->ending.again();
  return impl_->ending.fail(wire::Code::kHandshakeTimeout, "handshake not finished in 10 s");
}

Step DiallerHandshake::on_given_up() {
  if (impl_->ending.over()) return impl_->ending.again();
  return impl_->ending.fail(wire::Code::kHandshakeTimeout, "handshake not finished in the time of its dial");
}

base::MonoNs DiallerHandshake::deadline() const {
  return impl_->ending.over() ? base::kNever : impl_->deadline;
}
bool DiallerHandshake::done() const {
  return impl_->ending.done();
}
const PeerIdentity& DiallerHandshake::peer() const {
  return impl_->peer;
}
DiallerHandshake::~DiallerHandshake() = default;
DiallerHandshake::DiallerHandshake(DiallerHandshake&&) noexcept = default;
DiallerHandshake& DiallerHandshake::operator=(DiallerHandshake&&) noexcept = default;

}  // namespace atlas::session
