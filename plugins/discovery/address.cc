#include "address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>

namespace discovery {

namespace {

constexpr std::size_t kMaxHost = 45;  // the longest IPv6 address in text

Scope of_ipv4(const std::uint8_t* ip) {
  if (ip[0] == 127) return Scope::kLoopback;
  return ip[0] == 0 || ip[0] >= 224 ? Scope::kNone : Scope::kUsable;
}

Scope of_ipv6(const std::array<std::uint8_t, 16>& ip) {
  const bool ten_zeros = std::all_of(ip.begin(), ip.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  if (ten_zeros && ip[10] == 0xff && ip[11] == 0xff) return of_ipv4(&ip[12]);
  if (ten_zeros && std::all_of(ip.begin() + 10, ip.end() - 1, [](std::uint8_t byte) { return byte == 0; })) {
    return ip[15] == 1 ? Scope::kLoopback : Scope::kNone;
  }
  return ip[0] == 0xff ? Scope::kNone : Scope::kUsable;
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && rest == text.data() + text.size() && port != 0;
}

}  // namespace

Scope scope_of(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos || !is_port(address.substr(colon + 1))) return Scope::kNone;
  std::string_view host = address.substr(0, colon);
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.size() > kMaxHost) return Scope::kNone;
  std::array<std::uint8_t, 16> ip{};
  if (inet_pton(brackets ? AF_INET6 : AF_INET, std::string(host).c_str(), ip.data()) != 1) return Scope::kNone;
  return brackets ? of_ipv6(ip) : of_ipv4(ip.data());
}

}  // namespace discovery
