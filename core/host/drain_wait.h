// The time that roles get to finish what is open before they are stopped: until all of them have, or a deadline.
//
// count_down(): any thread. The rest on the loop's; the destructor too.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "net/loop.h"

namespace atlas::host {

class DrainWait {
 public:
  // `done` runs once, after `awaited` count downs or at the time of until().
  DrainWait(net::Loop* loop, std::size_t awaited, std::move_only_function<void()> done)
      : loop_(loop), left_(awaited), done_(std::move(done)) {}

  // True for the last one: whoever it is calls end() on the loop's thread.
  bool count_down() { return left_.fetch_sub(1) == 1; }
  void until(base::MonoNs deadline) {
    timer_ = loop_->make_timer([this] { end(); });
    timer_->arm(deadline);
  }
  void end() {
    if (timer_) timer_->arm(base::kNever);
    if (done_) std::exchange(done_, nullptr)();
  }

 private:
  net::Loop* const loop_;
  std::atomic<std::size_t> left_;
  std::move_only_function<void()> done_;
  std::unique_ptr<net::Timer> timer_;
};

}  // namespace atlas::host
