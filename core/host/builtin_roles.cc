// Nothing else may be defined in this file: whoever links roles brings a definition of their own, and then the linker
// leaves this one in its library.
#include "host/builtin_roles.h"

namespace atlas::host {

std::span<const ::atlas_plugin* const> builtin_roles() {
  return {};
}

}  // namespace atlas::host
