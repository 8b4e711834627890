#include "trial/machine.h"

#include <algorithm>

namespace atlas::trial {

bool Tasks::run_one() {
  std::move_only_function<void()> task;
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.empty()) return false;
    task = std::move(tasks_.front());
    tasks_.pop_front();
  }
  task();
  return true;
}

bool Strands::run_one() {
  const base::MonoNs began = real_.mono_ns();
  const bool ran = tasks_.run_one();
  if (ran) longest_ = std::max(longest_, real_.mono_ns() - began);
  return ran;
}

struct VirtualLoop::VirtualTimer final : net::Timer {
  VirtualTimer(VirtualLoop& owner, std::function<void()> fn) : loop(owner), callback(std::move(fn)) {
    loop.timers_.insert(this);
  }
  ~VirtualTimer() override { loop.timers_.erase(this); }
  void arm(base::MonoNs when) override { at = when; }
  VirtualLoop& loop;
  std::function<void()> callback;
  base::MonoNs at = base::kNever;
};

std::unique_ptr<net::Timer> VirtualLoop::make_timer(std::function<void()> callback) {
  return std::make_unique<VirtualTimer>(*this, std::move(callback));
}

bool VirtualLoop::run_one() {
  if (posted_.run_one()) return true;
  const auto due = std::ranges::find_if(timers_, [&](const auto* timer) { return timer->at <= clock_.mono_ns(); });
  if (due == timers_.end()) return false;
  (*due)->at = base::kNever;
  // A copy, for the callback may take the timer down.
  const auto callback = (*due)->callback;
  callback();
  return true;
}

base::MonoNs VirtualLoop::next_timer() const {
  base::MonoNs next = base::kNever;
  for (const VirtualTimer* timer : timers_) next = std::min(next, timer->at);
  return next;
}

}  // namespace atlas::trial
