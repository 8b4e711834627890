// Rows of the plugin_rows table: a key-value space for each plugin.
// Private to core/store. Reading over any connection, writing over the writer's.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "store/sqlite.h"

namespace atlas::store {

// What one plugin's rows take; signed, for it is also a difference.
struct Usage {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;  // keys and values
  Usage& operator+=(const Usage& other) {
    rows += other.rows;
    bytes += other.bytes;
    return *this;
  }
  Usage& operator-=(const Usage& other) {
    rows -= other.rows;
    bytes -= other.bytes;
    return *this;
  }
};

using KeyValue = std::pair<base::Bytes, base::Bytes>;

Status read_row(Connection& connection, std::string_view plugin, base::ByteView key, std::optional<base::Bytes>& value);
Status value_size(Connection& connection, std::string_view plugin, base::ByteView key,
                  std::optional<std::int64_t>& size);
// Rows from `from` on (or from the next key after it when `exclusive`), until one does not begin with `prefix`, or
// `most_rows` or `most_bytes` are reached: then `truncated`.
struct Range {
  base::ByteView prefix;
  base::ByteView from;
  bool exclusive = false;
};
Status read_rows(Connection& connection, std::string_view plugin, const Range& range, std::size_t most_rows,
                 std::size_t most_bytes, std::vector<KeyValue>& out, bool& truncated);
Status usage_of_all(Connection& connection, std::map<std::string, Usage, std::less<>>& out);

// Both say by how much the plugin's usage changed.
Status write_row(Connection& connection, std::string_view plugin, base::ByteView key, base::ByteView value,
                 Usage& change);
Status remove_row(Connection& connection, std::string_view plugin, base::ByteView key, Usage& change);

}  // namespace atlas::store
