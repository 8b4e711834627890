#include "host/strand.h"

#include <utility>

namespace atlas::host {
namespace {

// Items that one turn runs before other strands get the thread.
constexpr std::size_t kTurnItems = 512;
// A buffer that one burst made larger than this is given back.
constexpr std::size_t kKeptBytes = 1 << 20;
constexpr std::size_t kKeptItems = 8192;

// Callbacks of one turn share a settle() for so long.
constexpr base::MonoNs kSettleAfter = 200 * base::kMicrosecond;

thread_local bool t_in_turn = false;

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

void Strand::Batch::clear() {
  items.clear();
  tasks.clear();
  bytes.clear();
  if (bytes.capacity() > kKeptBytes) base::Bytes().swap(bytes);
  if (items.capacity() > kKeptItems) std::vector<Item>().swap(items);
}

Appended Strand::append(Item item, base::ByteView first, base::ByteView second, Admission admission) {
  const std::uint64_t size = first.size() + second.size();
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || cut_off_) return Appended::kClosed;
    const std::uint64_t bytes = queued_bytes_.load(kRelaxed);
    // One item always fits, so that a cap below the size of a legal message does not shut it out for ever.
    bool full = size != 0 && bytes != 0 && bytes + size > limits_.bytes;
    if (admission == Admission::kCounted) full = full || queued_messages_.load(kRelaxed) >= limits_.messages;
    if (admission == Admission::kEvent) full = full || queued_events_.load(kRelaxed) >= limits_.events;
    if (full) {
      dropped_.fetch_add(1, kRelaxed);
      return Appended::kFull;
    }
    item.first_size = static_cast<std::uint32_t>(first.size());
    item.second_size = static_cast<std::uint32_t>(second.size());
    item.offset = incoming_.bytes.size();
    incoming_.bytes.insert(incoming_.bytes.end(), first.begin(), first.end());
    incoming_.bytes.insert(incoming_.bytes.end(), second.begin(), second.end());
    incoming_.items.push_back(item);
    if (counts(item.kind)) queued_messages_.fetch_add(1, kRelaxed);
    if (is_event(item.kind)) queued_events_.fetch_add(1, kRelaxed);
    if (size != 0) queued_bytes_.fetch_add(size, kRelaxed);
    if (std::exchange(scheduled_, true)) return Appended::kQueued;
  }
  schedule();
  return Appended::kQueued;
}

bool Strand::append_task(StrandTask task, bool budgeted) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    Item item;
    item.kind = ItemKind::kTask;
    item.budgeted = budgeted;
    item.a = incoming_.tasks.size();
    incoming_.tasks.push_back(std::move(task));
    incoming_.items.push_back(item);
    if (std::exchange(scheduled_, true)) return true;
  }
  schedule();
  return true;
}

void Strand::schedule() {
  // Fits into the task's own storage: no allocation for a turn.
  executor_->run([this, owner = owner_.lock()] { turn(); });
}

bool Strand::next_batch() {
  const std::lock_guard lock(mutex_);
  if (!closed_ && cursor_ >= batch_.items.size()) {
    batch_.clear();
    cursor_ = 0;
    std::swap(batch_, incoming_);
  }
  if (!closed_ && !batch_.items.empty()) return true;
  running_since_.store(0, kRelaxed);
  running_ = false;
  scheduled_ = false;
  turn_ended_.notify_all();
  return false;
}

void Strand::turn() {
  {
    const std::lock_guard lock(mutex_);
    if (seized_ || closed_) {
      scheduled_ = false;
      return;
    }
    running_ = true;
  }
  std::size_t ran = 0;
  now_ = clock_->mono_ns();
  while (ran < kTurnItems) {
    if (!next_batch()) return;
    ran += run_batch(kTurnItems - ran);
  }
  running_since_.store(0, kRelaxed);
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
    turn_ended_.notify_all();
    if (seized_ || closed_) {
      scheduled_ = false;
      return;
    }
  }
  schedule();  // others first
}

std::size_t Strand::run_batch(std::size_t most) {
  std::size_t ran = 0;
  tasks_of_run_ = &batch_.tasks;
  while (ran < most && !closed_) {
    const std::size_t at = claim();
    if (at >= batch_.items.size()) break;
    ++ran;
    run_one(batch_.items[at]);
    if (unsettled_since_ != base::kNever && base::saturating_sub(now_, unsettled_since_) >= kSettleAfter) settle();
  }
  settle();
  return ran;
}

