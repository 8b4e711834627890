// The IANA special-purpose address registries (RFC 6890 and what followed) as two tables. The first row that matches
// decides, so a narrow row stands above the wide one that contains it.
#include <cstring>

#include "net/address.h"

namespace atlas::net {
namespace {

struct RangeV4 {
  std::uint32_t network;
  unsigned bits;
  Scope scope;
};

struct RangeV6 {
  std::uint64_t high, low;
  unsigned bits;
  Scope scope;
};

constexpr std::uint32_t v4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// The first four groups of an IPv6 address.
constexpr std::uint64_t v6(std::uint64_t a, std::uint64_t b = 0, std::uint64_t c = 0, std::uint64_t d = 0) {
  return a << 48 | b << 32 | c << 16 | d;
}

constexpr RangeV4 kV4[] = {
    {v4(0, 0, 0, 0), 32, Scope::kUnspecified},   {v4(0, 0, 0, 0), 8, Scope::kSpecial},  // "this network", RFC 791
    {v4(10, 0, 0, 0), 8, Scope::kPrivate},                                              // RFC 1918
    {v4(100, 64, 0, 0), 10, Scope::kPrivate},                                           // shared by carriers, RFC 6598
    {v4(127, 0, 0, 0), 8, Scope::kLoopback},                                            // RFC 1122
    {v4(169, 254, 0, 0), 16, Scope::kLinkLocal},  // RFC 3927; cloud metadata services live here
    {v4(172, 16, 0, 0), 12, Scope::kPrivate},     // RFC 1918
    {v4(192, 0, 0, 0), 24, Scope::kSpecial},      // IETF protocol assignments, DS-Lite, PCP and TURN anycast
    {v4(192, 0, 2, 0), 24, Scope::kSpecial},      // documentation, RFC 5737
    {v4(192, 31, 196, 0), 24, Scope::kSpecial},   // AS112, RFC 7535
    {v4(192, 52, 193, 0), 24, Scope::kSpecial},   // AMT, RFC 7450
    {v4(192, 88, 99, 0), 24, Scope::kSpecial},    // 6to4 relay anycast, RFC 7526
    {v4(192, 168, 0, 0), 16, Scope::kPrivate},    // RFC 1918
    {v4(192, 175, 48, 0), 24, Scope::kSpecial},   // AS112, RFC 7534
    {v4(198, 18, 0, 0), 15, Scope::kSpecial},     // benchmarking, RFC 2544
    {v4(198, 51, 100, 0), 24, Scope::kSpecial},   // documentation
    {v4(203, 0, 113, 0), 24, Scope::kSpecial},    // documentation
    {v4(224, 0, 0, 0), 4, Scope::kSpecial},       // multicast, RFC 5771
    {v4(240, 0, 0, 0), 4, Scope::kSpecial},       // reserved, RFC 1112; 255.255.255.255 is its last
};

constexpr RangeV6 kV6[] = {
    {0, 0, 128, Scope::kUnspecified},
    {0, 1, 128, Scope::kLoopback},
    {v6(0x2001), 0, 23, Scope::kSpecial},                // IETF protocol assignments: Teredo, ORCHID, benchmarking, AMT
    {v6(0x2001, 0xdb8), 0, 32, Scope::kSpecial},         // documentation, RFC 3849
    {v6(0x2002), 0, 16, Scope::kSpecial},                // 6to4, RFC 3056
    {v6(0x2620, 0x4f, 0x8000), 0, 48, Scope::kSpecial},  // AS112, RFC 7534
    {v6(0x3fff), 0, 20, Scope::kSpecial},                // documentation, RFC 9637
    {v6(0x2000), 0, 3, Scope::kGlobal},                  // all that is handed out as global unicast, RFC 4291
    {v6(0xfc00), 0, 7, Scope::kPrivate},                 // unique local, RFC 4193
    {v6(0xfe80), 0, 10, Scope::kLinkLocal},              // RFC 4291
    // Whatever is left is not unicast of the Internet: IPv4-compatible ::/96, translated ::ffff:0:0:0/96, NAT64
    // 64:ff9b::/96 and 64:ff9b:1::/48, discard 100::/64, segment routing 5f00::/16, old site-local fec0::/10,
    // multicast ff00::/8, and space that nobody has been given.
    {0, 0, 0, Scope::kSpecial},
};

constexpr std::uint64_t mask(unsigned bits) {
  return bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits);
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<std::uint8_t>(byte);
  return value;
}

Scope scope_v4(std::uint32_t address) {
  for (const RangeV4& range : kV4) {
    if (((address ^ range.network) >> (32 - range.bits)) == 0) return range.scope;
  }
  return Scope::kGlobal;
}

Scope scope_v6(std::uint64_t high, std::uint64_t low) {
  for (const RangeV6& range : kV6) {
    const std::uint64_t low_mask = range.bits > 64 ? mask(range.bits - 64) : 0;
    if (((high ^ range.high) & mask(range.bits)) == 0 && ((low ^ range.low) & low_mask) == 0) return range.scope;
  }
  return Scope::kSpecial;
}

}  // namespace

Scope IpAddress::scope() const {
  switch (family_) {
    case Family::kNone:
      return Scope::kUnspecified;
    case Family::kV4:
      return scope_v4(static_cast<std::uint32_t>(big_endian(bytes())));
    case Family::kV6:
      return scope_v6(big_endian(bytes().substr(0, 8)), big_endian(bytes().substr(8)));
  }
  return Scope::kUnspecified;
}

}  // namespace atlas::net
