#include "net/stun_message.h"

#include <algorithm>
#include <array>

namespace atlas::net {
namespace {

constexpr std::uint16_t kRequest = 0x0001, kIndication = 0x0011, kSuccess = 0x0101, kFailure = 0x0111;
constexpr base::ByteArray<4> kCookie = {0x21, 0x12, 0xa4, 0x42};
constexpr std::size_t kCookieAt = 4, kTransactionAt = 8;
// Attributes (RFC 8489, section 18.3). Those below 0x8000 must be understood.
constexpr std::uint16_t kMappedAddress = 0x0001, kErrorCode = 0x0009, kXorMappedAddress = 0x0020,
                        kFirstOptional = 0x8000;
// Credentials and the like: known, and of no meaning to us.
constexpr std::array<std::uint16_t, 8> kOfNoMeaning = {0x0006, 0x0008, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e};

std::uint16_t read16(base::ByteView data, std::size_t at) {
  return static_cast<std::uint16_t>(data[at] << 8 | data[at + 1]);
}

StunPacket message(std::uint16_t type, const StunTransaction& transaction) {
  StunPacket out{};
  out[0] = static_cast<std::uint8_t>(type >> 8);
  out[1] = static_cast<std::uint8_t>(type);
  std::ranges::copy(kCookie, out.begin() + kCookieAt);
  std::ranges::copy(transaction, out.begin() + kTransactionAt);
  return out;
}

// Family, port, address (section 14.1), each combined with `mask`: cookie and transaction, or zeros.
std::optional<SocketAddress> read_address(base::ByteView value, base::ByteView mask) {
  if (value.size() < 8) return std::nullopt;
  const bool v4 = value[1] == 1;
  const std::size_t size = v4 ? 4 : 16;
  if ((!v4 && value[1] != 2) || value.size() != 4 + size) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < size; ++i) bytes[i] = value[4 + i] ^ mask[i];
  const auto port = static_cast<std::uint16_t>(read16(value, 2) ^ read16(mask, 0));
  if (!v4) return SocketAddress{IpAddress::v6(bytes), port};
  return SocketAddress{IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]}), port};
}

std::uint16_t read_error(base::ByteView value) {
  if (value.size() < 4) return 0;
  const unsigned code = (value[2] & 7u) * 100 + value[3];
  return code >= 300 && code <= 699 ? static_cast<std::uint16_t>(code) : 0;
}

}  // namespace

bool is_stun(base::ByteView datagram) {
  if (datagram.size() < kStunHeaderBytes || (datagram[0] & 0xc0) != 0) return false;
  const bool cookie = std::equal(kCookie.begin(), kCookie.end(), datagram.begin() + kCookieAt);
  return cookie && datagram.size() % 4 == 0 && kStunHeaderBytes + read16(datagram, 2) == datagram.size();
}

StunPacket stun_request(const StunTransaction& transaction) {
  return message(kRequest, transaction);
}

StunPacket stun_indication(const StunTransaction& transaction) {
  return message(kIndication, transaction);
}

std::optional<StunAnswer> parse_stun_answer(base::ByteView datagram) {
  if (!is_stun(datagram)) return std::nullopt;
  const std::uint16_t type = read16(datagram, 0);
  if (type != kSuccess && type != kFailure) return std::nullopt;
  StunAnswer out;
  std::copy_n(datagram.begin() + kTransactionAt, out.transaction.size(), out.transaction.begin());
  constexpr std::array<std::uint8_t, 16> kNoMask{};
  std::optional<SocketAddress> plain;
  base::ByteView rest = datagram.subspan(kStunHeaderBytes);
  while (rest.size() >= 4) {
    const std::uint16_t attribute = read16(rest, 0);
    const std::size_t length = read16(rest, 2), padded = (length + 3) / 4 * 4;
    if (rest.size() < 4 + padded) return std::nullopt;
    const base::ByteView value = rest.subspan(4, length);
    rest = rest.subspan(4 + padded);
    // Of several of one kind the first counts (section 14).
    if (attribute == kXorMappedAddress) {
      if (!out.mapped) out.mapped = read_address(value, datagram.subspan(kCookieAt, 16));
    } else if (attribute == kMappedAddress) {
      if (!plain) plain = read_address(value, kNoMask);
    } else if (attribute == kErrorCode) {
      if (out.error == 0) out.error = read_error(value);
    } else if (attribute < kFirstOptional && std::ranges::find(kOfNoMeaning, attribute) == kOfNoMeaning.end()) {
      return std::nullopt;
    }
  }
  if (!out.mapped) out.mapped = plain;
  if (type == kFailure) {
    out.mapped.reset();
    if (out.error == 0) return std::nullopt;
    return out;
  }
  out.error = 0;
  if (!out.mapped || out.mapped->port == 0) return std::nullopt;
  return out;
}

}  // namespace atlas::net
