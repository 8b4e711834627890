// atlas/address.hpp - "ip:port" as the network writes it: strict to read, one spelling to write; and why a text that a
// person gave is neither that nor a node id. C++20, header-only.
//
// No names, no zones, no octal, no shortened IPv4; IPv6 stands in brackets. An IPv4-mapped IPv6 host (::ffff:a.b.c.d)
// is IPv4 from the moment it is read, so two spellings of one host are equal. Any thread; plain values.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atlas {

// What a host's address is good for (the IANA special-purpose registries).
enum class Scope : std::uint8_t {
  kNowhere,    // nobody's: unspecified, 0/8, multicast, reserved; IPv6 that carries an IPv4 address within (compatible,
               // translated, NAT64, 6to4, Teredo), and IPv6 that nobody has been given
  kLoopback,   // 127/8, ::1
  kLinkLocal,  // 169.254/16, where clouds keep what only a machine itself may ask, and fe80::/10
  kPrivate,    // the rest of what is_private() says
  kSpecial,    // documentation, benchmarks, protocol assignments: on no public network
  kGlobal
};

// An IPv4 or IPv6 host.
class HostAddress {
 public:
  HostAddress() = default;  // 0.0.0.0
  static HostAddress v4(std::array<std::uint8_t, 4> bytes) {
    HostAddress out;
    std::copy(bytes.begin(), bytes.end(), out.bytes_.begin());
    return out;
  }
  static HostAddress v6(const std::array<std::uint8_t, 16>& bytes) {
    constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (std::equal(mapped.begin(), mapped.end(), bytes.begin())) {
      return v4({bytes[12], bytes[13], bytes[14], bytes[15]});
    }
    HostAddress out;
    out.v4_ = false;
    out.bytes_ = bytes;
    return out;
  }
  // Without brackets and port.
  static std::optional<HostAddress> parse(std::string_view text);

  bool is_v4() const { return v4_; }
  // Network order; 4 or 16 bytes count.
  const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  std::size_t size() const { return v4_ ? 4 : 16; }

  bool is_unspecified() const { return *this == HostAddress() || (!v4_ && bytes_ == decltype(bytes_){}); }
  bool is_loopback() const;
  // 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 and the link-local 169.254/16, fe80::/10.
  bool is_private() const;
  // Multicast and the limited broadcast: nobody's address.
  bool is_multicast() const {
    return v4_ ? bytes_[0] >= 224 && (bytes_[0] < 240 || is_broadcast()) : bytes_[0] == 0xff;
  }

  Scope scope() const;

  std::string text() const;
  auto operator<=>(const HostAddress&) const = default;

 private:
  struct Range {
    std::array<std::uint8_t, 6> prefix;
    unsigned bits;
    Scope scope;
  };
  bool is_in(const Range& range) const {
    for (unsigned i = 0; i < range.bits; ++i) {
      if (((bytes_[i / 8] ^ range.prefix[i / 8]) >> (7 - i % 8) & 1) != 0) return false;
    }
    return true;
  }
  Scope scope_v4() const;
  Scope scope_v6() const;
  bool is_broadcast() const {
    return std::all_of(bytes_.begin(), bytes_.begin() + 4, [](auto b) { return b == 255; });
  }
  static std::optional<std::array<std::uint8_t, 4>> parse_v4(std::string_view text);
  static bool parse_groups(std::string_view text, std::array<std::uint8_t, 16>& out, std::size_t& used, bool last);

  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};
};

struct Address {
  HostAddress host;
  std::uint16_t port = 0;

  // "192.0.2.1:4433" or "[2001:db8::1]:4433"; the port is required, without leading zeros, 0 allowed.
  static std::optional<Address> parse(std::string_view text);
  std::string text() const {
    return (host.is_v4() ? host.text() : "[" + host.text() + "]") + ":" + std::to_string(port);
  }
  auto operator<=>(const Address&) const = default;
};

inline bool HostAddress::is_loopback() const {
  if (v4_) return bytes_[0] == 127;
  return bytes_[15] == 1 && std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; });
}

inline bool HostAddress::is_private() const {
  const std::uint8_t a = bytes_[0], b = bytes_[1];
  if (!v4_) return (a & 0xfe) == 0xfc || (a == 0xfe && (b & 0xc0) == 0x80);
  return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) || (a == 100 && (b & 0xc0) == 64) ||
         (a == 169 && b == 254);
}

inline Scope HostAddress::scope() const {
  if (is_loopback()) return Scope::kLoopback;
  const Range link_local = v4_ ? Range{{169, 254}, 16, Scope::kLinkLocal} : Range{{0xfe, 0x80}, 10, Scope::kLinkLocal};
  if (is_in(link_local)) return link_local.scope;
  if (is_private()) return Scope::kPrivate;
  return v4_ ? scope_v4() : scope_v6();
}

