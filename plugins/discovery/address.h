// Which told addresses are worth keeping: what no node can be reached at is left out before it reaches the database.
// Pure functions; any thread.
#pragma once

#include <string_view>

namespace discovery {

enum class Scope {
  kNone,      // no "ip:port" at all, or nobody's: port 0, unspecified, multicast, broadcast, reserved
  kLoopback,  // also in its IPv4-mapped form; true only for who told it from the same machine
  kUsable
};
Scope scope_of(std::string_view address);

}  // namespace discovery
