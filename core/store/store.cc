#include "store/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "base/log.h"
#include "store/database_file.h"
#include "store/pending_rows.h"
#include "store/readers.h"
#include "store/writer.h"

namespace atlas::store {
namespace {

using base::Fault;

constexpr std::size_t kPageRows = 256;  // of a scan, held at once
constexpr std::size_t kPageBytes = 1u << 20;
constexpr std::size_t kPerPeer = 256;  // bytes of a waiting record besides its texts, roughly

std::size_t bytes_of(const wire::PeerRecord& record) {
  std::size_t bytes = kPerPeer + record.name.size();
  for (const auto& skill : record.skills) bytes += skill.size() + sizeof(skill);
  for (const auto& relay : record.relays) bytes += relay.size() + sizeof(relay);
  return bytes;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Setup setup, Connection connection, std::map<std::string, Usage, std::less<>> usage)
      : setup_(std::move(setup)),
        readers_(setup_.file),
        pending_(
            std::make_shared<PendingRows>(setup_.limits.plugin_rows, setup_.limits.plugin_bytes, std::move(usage))),
        writer_(std::make_shared<Writer>(std::move(connection), setup_.file, setup_.limits, *setup_.executor,
                                         *setup_.clock)) {}
  ~SqliteStore() override {
    readers_.close();  // so that the writer's connection is the last and takes the log with it
    writer_->stop();
  }
  Status begin() { return writer_->begin(); }

  void put_proved(const wire::PeerRecord& record) override;
  void put_told(const wire::PeerRecord& record) override;
  void mark_failure(const std::string& node_id, wire::DialFailure failure) override;
  void touch(const std::string& node_id, std::int64_t last_seen) override;
  void set_ban(const std::string& node_id, std::int64_t until, const std::string& reason) override;
  void lift_ban(const std::string& node_id) override;
  std::optional<wire::PeerRecord> peer(const std::string& node_id) override;
  std::vector<wire::PeerRecord> peers(std::size_t most) override;
  std::vector<wire::PeerRecord> bans() override;

  void clear_sessions() override;
  void put_session(const SessionRecord& session) override;
  void remove_session(const std::string& node_id) override;
  std::vector<SessionRecord> sessions() override;

  std::optional<base::Bytes> get(std::string_view plugin, base::ByteView key) override;
  base::Result<void> put(std::string_view plugin, base::ByteView key, base::ByteView value, Durable done) override;
  base::Result<void> remove(std::string_view plugin, base::ByteView key, Durable done) override;
  void scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
            const std::function<bool(base::ByteView key, base::ByteView value)>& row) override;

  void flush() override { writer_->flush(); }
  StoreCounters counters() const override;

 private:
  using Change = std::move_only_function<Status(Tables&)>;
  void write(std::size_t bytes, Change change);
  bool storable(const wire::PeerRecord& record);
  bool storable(const std::string& node_id);
  base::Result<void> change_row(std::string_view plugin, base::ByteView key, std::optional<base::Bytes> value,
                                Durable done);
  // One page of a scan: rows in key order. `next` is the last key that was looked at, when there may be more.
  std::vector<KeyValue> page(std::string_view plugin, const Range& range, std::optional<base::Bytes>& next);
  // Runs a read; false when it failed, which is counted.
  template <class Read>
  bool read(Read&& read);

  const Setup setup_;
  Readers readers_;
  std::shared_ptr<PendingRows> pending_;
  std::shared_ptr<Writer> writer_;
  std::atomic<std::uint64_t> refused_row_{0}, refused_quota_{0}, failed_reads_{0};
  base::LogGate read_failures_{3, 60 * base::kSecond};
};

template <class Read>
bool SqliteStore::read(Read&& read) {
  auto connection = readers_.take();
  const Status status = connection ? read(*connection) : Status{-1};
  if (status.ok()) return true;
  ++failed_reads_;
  if (read_failures_.pass(setup_.clock->mono_ns())) {
    base::log(base::Level::kError, "store", "cannot read the peer database {}: {}", setup_.file.string(),
              connection ? status.text() : "it does not open");
  }
  return false;
}

// --- peers ---

void SqliteStore::write(std::size_t bytes, Change change) {
  Write write;
  write.apply = std::move(change);
  write.bytes = bytes;
  // A refusal is counted by the writer; there is nobody to tell.
  if (writer_->enqueue(std::move(write), Writer::Rank::kNode)) writer_->wake();
}

bool SqliteStore::storable(const wire::PeerRecord& record) {
  if (is_storable(record)) return true;
  ++refused_row_;
  return false;
}

bool SqliteStore::storable(const std::string& node_id) {
  if (wire::is_node_id(node_id)) return true;
  ++refused_row_;
  return false;
}

