// The node's one SQLite database: peers, sessions, bans, and key-value rows of plugins. WAL; one writer, many readers.
//
// Writes are queued from any thread and committed in batches by the writer, which runs on the executor it is given (a
// thread in a node, inline in a simulation). Reads run on the caller's thread over a connection of their own and never
// block the writer. After the database turns out damaged or full the store degrades: writes report kInternal or kFull,
// reads go on, the node lives.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/result.h"
#include "wire/peer_record.h"

namespace atlas::store {

struct SessionRecord {
  std::string node_id;
  std::string address;
  std::uint32_t protocol_v = 1;
  std::int64_t connected_at = 0;  // Unix seconds
  wire::Trust trust = wire::Trust::kUnknown;
  // Tells the peer, after this process died, that the session is lost; see quic::Connection::loss_token.
  std::optional<base::ByteArray<16>> loss_token = std::nullopt;
};

struct StoreLimits {
  // Rows; of peers the unproved and oldest go first, bans last.
  std::uint64_t max_peers = base::limits::store_max_peers;
  std::uint64_t max_sessions = base::limits::store_max_sessions;
  // Writes that wait, and what they hold in memory; plugins get 7/8 of either, the rest is the node's.
  std::uint64_t max_queue = base::limits::store_max_queue;
  std::uint64_t max_queue_bytes = base::limits::store_max_queue_bytes;
  // Per plugin; keys and values.
  std::uint64_t plugin_bytes = base::limits::store_plugin_bytes;
  std::uint64_t plugin_rows = base::limits::store_plugin_rows;
  // Of the database file; beyond it writes fail with kFull.
  std::uint64_t max_file_bytes = base::limits::store_max_file_bytes;
  // Of the write-ahead log, when another program's long read pins it.
  std::uint64_t max_log_bytes = base::limits::store_max_log_bytes;
};

inline constexpr std::size_t kMaxKeyBytes = base::limits::store_key_bytes;
inline constexpr std::size_t kMaxValueBytes = base::limits::store_value_bytes;
inline constexpr std::size_t kMaxPluginNameBytes = base::limits::store_plugin_name_bytes;

struct StoreCounters {
  std::uint64_t writes = 0;         // committed
  std::uint64_t commits = 0;        // transactions
  std::uint64_t failed = 0;         // writes that the disk or the database refused
  std::uint64_t refused_full = 0;   // writes not taken because the queue was full
  std::uint64_t refused_quota = 0;  // rows not taken because of a plugin's quota
  std::uint64_t refused_row = 0;    // peer or session rows that break a limit of their fields
  std::uint64_t evicted_peers = 0;
  std::uint64_t failed_reads = 0;
  std::uint64_t queued = 0;  // gauge
};

using Durable = std::function<void(base::Result<void>)>;  // runs on the executor, once, after the commit

class Store {
 public:
  struct Setup {
    std::filesystem::path file;  // ":memory:" style is not supported: readers need a file
    StoreLimits limits;
    base::Executor* executor = nullptr;  // for the writer; must run one task at a time for this store; outlives it
    const base::Clock* clock = nullptr;  // outlives the store
  };
  // Creates the file (0600), migrates, runs quick_check. A damaged file is moved aside to peers.db.damaged-<time> with
  // a loud log line and a new one is made; a read-only disk or a file of another program is an error that says so.
  static base::Result<std::unique_ptr<Store>> open(Setup setup);
  // Commits what is queued and closes the file. What waits for a commit is still told, by the executor.
  virtual ~Store() = default;

  // --- peers; any thread. Reads see what has been committed: flush() first where that matters. ---
  // What a session proved: overwrites everything but bans, clears last_failure. A record without public address or
  // relays says nothing of them: those of the row stay.
  virtual void put_proved(const wire::PeerRecord& record) = 0;
  // What somebody told: never overwrites a proved row's address, name or skills with an older last_seen, never trust
  // and never a proved row's operator. A last_seen that lies ahead counts as now.
  virtual void put_told(const wire::PeerRecord& record) = 0;
  virtual void mark_failure(const std::string& node_id, wire::DialFailure failure) = 0;
  virtual void touch(const std::string& node_id, std::int64_t last_seen) = 0;
  // Of two bans the one that ends later stays. Makes a row for a node that has none.
  virtual void set_ban(const std::string& node_id, std::int64_t until, const std::string& reason) = 0;
  virtual void lift_ban(const std::string& node_id) = 0;
  virtual std::optional<wire::PeerRecord> peer(const std::string& node_id) = 0;
  virtual std::vector<wire::PeerRecord> peers(std::size_t most) = 0;  // newest last_seen first
  // Rows whose ban has not run out; read once at start into memory.
  virtual std::vector<wire::PeerRecord> bans() = 0;

  // --- sessions; any thread ---
  virtual void clear_sessions() = 0;  // at start: a killed node leaves rows behind
  virtual void put_session(const SessionRecord& session) = 0;
  virtual void remove_session(const std::string& node_id) = 0;
  virtual std::vector<SessionRecord> sessions() = 0;

  // --- key-value rows of a plugin; any thread ---
  // A read sees every put of this plugin that was accepted before it. What is committed survives a killed process and,
  // for these rows, a power cut: their commits are synced.
  // put() and remove(): kArgument (key 1..512 bytes, value up to 4 MiB + 64 KiB), kFull (quota or queue), kStopping;
  // then `done`, which may be empty, is never called. At the quota's edge a put may look at the disk, and may commit
  // what waits on this thread, to be sure.
  virtual std::optional<base::Bytes> get(std::string_view plugin, base::ByteView key) = 0;
  virtual base::Result<void> put(std::string_view plugin, base::ByteView key, base::ByteView value, Durable done) = 0;
  virtual base::Result<void> remove(std::string_view plugin, base::ByteView key, Durable done) = 0;
  // Rows in key order, from the first key greater than `after` (empty: from the start). row() says whether to go on; it
  // may call the store. Rows written during a long scan may or may not be seen.
  virtual void scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
                    const std::function<bool(base::ByteView key, base::ByteView value)>& row) = 0;

  // Commits on this thread whatever was queued before, waiting for a batch that another thread is committing: never for
  // the executor, so it may be called where that cannot run.
  virtual void flush() = 0;
  virtual StoreCounters counters() const = 0;
};

}  // namespace atlas::store
