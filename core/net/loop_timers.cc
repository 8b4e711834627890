// The wake-ups are set once a turn, just before the loop sleeps: however often deadlines moved meanwhile, only where
// the first of them came to rest counts. A wake-up that is earlier than needed is left standing, for moving it costs as
// much as waking.
#include "net/loop_timers.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

namespace atlas::net {
namespace {

class LoopTimer final : public Timer, private TimerHeap::Entry {
 public:
  LoopTimer(TimerHeap& heap, std::function<void()> callback)
      : heap_(heap), callback_(std::make_shared<std::function<void()>>(std::move(callback))) {}
  ~LoopTimer() override { heap_.remove(*this); }

  void arm(base::MonoNs at) override { heap_.set(*this, at); }

 private:
  void on_expire(base::MonoNs) override {
    const auto hold = callback_;  // the callback may destroy this timer
    (*hold)();
  }

  TimerHeap& heap_;
  const std::shared_ptr<std::function<void()>> callback_;
};

}  // namespace

LoopTimers::LoopTimers(uv_loop_t& loop, const base::Clock& clock) : clock_(clock), loop_(loop) {
  uv_prepare_init(&loop, &before_poll_);
  before_poll_.data = this;
  uv_prepare_start(&before_poll_, [](uv_prepare_t* handle) { static_cast<LoopTimers*>(handle->data)->plan(); });
  uv_timer_init(&loop, &coarse_);
  coarse_.data = this;
  exact_fd_ = Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (exact_fd_.get() >= 0 && uv_poll_init(&loop, &exact_, exact_fd_.get()) != 0) exact_fd_.reset();
  if (exact_fd_.get() < 0) return;
  exact_.data = this;
  uv_poll_start(&exact_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* self = static_cast<LoopTimers*>(handle->data);
    self->exact_at_ = base::kNever;
    self->exact_fired_ = true;
    self->fire();
  });
}

void LoopTimers::close() {
  uv_close(reinterpret_cast<uv_handle_t*>(&before_poll_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&coarse_), nullptr);
  if (exact_fd_.get() >= 0) uv_close(reinterpret_cast<uv_handle_t*>(&exact_), nullptr);
}

std::unique_ptr<Timer> LoopTimers::make(std::function<void()> callback) {
  return std::make_unique<LoopTimer>(heap_, std::move(callback));
}

void LoopTimers::fire() {
  plan_stands_ = false;
  heap_.run(clock_.mono_ns());
}

void LoopTimers::plan() {
  const base::MonoNs next = heap_.next();
  if (!plan_stands_ || next != planned_) {
    planned_ = next;
    plan_stands_ = true;
    const base::MonoNs now = next == base::kNever ? 0 : clock_.mono_ns();
    if (next == base::kNever) {
      uv_timer_stop(&coarse_);
    } else if (next <= now) {
      wake_in(0);
    } else if (next - now < kExactBelow && exact_fd_.get() >= 0) {
      uv_timer_stop(&coarse_);
      wake_exactly(next, next - now);
    } else {
      wake_in(next - now);
    }
  }
  if (exact_fired_) settle_exact();
}

void LoopTimers::wake_in(base::MonoNs wait) {
  std::uint64_t milliseconds = 0;
  if (wait != 0) {
    // libuv counts whole milliseconds of its own clock, and its idea of now is that of the start of the turn.
    const std::uint64_t due = base::saturating_add(base::saturating_add(uv_hrtime(), wait), base::kMillisecond - 1);
    const std::uint64_t due_ms = due / base::kMillisecond;
    milliseconds = due_ms - std::min(due_ms, uv_now(&loop_));
  }
  uv_timer_start(
      &coarse_, [](uv_timer_t* handle) { static_cast<LoopTimers*>(handle->data)->fire(); }, milliseconds, 0);
}

void LoopTimers::wake_exactly(base::MonoNs at, base::MonoNs wait) {
  if (exact_at_ <= at) return;
  itimerspec spec{};
  spec.it_value.tv_nsec = static_cast<long>(wait);  // below kExactBelow, so below a second
  if (::timerfd_settime(exact_fd_.get(), 0, &spec, nullptr) != 0) return wake_in(wait);
  exact_at_ = at;
  exact_fired_ = false;  // setting it takes back what had expired
}

void LoopTimers::settle_exact() {
  std::uint64_t expirations;
  [[maybe_unused]] const auto got = ::read(exact_fd_.get(), &expirations, sizeof expirations);
  exact_fired_ = false;
}

}  // namespace atlas::net
