// What both sides of the handshake share: who the peer says it is, whether that holds, and how a failure leaves.
// Private to core/session. Any thread; plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "session/handshake.h"

namespace atlas::session {

struct Refusal {
  wire::Code code;
  std::string_view rule;
};

// The three checks that Hello and HelloAck have in common, in the order of section 5: version (1001), node id and key
// agree (1004), key is the one that TLS proved (1004).
std::optional<Refusal> check_identity(std::uint32_t protocol_v, std::string_view node_id, base::ByteView public_key,
                                      const identity::PublicKey& tls_key);

// Why a Hello or HelloAck that does not decode is refused: for its version (1001), which is the first check, or for
// being malformed (2003), with this text.
Refusal refuse_undecodable(base::ByteView payload, std::string_view malformed);

// What a checked Hello or HelloAck says of its sender.
template <class Message>
PeerIdentity identity_from(const Message& message, const identity::PublicKey& tls_key);

// "username" of an operator map without a leading @; nothing when it is absent, no text, empty or too long.
std::optional<std::string> operator_username(base::ByteView operator_map);

// A machine's way to its end, the same on both sides.
class Ending {
 public:
  bool over() const { return last_.outcome != Step::Outcome::kContinue; }
  bool done() const { return last_.outcome == Step::Outcome::kDone; }
  // Every call after the end; a message then breaks the rule of one exchange a stream.
  Step again() const;
  Step message_after() const;
  // Our side of the stream has ended: a failure from now on can send nothing.
  void finished() { can_send_ = false; }

  Step succeed(Step step);
  // Error, FIN, close code 3.
  Step fail(wire::Code code, std::string_view rule);
  // The same for what the floor below found; a second stream (2001) carries the Error itself, so it always leaves.
  Step fault(wire::Code code);
  // The peer sent Error or VerifyAck `rejected`: nothing to send.
  Step failed_by_peer(std::uint64_t close_code, wire::Code code, std::string_view text);
  // Bans and policy; close code 2. A listener has put VerifyAck `rejected` into `step`, a dialler leaves without a
  // word.
  Step reject(Step step, std::string_view reason);

 private:
  Step end(Step step);
  Step last_;  // outcome, codes and reason only
  bool can_send_ = true;
};

}  // namespace atlas::session
