// The one writer: a bounded queue of writes, committed in batches, in order.
//
// Private to core/store; any thread. Work happens in tasks on the executor, or on the thread that calls flush(): then
// the completions still go to the executor. One mutex guards the queue, another the connection, and no callback runs
// under either.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/result.h"
#include "store/peer_rows.h"
#include "store/session_rows.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace atlas::store {

// What a write may use, within one transaction.
struct Tables {
  Connection& db;
  PeerWriter& peers;
  SessionWriter& sessions;
  std::int64_t now;  // Unix seconds
};

struct Write {
  std::move_only_function<Status(Tables&)> apply;  // may run twice: the first transaction may fail
  // After the commit or the failure, in the order of the queue, before `done`; on the committing thread.
  std::move_only_function<void(const base::Result<void>&)> settled;
  Durable done;
  std::size_t bytes = 0;  // held in memory while it waits
  bool synced = false;    // its commit must survive a power cut
};

class Writer : public std::enable_shared_from_this<Writer> {
 public:
  enum class Rank { kNode, kPlugin };  // plugins leave the last eighth of the queue to the node

  Writer(Connection connection, std::filesystem::path file, const StoreLimits& limits, base::Executor& executor,
         const base::Clock& clock);

  // Counts the rows that are there; once, before the first write.
  Status begin();
  // kFull or kStopping, and the write is gone. Call wake() once the caller's locks are released: an executor may run
  // the task at once.
  base::Result<void> enqueue(Write write, Rank rank);
  void wake();
  void flush();
  // Commits what is queued, takes nothing more and closes the connection.
  void stop();
  void count(StoreCounters& out) const;

 private:
  using Outcome = base::Result<void>;
  struct Completion {
    Durable done;
    Outcome outcome;
  };

  void work();  // one task
  void deliver();
  std::vector<Write> take_batch();
  void commit(std::vector<Write>& batch);
  Status transact(std::span<Write> writes, std::span<Outcome> outcomes);
  Status apply_all(std::span<Write> writes, std::span<Outcome> outcomes);
  bool log_has_room();
  void note_failure(const Status& status);
  void finish(std::vector<Write>& batch, std::vector<Outcome>& outcomes);

  const std::filesystem::path log_file_;
  const StoreLimits limits_;
  base::Executor& executor_;
  const base::Clock& clock_;
  base::LogGate failures_{3, 60 * base::kSecond};

  std::mutex queue_mutex_;  // guards from here ...
  std::deque<Write> queue_;
  std::deque<Completion> completions_;
  std::uint64_t queued_bytes_ = 0;
  std::uint64_t accepted_ = 0;  // writes ever taken
  std::uint64_t settled_ = 0;   // of those, committed or failed
  bool scheduled_ = false;
  bool stopped_ = false;  // ... to here

  std::mutex writing_;  // guards from here ...
  Connection connection_;
  PeerWriter peers_;
  SessionWriter sessions_;
  bool damaged_ = false;
  bool syncing_ = true;  // how PRAGMA synchronous stands: FULL or NORMAL; SQLite begins with FULL ... to here

  std::atomic<std::uint64_t> writes_{0}, commits_{0}, failed_{0}, refused_full_{0}, evicted_{0}, queued_{0};
};

}  // namespace atlas::store
