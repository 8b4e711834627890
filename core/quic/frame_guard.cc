#include "quic/frame_guard.h"

#include "quic/varint.h"

namespace atlas::quic {
namespace {

// RFC 9000, section 19.
enum FrameType : std::uint64_t {
  kPadding = 0x00,
  kPing = 0x01,
  kAck = 0x02,
  kAckEcn = 0x03,
  kResetStream = 0x04,
  kStopSending = 0x05,
  kCrypto = 0x06,
  kNewToken = 0x07,
  kStreamFirst = 0x08,
  kStreamLast = 0x0f,
  kMaxData = 0x10,
  kMaxStreamData = 0x11,
  kMaxStreamsBidi = 0x12,
  kMaxStreamsUni = 0x13,
  kDataBlocked = 0x14,
  kStreamDataBlocked = 0x15,
  kStreamsBlockedBidi = 0x16,
  kStreamsBlockedUni = 0x17,
  kNewConnectionId = 0x18,
  kRetireConnectionId = 0x19,
  kPathChallenge = 0x1a,
  kPathResponse = 0x1b,
  kCloseTransport = 0x1c,
  kCloseApplication = 0x1d,
  kHandshakeDone = 0x1e,
};

class Reader {
 public:
  explicit Reader(base::ByteView data) : data_(data) {}
  bool at_end() const { return at_ == data_.size(); }
  bool varint(std::uint64_t& out) { return read_varint(data_, at_, out); }
  bool skip_varints(std::uint64_t count) {
    std::uint64_t ignored;
    for (; count > 0; --count) {
      if (!varint(ignored)) return false;
    }
    return true;
  }
  bool skip(std::uint64_t bytes) {
    if (bytes > data_.size() - at_) return false;
    at_ += static_cast<std::size_t>(bytes);
    return true;
  }
  bool skip_counted() {
    std::uint64_t length;
    return varint(length) && skip(length);
  }
  bool skip_short_counted() {  // a length of one byte: connection ids
    if (at_end()) return false;
    const std::uint64_t length = data_[at_];
    return skip(1 + length);
  }
  void skip_rest() { at_ = data_.size(); }

 private:
  base::ByteView data_;
  std::size_t at_ = 0;
};

bool skip_ack(Reader& reader, bool with_ecn) {
  std::uint64_t ranges;
  if (!reader.skip_varints(2) || !reader.varint(ranges) || !reader.skip_varints(1)) return false;
  for (; ranges > 0; --ranges) {
    if (!reader.skip_varints(2)) return false;
  }
  return !with_ecn || reader.skip_varints(3);
}

bool skip_stream(Reader& reader, std::uint64_t type) {
  const bool has_offset = (type & 4) != 0, has_length = (type & 2) != 0;
  if (!reader.skip_varints(has_offset ? 2 : 1)) return false;
  if (has_length) return reader.skip_counted();
  reader.skip_rest();
  return true;
}

// Frames that only have to be stepped over; false for what does not parse and for kinds not offered here.
bool skip_frame(Reader& reader, std::uint64_t type) {
  if (type >= kStreamFirst && type <= kStreamLast) return skip_stream(reader, type);
  switch (type) {
    case kPadding:
    case kPing:
    case kHandshakeDone:
      return true;
    case kAck:
    case kAckEcn:
      return skip_ack(reader, type == kAckEcn);
    case kResetStream:
      return reader.skip_varints(3);
    case kMaxStreamData:
    case kStreamDataBlocked:
      return reader.skip_varints(2);
    case kCrypto:
      return reader.skip_varints(1) && reader.skip_counted();
    case kNewToken:
      return reader.skip_counted();
    case kMaxData:
    case kMaxStreamsBidi:
    case kMaxStreamsUni:
    case kDataBlocked:
    case kStreamsBlockedBidi:
    case kStreamsBlockedUni:
    case kRetireConnectionId:
      return reader.skip_varints(1);
    case kPathChallenge:
    case kPathResponse:
      return reader.skip(8);
    case kCloseTransport:
      return reader.skip_varints(2) && reader.skip_counted();
    case kCloseApplication:
      return reader.skip_varints(1) && reader.skip_counted();
    default:
      return false;
  }
}

}  // namespace

FrameGuard::Verdict FrameGuard::check(base::ByteView frames, std::uint64_t packet_number) {
  bool late = false;
  if (!walk(frames, packet_number, late)) {
    refused_ = true;
    return Verdict::kRefuse;
  }
  return late ? Verdict::kDrop : Verdict::kPass;
}

bool FrameGuard::walk(base::ByteView frames, std::uint64_t packet_number, bool& late) {
  Reader reader(frames);
  unsigned new_ids = 0, challenges = 0;
  while (!reader.at_end()) {
    std::uint64_t type;
    if (!reader.varint(type)) return false;
    // RFC 9000, section 13.2.
    const bool silent =
        type == kPadding || type == kAck || type == kAckEcn || type == kCloseTransport || type == kCloseApplication;
    asks_ = asks_ || !silent;
    urgent_ = urgent_ || type == kPathChallenge;
    if (type == kNewConnectionId) {
      std::uint64_t sequence, retire_prior_to;
      if (!reader.varint(sequence) || !reader.varint(retire_prior_to)) return false;
      if (!reader.skip_short_counted() || !reader.skip(16)) return false;
      if (++new_ids > kMostNewConnectionIds || retire_prior_to > sequence) return false;
      if (sequence < retire_prior_to_) {
        // An id that the peer itself had asked us to retire. A packet from before that may come late; later ones lie.
        if (packet_number >= raised_in_) return false;
        late = true;
      }
      if (retire_prior_to > retire_prior_to_) {
        retire_prior_to_ = retire_prior_to;
        raised_in_ = packet_number;
      }
      continue;
    }
    if (type == kStopSending) {
      std::uint64_t stream, code;
      if (!reader.varint(stream) || !reader.varint(code)) return false;
      stops_.push_back({static_cast<std::int64_t>(stream), code});
      continue;
    }
    if (type == kPathChallenge && ++challenges > kMostPathChallenges) return false;
    if (!skip_frame(reader, type)) return false;
  }
  return true;
}

}  // namespace atlas::quic
