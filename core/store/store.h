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
#include "base/result.h"
#include "wire/peer_record.h"

namespace atlas::store {

struct SessionRecord {
  std::string node_id;
  std::string address;
  std::uint32_t protocol_v = 1;
  std::int64_t connected_at = 0;  // Unix seconds
  wire::Trust trust = wire::Trust::kUnknown;
};

struct StoreLimits {
  std::uint64_t max_peers = 100'000;              // rows; unproved and oldest rows go first
  std::uint64_t max_queue = 65'536;               // writes waiting
  std::uint64_t plugin_bytes = 256ull << 20;      // per plugin, keys and values
  std::uint64_t plugin_rows = 200'000;            // per plugin
};

struct StoreCounters {
  std::uint64_t writes = 0, commits = 0, failed = 0, refused_full = 0, evicted_peers = 0, refused_quota = 0;
};

using Durable = std::function<void(base::Result<void>)>;  // runs on the executor, after the commit

class Store {
 public:
  struct Setup {
    std::filesystem::path file;  // ":memory:" style is not supported: readers need a file
    StoreLimits limits;
    base::Executor* executor = nullptr;  // for the writer; must run one task at a time for this store
    const base::Clock* clock = nullptr;
  };
  // Creates the file (0600), migrates, runs quick_check. A damaged file is moved aside to peers.db.damaged-<time> with
  // a loud log line and a new one is made; a read-only disk or a file of another program is an error that says so.
  static base::Result<std::unique_ptr<Store>> open(Setup setup);
  virtual ~Store() = default;  // after flush()

  // --- peers; any thread ---
  // What a session proved: overwrites everything but bans, clears last_failure.
  virtual void put_proved(const wire::PeerRecord& record) = 0;
  // What somebody told: never overwrites a proved row's address, name or skills with an older last_seen, never trust.
  virtual void put_told(const wire::PeerRecord& record) = 0;
  virtual void mark_failure(const std::string& node_id, wire::DialFailure failure) = 0;
  virtual void touch(const std::string& node_id, std::int64_t last_seen) = 0;
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
  // A read sees every put of this plugin that was accepted before it.
  virtual std::optional<base::Bytes> get(std::string_view plugin, base::ByteView key) = 0;
  virtual base::Result<void> put(std::string_view plugin, base::ByteView key, base::ByteView value, Durable done) = 0;
  virtual base::Result<void> remove(std::string_view plugin, base::ByteView key, Durable done) = 0;
  virtual void scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
                    const std::function<bool(base::ByteView key, base::ByteView value)>& row) = 0;

  // Waits until everything queued is committed.
  virtual void flush() = 0;
  virtual StoreCounters counters() const = 0;
};

}  // namespace atlas::store
