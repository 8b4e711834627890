#include "store/plugin_rows.h"

#include <algorithm>

namespace atlas::store {
namespace {

std::int64_t size_of(base::ByteView bytes) {
  return static_cast<std::int64_t>(bytes.size());
}

}  // namespace

Status read_row(Connection& connection, std::string_view plugin, base::ByteView key,
                std::optional<base::Bytes>& value) {
  Query query(connection, "SELECT value FROM plugin_rows WHERE plugin = ?1 AND key = ?2");
  query.bind(1, plugin).bind(2, key);
  if (query.next()) {
    const base::ByteView found = query.blob(0);
    value.emplace(found.begin(), found.end());
  }
  return query.status();
}

Status value_size(Connection& connection, std::string_view plugin, base::ByteView key,
                  std::optional<std::int64_t>& size) {
  Query query(connection, "SELECT length(value) FROM plugin_rows WHERE plugin = ?1 AND key = ?2");
  query.bind(1, plugin).bind(2, key);
  if (query.next()) size = query.integer(0);
  return query.status();
}

Status read_rows(Connection& connection, std::string_view plugin, const Range& range, std::size_t most_rows,
                 std::size_t most_bytes, std::vector<KeyValue>& out, bool& truncated) {
  truncated = false;
  std::size_t bytes = 0;
  Query query(connection, range.exclusive
                              ? "SELECT key, value FROM plugin_rows WHERE plugin = ?1 AND key > ?2 ORDER BY key"
                              : "SELECT key, value FROM plugin_rows WHERE plugin = ?1 AND key >= ?2 ORDER BY key");
  query.bind(1, plugin).bind(2, range.from);
  while (query.next()) {
    const base::ByteView key = query.blob(0);
    if (key.size() < range.prefix.size() || !std::ranges::equal(key.first(range.prefix.size()), range.prefix)) break;
    if (out.size() >= most_rows || bytes >= most_bytes) {
      truncated = true;
      break;
    }
    const base::ByteView value = query.blob(1);
    bytes += key.size() + value.size();
    out.emplace_back(base::Bytes(key.begin(), key.end()), base::Bytes(value.begin(), value.end()));
  }
  return query.status();
}

Status usage_of_all(Connection& connection, std::map<std::string, Usage, std::less<>>& out) {
  Query query(connection, "SELECT plugin, count(*), sum(length(key) + length(value)) FROM plugin_rows GROUP BY plugin");
  while (query.next()) out[std::string(query.text(0))] = {query.integer(1), query.integer(2)};
  return query.status();
}

Status write_row(Connection& connection, std::string_view plugin, base::ByteView key, base::ByteView value,
                 Usage& change) {
  change = {};
  std::optional<std::int64_t> old;
  if (Status status = value_size(connection, plugin, key, old); !status.ok()) return status;
  Query query(connection, old ? "UPDATE plugin_rows SET value = ?3 WHERE plugin = ?1 AND key = ?2"
                              : "INSERT INTO plugin_rows (plugin, key, value) VALUES (?1, ?2, ?3)");
  const Status status = query.bind(1, plugin).bind(2, key).bind(3, value).run();
  if (status.ok()) change = old ? Usage{0, size_of(value) - *old} : Usage{1, size_of(key) + size_of(value)};
  return status;
}

Status remove_row(Connection& connection, std::string_view plugin, base::ByteView key, Usage& change) {
  change = {};
  std::optional<std::int64_t> old;
  if (Status status = value_size(connection, plugin, key, old); !status.ok() || !old) return status;
  Query query(connection, "DELETE FROM plugin_rows WHERE plugin = ?1 AND key = ?2");
  const Status status = query.bind(1, plugin).bind(2, key).run();
  if (status.ok()) change = {-1, -size_of(key) - *old};
  return status;
}

}  // namespace atlas::store
