#include "store/schema.h"

#include <fmt/format.h>

#include <map>

namespace atlas::store {
namespace {

// Times are Unix seconds. `proved` rows come from a session, the others are hearsay. A row with an empty address is a
// ban of a node that was never met.
constexpr const char* kFirst = R"sql(
CREATE TABLE peers (
  id                INTEGER PRIMARY KEY,
  node_id           TEXT NOT NULL UNIQUE,
  address           TEXT NOT NULL,
  public_address    TEXT,
  name              TEXT NOT NULL,
  skills            TEXT NOT NULL,
  operator_username TEXT,
  trust_level       TEXT NOT NULL CHECK (trust_level IN ('unknown', 'verified', 'bootstrap', 'relay')),
  last_seen         INTEGER NOT NULL,
  last_failure      TEXT CHECK (last_failure IN ('unreachable', 'rejected', 'expired', 'reset', 'disconnected')),
  ban_until         INTEGER,
  ban_reason        TEXT,
  relays            TEXT NOT NULL,
  proved            INTEGER NOT NULL CHECK (proved IN (0, 1))
) STRICT;
CREATE INDEX peers_by_last_seen ON peers (last_seen);
CREATE INDEX peers_by_worth ON peers (proved, last_seen) WHERE ban_until IS NULL;
CREATE INDEX peers_by_ban ON peers (ban_until) WHERE ban_until IS NOT NULL;
CREATE TABLE sessions (
  node_id          TEXT PRIMARY KEY,
  address          TEXT NOT NULL,
  protocol_version INTEGER NOT NULL,
  connected_at     INTEGER NOT NULL,
  trust_level      TEXT NOT NULL CHECK (trust_level IN ('unknown', 'verified', 'bootstrap', 'relay')),
  loss_token       BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE plugin_rows (
  id     INTEGER PRIMARY KEY,
  plugin TEXT NOT NULL,
  key    BLOB NOT NULL,
  value  BLOB NOT NULL,
  UNIQUE (plugin, key)
) STRICT;
)sql";

constexpr const char* kAll[] = {kFirst};

Status set_integer(Connection& connection, const char* pragma, std::int64_t value) {
  return connection.exec(fmt::format("PRAGMA {}={}", pragma, value).c_str());
}

Status run_one(Connection& connection, const char* script, std::int64_t version) {
  if (Status status = connection.exec(script); !status.ok()) return status;
  if (Status status = set_integer(connection, "application_id", kApplicationId); !status.ok()) return status;
  if (Status status = set_integer(connection, "user_version", version); !status.ok()) return status;
  return connection.exec("COMMIT");
}

// Name -> "type: sql" of everything that a script made.
Status objects_of(Connection& connection, std::map<std::string, std::string>& out) {
  Query query(connection, "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  while (query.next()) {
    out[std::string(query.text(1))] = fmt::format("{}: {}", query.text(0), query.text(2));
  }
  return query.status();
}

}  // namespace

std::span<const char* const> migrations() {
  return kAll;
}

Status owner_of(Connection& connection, Owner& out, std::int64_t& version, std::span<const char* const> scripts) {
  std::int64_t application = 0, objects = 0;
  Status status = connection.integer("SELECT count(*) FROM sqlite_schema", objects);
  if (status.ok()) status = connection.integer("PRAGMA application_id", application);
  if (status.ok()) status = connection.integer("PRAGMA user_version", version);
  if (!status.ok()) return status;
  const auto known = static_cast<std::int64_t>(scripts.size());
  if (application == kApplicationId) {
    out = version > known ? Owner::kOurNewer : version < 1 ? Owner::kForeign : Owner::kOurs;
  } else {
    out = application == 0 && version == 0 && objects == 0 ? Owner::kEmpty : Owner::kForeign;
  }
  return {};
}

Status migrate(Connection& connection, std::span<const char* const> scripts) {
  while (true) {
    // The version is read inside the transaction: another program may be at it too.
    if (Status status = connection.exec("BEGIN IMMEDIATE"); !status.ok()) return status;
    std::int64_t version = 0;
    Status status = connection.integer("PRAGMA user_version", version);
    if (status.ok() && version >= static_cast<std::int64_t>(scripts.size())) return connection.exec("ROLLBACK");
    if (status.ok()) status = run_one(connection, scripts[static_cast<std::size_t>(version)], version + 1);
    if (!status.ok()) {
      if (connection.in_transaction()) connection.exec("ROLLBACK");
      return status;
    }
  }
}

Status compare_schema(Connection& connection, std::string& difference, std::span<const char* const> scripts) {
  Connection scratch;
  std::map<std::string, std::string> wanted, found;
  Status status = Connection::open_scratch(scratch);
  if (status.ok()) status = migrate(scratch, scripts);
  if (status.ok()) status = objects_of(scratch, wanted);
  if (status.ok()) status = objects_of(connection, found);
  if (!status.ok()) return status;
  for (const auto& [name, sql] : wanted) {
    const auto same = found.find(name);
    if (same == found.end())
      difference = fmt::format("'{}' is missing", name);
    else if (same->second != sql)
      difference = fmt::format("'{}' is not as Atlas makes it", name);
  }
  for (const auto& [name, sql] : found) {
    if (sql.starts_with("trigger:")) difference = fmt::format("it has a trigger '{}'", name);
    if (sql.starts_with("view:")) difference = fmt::format("it has a view '{}'", name);
  }
  return {};
}

}  // namespace atlas::store