inline Scope HostAddress::scope_v4() const {
  constexpr Range kRanges[] = {{{0}, 8, Scope::kNowhere},              // "this network"
                               {{224}, 3, Scope::kNowhere},            // multicast, reserved, broadcast
                               {{192, 0, 0}, 24, Scope::kSpecial},     // protocol assignments
                               {{192, 0, 2}, 24, Scope::kSpecial},     // documentation
                               {{192, 31, 196}, 24, Scope::kSpecial},  // AS112
                               {{192, 52, 193}, 24, Scope::kSpecial},  // AMT
                               {{192, 88, 99}, 24, Scope::kSpecial},   // 6to4 anycast
                               {{192, 175, 48}, 24, Scope::kSpecial},  // AS112
                               {{198, 18}, 15, Scope::kSpecial},       // benchmarks
                               {{198, 51, 100}, 24, Scope::kSpecial},  // documentation
                               {{203, 0, 113}, 24, Scope::kSpecial}};  // documentation
  for (const Range& range : kRanges) {
    if (is_in(range)) return range.scope;
  }
  return Scope::kGlobal;
}

// Of IPv6 only 2000::/3 is handed out, so all the rest is nowhere; the first range that fits counts.
inline Scope HostAddress::scope_v6() const {
  constexpr Range kRanges[] = {{{0x20, 0x01, 0x00, 0x00}, 32, Scope::kNowhere},              // Teredo
                               {{0x20, 0x02}, 16, Scope::kNowhere},                          // 6to4
                               {{0x20, 0x01}, 23, Scope::kSpecial},                          // protocol assignments
                               {{0x20, 0x01, 0x0d, 0xb8}, 32, Scope::kSpecial},              // documentation
                               {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, Scope::kSpecial},  // AS112
                               {{0x3f, 0xff}, 20, Scope::kSpecial},                          // documentation
                               {{0x20}, 3, Scope::kGlobal}};
  for (const Range& range : kRanges) {
    if (is_in(range)) return range.scope;
  }
  return Scope::kNowhere;
}

// May an address that a stranger told be dialled? A global one may. Any other must lie no further inside than the
// stranger does: one who is reached at a private address knows private addresses that mean the same here, one on this
// machine also loopback ones. What is nowhere, or without a port, never.
inline bool may_be_told(const Address& address, const HostAddress& by) {
  const Scope scope = address.host.scope();
  if (address.port == 0 || scope == Scope::kNowhere || by.scope() == Scope::kNowhere) return false;
  return scope == Scope::kGlobal || scope >= by.scope();
}

// Four decimal numbers of 0..255, each without leading zeros.
inline std::optional<std::array<std::uint8_t, 4>> HostAddress::parse_v4(std::string_view text) {
  std::array<std::uint8_t, 4> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t size = std::min(text.find('.'), text.size());
    if (size == 0 || size > 3 || (size > 1 && text[0] == '0')) return std::nullopt;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + size, out[i]);
    if (error != std::errc() || rest != text.data() + size) return std::nullopt;
    text.remove_prefix(size);
    if (i < 3) {
      if (text.empty()) return std::nullopt;
      text.remove_prefix(1);
    }
  }
  return text.empty() ? std::optional(out) : std::nullopt;
}

// Groups of up to four hex digits between colons; the last of all may be an IPv4 address. Empty text is no group.
inline bool HostAddress::parse_groups(std::string_view text, std::array<std::uint8_t, 16>& out, std::size_t& used,
                                      bool last) {
  while (!text.empty()) {
    const std::size_t size = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, size);
    if (last && size == text.size() && group.find('.') != std::string_view::npos) {
      const auto v4 = parse_v4(group);
      if (!v4 || used + 4 > out.size()) return false;
      std::copy(v4->begin(), v4->end(), out.begin() + static_cast<std::ptrdiff_t>(used));
      used += 4;
      return true;
    }
    std::uint16_t value = 0;
    const auto [rest, error] = std::from_chars(group.data(), group.data() + size, value, 16);
    if (size == 0 || size > 4 || error != std::errc() || rest != group.data() + size) return false;
    if (used + 2 > out.size()) return false;
    out[used++] = static_cast<std::uint8_t>(value >> 8);
    out[used++] = static_cast<std::uint8_t>(value);
    text.remove_prefix(size);
    if (text.empty()) return true;
    text.remove_prefix(1);
    if (text.empty()) return false;  // a colon at the end
  }
  return true;
}

