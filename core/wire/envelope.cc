#include "wire/envelope.h"

#include <algorithm>
#include <cstring>

namespace atlas::wire {
namespace {

constexpr std::uint8_t kMagic[] = {0xac, 0x01};
// Pieces of like size that are joined at once. With 16 there are at most 16 * log16(kMaxPayload) < 96 pieces, and a
// byte is copied at most six times on its way, whatever sizes a peer chooses.
constexpr std::size_t kFan = 16;

std::uint32_t read_u32(base::ByteView four) {
  return std::uint32_t{four[0]} << 24 | std::uint32_t{four[1]} << 16 | std::uint32_t{four[2]} << 8 | four[3];
}

}  // namespace

std::optional<Code> check_header(base::ByteView eight_bytes, std::uint32_t limit, Header& out) {
  if (eight_bytes.size() < kHeaderSize) return Code::kRejected;
  if (!std::ranges::equal(eight_bytes.first(2), kMagic)) return Code::kRejected;
  if (eight_bytes[2] != kVersion) return Code::kProtocolVersion;
  const std::uint32_t length = read_u32(eight_bytes.subspan(4, 4));
  if (length > limit) return Code::kPayloadTooLarge;
  out = {eight_bytes[3], length};
  return std::nullopt;
}

void write_header(base::MutableBytes eight_bytes, std::uint8_t type, std::uint32_t length) {
  const std::uint8_t header[kHeaderSize] = {kMagic[0],
                                            kMagic[1],
                                            kVersion,
                                            type,
                                            static_cast<std::uint8_t>(length >> 24),
                                            static_cast<std::uint8_t>(length >> 16),
                                            static_cast<std::uint8_t>(length >> 8),
                                            static_cast<std::uint8_t>(length)};
  std::ranges::copy(header, eight_bytes.begin());
}

base::Bytes seal(std::uint8_t type, base::ByteView payload) {
  base::Bytes out(kHeaderSize + payload.size());
  write_header(out, type, static_cast<std::uint32_t>(payload.size()));
  std::ranges::copy(payload, out.begin() + kHeaderSize);
  return out;
}

EnvelopeReader::State EnvelopeReader::feed(base::ByteView& data) {
  if (fault_) return State::kFault;
  if (envelope_) return State::kEnvelope;
  if (header_filled_ < kHeaderSize) {
    if (!take_header(data)) return State::kNeedMore;
    if (const auto fault = check_header(header_bytes_, limit_, header_)) {
      fault_ = fault;
      return State::kFault;
    }
  }
  const std::size_t missing = header_.length - arrived_;
  const base::ByteView taken = data.first(std::min(missing, data.size()));
  data = data.subspan(taken.size());
  if (arrived_ == 0 && taken.size() == missing) {
    envelope_ = Envelope{header_.type, taken};  // whole: no copy
    return State::kEnvelope;
  }
  keep(taken);
  if (arrived_ < header_.length) return State::kNeedMore;
  join_from(0);
  envelope_ = Envelope{header_.type, pieces_.front()};
  return State::kEnvelope;
}

void EnvelopeReader::pop() {
  envelope_.reset();
  pieces_ = {};
  arrived_ = 0;
  header_filled_ = 0;
}

std::size_t EnvelopeReader::buffered() const {
  std::size_t sum = 0;
  for (const auto& piece : pieces_) sum += piece.capacity();
  return sum;
}

// True when all eight bytes are there.
bool EnvelopeReader::take_header(base::ByteView& data) {
  const std::size_t count = std::min(kHeaderSize - header_filled_, data.size());
  std::copy_n(data.begin(), count, header_bytes_.begin() + header_filled_);
  header_filled_ += count;
  data = data.subspan(count);
  return header_filled_ == kHeaderSize;
}

// One growing buffer would need slack ahead of what has arrived, or a copy of everything for every piece.
void EnvelopeReader::keep(base::ByteView bytes) {
  if (bytes.empty()) return;
  pieces_.emplace_back(bytes.begin(), bytes.end());
  arrived_ += bytes.size();
  while (pieces_.size() >= kFan && pieces_[pieces_.size() - kFan].size() < kFan * pieces_.back().size()) {
    join_from(pieces_.size() - kFan);
  }
}

// Makes one piece of the last ones.
void EnvelopeReader::join_from(std::size_t first) {
  if (pieces_.size() - first < 2) return;
  std::size_t size = 0;
  for (std::size_t i = first; i < pieces_.size(); ++i) size += pieces_[i].size();
  base::Bytes joined;
  joined.reserve(size);
  for (std::size_t i = first; i < pieces_.size(); ++i) {
    joined.insert(joined.end(), pieces_[i].begin(), pieces_[i].end());
    pieces_[i] = {};
  }
  pieces_.resize(first);
  pieces_.push_back(std::move(joined));
}

}  // namespace atlas::wire
