#include "host/timer_driver.h"

#include <utility>

namespace atlas::host {
namespace {

// Orders that wait for the next wake-up at most.
constexpr std::size_t kMostWaiting = 256;

}  // namespace

void Alarm::on_expire(base::MonoNs now) {
  const std::shared_ptr<Alarm> self = held_;
  TimerDriver* const driver = driver_;
  const base::MonoNs next = ring(now);
  driver->set(self, next);
}

void TimerDriver::arm(std::shared_ptr<Alarm> alarm, base::MonoNs at) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    orders_.push_back({std::move(alarm), at});
    if (at >= aimed_at_ && orders_.size() < kMostWaiting) return;
    if (std::exchange(posted_, true)) return;
  }
  loop_->post([self = shared_from_this()] { self->carry_out(); });
}

void TimerDriver::carry_out() {
  {
    const std::lock_guard lock(mutex_);
    posted_ = false;
    if (closed_) return;
  }
  if (!timer_) {
    timer_ = loop_->make_timer([this] { wake(); });
  }
  aim();
}

void TimerDriver::take_orders() {
  std::vector<Order> orders;
  {
    const std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (const Order& order : orders) set(order.alarm, order.at);
}

void TimerDriver::set(const std::shared_ptr<Alarm>& alarm, base::MonoNs at) {
  heap_.set(*alarm, at);
  if (at == base::kNever) {
    let_go(*alarm);
  } else if (!alarm->held_) {
    hold(alarm);
  }
}

void TimerDriver::hold(const std::shared_ptr<Alarm>& alarm) {
  alarm->held_ = alarm;
  alarm->driver_ = this;
  alarm->before_ = nullptr;
  alarm->behind_ = first_;
  if (first_ != nullptr) first_->before_ = alarm.get();
  first_ = alarm.get();
}

void TimerDriver::let_go(Alarm& alarm) {
  if (!alarm.held_) return;
  (alarm.before_ == nullptr ? first_ : alarm.before_->behind_) = alarm.behind_;
  if (alarm.behind_ != nullptr) alarm.behind_->before_ = alarm.before_;
  const std::shared_ptr<Alarm> last = std::move(alarm.held_);
}

void TimerDriver::wake() {
  {
    const std::lock_guard lock(mutex_);
    aimed_at_ = base::kNever;  // whatever is armed from here on posts
  }
  take_orders();
  heap_.run(loop_->clock().mono_ns());
  aim();
}

void TimerDriver::aim() {
  for (;;) {
    take_orders();
    const base::MonoNs next = heap_.next();
    {
      // An order that came in between may be earlier.
      const std::lock_guard lock(mutex_);
      if (!orders_.empty()) continue;
      if (next == aimed_at_) return;
      aimed_at_ = next;
    }
    return timer_->arm(next);
  }
}

void TimerDriver::close_later(std::move_only_function<void()> done) {
  loop_->post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->close()) done();
  });
}

bool TimerDriver::close() {
  std::vector<Order> orders;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return false;
    orders.swap(orders_);
  }
  while (first_ != nullptr) {
    heap_.remove(*first_);
    let_go(*first_);
  }
  timer_.reset();
  return true;
}

}  // namespace atlas::host
