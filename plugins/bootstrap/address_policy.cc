#include "address_policy.h"

namespace bootstrap {

namespace {

bool is_allowed(const atlas::HostAddress& host, const atlas::HostAddress& seen, bool allow_foreign) {
  if (host.is_unspecified() || host.is_multicast()) return false;
  if (host == seen || allow_foreign) return true;
  if (host.is_loopback()) return seen.is_loopback();
  return host.is_private();
}

}  // namespace

AddressVerdict judge_address(std::string_view field, std::string_view text, const atlas::HostAddress& seen,
                             bool allow_foreign) {
  const std::string name(field);
  auto address = atlas::Address::parse(text);
  if (!address) return {std::nullopt, name + ": expected ip:port"};
  if (address->port == 0) return {std::nullopt, name + ": port 0 cannot be dialled"};
  if (address->host.is_unspecified()) address->host = seen;
  if (!is_allowed(address->host, seen, allow_foreign)) {
    return {std::nullopt, name + ": host is neither yours as seen from here nor private"};
  }
  return {address, ""};
}

}  // namespace bootstrap
