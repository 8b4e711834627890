// net::Loop in virtual time: what a node under test runs on. Datagrams go to a Carrier, which the simulated network
// implements; everything else is a matter of the time queue.
// One thread, that of the simulation; post() too.
#pragma once

#include <memory>
#include <vector>

#include "base/executor.h"
#include "net/loop.h"
#include "sim/sim_time.h"

namespace atlas::sim {

class SimSocket;

// Where datagrams go when they leave a socket.
class Carrier {
 public:
  virtual ~Carrier() = default;
  virtual void carry(const SimSocket& from, const net::SendBatch& batch) = 0;
};

// The loop of one node, with the addresses that the node's sockets can be bound to.
class SimLoop final : public net::Loop {
 public:
  // A timer armed for now or earlier goes off this much later: a turn of a real loop takes time as well.
  static constexpr base::MonoNs kTurn = base::kMicrosecond;
  static constexpr std::size_t kLargestDatagram = 65507;

  SimLoop(SimTime& time, const base::Clock& clock, Carrier& carrier, std::vector<net::IpAddress> addresses);
  ~SimLoop() override;

  void post(std::move_only_function<void()> task) override;
  std::unique_ptr<net::Timer> make_timer(std::function<void()> callback) override;
  // Fails as the kernel would: kConflict for a port in use, kArgument for an address that is not the node's.
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress& bind, const net::UdpOptions& options,
                                                         net::UdpEvents events) override;
  const base::Clock& clock() const override { return clock_; }
  // Virtual time has no wake-ups to save: the wish is only kept, for who wants to know that it was made.
  void stay_awake(base::MonoNs until) override { awake_until_ = until; }
  base::MonoNs awake_until() const { return awake_until_; }

  const std::vector<net::IpAddress>& addresses() const { return addresses_; }
  SimTime& time() { return time_; }
  // The socket that a datagram to this local address belongs to; null for a closed port.
  SimSocket* find(const net::SocketAddress& local) const;
  void post_after(base::MonoNs delay, std::move_only_function<void()> task);
  // Tasks that wait will never run, as when the process is killed. Sockets and timers are their owners' to destroy.
  void forget_tasks() { ++epoch_; }
  // While on, send() takes nothing, as with a full kernel buffer; switching it off calls on_writable.
  void block_sending(bool on);

 private:
  friend class SimSocket;
  base::Result<std::uint16_t> pick_port(const net::SocketAddress& bind);
  bool taken(const net::SocketAddress& bind) const;

  SimTime& time_;
  const base::Clock& clock_;
  Carrier& carrier_;
  const std::vector<net::IpAddress> addresses_;
  std::vector<SimSocket*> sockets_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::uint64_t epoch_ = 0;
  std::uint16_t next_port_ = 49152;
  bool sending_blocked_ = false;
  base::MonoNs awake_until_ = 0;
};

class SimSocket final : public net::UdpSocket {
 public:
  SimSocket(SimLoop& loop, const net::SocketAddress& local, net::UdpEvents events);
  ~SimSocket() override;

  net::SocketAddress local() const override { return local_; }
  std::size_t send(std::span<const net::SendBatch> batches) override;
  const net::UdpCounters& counters() const override { return counters_; }

  SimLoop& loop() const { return loop_; }
  // The source address that a batch leaves with.
  net::SocketAddress source_of(const net::SendBatch& batch) const;
  // Puts datagrams into the receive buffer. All that arrives at one instant makes one turn.
  void deliver(const net::SocketAddress& remote, const net::SocketAddress& local, std::uint8_t ecn, base::Bytes data,
               std::size_t segment);

 private:
  friend class SimLoop;
  struct Waiting {
    net::SocketAddress remote, local;
    std::uint8_t ecn;
    base::Bytes data;
    std::size_t segment;
  };

  bool reaches(const net::SocketAddress& remote) const;
  void turn();
  void writable();
  void later(void (SimSocket::*what)());

  SimLoop& loop_;
  const net::SocketAddress local_;
  const std::shared_ptr<const net::UdpEvents> events_;
  net::UdpCounters counters_;
  std::vector<Waiting> inbox_;
  bool turn_due_ = false;
  bool told_blocked_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Runs a node's blocking work on the simulation's own thread, `delay` after it was handed over.
class SimExecutor final : public base::Executor {
 public:
  explicit SimExecutor(SimLoop& loop, base::MonoNs delay = 0) : loop_(loop), delay_(delay) {}
  void run(std::move_only_function<void()> task) override { loop_.post_after(delay_, std::move(task)); }

 private:
  SimLoop& loop_;
  const base::MonoNs delay_;
};

}  // namespace atlas::sim
