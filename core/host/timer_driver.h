// All timers of all plugins behind one timer of the loop.
//
// arm(), disarm() and close_later(): any thread. Orders gather under a mutex and cross to the loop in one post; one
// that changes nothing before the next wake-up waits for that, for most timers of a busy node are far away. Alarms ring
// on the loop's thread. close() runs there too, or where the loop does not run any more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "net/loop.h"
#include "net/timer_heap.h"

namespace atlas::host {

class TimerDriver;

// Something that happens at a time. Kept alive by the driver while it is armed.
class Alarm : private net::TimerHeap::Entry {
 public:
  ~Alarm() override = default;

 protected:
  // On the loop's thread. Returns when to ring next, kNever for never.
  virtual base::MonoNs ring(base::MonoNs now) = 0;

 private:
  friend class TimerDriver;
  void on_expire(base::MonoNs now) final;
  TimerDriver* driver_ = nullptr;
  std::shared_ptr<Alarm> held_;  // itself, while it is in the heap
  Alarm *before_ = nullptr, *behind_ = nullptr;
};

class TimerDriver : public std::enable_shared_from_this<TimerDriver> {
 public:
  explicit TimerDriver(net::Loop* loop) : loop_(loop) {}

  void arm(std::shared_ptr<Alarm> alarm, base::MonoNs at);
  void disarm(std::shared_ptr<Alarm> alarm) { arm(std::move(alarm), base::kNever); }
  // Closes on the loop's thread and then calls `done` there, unless somebody else has closed before.
  void close_later(std::move_only_function<void()> done);
  // Lets go of every alarm and of the loop's timer; false when that is done already.
  bool close();

 private:
  friend class Alarm;
  struct Order {
    std::shared_ptr<Alarm> alarm;
    base::MonoNs at;
  };
  void carry_out();
  void take_orders();
  void set(const std::shared_ptr<Alarm>& alarm, base::MonoNs at);
  void hold(const std::shared_ptr<Alarm>& alarm);
  void let_go(Alarm& alarm);
  void wake();
  void aim();

  net::Loop* const loop_;
  std::mutex mutex_;
  std::vector<Order> orders_;             // guarded by mutex_
  bool posted_ = false;                   // carry_out() is on its way; guarded by mutex_
  base::MonoNs aimed_at_ = base::kNever;  // the next wake-up; written by the loop's thread under mutex_
  bool closed_ = false;                   // guarded by mutex_

  // Loop thread.
  net::TimerHeap heap_;
  std::unique_ptr<net::Timer> timer_;
  Alarm* first_ = nullptr;  // the armed ones, for close()
};

}  // namespace atlas::host
