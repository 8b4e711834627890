// How durable a commit is: in WAL mode a commit survives the death of the process whether it is synced or not, for the
// pages are in the kernel's cache. A batch with a plugin's row is synced (synchronous=FULL), for a plugin was promised
// a durable row and may tell a peer so; batches make that one fsync for many rows. Peers and sessions alone are not
// synced (NORMAL): a power cut may cost the last seconds of them, never the file.
#include "store/writer.h"

#include <algorithm>

namespace atlas::store {
namespace {

constexpr std::size_t kBatchWrites = 512;
constexpr std::size_t kBatchBytes = 8u << 20;
constexpr std::size_t kPerWrite = 128;     // bytes of bookkeeping for one waiting write
constexpr std::uint64_t kLogPatience = 4;  // the log is emptied by force from a quarter of its limit on

base::Result<void> refused(const Status& status) {
  return base::fail(status.fault(), "peer database: " + status.text());
}

}  // namespace

Writer::Writer(Connection connection, std::filesystem::path file, const StoreLimits& limits, base::Executor& executor,
               const base::Clock& clock)
    : log_file_(file.string() + "-wal"),
      limits_(limits),
      executor_(executor),
      clock_(clock),
      connection_(std::move(connection)),
      peers_(limits.max_peers),
      sessions_(limits.max_sessions) {}

Status Writer::begin() {
  std::lock_guard writing(writing_);
  Status status = peers_.recount(connection_);
  if (status.ok()) status = sessions_.recount(connection_);
  // On a full disk they stay until there is room; bans() does not show them.
  if (status.ok()) peers_.end_bans(connection_, clock_.unix_s());
  return status;
}

base::Result<void> Writer::enqueue(Write write, Rank rank) {
  write.bytes += kPerWrite;
  std::lock_guard lock(queue_mutex_);
  if (stopped_) return base::fail(base::Fault::kStopping, "peer database: the node is stopping");
  const auto share = [&](std::uint64_t whole) { return rank == Rank::kNode ? whole : whole - whole / 8; };
  if (queue_.size() + completions_.size() >= share(limits_.max_queue) ||
      queued_bytes_ + write.bytes > share(limits_.max_queue_bytes)) {
    ++refused_full_;
    return base::fail(base::Fault::kFull, "peer database: too many writes are waiting for the disk");
  }
  queued_bytes_ += write.bytes;
  queue_.push_back(std::move(write));
  ++accepted_;
  queued_ = queue_.size();
  return {};
}

void Writer::wake() {
  {
    std::lock_guard lock(queue_mutex_);
    if (scheduled_ || (queue_.empty() && completions_.empty())) return;
    scheduled_ = true;
  }
  executor_.run([self = shared_from_this()] { self->work(); });
}

// One batch a task, so that an executor with other work stays fair; more is scheduled.
void Writer::work() {
  {
    std::lock_guard lock(queue_mutex_);
    scheduled_ = false;
  }
  {
    std::lock_guard writing(writing_);
    if (auto batch = take_batch(); !batch.empty()) commit(batch);
  }
  deliver();
  wake();
}

void Writer::flush() {
  {
    std::lock_guard writing(writing_);
    std::uint64_t target = 0;
    {
      std::lock_guard lock(queue_mutex_);
      target = accepted_;
    }
    // Whoever held the connection before has settled its batch: what is missing of `target` is in the queue.
    for (bool behind = true; behind;) {
      auto batch = take_batch();
      if (!batch.empty()) commit(batch);
      std::lock_guard lock(queue_mutex_);
      behind = settled_ < target;
    }
  }
  wake();
}

void Writer::stop() {
  {
    std::lock_guard lock(queue_mutex_);
    stopped_ = true;
  }
  flush();
  std::lock_guard writing(writing_);
  connection_.close();
}

void Writer::deliver() {
  std::deque<Completion> ready;
  {
    std::lock_guard lock(queue_mutex_);
    ready.swap(completions_);
  }
  for (auto& completion : ready) completion.done(std::move(completion.outcome));
}

std::vector<Write> Writer::take_batch() {
  std::lock_guard lock(queue_mutex_);
  std::vector<Write> batch;
  std::size_t bytes = 0;
  while (!queue_.empty() && batch.size() < kBatchWrites &&
         (batch.empty() || bytes + queue_.front().bytes <= kBatchBytes)) {
    bytes += queue_.front().bytes;
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_ = queue_.size();
  return batch;
}

void Writer::commit(std::vector<Write>& batch) {
  std::vector<Outcome> outcomes(batch.size());
  const auto fail_all = [&](const base::Result<void>& with) { std::ranges::fill(outcomes, with); };
  if (damaged_ || !connection_) {
    fail_all(base::fail(base::Fault::kInternal, "peer database: damaged; restart the node to make a new one"));
  } else if (!log_has_room()) {
    fail_all(
        base::fail(base::Fault::kFull, "peer database: another program's long read keeps the log from being emptied"));
  } else {
    Status status = transact(batch, outcomes);
    // A full disk fails what does not fit, not what shares its batch: a removal may make the room.
    for (std::size_t i = 0; status.full() && batch.size() > 1 && i < batch.size(); ++i) {
      const Status alone = transact(std::span(batch).subspan(i, 1), std::span(outcomes).subspan(i, 1));
      if (!alone.ok() && !alone.full()) status = alone;
    }
  }
  finish(batch, outcomes);
}

Status Writer::transact(std::span<Write> writes, std::span<Outcome> outcomes) {
  const bool sync = std::ranges::any_of(writes, &Write::synced);
  Status status;
  if (sync != syncing_) {
    status = connection_.exec(sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    if (status.ok()) syncing_ = sync;
  }
  if (status.ok()) status = connection_.exec("BEGIN IMMEDIATE");
  if (status.ok()) status = apply_all(writes, outcomes);
  if (status.ok()) status = connection_.exec("COMMIT");
  if (status.ok()) {
    ++commits_;
    evicted_ = peers_.evicted();
    return status;
  }
  if (connection_.in_transaction()) connection_.exec("ROLLBACK");
  peers_.recount(connection_);
  sessions_.recount(connection_);
  std::ranges::fill(outcomes, refused(status));
  note_failure(status);
  return status;
}

// A write that fails by itself is left out; anything else ends the transaction.
Status Writer::apply_all(std::span<Write> writes, std::span<Outcome> outcomes) {
  Tables tables{connection_, peers_, sessions_, clock_.unix_s()};
  for (std::size_t i = 0; i < writes.size(); ++i) {
    const Status status = writes[i].apply(tables);
    if (status.ok()) {
      outcomes[i] = {};
    } else if (status.only_this_statement() && connection_.in_transaction()) {
      outcomes[i] = refused(status);
    } else {
      return status;
    }
  }
  return {};
}

// SQLite moves the log into the file by itself every 1 000 pages, unless a reader holds an old state; then the log
// grows.
bool Writer::log_has_room() {
  std::error_code error;
  const auto size = std::filesystem::file_size(log_file_, error);
  if (error || size <= limits_.max_log_bytes / kLogPatience) return true;
  if (connection_.checkpoint().ok()) return true;
  return size <= limits_.max_log_bytes;
}

void Writer::note_failure(const Status& status) {
  std::uint32_t left_out = 0;
  if (status.damaged() && !damaged_) {
    damaged_ = true;
    base::log(base::Level::kError, "store",
              "the peer database IS DAMAGED ({}): nothing more is written; restart the node to make a new one",
              status.text());
  } else if (failures_.pass(clock_.mono_ns(), &left_out)) {
    base::log(base::Level::kError, "store", "cannot write to the peer database: {} ({} more not shown)", status.text(),
              left_out);
  }
}

void Writer::finish(std::vector<Write>& batch, std::vector<Outcome>& outcomes) {
  std::uint64_t bytes = 0;
  std::vector<Completion> completions;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    bytes += batch[i].bytes;
    ++(outcomes[i] ? writes_ : failed_);
    if (batch[i].settled) batch[i].settled(outcomes[i]);
    if (batch[i].done) completions.push_back({std::move(batch[i].done), std::move(outcomes[i])});
  }
  std::lock_guard lock(queue_mutex_);
  queued_bytes_ -= bytes;
  settled_ += batch.size();
  std::ranges::move(completions, std::back_inserter(completions_));
}

void Writer::count(StoreCounters& out) const {
  out.writes = writes_;
  out.commits = commits_;
  out.failed = failed_;
  out.refused_full = refused_full_;
  out.evicted_peers = evicted_;
  out.queued = queued_;
}

}  // namespace atlas::store
