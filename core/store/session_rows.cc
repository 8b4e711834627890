#include "store/session_rows.h"

#include <algorithm>

namespace atlas::store {

Status all_sessions(Connection& connection, std::vector<SessionRecord>& out) {
  Query query(connection,
              "SELECT node_id, address, protocol_version, connected_at, trust_level, loss_token FROM sessions "
              "ORDER BY connected_at");
  while (query.next()) {
    SessionRecord session;
    session.node_id = query.text(0);
    session.address = query.text(1);
    session.protocol_v = static_cast<std::uint32_t>(query.integer(2));
    session.connected_at = query.integer(3);
    session.trust = wire::trust_from(query.text(4)).value_or(wire::Trust::kUnknown);
    base::ByteArray<16> token{};
    if (const base::ByteView stored = query.blob(5); stored.size() == token.size()) {
      std::copy(stored.begin(), stored.end(), token.begin());
      session.loss_token = token;
    }
    out.push_back(std::move(session));
  }
  return query.status();
}

Status SessionWriter::recount(Connection& connection) {
  std::int64_t rows = 0;
  const Status status = connection.integer("SELECT count(*) FROM sessions", rows);
  rows_ = static_cast<std::uint64_t>(rows);
  return status;
}

Status SessionWriter::clear(Connection& connection) {
  Query query(connection, "DELETE FROM sessions");
  const Status status = query.run();
  if (status.ok()) rows_ = 0;
  return status;
}

Status SessionWriter::put(Connection& connection, const SessionRecord& session) {
  const auto bind = [&](Query& query) {
    query.bind(1, std::string_view(session.node_id)).bind(2, std::string_view(session.address));
    query.bind(3, static_cast<std::int64_t>(session.protocol_v)).bind(4, session.connected_at);
    query.bind(5, wire::to_text(session.trust));
    if (session.loss_token) query.bind(6, base::ByteView(*session.loss_token));
  };
  {
    Query update(connection,
                 "UPDATE sessions SET address = ?2, protocol_version = ?3, connected_at = ?4, trust_level = ?5, "
                 "loss_token = ?6 "
                 "WHERE node_id = ?1");
    bind(update);
    if (const Status status = update.run(); !status.ok() || connection.changes() > 0) return status;
  }
  if (rows_ >= max_rows_) return {};
  Query insert(connection,
               "INSERT INTO sessions (node_id, address, protocol_version, connected_at, trust_level, loss_token) "
               "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
  bind(insert);
  const Status status = insert.run();
  if (status.ok()) ++rows_;
  return status;
}

Status SessionWriter::remove(Connection& connection, const std::string& node_id) {
  Query query(connection, "DELETE FROM sessions WHERE node_id = ?1");
  const Status status = query.bind(1, std::string_view(node_id)).run();
  if (status.ok()) rows_ -= static_cast<std::uint64_t>(connection.changes());
  return status;
}

}  // namespace atlas::store