inline std::optional<HostAddress> HostAddress::parse(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto bytes = parse_v4(text);
    return bytes ? std::optional(v4(*bytes)) : std::nullopt;
  }
  std::array<std::uint8_t, 16> head{}, tail{};
  std::size_t head_size = 0, tail_size = 0;
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (!parse_groups(text, head, head_size, true) || head_size != 16) return std::nullopt;
    return v6(head);
  }
  if (!parse_groups(text.substr(0, gap), head, head_size, false) ||
      !parse_groups(text.substr(gap + 2), tail, tail_size, true) || head_size + tail_size > 14) {
    return std::nullopt;
  }
  std::copy_n(tail.begin(), tail_size, head.end() - static_cast<std::ptrdiff_t>(tail_size));
  return v6(head);
}

// RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as "::".
inline std::string HostAddress::text() const {
  std::string out;
  char digits[8];
  if (v4_) {
    for (std::size_t i = 0; i < 4; ++i) {
      if (i != 0) out += '.';
      out.append(digits, std::to_chars(digits, digits + sizeof digits, bytes_[i]).ptr);
    }
    return out;
  }
  const auto group = [this](std::size_t i) { return bytes_[2 * i] << 8 | bytes_[2 * i + 1]; };
  std::size_t best = 8, best_size = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t size = 0;
    while (i + size < 8 && group(i + size) == 0) ++size;
    if (size > best_size) best = i, best_size = size;
    i += size;
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_size - 1;
      continue;
    }
    if (i != 0 && out.back() != ':') out += ':';
    out.append(digits, std::to_chars(digits, digits + sizeof digits, group(i), 16).ptr);
  }
  return out;
}

inline std::optional<Address> Address::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool brackets = host.starts_with('[') && host.ends_with(']') && host.size() >= 2;
  if (brackets) host = host.substr(1, host.size() - 2);
  if (brackets != (host.find(':') != std::string_view::npos)) return std::nullopt;
  const auto parsed = HostAddress::parse(host);
  Address out;
  const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (!parsed || port.empty() || error != std::errc() || rest != port.data() + port.size()) return std::nullopt;
  if (port.size() > 1 && port[0] == '0') return std::nullopt;
  out.host = *parsed;
  return out;
}

// "atlas_" and 64 lower-case hex digits.
inline bool is_node_id(std::string_view text) {
  return text.size() == 6 + 64 && text.starts_with("atlas_") &&
         text.find_first_not_of("0123456789abcdef", 6) == std::string_view::npos;
}

namespace detail {

// As it was given, or its beginning.
inline std::string shortened(std::string_view text) {
  std::size_t most = 100;
  if (text.size() <= most) return std::string(text);
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return std::string(text.substr(0, most)) + "...";
}

// The part of "host:port" before the colon is no IP address: what is it then?
inline std::string why_no_host(std::string_view host) {
  if (host.empty()) return "no ip address before the port";
  if (host.find(':') != std::string_view::npos || host.front() == '[') {
    return "no IPv6 address in brackets and a port, such as [2001:db8::1]:4433";
  }
  if (host.find_first_not_of("0123456789.") == std::string_view::npos) return shortened(host) + " is no IPv4 address";
  return "host names are not looked up; give the ip address of " + shortened(host);
}

}  // namespace detail

// Why a text is no node id, for the person who gave it; empty when it is one.
inline std::string why_no_node_id(std::string_view text) {
  if (is_node_id(text)) return "";
  const std::string form = detail::shortened(text) + ": a node id is atlas_ and 64 lower-case hex digits";
  if (!text.starts_with("atlas_")) return form;
  const std::string_view digits = text.substr(6);
  if (digits.size() != 64) return form + "; this one has " + std::to_string(digits.size());
  return form + "; number " + std::to_string(digits.find_first_not_of("0123456789abcdef") + 1) + " is none";
}

// Why nobody can be dialled by a text: it is neither "ip:port" with a port of 1..65535 nor a node id. Empty when it is
// one of them, whoever may be there.
inline std::string why_no_target(std::string_view text) {
  const auto address = Address::parse(text);
  if (is_node_id(text) || (address && address->port != 0)) return "";
  if (text.empty()) return "the target is empty: give ip:port, [ipv6]:port or a node id";
  const std::string shown = detail::shortened(text);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos && (text.starts_with("atlas_") || text.starts_with("ATLAS_"))) {
    return why_no_node_id(text);
  }
  const bool brackets = text.starts_with('[') && text.ends_with(']');
  if (const auto host = HostAddress::parse(brackets ? text.substr(1, text.size() - 2) : text)) {
    return shown + ": no port; " + Address{*host, 4433}.text() + "?";
  }
  if (colon == std::string_view::npos) {
    return shown + ": neither ip:port nor a node id; host names are not looked up";
  }
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  const auto with_port = Address::parse(std::string(host) + ":4433");
  if (!with_port) return shown + ": " + detail::why_no_host(host);
  if (port.empty()) return shown + ": no port; " + with_port->text() + "?";
  return shown + ": a port is a number from 1 to 65535, not " + detail::shortened(port);
}

}  // namespace atlas
