// The envelope: eight bytes in front of every payload (wire protocol, section 2).
// Any thread; plain values and one incremental reader per stream.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace atlas::wire {

inline constexpr std::size_t kHeaderSize = 8;
inline constexpr std::uint32_t kMaxPayload = 4'194'304;         // bytes; refusal 2002
inline constexpr std::uint32_t kMaxHandshakePayload = 16'384;   // bytes before VerifyAck; refusal 2002
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
std::optional<Code> check_header(base::ByteView eight_bytes, std::uint32_t limit, Header& out);

// Header and payload in one buffer.
base::Bytes seal(std::uint8_t type, base::ByteView payload);
void write_header(base::MutableBytes eight_bytes, std::uint8_t type, std::uint32_t length);

// Cuts envelopes out of the bytes of one stream, whatever pieces they arrive in. Keeps at most one envelope; never
// reserves more than has arrived. After a fault it stays faulted.
class EnvelopeReader {
 public:
  explicit EnvelopeReader(std::uint32_t payload_limit = kMaxPayload) : limit_(payload_limit) {}
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
  bool at_boundary() const { return !fault_ && !envelope_ && buffer_.empty(); }
  std::size_t buffered() const { return buffer_.capacity(); }

 private:
  std::uint32_t limit_;
  base::Bytes buffer_;
  std::optional<Envelope> envelope_;
  std::optional<Code> fault_;
};

}  // namespace atlas::wire
