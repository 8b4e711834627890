// The keys that plugins declared, as the reference and the sample files show them. Any thread; a pure function.
#pragma once

#include <span>
#include <vector>

#include "config/reference.h"
#include "host/host.h"

namespace atlas::host {

// Those that could be loaded, in their order.
std::vector<config::PluginKeys> key_rows(std::span<const PluginRow> plugins);

}  // namespace atlas::host
