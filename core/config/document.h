// The leaves of a TOML text, for comparing two texts by what they say. The rest of toml++ stays in loader.cc.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>

#include "config/config.h"

namespace atlas::config {

// Dotted path -> value in TOML spelling; arrays count as one leaf, empty tables as none.
using Leaves = std::map<std::string, std::string>;
std::expected<Leaves, Problem> leaves_of(std::string_view text, const std::string& shown_name);

}  // namespace atlas::config
