// Statuses of the plugin ABI and faults of the core, translated into each other and into words. Any thread.
#pragma once

#include <string_view>

#include "atlas/plugin.h"
#include "base/result.h"

namespace atlas::host {

atlas_status status_of(base::Fault fault);
// Of a failure; kInternal for what is none, or not listed.
base::Fault fault_of(atlas_status status);
// "gone", "timeout", ...; a status that is not listed reads "failed".
std::string_view status_text(atlas_status status);

inline std::string_view view(atlas_text text) {
  return {text.data, text.data == nullptr ? 0 : text.size};
}
inline atlas_text text_of(std::string_view text) {
  return {text.data(), text.size()};
}

// The longest beginning of at most `most` bytes that ends between two characters.
std::string_view clip(std::string_view text, std::size_t most);

}  // namespace atlas::host
