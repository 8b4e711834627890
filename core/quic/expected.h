// Connections that were announced: a peer is about to dial through a forwarder, and its first packets begin with the
// prefix of a route that leads here. They may overtake the announcement, so what comes from the address of a forwarder
// waits a moment before it is taken for a stranger's.
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/timer_heap.h"
#include "quic/worker.h"

namespace atlas::quic {

class ExpectedConnections;

class Expected final : public Route, public net::TimerHeap::Entry {
 public:
  Expected(ExpectedConnections& owner, Expectation expectation)
      : Route(Kind::kExpected), owner_(owner), expectation_(std::move(expectation)) {}
  const Expectation& expectation() const { return expectation_; }
  void on_expire(base::MonoNs now) override;

 private:
  ExpectedConnections& owner_;
  const Expectation expectation_;
};

class ExpectedConnections {
 public:
  static constexpr base::MonoNs kHoldFor = 500 * base::kMillisecond;
  static constexpr std::size_t kMostHeld = base::limits::quic_held_packets;

  // A first packet whose time to wait is over, or whose announcement has come.
  using Release = std::function<void(const net::ReceivedBatch& packet)>;
  ExpectedConnections(Worker& worker, Release release);
  ~ExpectedConnections();

  base::Result<void> add(const Expectation& expectation);
  // Keeps a copy of a first packet of which nothing is known. False when there is no room, or it comes from no
  // forwarder: it is a stranger's.
  bool hold(const net::ReceivedBatch& batch, base::ByteView datagram, base::ByteView id, base::MonoNs now);
  // It has come, or will not any more.
  Expectation take(Expected& expected);
  // Frees what is over; not from inside TimerHeap::run.
  void sweep() { over_.clear(); }
  std::size_t size() const { return waiting_.size(); }

 private:
  struct Held {
    ServerId prefix;
    net::SocketAddress remote, local;
    std::uint8_t ecn;
    base::Bytes data;
    base::MonoNs until;
  };
  struct HoldTimer final : net::TimerHeap::Entry {
    explicit HoldTimer(ExpectedConnections& of) : owner(of) {}
    void on_expire(base::MonoNs now) override { owner.release_late(now); }
    ExpectedConnections& owner;
  };
  void release_late(base::MonoNs now);
  void release(Held held) const;

  Worker& worker_;
  const Release release_;
  std::vector<Held> held_;
  HoldTimer hold_timer_{*this};
  std::unordered_map<const Expected*, std::unique_ptr<Expected>> waiting_;
  std::vector<std::unique_ptr<Expected>> over_;
};

}  // namespace atlas::quic
