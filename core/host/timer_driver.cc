#include "host/timer_driver.h"

#include <utility>

namespace atlas::host {

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
    if (orders_.size() > 1) return;
  }
  loop_->post([self = shared_from_this()] { self->carry_out(); });
}

void TimerDriver::carry_out() {
  std::vector<Order> orders;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    orders.swap(orders_);
  }
  if (!timer_) {
    timer_ = loop_->make_timer([this] { wake(); });
  }
  for (const Order& order : orders) set(order.alarm, order.at);
  aim();
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
  aimed_at_ = base::kNever;
  heap_.run(loop_->clock().mono_ns());
  aim();
}

void TimerDriver::aim() {
  const base::MonoNs next = heap_.next();
  if (next == aimed_at_) return;
  aimed_at_ = next;
  timer_->arm(next);
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
