// All timers of one libuv loop behind two wake-ups: libuv's own timer, which costs no system call but counts in
// milliseconds, and a timerfd for deadlines so near that a millisecond would be felt (pacing).
//
// Loop thread only.
#pragma once

#include <uv.h>

#include <memory>

#include "net/loop.h"
#include "net/timer_heap.h"
#include "net/udp_open.h"

namespace atlas::net {

class LoopTimers {
 public:
  // Deadlines nearer than this are met to the kernel's precision, others one or two milliseconds late.
  static constexpr base::MonoNs kExactBelow = 2 * base::kMillisecond;

  LoopTimers(uv_loop_t& loop, const base::Clock& clock);
  // Starts closing the handles; the loop has to run until they are closed, with this object still there.
  void close();

  // Must be gone before this object.
  std::unique_ptr<Timer> make(std::function<void()> callback);

 private:
  void plan();
  void wake_in(base::MonoNs wait);
  void wake_exactly(base::MonoNs at, base::MonoNs wait);
  void fire();
  void settle_exact();

  const base::Clock& clock_;
  TimerHeap heap_;
  uv_loop_t& loop_;
  uv_prepare_t before_poll_{};
  uv_timer_t coarse_{};
  uv_poll_t exact_{};
  Descriptor exact_fd_;                   // -1: this kernel has none, and all timers are coarse
  base::MonoNs planned_ = base::kNever;   // the deadline that the wake-ups are set for
  bool plan_stands_ = true;               // false once a wake-up has been used
  base::MonoNs exact_at_ = base::kNever;  // what the timerfd is set for
  bool exact_fired_ = false;              // it has expired and must be read or set before the loop polls again
};

}  // namespace atlas::net
