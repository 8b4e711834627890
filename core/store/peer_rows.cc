#include "store/peer_rows.h"

#include <algorithm>

#include "base/utf8.h"
#include "store/text_list.h"
#include "wire/messages.h"

namespace atlas::store {
namespace {

// ?1 node_id ?2 address ?3 public_address ?4 name ?5 skills ?6 operator ?7 trust ?8 last_seen ?9 relays (null: none
// said)
constexpr const char* kUpdateProved = R"sql(
UPDATE peers SET address = ?2, public_address = coalesce(?3, public_address), name = ?4, skills = ?5,
  operator_username = ?6, trust_level = ?7, last_seen = ?8, relays = coalesce(?9, relays), last_failure = NULL,
  proved = 1
WHERE node_id = ?1)sql";

constexpr const char* kInsertProved = R"sql(
INSERT INTO peers (node_id, address, public_address, name, skills, operator_username, trust_level, last_seen, relays,
  proved)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, '[]'), 1))sql";

// Hearsay moves a row forward in time only, and of a proved row neither trust nor operator.
constexpr const char* kUpdateTold = R"sql(
UPDATE peers SET address = ?2, public_address = coalesce(?3, public_address), name = ?4, skills = ?5,
  operator_username = CASE proved WHEN 1 THEN operator_username ELSE coalesce(?6, operator_username) END,
  last_seen = ?8, relays = coalesce(?9, relays)
WHERE node_id = ?1 AND (last_seen < ?8 OR (last_seen = ?8 AND proved = 0)))sql";

constexpr const char* kInsertTold = R"sql(
INSERT INTO peers (node_id, address, public_address, name, skills, operator_username, trust_level, last_seen, relays,
  proved)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, '[]'), 0)
ON CONFLICT (node_id) DO NOTHING)sql";

#define ATLAS_PEER_COLUMNS                                                                                     \
  "SELECT node_id, address, public_address, name, skills, operator_username, trust_level, last_seen, relays, " \
  "last_failure, ban_until, ban_reason FROM peers "
constexpr const char* kFind = ATLAS_PEER_COLUMNS "WHERE node_id = ?1";
constexpr const char* kNewest = ATLAS_PEER_COLUMNS "WHERE address <> '' ORDER BY last_seen DESC LIMIT ?1";
constexpr const char* kBanned = ATLAS_PEER_COLUMNS "WHERE ban_until IS NOT NULL AND ban_until > ?1";
#undef ATLAS_PEER_COLUMNS

bool text_fits(std::string_view text, std::size_t most) {
  return text.size() <= most && base::is_utf8(text);
}

bool list_fits(const std::vector<std::string>& texts, std::size_t most_texts, std::size_t most_bytes) {
  return texts.size() <= most_texts &&
         std::ranges::all_of(texts, [&](const std::string& text) { return text_fits(text, most_bytes); });
}

std::optional<std::string> optional_text(const Query& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(std::string(row.text(column)));
}

wire::PeerRecord record_from(const Query& row) {
  wire::PeerRecord record;
  record.node_id = row.text(0);
  record.address = row.text(1);
  record.public_address = optional_text(row, 2);
  record.name = row.text(3);
  record.skills = from_json(row.text(4)).value_or(std::vector<std::string>{});
  record.operator_username = optional_text(row, 5);
  record.trust = wire::trust_from(row.text(6)).value_or(wire::Trust::kUnknown);
  record.last_seen = row.integer(7);
  record.relays = from_json(row.text(8)).value_or(std::vector<std::string>{});
  if (!row.is_null(9)) record.last_failure = wire::dial_failure_from(row.text(9));
  if (!row.is_null(10)) record.ban_until = row.integer(10);
  record.ban_reason = optional_text(row, 11);
  return record;
}

Status collect(Query& query, std::vector<wire::PeerRecord>& out) {
  while (query.next()) out.push_back(record_from(query));
  return query.status();
}

