// Time, threads and the loop of a trial: nothing moves unless the trial says so, and everything moves on its thread.
// post(), run() and the clock are safe on any thread, for a role may have threads of its own.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/executor.h"
#include "net/loop.h"

namespace atlas::trial {

class VirtualClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return now_; }
  std::int64_t unix_ms() const override { return 1'700'000'000'000 + static_cast<std::int64_t>(now_ / 1'000'000); }
  void move_to(base::MonoNs now) { now_ = now; }

 private:
  std::atomic<base::MonoNs> now_{base::kSecond};
};

// Keeps tasks until they are asked for.
class Tasks {
 public:
  void add(std::move_only_function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  bool run_one();

 private:
  std::mutex mutex_;
  std::deque<std::move_only_function<void()>> tasks_;
};

// Runs the strands; notes how long their longest turn has taken in real time.
class Strands final : public base::Executor {
 public:
  explicit Strands(const base::Clock& real) : real_(real) {}
  void run(std::move_only_function<void()> task) override { tasks_.add(std::move(task)); }
  bool run_one();
  base::MonoNs longest() const { return longest_; }

 private:
  const base::Clock& real_;
  Tasks tasks_;
  base::MonoNs longest_ = 0;
};

// Timers and posts. It has no sockets.
class VirtualLoop final : public net::Loop {
 public:
  explicit VirtualLoop(const base::Clock& clock) : clock_(clock) {}
  void post(std::move_only_function<void()> task) override { posted_.add(std::move(task)); }
  std::unique_ptr<net::Timer> make_timer(std::function<void()> callback) override;
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress&, const net::UdpOptions&,
                                                         net::UdpEvents) override {
    return base::fail(base::Fault::kInternal, "a trial has no sockets");
  }
  const base::Clock& clock() const override { return clock_; }

  // One post, or one timer that is due. False when there is neither.
  bool run_one();
  base::MonoNs next_timer() const;  // kNever without one

 private:
  struct VirtualTimer;
  const base::Clock& clock_;
  Tasks posted_;
  std::set<VirtualTimer*> timers_;
};

}  // namespace atlas::trial