void Strand::settle() {
  unsettled_since_ = base::kNever;
  sink_.settle();
}

bool Strand::in_turn() {
  return t_in_turn;
}

void Strand::set_began(base::MonoNs now) {
  began_ = now;
  running_since_.store(now == 0 ? 1 : now, kRelaxed);
}

void Strand::run_one(const Item& item) {
  const base::ByteView bytes(batch_.bytes);
  budgeted_.store(item.budgeted, kRelaxed);
  set_began(now_);
  if (counts(item.kind)) queued_messages_.fetch_sub(1, kRelaxed);
  if (is_event(item.kind)) queued_events_.fetch_sub(1, kRelaxed);
  const std::uint64_t size = std::uint64_t{item.first_size} + item.second_size;
  if (size != 0) queued_bytes_.fetch_sub(size, kRelaxed);
  if (unsettled_since_ == base::kNever) unsettled_since_ = began_;
  const bool outer = std::exchange(t_in_turn, item.budgeted);
  sink_.run(item, bytes.subspan(item.offset, item.first_size),
            bytes.subspan(item.offset + item.first_size, item.second_size), began_);
  t_in_turn = outer;
  now_ = clock_->mono_ns();
  const base::MonoNs took = base::saturating_sub(now_, began_);
  callbacks_.fetch_add(1, kRelaxed);
  callback_ns_.fetch_add(took, kRelaxed);
  if (!item.budgeted || took <= limits_.soft_budget) return;
  slow_.fetch_add(1, kRelaxed);
  sink_.overrun(item, took, took > limits_.hard_budget);
}

void Strand::withdraw_messages(std::vector<Item>& items, std::size_t from, std::vector<Item>& out) {
  for (std::size_t i = from; i < items.size(); ++i) {
    Item& item = items[i];
    if (item.kind != ItemKind::kMessage) continue;
    out.push_back(item);
    queued_messages_.fetch_sub(1, kRelaxed);
    queued_bytes_.fetch_sub(std::uint64_t{item.first_size} + item.second_size, kRelaxed);
    item.kind = ItemKind::kWithdrawn;
    item.first_size = item.second_size = 0;
  }
}

std::vector<Item> Strand::cut_off() {
  std::vector<Item> out;
  const std::lock_guard lock(mutex_);
  cut_off_ = true;
  if (closed_) return out;
  // A strand whose callback comes back right now finds its batch at an end, and waits for the mutex to get on.
  const std::size_t at = cursor_.exchange(batch_.items.size(), std::memory_order_acq_rel);
  withdraw_messages(batch_.items, at, out);
  cursor_.store(at, std::memory_order_release);
  withdraw_messages(incoming_.items, 0, out);
  return out;
}

void Strand::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::swap(leftover_, incoming_);
}

void Strand::discard_leftovers() {
  tasks_of_run_ = &batch_.tasks;
  for (std::size_t at = claim(); at < batch_.items.size(); at = claim()) sink_.discard(batch_.items[at]);
  tasks_of_run_ = &leftover_.tasks;
  for (const Item& item : leftover_.items) sink_.discard(item);
  leftover_.clear();
  queued_messages_.store(0, kRelaxed);
  queued_events_.store(0, kRelaxed);
  queued_bytes_.store(0, kRelaxed);
}

void Strand::seize() {
  std::unique_lock lock(mutex_);
  seized_ = true;
  turn_ended_.wait(lock, [this] { return !running_; });
}

StrandCounters Strand::counters() const {
  StrandCounters out;
  out.callbacks = callbacks_.load(kRelaxed);
  out.callback_ns = callback_ns_.load(kRelaxed);
  out.slow = slow_.load(kRelaxed);
  out.dropped = dropped_.load(kRelaxed);
  out.queue_messages = queued_messages_.load(kRelaxed);
  out.queue_bytes = queued_bytes_.load(kRelaxed);
  out.running_since = running_since_.load(kRelaxed);
  out.budgeted = budgeted_.load(kRelaxed);
  return out;
}

}  // namespace atlas::host
