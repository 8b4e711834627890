// The Atlas handshake of section 5 as two state machines, one for each side: messages and time in, actions out.
// No sockets, no clock. One object for one connection; its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "identity/node_key.h"
#include "wire/messages.h"

namespace atlas::session {

inline constexpr base::MonoNs kHandshakeTimeout = base::limits::session_handshake_timeout * base::kSecond;
// Of a text that goes to or comes from a peer; cut.
inline constexpr std::size_t kMaxReasonBytes = base::limits::session_reason_bytes;
// Longer ones are kept as none.
inline constexpr std::size_t kMaxAgentVersionBytes = base::limits::session_agent_version_bytes;
inline constexpr std::size_t kMaxWalletBytes = base::limits::session_wallet_bytes;
inline constexpr std::size_t kMaxUsernameBytes = base::limits::session_username_bytes;

inline constexpr std::uint64_t kCloseRejected = 2;       // after VerifyAck `rejected`
inline constexpr std::uint64_t kCloseProtocolError = 3;  // after an Error

// What this node says of itself. Copied into a handshake when it begins; `key` outlives every handshake.
struct Self {
  const identity::NodeKey* key = nullptr;
  std::string name;
  std::vector<std::string> skills;
  std::optional<base::Bytes> operator_map;
  std::string agent_version;  // "atlas/0.2.0"
  std::vector<std::string> features;
};

// What the handshake proved or was told about the other side.
struct PeerIdentity {
  std::string node_id;
  identity::PublicKey key{};
  std::string name;
  std::vector<std::string> skills;
  std::optional<std::string> operator_username;  // "username" of the operator map, without @
  std::optional<std::string> wallet;
  std::string agent_version;
  std::vector<std::string> features;
  std::uint32_t protocol_v = 1;
  std::optional<std::string> observed;  // dialler only: our address as the listener sees it, in canonical form
};

// What to do after a step. `send` goes on the handshake stream first; after on_fault(kNotVerified), a second stream, it
// goes on that stream instead.
struct Step {
  std::vector<base::Bytes> send;  // whole envelopes
  bool finish = false;            // end our side of the stream with the last of them
  // A machine that is over answers every further call with its last outcome and sends nothing; kDone with
  // code kRejected asks to reset the stream, for something followed the handshake on it.
  enum class Outcome { kContinue, kDone, kFailed } outcome = Outcome::kContinue;
  // kFailed: close with this application code (3 after an Error, 2 after `rejected`) once the stream is acknowledged.
  std::uint64_t close_code = 0;
  wire::Code code{};   // the Error sent or received; 0 when there is none
  std::string reason;  // for log and last_failure; names the rule; escaped where a peer wrote it
};

// Bans and policy, asked about a proved identity only: a reason refuses.
using RefuseFn = std::function<std::optional<std::string>(const PeerIdentity&)>;

struct ListenerPolicy {
  std::uint64_t max_clock_drift_s = 300;
  RefuseFn refuse;  // when the signature has been checked: VerifyAck `rejected` with the reason
};

// The side that was dialled. Waits for Hello.
class ListenerHandshake {
 public:
  // `started` is when the first Initial came; `observed_address` may be empty.
  ListenerHandshake(const Self& self, const ListenerPolicy& policy, const identity::PublicKey& tls_key,
                    std::string observed_address, base::MonoNs started, base::Random& random);
  // One envelope of the handshake stream.
  Step on_message(std::uint8_t type, base::ByteView payload, base::MonoNs now, std::int64_t unix_now);
  // A fault of the framing (magic, version byte, length), or a second stream: `code` is what section 2 or 5 names, 2001
  // for the latter.
  Step on_fault(wire::Code code);
  // The dialler finished its side: fine after Verify, a fault before (2001).
  Step on_finish();
  // Call at deadline(); 1003.
  Step on_timeout();
  base::MonoNs deadline() const;  // kNever once it is over
  bool done() const;
  const PeerIdentity& peer() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;

 public:
  ~ListenerHandshake();
  ListenerHandshake(ListenerHandshake&&) noexcept;
  ListenerHandshake& operator=(ListenerHandshake&&) noexcept;
};

// The side that dials. begin() gives Hello.
class DiallerHandshake {
 public:
  // `refuse` is asked when HelloAck has been checked, and again at VerifyAck `ok`; a refusal sends nothing and closes
  // with 2.
  DiallerHandshake(const Self& self, const identity::PublicKey& tls_key, base::MonoNs started, RefuseFn refuse = {});
  Step begin(std::int64_t unix_now);
  // kDone comes with VerifyAck ok. HelloAck already means that the listener accepted our certificate.
  Step on_message(std::uint8_t type, base::ByteView payload);
  Step on_fault(wire::Code code);
  // The listener finished its side: fine after VerifyAck, a fault before (1002).
  Step on_finish();
  Step on_timeout();
  // The dial gives this candidate less time than a handshake has (section 11); 1003 too.
  Step on_given_up();
  base::MonoNs deadline() const;  // kNever once it is over
  bool done() const;
  const PeerIdentity& peer() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;

 public:
  ~DiallerHandshake();
  DiallerHandshake(DiallerHandshake&&) noexcept;
  DiallerHandshake& operator=(DiallerHandshake&&) noexcept;
};

}  // namespace atlas::session
