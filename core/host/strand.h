// One plugin's serial queue: callbacks of one plugin never overlap, whatever threads they run on.
//
// Producers append under a mutex that is held for a copy; a turn on the executor takes everything that has gathered and
// runs it. A turn is scheduled when the queue stops being empty, so under load one wake-up carries many callbacks.
// Payloads lie one behind the other in a buffer that is used again: no allocation for a message.
//
// append() and append_task(): any thread. close() and discard_leftovers(): on the strand, or after seize().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/limits.h"

namespace atlas::host {

struct BusService;
struct Route;
struct Subscription;

enum class ItemKind : std::uint8_t {
  kMessage,
  kPost,
  kTimer,
  kAnswer,
  kConnected,
  kDurable,
  kPeerEvent,
  kPathWanted,
  kRouteEnded,
  kBusEvent,
  kBusRequest,
  kBusAnswer,
  kListenerChanged,
  kStream,
  kConnection,
  kTask,
  kWithdrawn,  // cut_off() gave it back
};

// One callback that waits. Plain data; what the fields mean depends on the kind (see Plugin::run).
struct Item {
  ItemKind kind = ItemKind::kPost;
  std::uint8_t type = 0;
  bool flag = false;
  bool budgeted = true;  // false: start, drain and stop may take their time
  std::int32_t status = 0;
  std::uint32_t code = 0;
  std::uint32_t first_size = 0, second_size = 0;  // bytes that were appended with it, filled by append()
  std::size_t offset = 0;
  std::uint64_t a = 0, b = 0;
  union {
    const Route* route = nullptr;
    const Subscription* subscription;
    const BusService* bus_service;
    void (*call)(void*);
  };
  void* argument = nullptr;
};

// `discarded`: the plugin is out of service, only whoever waits for the task must hear of it.
using StrandTask = std::move_only_function<void(bool discarded)>;

class StrandSink {
 public:
  virtual ~StrandSink() = default;
  // `now` is the time at which the callback begins.
  virtual void run(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs now) = 0;
  // The item was queued when the strand closed.
  virtual void discard(const Item& item) = 0;
  // Nothing more runs for now, or a while has passed: what the callbacks asked of others is to be handed on. Comes soon
  // after every callback during which in_turn() holds.
  virtual void settle() = 0;
  // A budgeted callback took longer than the soft budget, or than the hard one.
  virtual void overrun(const Item& item, base::MonoNs took, bool hard) = 0;
};

struct StrandLimits {
  std::uint64_t messages = base::limits::plugins_queue_messages;
  std::uint64_t bytes = base::limits::plugins_queue_bytes;
  std::uint64_t events = 65'536;  // kept apart, for they are worth more than a message
  base::MonoNs soft_budget = base::limits::plugins_soft_budget * base::kMillisecond;
  base::MonoNs hard_budget = base::limits::plugins_hard_budget * base::kMillisecond;
};

// Which cap an item counts against.
enum class Admission : std::uint8_t {
  kCounted,     // messages and bytes: peers' messages and posts
  kEvent,       // peer events and dials that want a path
  kCompletion,  // bytes only: bounded in number by what was asked for
};
enum class Appended : std::uint8_t { kQueued, kFull, kClosed };

struct StrandCounters {
  std::uint64_t callbacks = 0, callback_ns = 0, slow = 0, dropped = 0;
  std::uint64_t queue_messages = 0, queue_bytes = 0;
  base::MonoNs running_since = 0;  // 0: no callback is running
  bool budgeted = true;            // the one that is running
};

class Strand {
 public:
  Strand(base::Executor* executor, const base::Clock* clock, const StrandLimits& limits, StrandSink& sink)
      : executor_(executor), clock_(clock), limits_(limits), sink_(sink) {}
  // What keeps this strand alive while a turn is scheduled; once, before the first append.
  void attach(std::weak_ptr<void> owner) { owner_ = std::move(owner); }

  Appended append(Item item, base::ByteView first, base::ByteView second, Admission admission);
  // False when the strand is closed: the task is gone.
  bool append_task(StrandTask task, bool budgeted);

  // The task of an item of kind kTask; for the sink.
  StrandTask& task_of(const Item& item) { return (*tasks_of_run_)[item.a]; }

  // Nothing is queued from now on, and nothing that is queued will run.
  void close();
  // Any thread: takes nothing more but tasks, and gives back the messages that wait. What else waits is left to
  // close(). Nothing when the strand is closed already.
  std::vector<Item> cut_off();
  // Hands to the sink what close() kept from running.
  void discard_leftovers();
  // Waits until no turn is running, and lets none begin: the caller is the strand from now on.
  void seize();

  // In run(): what came before is the host's own work, the callback's time begins now.
  void begin_callback() { set_began(clock_->mono_ns()); }

  StrandCounters counters() const;
  // Whether this thread is inside a budgeted callback of some strand, so that a settle() follows soon.
  static bool in_turn();

 private:
  struct Batch {
    std::vector<Item> items;
    std::vector<StrandTask> tasks;
    base::Bytes bytes;
    void clear();
  };

  void turn();
  bool next_batch();                        // false: nothing to run, the strand is idle
  std::size_t run_batch(std::size_t most);  // how many items ran
  void run_one(const Item& item);
  void set_began(base::MonoNs now);
  // The next item of batch_ belongs to the caller; its size and above: there is none. Also cut_off() claims.
  std::size_t claim() { return cursor_.fetch_add(1, std::memory_order_acq_rel); }
  void withdraw_messages(std::vector<Item>& items, std::size_t from, std::vector<Item>& out);
  void settle();
  void schedule();
  static bool counts(ItemKind kind) {
    return kind == ItemKind::kMessage || kind == ItemKind::kPost || kind == ItemKind::kBusEvent ||
           kind == ItemKind::kBusRequest;
  }
  static bool is_event(ItemKind kind) {
    return kind == ItemKind::kPeerEvent || kind == ItemKind::kPathWanted || kind == ItemKind::kListenerChanged;
  }

  base::Executor* const executor_;
  const base::Clock* const clock_;
  const StrandLimits limits_;
  StrandSink& sink_;
  std::weak_ptr<void> owner_;

  std::mutex mutex_;
  std::condition_variable turn_ended_;
  Batch incoming_;          // guarded by mutex_
  bool scheduled_ = false;  // a turn is queued or running; guarded by mutex_
  bool running_ = false;    // guarded by mutex_
  bool closed_ = false;     // written under mutex_ by the strand
  bool cut_off_ = false;    // guarded by mutex_
  bool seized_ = false;     // guarded by mutex_

  Batch batch_;  // the running turn's; replaced under mutex_
  // The next item of batch_; beyond its end while cut_off() looks at what is left of it.
  std::atomic<std::size_t> cursor_{0};
  Batch leftover_;  // what incoming_ held at close()
  std::vector<StrandTask>* tasks_of_run_ = nullptr;
  base::MonoNs now_ = 0, began_ = 0;
  base::MonoNs unsettled_since_ = base::kNever;

  std::atomic<std::uint64_t> queued_messages_{0}, queued_bytes_{0}, queued_events_{0};
  std::atomic<std::uint64_t> callbacks_{0}, callback_ns_{0}, slow_{0}, dropped_{0};
  std::atomic<base::MonoNs> running_since_{0};
  std::atomic<bool> budgeted_{true};
};

}  // namespace atlas::host
