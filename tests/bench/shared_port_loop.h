// A loop whose UDP sockets may share their ports with other sockets of this program (SO_REUSEPORT), and whose last
// socket can be handed datagrams that came to one of those.
// Loop thread only, but post(). The loop behind it outlives it.
#pragma once

#include <utility>

#include "net/loop.h"

namespace atlas::bench {

class SharedPortLoop final : public net::Loop {
 public:
  SharedPortLoop(net::Loop& loop, bool share) : loop_(loop), share_(share) {}

  void post(std::move_only_function<void()> task) override { loop_.post(std::move(task)); }
  std::unique_ptr<net::Timer> make_timer(std::function<void()> callback) override {
    return loop_.make_timer(std::move(callback));
  }
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress& bind, const net::UdpOptions& options,
                                                         net::UdpEvents events) override {
    net::UdpOptions shared = options;
    shared.reuse_port = share_;
    events_ = events;
    auto opened = loop_.open_udp(bind, shared, std::move(events));
    if (opened) local_ = (*opened)->local();
    return opened;
  }
  const base::Clock& clock() const override { return loop_.clock(); }

  const net::SocketAddress& local() const { return local_; }  // of the last socket
  // A turn of that socket with this in it; not from inside one of its callbacks.
  void deliver(const net::ReceivedBatch& batch) {
    events_.on_datagrams(batch);
    events_.on_turn_end();
  }

 private:
  net::Loop& loop_;
  const bool share_;
  net::UdpEvents events_;
  net::SocketAddress local_;
};

}  // namespace atlas::bench
