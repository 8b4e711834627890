#include "sim/sim_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace atlas::sim {

void SimTime::at(base::MonoNs when, Task task) {
  tasks_.push_back({std::max(when, now_), order_++, std::move(task)});
  std::push_heap(tasks_.begin(), tasks_.end(), later);
}

// One task, or the timers of one instant. False when nothing is left up to `end`.
bool SimTime::step(base::MonoNs end) {
  const base::MonoNs task_at = tasks_.empty() ? base::kNever : tasks_.front().when;
  const base::MonoNs timer_at = timers_.next();
  const base::MonoNs next = std::min(task_at, timer_at);
  if (next == base::kNever || next > end) return false;
  if (next > now_) {
    now_ = next;
    at_once_ = 0;
  } else if (++at_once_ > kMostAtOnce) {
    throw std::runtime_error(fmt::format("simulation makes no progress at {} ns", now_));
  }
  ++steps_;
  if (task_at > now_) {
    timers_.run(now_);
    return true;
  }
  std::pop_heap(tasks_.begin(), tasks_.end(), later);
  Task task = std::move(tasks_.back().task);
  tasks_.pop_back();
  task();
  return true;
}

void SimTime::run_until(base::MonoNs end) {
  while (step(end)) {
  }
  now_ = std::max(now_, end);
}

bool SimTime::run_until(base::MonoNs end, const std::function<bool()>& done) {
  while (!done()) {
    if (step(end)) continue;
    now_ = std::max(now_, end);
    return done();
  }
  return true;
}

}  // namespace atlas::sim