void SqliteStore::put_proved(const wire::PeerRecord& record) {
  if (!storable(record)) return;
  write(bytes_of(record), [record](Tables& tables) { return tables.peers.put_proved(tables.db, record, tables.now); });
}

void SqliteStore::put_told(const wire::PeerRecord& record) {
  if (!storable(record)) return;
  write(bytes_of(record), [record](Tables& tables) { return tables.peers.put_told(tables.db, record, tables.now); });
}

void SqliteStore::mark_failure(const std::string& node_id, wire::DialFailure failure) {
  if (!storable(node_id)) return;
  write(node_id.size(), [=](Tables& tables) { return tables.peers.mark_failure(tables.db, node_id, failure); });
}

void SqliteStore::touch(const std::string& node_id, std::int64_t last_seen) {
  if (!storable(node_id)) return;
  write(node_id.size(), [=](Tables& tables) { return tables.peers.touch(tables.db, node_id, last_seen); });
}

void SqliteStore::set_ban(const std::string& node_id, std::int64_t until, const std::string& reason) {
  if (!storable(node_id)) return;
  write(node_id.size() + reason.size(),
        [=](Tables& tables) { return tables.peers.set_ban(tables.db, node_id, until, reason, tables.now); });
}

void SqliteStore::lift_ban(const std::string& node_id) {
  if (!storable(node_id)) return;
  write(node_id.size(), [=](Tables& tables) { return tables.peers.lift_ban(tables.db, node_id); });
}

std::optional<wire::PeerRecord> SqliteStore::peer(const std::string& node_id) {
  std::optional<wire::PeerRecord> found;
  read([&](Connection& connection) { return find_peer(connection, node_id, found); });
  return found;
}

std::vector<wire::PeerRecord> SqliteStore::peers(std::size_t most) {
  std::vector<wire::PeerRecord> found;
  read([&](Connection& connection) { return newest_peers(connection, most, found); });
  return found;
}

std::vector<wire::PeerRecord> SqliteStore::bans() {
  std::vector<wire::PeerRecord> found;
  read([&](Connection& connection) { return banned_peers(connection, setup_.clock->unix_s(), found); });
  return found;
}

// --- sessions ---

void SqliteStore::clear_sessions() {
  write(0, [](Tables& tables) { return tables.sessions.clear(tables.db); });
}

void SqliteStore::put_session(const SessionRecord& session) {
  if (!storable(session.node_id)) return;
  if (session.address.size() > kMaxAddressBytes) {
    ++refused_row_;
    return;
  }
  write(session.node_id.size() + session.address.size(),
        [session](Tables& tables) { return tables.sessions.put(tables.db, session); });
}

void SqliteStore::remove_session(const std::string& node_id) {
  if (!storable(node_id)) return;
  write(node_id.size(), [=](Tables& tables) { return tables.sessions.remove(tables.db, node_id); });
}

std::vector<SessionRecord> SqliteStore::sessions() {
  std::vector<SessionRecord> found;
  read([&](Connection& connection) { return all_sessions(connection, found); });
  return found;
}

// --- key-value rows ---

std::optional<base::Bytes> SqliteStore::get(std::string_view plugin, base::ByteView key) {
  // What waits first: were it committed between the two looks, the second would see it.
  if (const RowChangeRef waiting = pending_->find(plugin, key)) return waiting->value;
  std::optional<base::Bytes> value;
  read([&](Connection& connection) { return read_row(connection, plugin, key, value); });
  return value;
}

base::Result<void> SqliteStore::put(std::string_view plugin, base::ByteView key, base::ByteView value, Durable done) {
  if (value.size() > kMaxValueBytes) {
    return base::fail(Fault::kArgument,
                      fmt::format("a stored value has at most {} bytes, not {}", kMaxValueBytes, value.size()));
  }
  return change_row(plugin, key, base::Bytes(value.begin(), value.end()), std::move(done));
}

base::Result<void> SqliteStore::remove(std::string_view plugin, base::ByteView key, Durable done) {
  return change_row(plugin, key, std::nullopt, std::move(done));
}

