#include "session/handshake_parts.h"

#include <algorithm>
#include <atlas/msgpack.hpp>

#include "base/log.h"

namespace atlas::session {
namespace {

constexpr Refusal kOtherVersion{wire::Code::kProtocolVersion, "protocol version is not 1"};

std::optional<std::string> within(const std::optional<std::string>& text, std::size_t most) {
  return text && text->size() <= most ? text : std::nullopt;
}

// The rule in a few words for a fault of the framing.
std::string_view framing_rule(wire::Code code) {
  switch (code) {
    case wire::Code::kProtocolVersion:
      return "envelope version is not 1";
    case wire::Code::kPayloadTooLarge:
      return "payload over 16 KiB before the handshake ended";
    case wire::Code::kNotVerified:
      return "only the handshake may come before VerifyAck";
    case wire::Code::kRejected:
      return "malformed envelope";
    case wire::Code::kHandshakeFailed:
    case wire::Code::kHandshakeTimeout:
    case wire::Code::kInvalidIdentity:
    case wire::Code::kRateLimited:
    case wire::Code::kInternal:
      return "handshake fault";
  }
  return "handshake fault";
}

}  // namespace

std::optional<Refusal> check_identity(std::uint32_t protocol_v, std::string_view node_id, base::ByteView public_key,
                                      const identity::PublicKey& tls_key) {
  if (protocol_v != wire::kProtocolVersion) return kOtherVersion;
  identity::PublicKey key;
  if (public_key.size() != key.size()) return Refusal{wire::Code::kInvalidIdentity, "public key is not 32 bytes"};
  std::ranges::copy(public_key, key.begin());
  if (node_id != identity::node_id_of(key)) {
    return Refusal{wire::Code::kInvalidIdentity, "node id is not the hash of the public key"};
  }
  if (key != tls_key) {
    return Refusal{wire::Code::kInvalidIdentity, "public key is not the key of the TLS certificate"};
  }
  return std::nullopt;
}

Refusal refuse_undecodable(base::ByteView payload, std::string_view malformed) {
  return wire::of_other_version(payload) ? kOtherVersion : Refusal{wire::Code::kRejected, malformed};
}

std::optional<std::string> operator_username(base::ByteView operator_map) {
  auto name = msgpack::MapView::of(operator_map).find("username").text();
  if (!name) return std::nullopt;
  if (name->starts_with('@')) name->remove_prefix(1);
  if (name->empty() || name->size() > kMaxUsernameBytes) return std::nullopt;
  return std::string(*name);
}

template <class Message>
PeerIdentity identity_from(const Message& message, const identity::PublicKey& tls_key) {
  PeerIdentity peer;
  peer.node_id = message.node_id;
  peer.key = tls_key;
  peer.name = message.name;
  peer.skills = message.skills;
  if (message.operator_map) peer.operator_username = operator_username(*message.operator_map);
  peer.wallet = within(message.wallet, kMaxWalletBytes);
  peer.agent_version = within(message.agent_version, kMaxAgentVersionBytes).value_or("");
  peer.features = message.features;
  peer.protocol_v = message.protocol_v;
  return peer;
}
template PeerIdentity identity_from(const wire::Hello&, const identity::PublicKey&);
template PeerIdentity identity_from(const wire::HelloAck&, const identity::PublicKey&);

Step Ending::again() const {
  return last_;
}

Step Ending::message_after() const {
  Step step = last_;
  if (done()) step.code = wire::Code::kRejected;
  return step;
}

Step Ending::end(Step step) {
  last_ = step;
  last_.send.clear();
  last_.finish = false;
  return step;
}

Step Ending::succeed(Step step) {
  step.outcome = Step::Outcome::kDone;
  return end(std::move(step));
}

Step Ending::fail(wire::Code code, std::string_view rule) {
  Step step;
  if (can_send_) {
    step.send.push_back(
        wire::encode(wire::ErrorMessage{static_cast<std::uint32_t>(code), std::string(rule), std::nullopt}));
    step.finish = true;
  }
  step.outcome = Step::Outcome::kFailed;
  step.close_code = kCloseProtocolError;
  step.code = code;
  step.reason = rule;
  return end(std::move(step));
}

Step Ending::fault(wire::Code code) {
  if (over()) return message_after();
  if (code == wire::Code::kNotVerified) can_send_ = true;
  return fail(code, framing_rule(code));
}

Step Ending::failed_by_peer(std::uint64_t close_code, wire::Code code, std::string_view text) {
  Step step;
  step.outcome = Step::Outcome::kFailed;
  step.close_code = close_code;
  step.code = code;
  step.reason = base::escaped(text, kMaxReasonBytes);
  return end(std::move(step));
}

Step Ending::reject(Step step, std::string_view reason) {
  step.outcome = Step::Outcome::kFailed;
  step.close_code = kCloseRejected;
  step.reason = reason;
  return end(std::move(step));
}

}  // namespace atlas::session
