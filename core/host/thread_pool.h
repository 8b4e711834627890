// The threads that plugin code runs on.
//
// run() may be called on any thread and never blocks. The queue holds one task for each strand that has work, so it is
// as long as there are plugins. A wake-up costs a system call, so a sleeping worker is woken only when no other one is
// awake and looking for work; a worker that finds more than one task wakes the next. A thread that hands over many
// tasks in one go, as the event loop does in a turn, may gather: its tasks wake nobody until release().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/executor.h"

namespace atlas::host {

struct PoolCounters {
  std::uint64_t tasks = 0, wakes = 0;
};

class ThreadPool final : public base::Executor {
 public:
  // `at_start` runs first on every thread.
  explicit ThreadPool(unsigned threads = 2, std::function<void()> at_start = {});
  // Runs what is queued, then joins.
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void run(std::move_only_function<void()> task) override;
  // One for each plugin at most, so the number of threads is bounded by theirs.
  void replace_thread() override;
  void reclaim_thread() override;
  // From now on tasks of the calling thread wait for its release(), unless a worker that is awake finds them. One
  // thread at a time; with `on` false nobody gathers.
  void gather(bool on);
  void release();
  PoolCounters counters() const;
  // Nothing runs, nothing waits, and every worker sleeps.
  bool idle() const;

 private:
  void work();
  bool claim_wake();  // under the mutex

  const std::function<void()> at_start_;
  mutable std::mutex mutex_;
  std::condition_variable awake_;
  std::deque<std::move_only_function<void()>> tasks_;
  std::uint32_t looking_ = 0;   // workers awake between two tasks, and those that a wake-up is on its way to
  std::uint32_t sleeping_ = 0;  // workers that nobody has woken yet
  std::uint32_t wakes_due_ = 0;
  std::uint32_t surplus_ = 0;  // workers that are to end when they have nothing to do
  bool closing_ = false;
  std::atomic<std::thread::id> gathering_{};
  std::atomic<bool> gathered_{false};  // written by the gathering thread
  PoolCounters counters_;
  std::size_t live_ = 0;  // workers that have not ended; under the mutex
  std::vector<std::thread> workers_;
};

}  // namespace atlas::host
