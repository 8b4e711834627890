#include "host/thread_pool.h"

#include <algorithm>
#include <utility>

namespace atlas::host {

ThreadPool::ThreadPool(unsigned threads, std::function<void()> at_start) : at_start_(std::move(at_start)) {
  const unsigned count = std::max(1u, threads);
  looking_ = count;
  live_ = count;
  workers_.reserve(count);
  for (unsigned i = 0; i < count; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  awake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool ThreadPool::claim_wake() {
  if (looking_ != 0 || sleeping_ == 0 || tasks_.empty()) return false;
  --sleeping_;
  ++looking_;
  ++wakes_due_;
  ++counters_.wakes;
  return true;
}

void ThreadPool::run(std::move_only_function<void()> task) {
  const bool gathering = gathering_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++counters_.tasks;
    wake = !gathering && claim_wake();
  }
  if (gathering) gathered_.store(true, std::memory_order_relaxed);
  if (wake) awake_.notify_one();
}

void ThreadPool::replace_thread() {
  const std::lock_guard lock(mutex_);
  if (closing_) return;
  if (surplus_ > 0) {
    --surplus_;
    return;
  }
  ++looking_;
  ++live_;
  workers_.emplace_back([this] { work(); });
}

void ThreadPool::reclaim_thread() {
  {
    const std::lock_guard lock(mutex_);
    ++surplus_;
  }
  awake_.notify_all();
}

void ThreadPool::gather(bool on) {
  gathering_ = on ? std::this_thread::get_id() : std::thread::id{};
  if (!on) release();
}

void ThreadPool::release() {
  if (!gathered_.exchange(false, std::memory_order_relaxed)) return;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    wake = claim_wake();
  }
  if (wake) awake_.notify_one();
}

void ThreadPool::work() {
  if (at_start_) at_start_();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      --looking_;
      const bool wake = claim_wake();
      lock.unlock();
      if (wake) awake_.notify_one();
      task();
      task = nullptr;  // what it holds may be the last reference; let go of it outside the lock
      lock.lock();
      ++looking_;
      continue;
    }
    if (closing_ || surplus_ > 0) {
      if (!closing_) --surplus_;
      --looking_;
      --live_;
      return;
    }
    --looking_;
    ++sleeping_;
    awake_.wait(lock, [this] { return wakes_due_ > 0 || closing_ || surplus_ > 0; });
    if (wakes_due_ > 0) {
      --wakes_due_;
    } else {
      --sleeping_;
      ++looking_;
    }
  }
}

bool ThreadPool::idle() const {
  const std::lock_guard lock(mutex_);
  return tasks_.empty() && sleeping_ == live_;
}

PoolCounters ThreadPool::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

}  // namespace atlas::host
