// The envelope: eight bytes in front of every payload (wire protocol, section 2).
// Plain values and functions: any thread. One EnvelopeReader for one stream, on its thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace atlas::wire {

inline constexpr std::size_t kHeaderSize = 8;
inline constexpr std::uint32_t kMaxPayload = base::limits::wire_max_payload;  // bytes; refusal 2002
inline constexpr std::uint32_t kMaxHandshakePayload =
    base::limits::wire_max_handshake_payload;  // bytes before VerifyAck; refusal 2002
inline constexpr std::uint32_t kMaxOpening =
    base::limits::wire_max_opening;  // bytes, of the envelope that opens a raw stream; refusal 2002
inline constexpr std::uint8_t kVersion = 1;

// Message types that the core owns. All others belong to plugins.
enum Type : std::uint8_t {
  kHello = 0x01,
  kHelloAck = 0x02,
  kVerify = 0x03,
  kVerifyAck = 0x04,
  kError = 0xe0,
  kDisconnect = 0xff,
};

// Codes of the Error message (wire protocol, section 6).
enum class Code : std::uint32_t {
  kProtocolVersion = 1001,
  kHandshakeFailed = 1002,
  kHandshakeTimeout = 1003,
  kInvalidIdentity = 1004,
  kNotVerified = 2001,
  kPayloadTooLarge = 2002,
  kRejected = 2003,
  kRateLimited = 4001,
  kInternal = 5001,
};

struct Header {
  std::uint8_t type = 0;
  std::uint32_t length = 0;
};

// The fault of a header, in the order of the checks: magic (2003), version byte (1001), length over `limit` (2002).
// Looks at the first eight bytes; fewer are 2003. `out` is set when there is no fault.
std::optional<Code> check_header(base::ByteView eight_bytes, std::uint32_t limit, Header& out);

// Header and payload in one buffer. The payload is at most kMaxPayload bytes.
base::Bytes seal(std::uint8_t type, base::ByteView payload);
void write_header(base::MutableBytes eight_bytes, std::uint8_t type, std::uint32_t length);

// Cuts envelopes out of the bytes of one stream, whatever pieces they arrive in. Keeps at most one envelope, and never
// more room for it than has arrived of it, whatever length its header declares. After a fault it stays faulted.
class EnvelopeReader {
 public:
  explicit EnvelopeReader(std::uint32_t payload_limit = kMaxPayload) : limit_(payload_limit) {}
  // Counts for headers that are not complete yet.
  void set_limit(std::uint32_t payload_limit) { limit_ = payload_limit; }

  struct Envelope {
    std::uint8_t type;
    base::ByteView payload;  // valid until the next feed() or pop(); points into `data` when it arrived whole
  };
  enum class State { kNeedMore, kEnvelope, kFault };

  // Takes bytes from the front of `data` and removes what it used. kEnvelope: envelope() is ready; call pop() and feed
  // the rest again.
  State feed(base::ByteView& data);
  const Envelope& envelope() const { return *envelope_; }
  void pop();
  Code fault() const { return *fault_; }
  // True when the stream may end here: nothing was begun.
  bool at_boundary() const { return !fault_ && !envelope_ && header_filled_ == 0; }
  // Bytes of payload that are held here.
  std::size_t buffered() const;

 private:
  bool take_header(base::ByteView& data);
  void keep(base::ByteView bytes);
  void join_from(std::size_t first);

  std::uint32_t limit_;
  base::ByteArray<kHeaderSize> header_bytes_{};
  std::size_t header_filled_ = 0;
  Header header_;
  // The payload so far, in order. Neighbours of like size are joined, so they are few and each byte moves rarely.
  std::vector<base::Bytes> pieces_;
  std::size_t arrived_ = 0;  // bytes in all pieces
  std::optional<Envelope> envelope_;
  std::optional<Code> fault_;
};

}  // namespace atlas::wire
