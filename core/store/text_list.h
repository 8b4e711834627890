// A list of texts as a JSON array: how skills and relays stand in the database, readable with sqlite3.
// Any thread; plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"

namespace atlas::store {

std::string to_json(const std::vector<std::string>& texts);
// Nothing for whatever is not an array of strings. At most kMaxListItems are read.
std::optional<std::vector<std::string>> from_json(std::string_view json);

inline constexpr std::size_t kMaxListItems = base::limits::store_list_items;

}  // namespace atlas::store
