// Rows of the peers table. Reading: functions over any connection. Writing: one object over the writer's.
// Private to core/store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "store/sqlite.h"
#include "wire/peer_record.h"

namespace atlas::store {

// Bounds of what one row may hold, whatever a peer or a registry says of a peer.
inline constexpr std::size_t kMaxAddressBytes = base::limits::store_address_bytes;
inline constexpr std::size_t kMaxRelays = base::limits::store_relays;
inline constexpr std::size_t kMaxBanReasonBytes = base::limits::session_reason_bytes;

// A node id, texts within their limits, all of it UTF-8.
bool is_storable(const wire::PeerRecord& record);

Status find_peer(Connection& connection, const std::string& node_id, std::optional<wire::PeerRecord>& out);
// Newest last_seen first; rows without an address (bans of strangers) are left out.
Status newest_peers(Connection& connection, std::size_t most, std::vector<wire::PeerRecord>& out);
Status banned_peers(Connection& connection, std::int64_t now, std::vector<wire::PeerRecord>& out);

class PeerWriter {
 public:
  explicit PeerWriter(std::uint64_t max_rows) : max_rows_(max_rows) {}

  // Counts the rows; at start, and after a rollback made the counts wrong.
  Status recount(Connection& connection);

  Status put_proved(Connection& connection, const wire::PeerRecord& record, std::int64_t now);
  Status put_told(Connection& connection, const wire::PeerRecord& record, std::int64_t now);
  Status mark_failure(Connection& connection, const std::string& node_id, wire::DialFailure failure);
  Status touch(Connection& connection, const std::string& node_id, std::int64_t last_seen);
  Status set_ban(Connection& connection, const std::string& node_id, std::int64_t until, const std::string& reason,
                 std::int64_t now);
  Status lift_ban(Connection& connection, const std::string& node_id);
  Status end_bans(Connection& connection, std::int64_t now);  // those that have run out

  std::uint64_t rows() const { return rows_; }
  std::uint64_t evicted() const { return evicted_; }

 private:
  Status make_room(Connection& connection, std::int64_t now);

  const std::uint64_t max_rows_;
  std::uint64_t rows_ = 0;
  std::uint64_t banned_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace atlas::store
