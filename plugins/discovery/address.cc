#include "address.h"

namespace discovery {

bool is_kept(std::string_view text, const atlas::HostAddress& told_by) {
  const auto address = atlas::Address::parse(text);
  if (!address || address->port == 0) return false;
  return address->host.scope() == atlas::Scope::kPrivate || atlas::may_be_told(*address, told_by);
}

}  // namespace discovery
