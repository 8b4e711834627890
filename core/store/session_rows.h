// Rows of the sessions table: who is connected now, for people and for other programs that look.
// Private to core/store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/sqlite.h"
#include "store/store.h"

namespace atlas::store {

Status all_sessions(Connection& connection, std::vector<SessionRecord>& out);  // longest connected first

class SessionWriter {
 public:
  explicit SessionWriter(std::uint64_t max_rows) : max_rows_(max_rows) {}

  Status recount(Connection& connection);
  Status clear(Connection& connection);
  // At capacity a new row is left out; an old one is still brought up to date.
  Status put(Connection& connection, const SessionRecord& session);
  Status remove(Connection& connection, const std::string& node_id);

 private:
  const std::uint64_t max_rows_;
  std::uint64_t rows_ = 0;
};

}  // namespace atlas::store
