// Connections that were announced: a peer is about to dial through a forwarder, and its first packets begin with the
// prefix of a route that leads here. Loop thread only.
#pragma once

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
  explicit ExpectedConnections(Worker& worker) : worker_(worker) {}
  ~ExpectedConnections();

  base::Result<void> add(const Expectation& expectation);
  // It has come, or will not any more.
  Expectation take(Expected& expected);
  // Frees what is over; not from inside TimerHeap::run.
  void sweep() { over_.clear(); }
  std::size_t size() const { return waiting_.size(); }

 private:
  Worker& worker_;
  std::unordered_map<const Expected*, std::unique_ptr<Expected>> waiting_;
  std::vector<std::unique_ptr<Expected>> over_;
};

}  // namespace atlas::quic