// Runs one of the four statements above.
Status put(Connection& connection, const char* sql, const wire::PeerRecord& record, wire::Trust trust,
           std::int64_t last_seen) {
  const std::string skills = to_json(record.skills);
  const auto relays = record.relays.empty() ? std::nullopt : std::optional(to_json(record.relays));
  Query query(connection, sql);
  query.bind(1, std::string_view(record.node_id)).bind(2, std::string_view(record.address));
  query.bind(3, record.public_address).bind(4, std::string_view(record.name)).bind(5, std::string_view(skills));
  query.bind(6, record.operator_username).bind(8, last_seen).bind(9, relays);
  if (sql != kUpdateTold) query.bind(7, wire::to_text(trust));
  return query.run();
}

}  // namespace

bool is_storable(const wire::PeerRecord& record) {
  const auto optional_fits = [](const std::optional<std::string>& text, std::size_t most) {
    return !text || text_fits(*text, most);
  };
  return wire::is_node_id(record.node_id) && !record.address.empty() && text_fits(record.address, kMaxAddressBytes) &&
         optional_fits(record.public_address, kMaxAddressBytes) && text_fits(record.name, wire::kMaxNameBytes) &&
         list_fits(record.skills, wire::kMaxSkills, wire::kMaxSkillBytes) &&
         optional_fits(record.operator_username, wire::kMaxNameBytes) &&
         list_fits(record.relays, kMaxRelays, wire::kNodeIdSize);
}

Status find_peer(Connection& connection, const std::string& node_id, std::optional<wire::PeerRecord>& out) {
  Query query(connection, kFind);
  query.bind(1, std::string_view(node_id));
  if (query.next()) out = record_from(query);
  return query.status();
}

Status newest_peers(Connection& connection, std::size_t most, std::vector<wire::PeerRecord>& out) {
  Query query(connection, kNewest);
  query.bind(1, static_cast<std::int64_t>(std::min<std::size_t>(most, INT64_MAX)));
  return collect(query, out);
}

Status banned_peers(Connection& connection, std::int64_t now, std::vector<wire::PeerRecord>& out) {
  Query query(connection, kBanned);
  query.bind(1, now);
  return collect(query, out);
}

Status PeerWriter::recount(Connection& connection) {
  std::int64_t rows = 0, banned = 0;
  Status status = connection.integer("SELECT count(*) FROM peers", rows);
  if (status.ok()) status = connection.integer("SELECT count(*) FROM peers WHERE ban_until IS NOT NULL", banned);
  rows_ = static_cast<std::uint64_t>(rows);
  banned_ = static_cast<std::uint64_t>(banned);
  return status;
}

Status PeerWriter::put_proved(Connection& connection, const wire::PeerRecord& record, std::int64_t now) {
  Status status = put(connection, kUpdateProved, record, record.trust, record.last_seen);
  if (!status.ok() || connection.changes() > 0) return status;
  status = put(connection, kInsertProved, record, record.trust, record.last_seen);
  if (!status.ok()) return status;
  ++rows_;
  return make_room(connection, now);
}

Status PeerWriter::put_told(Connection& connection, const wire::PeerRecord& record, std::int64_t now) {
  // Nobody was seen in the future, and nobody may make a row the newest for ever.
  const std::int64_t seen = std::clamp<std::int64_t>(record.last_seen, 0, std::max<std::int64_t>(now, 0));
  Status status = put(connection, kUpdateTold, record, wire::Trust::kUnknown, seen);
  if (!status.ok() || connection.changes() > 0) return status;
  status = put(connection, kInsertTold, record, wire::Trust::kUnknown, seen);
  if (!status.ok() || connection.changes() == 0) return status;
  ++rows_;
  return make_room(connection, now);
}

Status PeerWriter::mark_failure(Connection& connection, const std::string& node_id, wire::DialFailure failure) {
  Query query(connection, "UPDATE peers SET last_failure = ?2 WHERE node_id = ?1");
  return query.bind(1, std::string_view(node_id)).bind(2, wire::to_text(failure)).run();
}

Status PeerWriter::touch(Connection& connection, const std::string& node_id, std::int64_t last_seen) {
  Query query(connection, "UPDATE peers SET last_seen = ?2 WHERE node_id = ?1 AND last_seen < ?2");
  return query.bind(1, std::string_view(node_id)).bind(2, last_seen).run();
}

