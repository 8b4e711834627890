// The loop over libuv: epoll, one timer heap behind a timerfd-precise wait, an async handle for post(), signals, and
// UDP sockets with recvmmsg, GRO, GSO, ECN and packet info. One instance belongs to the thread that calls run().
#pragma once

#include <memory>

#include "net/loop.h"

namespace atlas::net {

class UvLoop final : public Loop {
 public:
  // `clock` outlives the loop. Throws std::runtime_error when the process has no file descriptors left for epoll.
  explicit UvLoop(const base::Clock& clock);
  ~UvLoop() override;

  void post(std::move_only_function<void()> task) override;
  void stay_awake(base::MonoNs until) override;
  std::unique_ptr<Timer> make_timer(std::function<void()> callback) override;
  base::Result<std::unique_ptr<UdpSocket>> open_udp(const SocketAddress& bind, const UdpOptions& options,
                                                    UdpEvents events) override;
  const base::Clock& clock() const override;

  // Calls back on the loop for SIGINT, SIGTERM, SIGHUP, until the loop is destroyed.
  void on_signal(int signal_number, std::function<void()> callback);
  // Calls back at the end of every turn, before the loop waits for the next event; one callback, not to be changed
  // from within it, null for none.
  void before_sleep(std::function<void()> callback);
  // Until stop(); every socket and timer made here must be gone before the loop is destroyed. May be called again.
  void run();
  // Any thread. Tasks posted before it still run; later ones wait for the next run(), or are destroyed with the loop.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atlas::net
