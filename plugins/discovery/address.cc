#include "address.h"

#include <algorithm>
#include <atlas/address.hpp>

namespace discovery {

namespace {

// First byte 0: "this network". From 224 on: multicast, reserved and broadcast.
Scope of_ipv4(const atlas::HostAddress& host) {
  const auto first = host.bytes().front();
  return first == 0 || first >= 224 ? Scope::kNone : Scope::kUsable;
}

// No node has an address of zeros but for the last byte: there are only the unspecified and the loopback one.
Scope of_ipv6(const atlas::HostAddress& host) {
  const auto& bytes = host.bytes();
  const bool zeros = std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; });
  return zeros || host.is_multicast() ? Scope::kNone : Scope::kUsable;
}

}  // namespace

Scope scope_of(std::string_view text) {
  const auto address = atlas::Address::parse(text);
  if (!address || address->port == 0) return Scope::kNone;
  if (address->host.is_loopback()) return Scope::kLoopback;
  return address->host.is_v4() ? of_ipv4(address->host) : of_ipv6(address->host);
}

}  // namespace discovery