base::Result<void> SqliteStore::change_row(std::string_view plugin, base::ByteView key,
                                           std::optional<base::Bytes> value, Durable done) {
  if (plugin.empty() || plugin.size() > kMaxPluginNameBytes || key.empty() || key.size() > kMaxKeyBytes) {
    return base::fail(Fault::kArgument,
                      fmt::format("a stored key has 1 to {} bytes, not {}", kMaxKeyBytes, key.size()));
  }
  auto change = std::make_shared<RowChange>();
  change->plugin = plugin;
  change->key.assign(key.begin(), key.end());
  change->value = std::move(value);
  base::Result<void> queued;
  const auto queue = [&] {
    Write write;
    write.apply = [change](Tables& tables) {
      return change->value ? write_row(tables.db, change->plugin, change->key, *change->value, change->real)
                           : remove_row(tables.db, change->plugin, change->key, change->real);
    };
    write.settled = [change, pending = pending_](const base::Result<void>& outcome) {
      pending->settle(*change, outcome.has_value());
    };
    write.done = std::move(done);
    write.bytes = change->key.size() + (change->value ? change->value->size() : 0);
    write.synced = true;
    queued = writer_->enqueue(std::move(write), Writer::Rank::kPlugin);
    return queued.has_value();
  };
  const auto size_on_disk = [&](std::string_view name, base::ByteView of_key) {
    std::optional<std::int64_t> size;
    read([&](Connection& connection) { return value_size(connection, name, of_key, size); });
    return size;
  };
  auto verdict = pending_->accept(change, size_on_disk, queue);
  if (verdict == PendingRows::Verdict::kOverQuota) {
    // Once nothing waits, the count is exact.
    writer_->flush();
    verdict = pending_->accept(change, size_on_disk, queue);
  }
  if (verdict == PendingRows::Verdict::kOverQuota) {
    ++refused_quota_;
    return base::fail(Fault::kFull, fmt::format("the store of plugin {} is at its quota of {} rows and {} bytes",
                                                plugin, setup_.limits.plugin_rows, setup_.limits.plugin_bytes));
  }
  if (verdict == PendingRows::Verdict::kAccepted) writer_->wake();
  return queued;
}

std::vector<KeyValue> SqliteStore::page(std::string_view plugin, const Range& range, std::optional<base::Bytes>& next) {
  next.reset();
  bool more_waiting = false, more_on_disk = false;
  // In the order of get(): what is committed between the two looks is seen twice, never missed.
  const auto waiting = pending_->range(plugin, range, kPageRows, more_waiting);
  std::vector<KeyValue> on_disk;
  const bool good = read([&](Connection& connection) {
    return read_rows(connection, plugin, range, kPageRows, kPageBytes, on_disk, more_on_disk);
  });
  if (!good) return {};
  // Beyond the shorter of two cut lists nothing is known.
  if (more_waiting) next = waiting.back()->key;
  if (more_on_disk && (!next || on_disk.back().first < *next)) next = on_disk.back().first;

  std::vector<KeyValue> rows;
  auto disk = on_disk.begin();
  auto change = waiting.begin();
  while (disk != on_disk.end() || change != waiting.end()) {
    const bool take_change = change != waiting.end() && (disk == on_disk.end() || (*change)->key <= disk->first);
    const base::Bytes& key = take_change ? (*change)->key : disk->first;
    if (next && key > *next) break;
    if (!take_change) {
      rows.push_back(std::move(*disk++));
      continue;
    }
    if (disk != on_disk.end() && disk->first == key) ++disk;
    if ((*change)->value) rows.emplace_back(key, *(*change)->value);
    ++change;
  }
  return rows;
}

void SqliteStore::scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
                       const std::function<bool(base::ByteView key, base::ByteView value)>& row) {
  // Page by page, with no connection held while row() runs: it may call the store, and a slow one pins no log.
  Range range{prefix, prefix, false};
  base::Bytes from;
  if (!after.empty() && !std::ranges::lexicographical_compare(after, prefix)) range = {prefix, after, true};
  while (true) {
    std::optional<base::Bytes> next;
    for (const auto& [key, value] : page(plugin, range, next)) {
      if (!row(key, value)) return;
    }
    if (!next) return;
    from = std::move(*next);
    range = {prefix, from, true};
  }
}

StoreCounters SqliteStore::counters() const {
  StoreCounters counters;
  writer_->count(counters);
  counters.refused_row = refused_row_;
  counters.refused_quota = refused_quota_;
  counters.failed_reads = failed_reads_;
  return counters;
}

}  // namespace

base::Result<std::unique_ptr<Store>> Store::open(Setup setup) {
  if (!setup.executor || !setup.clock) return base::fail(Fault::kArgument, "peer database: no executor or no clock");
  auto connection = open_database(setup.file, setup.limits.max_file_bytes, setup.clock->unix_s());
  if (!connection) return std::unexpected(connection.error());
  std::map<std::string, Usage, std::less<>> usage;
  if (const Status status = usage_of_all(*connection, usage); !status.ok()) {
    return base::fail(status.fault(),
                      fmt::format("peer database: cannot read {}: {}", setup.file.string(), status.text()));
  }
  const std::string file = setup.file.string();
  auto store = std::make_unique<SqliteStore>(std::move(setup), std::move(*connection), std::move(usage));
  if (const Status status = store->begin(); !status.ok()) {
    return base::fail(status.fault(), fmt::format("peer database: cannot read {}: {}", file, status.text()));
  }
  return store;
}

}  // namespace atlas::store
