// Addresses that nobody outside may make a node speak to: each range of the IANA special-purpose registries (RFC 6890
// and what followed) and multicast, at both its edges, and the ways to write one host.
// Plain values.
#pragma once

#include <array>
#include <atlas/address.hpp>
#include <cstdio>
#include <string>
#include <vector>

namespace atlas::attack {

struct SpecialRange {
  const char* name;
  const char* first;
  const char* last;
};

inline constexpr SpecialRange kSpecialV4[] = {
    {"this network, RFC 791", "0.0.0.0", "0.255.255.255"},
    {"private, RFC 1918", "10.0.0.0", "10.255.255.255"},
    {"shared by carriers, RFC 6598", "100.64.0.0", "100.127.255.255"},
    {"loopback, RFC 1122", "127.0.0.0", "127.255.255.255"},
    {"loopback as everybody writes it", "127.0.0.1", "127.0.0.1"},
    {"link-local, RFC 3927", "169.254.0.0", "169.254.255.255"},
    {"metadata of a cloud", "169.254.169.254", "169.254.169.254"},
    {"private, RFC 1918", "172.16.0.0", "172.31.255.255"},
    {"protocol assignments, RFC 6890", "192.0.0.0", "192.0.0.255"},
    {"port control anycast, RFC 7723", "192.0.0.9", "192.0.0.10"},
    {"NAT64 discovery, RFC 7050", "192.0.0.170", "192.0.0.171"},
    {"documentation, RFC 5737", "192.0.2.0", "192.0.2.255"},
    {"AS112, RFC 7535", "192.31.196.0", "192.31.196.255"},
    {"AMT, RFC 7450", "192.52.193.0", "192.52.193.255"},
    {"6to4 anycast, RFC 7526", "192.88.99.0", "192.88.99.255"},
    {"private, RFC 1918", "192.168.0.0", "192.168.255.255"},
    {"AS112, RFC 7534", "192.175.48.0", "192.175.48.255"},
    {"benchmarks, RFC 2544", "198.18.0.0", "198.19.255.255"},
    {"documentation, RFC 5737", "198.51.100.0", "198.51.100.255"},
    {"documentation, RFC 5737", "203.0.113.0", "203.0.113.255"},
    {"multicast, RFC 5771", "224.0.0.0", "239.255.255.255"},
    {"reserved, RFC 1112", "240.0.0.0", "255.255.255.254"},
    {"broadcast, RFC 919", "255.255.255.255", "255.255.255.255"},
};

inline constexpr SpecialRange kSpecialV6[] = {
    {"unspecified, RFC 4291", "::", "::"},
    {"loopback, RFC 4291", "::1", "::1"},
    {"IPv4-compatible, RFC 4291", "::2", "::ffff:ffff"},
    {"translated, RFC 2765", "::ffff:0:0:0", "::ffff:0:ffff:ffff"},
    {"NAT64, RFC 6052", "64:ff9b::", "64:ff9b::ffff:ffff"},
    {"NAT64 of one network, RFC 8215", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
    {"discard, RFC 6666", "100::", "100::ffff:ffff:ffff:ffff"},
    {"dummy, RFC 9780", "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"},
    {"protocol assignments, RFC 2928", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"Teredo, RFC 4380", "2001:0:ffff::1", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"port control anycast, RFC 7723", "2001:1::1", "2001:1::2"},
    {"benchmarks, RFC 5180", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"},
    {"AMT, RFC 7450", "2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"AS112, RFC 7535", "2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"},
    {"ORCHID, RFC 4843", "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"ORCHIDv2, RFC 7343", "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"drone identifiers, RFC 9374", "2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"documentation, RFC 3849", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"6to4, RFC 3056", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"AS112, RFC 7534", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"},
    {"documentation, RFC 9637", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"segment routing, RFC 9602", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"unique local, RFC 4193", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"metadata of a cloud", "fd00:ec2::254", "fd00:ec2::254"},
    {"link-local, RFC 4291", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"site-local, RFC 3879", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"multicast, RFC 4291", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

using Quad = std::array<unsigned, 4>;

inline Quad quad_of(const char* text) {
  Quad out{};
  std::sscanf(text, "%u.%u.%u.%u", &out[0], &out[1], &out[2], &out[3]);
  return out;
}

template <class... Numbers>
std::string formatted(const char* format, Numbers... numbers) {
  char out[80];
  std::snprintf(out, sizeof out, format, numbers...);
  return out;
}

// Other ways to write an IPv4 host that are good and mean the host itself.
inline std::vector<std::string> mapped_spellings(const char* v4) {
  const Quad q = quad_of(v4);
  const unsigned high = q[0] << 8 | q[1], low = q[2] << 8 | q[3];
  return {formatted("::ffff:%u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("::FFFF:%u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("0:0:0:0:0:ffff:%u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("::ffff:%x:%x", high, low),
          formatted("0::ffff:%04X:%04X", high, low),
          formatted("0000:0000:0000:0000:0000:ffff:%04x:%04x", high, low)};
}

// IPv6 hosts that some gateway on the way turns into that IPv4 host.
inline std::vector<std::string> carrying_spellings(const char* v4) {
  const Quad q = quad_of(v4);
  const unsigned high = q[0] << 8 | q[1], low = q[2] << 8 | q[3];
  return {formatted("::%u.%u.%u.%u", q[0], q[1], q[2], q[3]),                             // IPv4-compatible
          formatted("::ffff:0:%u.%u.%u.%u", q[0], q[1], q[2], q[3]),                      // translated
          formatted("64:ff9b::%u.%u.%u.%u", q[0], q[1], q[2], q[3]),                      // NAT64
          formatted("64:ff9b::%x:%x", high, low),                                         // the same in digits
          formatted("64:ff9b:1::%u.%u.%u.%u", q[0], q[1], q[2], q[3]),                    // NAT64 of one network
          formatted("2002:%x:%x::1", high, low),                                          // 6to4
          formatted("2001:0:4136:e378:8000:63bf:%x:%x", high ^ 0xffffu, low ^ 0xffffu)};  // Teredo
}

// What other parsers take for that IPv4 host: octal, hexadecimal, one number, fewer parts, zeros in front, spaces.
inline std::vector<std::string> refused_spellings(const char* v4) {
  const Quad q = quad_of(v4);
  const unsigned high = q[0] << 8 | q[1], low = q[2] << 8 | q[3];
  return {formatted("0%o.0%o.0%o.0%o", q[0], q[1], q[2], q[3]),
          formatted("0x%x.0x%x.0x%x.0x%x", q[0], q[1], q[2], q[3]),
          formatted("0x%08x", high << 16 | low),
          formatted("%u.%u", q[0], q[1] << 16 | low),
          formatted("%u.%u.%u", q[0], q[1], low),
          formatted("%03u.%03u.%03u.%03u0", q[0], q[1], q[2], q[3]),
          formatted("%u.%u.%u.0%u", q[0], q[1], q[2], q[3]),
          formatted("%u.%u.%u.%u.", q[0], q[1], q[2], q[3]),
          formatted(" %u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("+%u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("%u.%u.%u.%u%%lo", q[0], q[1], q[2], q[3]),
          formatted("::ffff:0%u.%u.%u.%u", q[0], q[1], q[2], q[3]),
          formatted("::ffff:%u.%u.%u.%u%%1", q[0], q[1], q[2], q[3])};
}

inline std::string with_port(const std::string& host, unsigned port = 4433) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

// Each special host in each spelling that can be read, as host alone.
inline std::vector<std::string> special_hosts() {
  std::vector<std::string> out;
  for (const SpecialRange& range : kSpecialV4) {
    for (const char* edge : {range.first, range.last}) {
      out.emplace_back(edge);
      for (const auto& spelling : mapped_spellings(edge)) out.push_back(spelling);
      for (const auto& spelling : carrying_spellings(edge)) out.push_back(spelling);
    }
  }
  for (const SpecialRange& range : kSpecialV6) out.insert(out.end(), {range.first, range.last});
  // A public host behind a gateway is nobody's to name either.
  for (const auto& spelling : carrying_spellings("8.8.8.8")) out.push_back(spelling);
  return out;
}

// Hosts of the Internet, some right beside a special range.
inline constexpr const char* kGlobalHosts[] = {
    "1.0.0.0",         "8.8.8.8",         "9.255.255.255",  "11.0.0.0",     "100.63.255.255",
    "100.128.0.0",     "126.255.255.255", "128.0.0.0",      "169.253.0.1",  "169.255.0.1",
    "172.15.255.255",  "172.32.0.0",      "191.255.255.1",  "192.0.1.0",    "192.0.3.0",
    "192.167.255.255", "192.169.0.0",     "198.17.255.255", "198.20.0.0",   "203.0.112.255",
    "203.0.114.0",     "223.255.255.255", "2000::1",        "2001:200::1",  "2001:db7:ffff::1",
    "2001:db9::1",     "2003::1",         "2620:4f:8001::", "3ffe:ffff::1", "2a00:1450:4001:82a::200e",
};

}  // namespace atlas::attack
