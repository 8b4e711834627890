// Virtual time: a queue of things to do, run in order, with the clock set to each as it comes.
// One thread. Nothing here asks the machine for the time, so a run repeats exactly.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/clock.h"
#include "net/timer_heap.h"

namespace atlas::sim {

class SimTime {
 public:
  using Task = std::move_only_function<void()>;

  // Things done at one instant without time moving on; more than this is a loop that feeds itself, and run_until throws
  // std::runtime_error.
  static constexpr std::uint64_t kMostAtOnce = 1'000'000;

  base::MonoNs now() const { return now_; }
  // Tasks for one time run in the order in which they came; a time that has passed means now.
  void at(base::MonoNs when, Task task);
  // Timers that are due run after the tasks of the same instant.
  net::TimerHeap& timers() { return timers_; }

  // Everything up to and including `end`; the clock then shows `end`.
  void run_until(base::MonoNs end);
  // As above, but stops as soon as done() holds, which is asked after each step. Whether it does.
  bool run_until(base::MonoNs end, const std::function<bool()>& done);
  std::uint64_t steps() const { return steps_; }
  bool idle() const { return tasks_.empty() && timers_.size() == 0; }

 private:
  struct Entry {
    base::MonoNs when;
    std::uint64_t order;
    Task task;
  };
  static bool later(const Entry& a, const Entry& b) { return a.when != b.when ? a.when > b.when : a.order > b.order; }

  bool step(base::MonoNs end);

  base::MonoNs now_ = base::kSecond;  // not 0, which code may take for "never happened"
  std::uint64_t order_ = 0, steps_ = 0, at_once_ = 0;
  std::vector<Entry> tasks_;  // a heap
  net::TimerHeap timers_;
};

// The clock of one node: monotonic time is everybody's, the wall clock can be set on its own.
class SimClock final : public base::Clock {
 public:
  explicit SimClock(const SimTime& time, std::int64_t unix_start_ms) : time_(time), offset_ms_(unix_start_ms) {}

  base::MonoNs mono_ns() const override { return time_.now(); }
  std::int64_t unix_ms() const override {
    return base::saturating_add(offset_ms_, static_cast<std::int64_t>(time_.now() / base::kMillisecond));
  }
  // Moves the wall clock by so much, as an operator or a bad NTP server would.
  void jump(std::int64_t ms) { offset_ms_ = base::saturating_add(offset_ms_, ms); }

 private:
  const SimTime& time_;
  std::int64_t offset_ms_;
};

}  // namespace atlas::sim
