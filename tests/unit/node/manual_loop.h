// A loop that is nothing but a clock that the test moves and one timer.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>

#include "net/loop.h"

namespace atlas::node {

class ManualClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return now; }
  std::int64_t unix_ms() const override { return 0; }
  base::MonoNs now = base::kSecond;
};

class ManualLoop final : public net::Loop {
 public:
  void post(std::move_only_function<void()> task) override { task(); }
  std::unique_ptr<net::Timer> make_timer(std::function<void()> callback) override {
    fire_ = std::move(callback);
    return std::make_unique<ManualTimer>(*this);
  }
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress&, const net::UdpOptions&,
                                                         net::UdpEvents) override {
    return base::fail(base::Fault::kInternal, "no sockets here");
  }
  const base::Clock& clock() const override { return time_; }

  // Fires what falls due on the way, each at its own time.
  void advance(base::MonoNs span) {
    const base::MonoNs end = time_.now + span;
    while (due_ <= end) {
      time_.now = std::max(time_.now, due_);
      due_ = base::kNever;
      fire_();
    }
    time_.now = end;
  }

 private:
  struct ManualTimer final : net::Timer {
    explicit ManualTimer(ManualLoop& owner) : loop(owner) {}
    void arm(base::MonoNs at) override { loop.due_ = at; }
    ManualLoop& loop;
  };

  ManualClock time_;
  base::MonoNs due_ = base::kNever;
  std::function<void()> fire_;
};

}  // namespace atlas::node
