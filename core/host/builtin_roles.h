// Roles that are part of this program, found by their id where no directory of the search has a file for it.
//
// A program usually has none. One that was built with ATLAS_STATIC_PLUGINS=ON links another definition of this function
// (plugins/CMakeLists.txt). Any thread.
#pragma once

#include <span>

struct atlas_plugin;

namespace atlas::host {

std::span<const ::atlas_plugin* const> builtin_roles();

}  // namespace atlas::host
