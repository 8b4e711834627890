// Parsers and printers are written out here rather than left to getaddrinfo or inet_aton: those resolve names, accept
// octal and short forms ("127.1", "0177.0.0.1"), and each such spelling is a way around an allow list.
#include "net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>

namespace atlas::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Decimal without sign, space or leading zero, at most `most`; nothing else.
std::optional<std::uint32_t> parse_decimal(std::string_view text, std::uint32_t most) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint32_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  if (value > most) return std::nullopt;
  return value;
}

std::optional<IpAddress> parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos) return std::nullopt;
    const auto value = parse_decimal(text.substr(0, dot), 255);
    if (!value) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return IpAddress::v4(bytes);
}

std::optional<IpAddress> parse_v6(std::string_view text) {
  // The character check keeps zones ("%eth0") and embedded NULs from inet_pton, which stops at a NUL.
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return std::nullopt;
  char terminated[INET6_ADDRSTRLEN] = {};
  std::memcpy(terminated, text.data(), text.size());
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, terminated, bytes.data()) != 1) return std::nullopt;
  return IpAddress::v6(bytes);
}

// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::", the first of equals.
std::string v6_text(const std::array<std::uint8_t, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1];

  std::size_t run_start = 8, run_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > run_length) run_start = i, run_length = end - i;
    i = end + 1;
  }

  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == run_start) {
      out += "::";
      i += run_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    out += fmt::format("{:x}", groups[i]);
  }
  return out;
}

}  // namespace

IpAddress IpAddress::v4(std::array<std::uint8_t, 4> bytes) {
  IpAddress out;
  out.family_ = Family::kV4;
  std::memcpy(out.bytes_.data(), bytes.data(), bytes.size());
  return out;
}

IpAddress IpAddress::v6(const std::array<std::uint8_t, 16>& bytes) {
  if (std::memcmp(bytes.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0) {
    return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
  }
  IpAddress out;
  out.family_ = Family::kV6;
  out.bytes_ = bytes;
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  return text.find(':') == std::string_view::npos ? parse_v4(text) : parse_v6(text);
}

std::string_view IpAddress::bytes() const {
  const std::size_t size = family_ == Family::kV4 ? 4 : family_ == Family::kV6 ? 16 : 0;
  return {reinterpret_cast<const char*>(bytes_.data()), size};
}

IpAddress IpAddress::prefix() const {
  IpAddress out = *this;
  const std::size_t kept = is_v4() ? 3 : 6;
  std::memset(out.bytes_.data() + kept, 0, out.bytes_.size() - kept);
  return out;
}

std::string IpAddress::text() const {
  switch (family_) {
    case Family::kNone:
      return {};
    case Family::kV4:
      return fmt::format("{}.{}.{}.{}", bytes_[0], bytes_[1], bytes_[2], bytes_[3]);
    case Family::kV6:
      return v6_text(bytes_);
  }
  return {};
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const bool bracketed = !text.empty() && text.front() == '[';
  const std::size_t host_end = bracketed ? text.find(']') : text.rfind(':');
  if (host_end == std::string_view::npos) return std::nullopt;
  const std::string_view host = bracketed ? text.substr(1, host_end - 1) : text.substr(0, host_end);
  std::string_view rest = text.substr(bracketed ? host_end + 1 : host_end);
  // Brackets are for the family that has colons, and that family cannot do without them.
  if ((host.find(':') != std::string_view::npos) != bracketed) return std::nullopt;
  if (rest.empty() || rest.front() != ':') return std::nullopt;
  const auto port = parse_decimal(rest.substr(1), 65535);
  const auto ip = IpAddress::parse(host);
  if (!ip || !port) return std::nullopt;
  return SocketAddress{*ip, static_cast<std::uint16_t>(*port)};
}

std::optional<SocketAddress> SocketAddress::from(const sockaddr* address, socklen_t length) {
  if (address == nullptr || length < sizeof(sa_family_t)) return std::nullopt;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::array<std::uint8_t, 4> bytes;
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return SocketAddress{IpAddress::v4(bytes), ntohs(v4.sin_port)};
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return SocketAddress{IpAddress::v6(bytes), ntohs(v6.sin6_port)};
  }
  return std::nullopt;
}

socklen_t SocketAddress::to(sockaddr_storage& out, bool as_v6) const {
  const std::string_view host = ip.bytes();
  if (ip.family() == Family::kNone) {
    out.ss_family = AF_UNSPEC;
    return 0;
  }
  if (ip.is_v4() && !as_v6) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, host.data(), host.size());
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (ip.is_v4()) {
    std::memcpy(v6.sin6_addr.s6_addr, kMappedPrefix.data(), kMappedPrefix.size());
    std::memcpy(v6.sin6_addr.s6_addr + kMappedPrefix.size(), host.data(), host.size());
  } else {
    std::memcpy(v6.sin6_addr.s6_addr, host.data(), host.size());
  }
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

std::string SocketAddress::text() const {
  if (ip.family() == Family::kNone) return {};
  return ip.is_v4() ? fmt::format("{}:{}", ip.text(), port) : fmt::format("[{}]:{}", ip.text(), port);
}

}  // namespace atlas::net
