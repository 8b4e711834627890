// Network addresses in one canonical form, and what kind of host they name.
// Any thread; plain values.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atlas::net {

enum class Family : std::uint8_t { kNone, kV4, kV6 };

// Which hosts an address may name; the order is that of the checks.
enum class Scope {
  kUnspecified,  // 0.0.0.0, ::
  kLoopback,     // 127/8, ::1
  kLinkLocal,    // 169.254/16, fe80::/10
  kPrivate,      // 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7
  kSpecial,      // multicast, broadcast, documentation, benchmarking, 0/8, 6to4, Teredo, NAT64, ...
  kGlobal,
};

// An IPv4 or IPv6 host. IPv4-mapped IPv6 (::ffff:a.b.c.d) is IPv4 from the moment it is made, so two spellings of one
// host are equal.
class IpAddress {
 public:
  IpAddress() = default;
  static IpAddress v4(std::array<std::uint8_t, 4> bytes);
  static IpAddress v6(const std::array<std::uint8_t, 16>& bytes);
  // No names, no zones, no octal: "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1".
  static std::optional<IpAddress> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kV4; }
  // 4 or 16 bytes in network order.
  std::string_view bytes() const;
  Scope scope() const;
  // The /24 of IPv4 or the /48 of IPv6: what a limit by prefix counts by.
  IpAddress prefix() const;
  // IPv6 as RFC 5952 writes it; empty for no address.
  std::string text() const;

  auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kNone;
  std::array<std::uint8_t, 16> bytes_{};
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  // "192.0.2.1:4433", "[2001:db8::1]:4433"; a port is required, 0 is allowed.
  static std::optional<SocketAddress> parse(std::string_view text);
  static std::optional<SocketAddress> from(const sockaddr* address, socklen_t length);
  // A socket of family AF_INET6 wants IPv4 as ::ffff:a.b.c.d: `as_v6` writes that form. Returns the length, 0 for no
  // address.
  socklen_t to(sockaddr_storage& out, bool as_v6 = false) const;
  // As in the wire protocol, section 7: IPv4-mapped forms shown as IPv4, IPv6 in brackets; empty for no address.
  std::string text() const;

  auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace atlas::net
