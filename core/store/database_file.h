// From a path to a database that can be trusted: made with mode 0600, checked, migrated; damaged ones moved aside.
// Private to core/store; once, at start.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/limits.h"
#include "base/result.h"
#include "store/sqlite.h"

namespace atlas::store {

// Damaged files that stay; the oldest go.
inline constexpr std::size_t kKeptDamaged = base::limits::store_damaged_files;

// The writer's connection. A file that was there keeps its mode; one that others can write is refused (kDenied).
// `unix_now` names a file that is moved aside. Errors say what to do.
base::Result<Connection> open_database(const std::filesystem::path& file, std::uint64_t max_file_bytes,
                                       std::int64_t unix_now);

}  // namespace atlas::store
