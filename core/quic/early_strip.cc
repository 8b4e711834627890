#include "quic/early_strip.h"

#include "quic/varint.h"

namespace atlas::quic {
namespace {

constexpr std::uint8_t kLongHeader = 0x80;
enum : std::uint8_t { kInitial = 0, kRetry = 3 };

bool skip(base::ByteView data, std::size_t& at, std::uint64_t length) {
  if (at > data.size() || length > data.size() - at) return false;
  at += static_cast<std::size_t>(length);
  return true;
}

bool skip_connection_id(base::ByteView data, std::size_t& at) {
  return at < data.size() && skip(data, at, std::uint64_t{1} + data[at]);
}

// Moves `at` past one Initial, 0-RTT or Handshake packet; false for anything else.
bool skip_long_packet(base::ByteView data, std::size_t& at) {
  const std::uint8_t type = data[at] >> 4 & 3;
  if (data.size() - at < 6 || type == kRetry) return false;
  if ((data[at + 1] | data[at + 2] | data[at + 3] | data[at + 4]) == 0) return false;  // Version Negotiation
  at += 5;
  std::uint64_t length = 0;
  if (!skip_connection_id(data, at) || !skip_connection_id(data, at)) return false;
  if (type == kInitial && (!read_varint(data, at, length) || !skip(data, at, length))) return false;
  return read_varint(data, at, length) && skip(data, at, length);
}

}  // namespace

std::size_t long_header_prefix(base::ByteView datagram) {
  std::size_t at = 0;
  while (at < datagram.size() && (datagram[at] & kLongHeader) != 0) {
    if (!skip_long_packet(datagram, at)) return datagram.size();
  }
  return at;
}

}  // namespace atlas::quic