Status PeerWriter::set_ban(Connection& connection, const std::string& node_id, std::int64_t until,
                           const std::string& reason, std::int64_t now) {
  const std::string_view kept = std::string_view(reason).substr(0, kMaxBanReasonBytes);
  {
    Query longer(connection, "UPDATE peers SET ban_until = ?2, ban_reason = ?3 WHERE node_id = ?1 AND ban_until < ?2");
    Status status = longer.bind(1, std::string_view(node_id)).bind(2, until).bind(3, kept).run();
    if (!status.ok() || connection.changes() > 0) return status;
  }
  {
    Query fresh(connection,
                "UPDATE peers SET ban_until = ?2, ban_reason = ?3 WHERE node_id = ?1 AND ban_until IS NULL");
    Status status = fresh.bind(1, std::string_view(node_id)).bind(2, until).bind(3, kept).run();
    if (!status.ok()) return status;
    if (connection.changes() > 0) {
      ++banned_;
      return {};
    }
  }
  Query stranger(connection,
                 "INSERT INTO peers (node_id, address, name, skills, trust_level, last_seen, ban_until, ban_reason, "
                 "relays, proved) VALUES (?1, '', '', '[]', 'unknown', 0, ?2, ?3, '[]', 0) "
                 "ON CONFLICT (node_id) DO NOTHING");
  Status status = stranger.bind(1, std::string_view(node_id)).bind(2, until).bind(3, kept).run();
  if (!status.ok() || connection.changes() == 0) return status;
  ++rows_;
  ++banned_;
  return make_room(connection, now);
}

Status PeerWriter::lift_ban(Connection& connection, const std::string& node_id) {
  Query stranger(connection, "DELETE FROM peers WHERE node_id = ?1 AND address = '' AND ban_until IS NOT NULL");
  Status status = stranger.bind(1, std::string_view(node_id)).run();
  if (!status.ok()) return status;
  const auto gone = static_cast<std::uint64_t>(connection.changes());
  rows_ -= gone;
  banned_ -= gone;
  Query known(connection,
              "UPDATE peers SET ban_until = NULL, ban_reason = NULL WHERE node_id = ?1 AND ban_until IS NOT NULL");
  status = known.bind(1, std::string_view(node_id)).run();
  if (status.ok()) banned_ -= static_cast<std::uint64_t>(connection.changes());
  return status;
}

Status PeerWriter::end_bans(Connection& connection, std::int64_t now) {
  Query strangers(connection, "DELETE FROM peers WHERE ban_until IS NOT NULL AND ban_until <= ?1 AND address = ''");
  Status status = strangers.bind(1, now).run();
  if (!status.ok()) return status;
  const auto gone = static_cast<std::uint64_t>(connection.changes());
  rows_ -= gone;
  banned_ -= gone;
  Query known(connection,
              "UPDATE peers SET ban_until = NULL, ban_reason = NULL WHERE ban_until IS NOT NULL AND ban_until <= ?1");
  status = known.bind(1, now).run();
  if (status.ok()) banned_ -= static_cast<std::uint64_t>(connection.changes());
  return status;
}

// Hearsay goes before what was proved, old before new. Bans stay, or stuffing the table would lift them; but they may
// fill no more than half of it, or being banned would push everybody else out.
Status PeerWriter::make_room(Connection& connection, std::int64_t now) {
  if (rows_ > max_rows_) {
    if (Status status = end_bans(connection, now); !status.ok()) return status;
  }
  while (rows_ > max_rows_) {
    const bool from_bans = banned_ > max_rows_ / 2;
    Query evict(connection, from_bans
                                ? "DELETE FROM peers WHERE id = (SELECT id FROM peers WHERE ban_until IS NOT NULL "
                                  "ORDER BY ban_until LIMIT 1)"
                                : "DELETE FROM peers WHERE id = (SELECT id FROM peers WHERE ban_until IS NULL "
                                  "ORDER BY proved, last_seen LIMIT 1)");
    if (Status status = evict.run(); !status.ok()) return status;
    if (connection.changes() == 0) return {};
    --rows_;
    if (from_bans) --banned_;
    ++evicted_;
  }
  return {};
}

}  // namespace atlas::store
