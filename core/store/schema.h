// The tables, as numbered migrations: PRAGMA user_version says how many have run, application_id that the file is ours.
// Private to core/store; the writer's thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "store/sqlite.h"

namespace atlas::store {

inline constexpr std::int64_t kApplicationId = 0x41544c53;  // "ATLS"

// Each brings a file from the version of its index to the next. Never changed once released; only added to.
std::span<const char* const> migrations();

// Whose file it is.
enum class Owner { kEmpty, kOurs, kOurNewer, kForeign };
Status owner_of(Connection& connection, Owner& out, std::int64_t& version,
                std::span<const char* const> scripts = migrations());

// Runs what is missing, each migration in a transaction of its own. Two programs may do it at once.
Status migrate(Connection& connection, std::span<const char* const> scripts = migrations());

// What differs from the tables that the migrations make, in words for people; empty when nothing does. A trigger or a
// view is always a difference; further tables and indexes are not.
Status compare_schema(Connection& connection, std::string& difference,
                      std::span<const char* const> scripts = migrations());

}  // namespace atlas::store
