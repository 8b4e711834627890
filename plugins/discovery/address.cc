#include "address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

namespace discovery {

namespace {

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

template <class T>
bool read_number(std::string_view text, int base, std::size_t most_digits, T& out) {
  if (text.empty() || text.size() > most_digits) return false;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && rest == text.data() + text.size();
}

// Four decimal numbers without leading zeros.
bool read_ipv4(std::string_view text, Ipv4& out) {
  for (std::size_t i = 0; i < 4; ++i) {
    const auto dot = text.find('.');
    const std::string_view piece = text.substr(0, dot);
    if ((dot == std::string_view::npos) != (i == 3)) return false;
    if (piece.size() > 1 && piece.front() == '0') return false;
    if (!read_number(piece, 10, 3, out[i])) return false;
    if (dot != std::string_view::npos) text.remove_prefix(dot + 1);
  }
  return true;
}

// RFC 4291, section 2.2: groups, one gap, an IPv4 address at the end; no zone.
class Ipv6Reader {
 public:
  bool read(std::string_view text, Ipv6& out) {
    if (text.starts_with("::")) {
      gap_ = 0;
      text.remove_prefix(2);
    }
    while (!text.empty()) {
      const auto colon = text.find(':');
      const bool last = colon == std::string_view::npos;
      if (!(last ? tail(text) : group(text.substr(0, colon)))) return false;
      text.remove_prefix(last ? text.size() : colon + 1);
      if (last) break;
      if (text.empty()) return false;
      if (text.front() != ':') continue;
      if (gap_) return false;
      gap_ = size_;
      text.remove_prefix(1);
    }
    if (gap_ ? size_ > 14 : size_ != 16) return false;
    out.fill(0);
    const std::size_t before = gap_.value_or(size_);
    std::copy_n(bytes_.begin(), before, out.begin());
    std::copy_backward(bytes_.begin() + before, bytes_.begin() + size_, out.end());
    return true;
  }

 private:
  bool group(std::string_view text) {
    std::uint16_t value = 0;
    if (size_ + 2 > bytes_.size() || !read_number(text, 16, 4, value)) return false;
    bytes_[size_++] = static_cast<std::uint8_t>(value >> 8);
    bytes_[size_++] = static_cast<std::uint8_t>(value);
    return true;
  }
  bool tail(std::string_view text) {
    Ipv4 ip{};
    if (!text.contains('.')) return group(text);
    if (size_ + 4 > bytes_.size() || !read_ipv4(text, ip)) return false;
    std::copy(ip.begin(), ip.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += 4;
    return true;
  }

  Ipv6 bytes_{};  // of the groups so far
  std::size_t size_ = 0;
  std::optional<std::size_t> gap_;  // where the zeros go
};

Scope of_ipv4(const std::uint8_t* ip) {
  if (ip[0] == 127) return Scope::kLoopback;
  return ip[0] == 0 || ip[0] >= 224 ? Scope::kNone : Scope::kUsable;
}

Scope of_ipv6(const Ipv6& ip) {
  const bool ten_zeros = std::all_of(ip.begin(), ip.begin() + 10, [](std::uint8_t byte) { return byte == 0; });
  if (ten_zeros && ip[10] == 0xff && ip[11] == 0xff) return of_ipv4(&ip[12]);
  if (ten_zeros && std::all_of(ip.begin() + 10, ip.end() - 1, [](std::uint8_t byte) { return byte == 0; })) {
    return ip[15] == 1 ? Scope::kLoopback : Scope::kNone;
  }
  return ip[0] == 0xff ? Scope::kNone : Scope::kUsable;
}

}  // namespace

Scope scope_of(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos) return Scope::kNone;
  std::uint16_t port = 0;
  if (!read_number(address.substr(colon + 1), 10, 5, port) || port == 0) return Scope::kNone;
  const std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    Ipv6 ip{};
    return Ipv6Reader().read(host.substr(1, host.size() - 2), ip) ? of_ipv6(ip) : Scope::kNone;
  }
  Ipv4 ip{};
  return read_ipv4(host, ip) ? of_ipv4(ip.data()) : Scope::kNone;
}

}  // namespace discovery
