// The datapath behind routes.h: the table of prefixes, the checks, the token bucket, and the way out.
// Loop thread only; part of the endpoint, which tells it of migrations and ends.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "net/timer_heap.h"
#include "quic/fair_ceiling.h"
#include "quic/fair_queue.h"
#include "quic/routes.h"
#include "quic/worker.h"

namespace atlas::quic {

// Bytes that come back at a steady rate. Time is passed in.
class TokenBucket {
 public:
  TokenBucket(std::uint64_t per_second, base::MonoNs now);
  // How many of `wanted` bytes may go, in whole pieces of `piece`; they are taken.
  std::size_t take(std::size_t wanted, std::size_t piece, base::MonoNs now);

 private:
  double per_ns_, most_, left_;
  base::MonoNs filled_;
};

// Whether the thread should look for the next datagram rather than sleep: yes while they come closer to each other than
// it would look for them. So it is traffic that keeps a core busy, never a lone keep-alive.
class ForwardPoll {
 public:
  explicit ForwardPoll(base::MonoNs longest) : longest_(longest) {}
  // A turn forwarded something. Until when to stay awake; nothing to sleep at once.
  std::optional<base::MonoNs> forwarded(base::MonoNs now) {
    const bool close = last_ != 0 && now - last_ <= longest_;
    last_ = now;
    return close ? std::optional(base::after(now, longest_)) : std::nullopt;
  }

 private:
  base::MonoNs longest_, last_ = 0;
};

class Forwarding final : public Routes {
 public:
  explicit Forwarding(Worker& worker);
  ~Forwarding();

  base::Result<RouteId> add(RoutePair pair) override;
  void remove(RouteId route) override;
  std::size_t size() const override { return pairs_.size(); }

  // The datagrams at the front of `rest` that go to one route together; none of them when the first is for no route.
  // What is found has been forwarded or dropped when this returns.
  base::ByteView forward(const net::ReceivedBatch& batch, base::ByteView rest, std::size_t segment, base::MonoNs now);
  void moved(const QuicConnection& connection);
  void gone(const QuicConnection& connection);
  // The socket may take more again.
  void flush();
  // Before what this turn brings is read: what waits says whether we keep up.
  void look(base::MonoNs now);
  // What this turn brought has been handled.
  void turn_ended(base::MonoNs now);
  // Frees what ended; not from inside TimerHeap::run.
  void sweep();

 private:
  struct Pair;
  // One direction: datagrams with this prefix go to that end.
  struct Forward : Route, FairQueue::Lane, FairCeiling::Lane {
    Forward() : Route(Kind::kForward) {}
    Pair* pair = nullptr;
    std::uint8_t end = 0;
  };

  // Goes off at the end of a window while there is a ceiling: a node that drops must not sleep on it.
  struct Watch final : net::TimerHeap::Entry {
    explicit Watch(Forwarding& forwarding) : owner(forwarding) {}
    void on_expire(base::MonoNs now) override { owner.look(now); }
    Forwarding& owner;
  };

  void pass(Forward& forward, const net::ReceivedBatch& batch, base::ByteView run, std::size_t segment,
            base::MonoNs now);
  void hand_out(Forward& forward, base::ByteView run, std::size_t segment, std::uint8_t ecn);
  bool send(const Pair& pair, std::uint8_t end, base::ByteView run, std::size_t segment, std::uint8_t ecn);
  void end(Pair& pair, RouteEnded why);
  void close_window(base::MonoNs now);
  void shed();

  Worker& worker_;
  RouteTable<ServerId> prefixes_;
  FairQueue waiting_;
  FairCeiling ceiling_;
  Watch watch_{*this};
  ForwardPoll poll_;
  bool forwarded_ = false;                    // in this turn
  std::vector<net::ShedRule> rules_;          // that the kernel has
  base::MonoNs next_look_ = 0;                // at the receive buffers
  double fullest_ = 0;                        // part of them in use, at most in this window
  std::uint64_t received_ = 0, dropped_ = 0;  // bytes and datagrams of the sockets up to this window
  std::unordered_map<RouteId, std::unique_ptr<Pair>> pairs_;
  std::unordered_multimap<const Connection*, Pair*> by_connection_;
  std::vector<std::unique_ptr<Pair>> ended_;
  RouteId next_ = 1;
};

}  // namespace atlas::quic
