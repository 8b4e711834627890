// Which told addresses are worth keeping: what no node can be reached at, or what nobody may have this node speak to,
// is left out before it reaches the database. Pure functions; any thread.
#pragma once

#include <atlas/address.hpp>
#include <string_view>

namespace discovery {

// True for an address that may be dialled on the word of a bootstrap node that is reached at `told_by`. Agents of one
// private network meet through a bootstrap node outside of it, so private addresses are kept; link-local, loopback and
// special ones only of a bootstrap node that is no further outside itself.
bool is_kept(std::string_view address, const atlas::HostAddress& told_by);

}  // namespace discovery
