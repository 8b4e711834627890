// The host's tables with a switch: while there is a famine, every function that may answer ATLAS_E_FULL does, and
// nothing was begun. For one plugin of one process; the switch belongs to the trial's thread, the functions to any.
#pragma once

#include "atlas/plugin.h"
#include "host/plugin.h"

namespace atlas::trial {

enum class Famine { kOff, kEveryCall, kEverySecondCall };
void set_famine(Famine famine);
// How many calls were refused so far.
std::uint64_t starved_calls();

// The same descriptor with an init that is given these tables. Borrows nothing; once a process.
::atlas_plugin with_famine(const ::atlas_plugin& plugin);

}  // namespace atlas::trial
