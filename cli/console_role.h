// The role that asks in the name of a person: `console send` sends any message to a peer and shows its answer as JSON.
// Part of this program, for the nodes of `atlas plugin run` only. Constant data; its code runs on a strand.
#pragma once

#include "atlas/plugin.h"

namespace atlas::cli {

inline constexpr const char* kConsoleRole = "console";
extern const ::atlas_plugin kConsole;

}  // namespace atlas::cli
