// What stays of a connection after it was closed: its ids, so that late packets are not taken for strangers', and our
// CONNECTION_CLOSE, said again to a peer that has not heard it, ever less often (RFC 9000, section 10.2).
// Loop thread only; owned by the graveyard, found through the id tables.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "net/address.h"
#include "net/timer_heap.h"
#include "quic/connection_ids.h"

namespace atlas::quic {

class Tombstone final : public Route, public net::TimerHeap::Entry {
 public:
  struct Epitaph {
    std::vector<ServerId> ids;
    FirstId first_id{};  // length 0: none
    base::Bytes packet;  // empty: the peer closed, and there is nothing to say
    net::SocketAddress remote, local;
    bool routed = false;  // the ids are prefixes
  };

  Tombstone(Epitaph epitaph, std::function<void(Tombstone&)> on_end)
      : Route(Kind::kTombstone), epitaph_(std::move(epitaph)), on_end_(std::move(on_end)) {}

  const Epitaph& epitaph() const { return epitaph_; }
  // A late packet came. True when the close is due again: after the 1st, 2nd, 4th, 8th ... of them, never to another
  // address, and never as more than three times what came.
  bool answers(const net::SocketAddress& from, std::size_t bytes);
  void on_expire(base::MonoNs now) override;

 private:
  Epitaph epitaph_;
  std::function<void(Tombstone&)> on_end_;
  std::uint64_t heard_ = 0, next_answer_ = 1;
};

class Graveyard {
 public:
  // Tombstones at once; beyond it a connection goes without one and late packets meet a stateless reset.
  static constexpr std::size_t kMostTombstones = base::limits::quic_tombstones;
  // However slow the peer's path is.
  static constexpr base::MonoNs kLongestStay = base::limits::quic_tombstone_life * base::kSecond;

  Graveyard(RouteTable<ServerId>& ids, RouteTable<FirstId>& first_ids, net::TimerHeap& timers)
      : ids_(ids), first_ids_(first_ids), timers_(timers) {}
  ~Graveyard();

  // Takes the ids over until `until`.
  void bury(Tombstone::Epitaph epitaph, base::MonoNs until);
  std::size_t size() const { return tombstones_.size(); }
  // Frees what expired; not from inside TimerHeap::run.
  void sweep() { ended_.clear(); }

 private:
  void end(Tombstone& tombstone);

  RouteTable<ServerId>& ids_;
  RouteTable<FirstId>& first_ids_;
  net::TimerHeap& timers_;
  std::vector<std::unique_ptr<Tombstone>> tombstones_, ended_;
};

}  // namespace atlas::quic
