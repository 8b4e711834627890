#include "sim/sim_loop.h"

#include <algorithm>

namespace atlas::sim {
namespace {

class SimTimer final : public net::Timer, private net::TimerHeap::Entry {
 public:
  SimTimer(SimTime& time, std::function<void()> callback)
      : time_(time), callback_(std::make_shared<std::function<void()>>(std::move(callback))) {}
  ~SimTimer() override { time_.timers().remove(*this); }

  void arm(base::MonoNs at) override {
    time_.timers().set(*this, at <= time_.now() ? time_.now() + SimLoop::kTurn : at);
  }

 private:
  void on_expire(base::MonoNs) override {
    const auto hold = callback_;  // the callback may destroy this timer
    (*hold)();
  }

  SimTime& time_;
  const std::shared_ptr<std::function<void()>> callback_;
};

std::size_t datagrams(std::size_t bytes, std::size_t segment) {
  return bytes == 0 ? 1 : (bytes + segment - 1) / segment;
}

}  // namespace

SimLoop::SimLoop(SimTime& time, const base::Clock& clock, Carrier& carrier, std::vector<net::IpAddress> addresses)
    : time_(time), clock_(clock), carrier_(carrier), addresses_(std::move(addresses)) {}

SimLoop::~SimLoop() {
  *alive_ = false;
}

void SimLoop::post(std::move_only_function<void()> task) {
  post_after(0, std::move(task));
}

void SimLoop::post_after(base::MonoNs delay, std::move_only_function<void()> task) {
  time_.at(base::after(time_.now(), delay), [this, alive = alive_, epoch = epoch_, task = std::move(task)]() mutable {
    if (*alive && epoch == epoch_) task();
  });
}

std::unique_ptr<net::Timer> SimLoop::make_timer(std::function<void()> callback) {
  return std::make_unique<SimTimer>(time_, std::move(callback));
}

base::Result<std::unique_ptr<net::UdpSocket>> SimLoop::open_udp(const net::SocketAddress& bind, const net::UdpOptions&,
                                                                net::UdpEvents events) {
  const bool own = std::find(addresses_.begin(), addresses_.end(), bind.ip) != addresses_.end();
  const bool any = bind.ip.family() != net::Family::kNone && bind.ip.scope() == net::Scope::kUnspecified;
  if (!own && !any && bind.ip.scope() != net::Scope::kLoopback) {
    return base::fail(base::Fault::kArgument, "udp " + bind.text() + ": not an address of this node");
  }
  net::SocketAddress local = bind;
  if (bind.port == 0) {
    const auto port = pick_port(bind);
    if (!port) return std::unexpected(port.error());
    local.port = *port;
  } else if (taken(bind)) {
    return base::fail(base::Fault::kConflict, "udp " + bind.text() + ": address already in use");
  }
  return std::make_unique<SimSocket>(*this, local, std::move(events));
}

base::Result<std::uint16_t> SimLoop::pick_port(const net::SocketAddress& bind) {
  for (int tries = 0; tries < 16384; ++tries) {
    const std::uint16_t port = next_port_;
    next_port_ = next_port_ == 65535 ? 49152 : static_cast<std::uint16_t>(next_port_ + 1);
    if (!taken({bind.ip, port})) return port;
  }
  return base::fail(base::Fault::kFull, "udp " + bind.text() + ": no ephemeral port is free");
}

bool SimLoop::taken(const net::SocketAddress& bind) const {
  const bool any = bind.ip.scope() == net::Scope::kUnspecified;
  return std::any_of(sockets_.begin(), sockets_.end(), [&](const SimSocket* socket) {
    const net::SocketAddress& local = socket->local_;
    if (local.port != bind.port || local.ip.family() != bind.ip.family()) return false;
    return any || local.ip == bind.ip || local.ip.scope() == net::Scope::kUnspecified;
  });
}

SimSocket* SimLoop::find(const net::SocketAddress& local) const {
  for (SimSocket* socket : sockets_) {
    if (socket->local_.port != local.port || socket->local_.ip.family() != local.ip.family()) continue;
    if (socket->local_.ip == local.ip || socket->local_.ip.scope() == net::Scope::kUnspecified) return socket;
  }
  return nullptr;
}

void SimLoop::block_sending(bool on) {
  sending_blocked_ = on;
  if (on) return;
  for (SimSocket* socket : sockets_) {
    if (socket->told_blocked_) socket->later(&SimSocket::writable);
  }
}

SimSocket::SimSocket(SimLoop& loop, const net::SocketAddress& local, net::UdpEvents events)
    : loop_(loop), local_(local), events_(std::make_shared<const net::UdpEvents>(std::move(events))) {
  loop_.sockets_.push_back(this);
}

SimSocket::~SimSocket() {
  *alive_ = false;
  std::erase(loop_.sockets_, this);
}

std::size_t SimSocket::send(std::span<const net::SendBatch> batches) {
  ++counters_.send_calls;
  if (loop_.sending_blocked_) {
    ++counters_.blocked;
    told_blocked_ = true;
    return 0;
  }
  for (const net::SendBatch& given : batches) {
    net::SendBatch batch = given;
    if (batch.segment == 0 || batch.segment > batch.data.size()) batch.segment = batch.data.size();
    const std::size_t count = datagrams(batch.data.size(), batch.segment);
    if (!reaches(batch.remote)) {
      counters_.failed += count;
    } else if (batch.segment > SimLoop::kLargestDatagram) {
      counters_.oversize += count;
    } else {
      counters_.sent_datagrams += count;
      counters_.sent_bytes += batch.data.size();
      loop_.carrier_.carry(*this, batch);
    }
  }
  return batches.size();
}

bool SimSocket::reaches(const net::SocketAddress& remote) const {
  return remote.ip.family() == local_.ip.family() && remote.port != 0 && remote.ip.scope() != net::Scope::kUnspecified;
}

net::SocketAddress SimSocket::source_of(const net::SendBatch& batch) const {
  if (local_.ip.scope() != net::Scope::kUnspecified) return local_;
  const auto& own = loop_.addresses_;
  if (std::find(own.begin(), own.end(), batch.local.ip) != own.end()) return {batch.local.ip, local_.port};
  if (batch.remote.ip.scope() == net::Scope::kLoopback) return {batch.remote.ip, local_.port};
  const auto first = std::find_if(own.begin(), own.end(), [&](const net::IpAddress& address) {
    return address.family() == batch.remote.ip.family();
  });
  return {first == own.end() ? local_.ip : *first, local_.port};
}

void SimSocket::deliver(const net::SocketAddress& remote, const net::SocketAddress& local, std::uint8_t ecn,
                        base::Bytes data, std::size_t segment) {
  const std::size_t count = datagrams(data.size(), segment);
  counters_.received_datagrams += count;
  counters_.received_bytes += data.size();
  if (data.empty()) {
    ++counters_.received_empty;
  } else {
    inbox_.push_back({remote, local, ecn, std::move(data), segment});
  }
  if (turn_due_) return;
  turn_due_ = true;
  later(&SimSocket::turn);
}

void SimSocket::turn() {
  turn_due_ = false;
  ++counters_.receive_calls;
  const auto events = events_;
  const auto alive = alive_;
  std::vector<Waiting> arrived;
  arrived.swap(inbox_);
  for (const Waiting& one : arrived) {
    if (!*alive) return;
    if (events->on_datagrams) {
      events->on_datagrams(
          {.remote = one.remote, .local = one.local, .ecn = one.ecn, .data = one.data, .segment = one.segment});
    }
  }
  if (*alive && events->on_turn_end) events->on_turn_end();
}

void SimSocket::writable() {
  if (!told_blocked_ || loop_.sending_blocked_) return;
  told_blocked_ = false;
  const auto events = events_;
  if (events->on_writable) events->on_writable();
}

void SimSocket::later(void (SimSocket::*what)()) {
  loop_.time_.at(loop_.time_.now(), [this, what, alive = alive_] {
    if (*alive) (this->*what)();
  });
}

}  // namespace atlas::sim
