// Keeps the routes of a session at its relay: they end when nothing has gone over them for a while, and a session that
// found a direct path sends nothing there, but must be able to come back (docs/adr/0018). A datagram now and then that
// begins like one of QUIC goes through to the peer, whose connection takes it for noise.
//
// Loop thread only; one for each link that this node dialled through a relay, from its session's beginning to its end.
#pragma once

#include <functional>
#include <optional>

#include "base/random.h"
#include "node/deadlines.h"
#include "quic/endpoint.h"

namespace atlas::node {

// Three in the time that the relay allows, in case one is lost; within these.
inline constexpr base::MonoNs kKeepRouteAtLeast = base::kSecond, kKeepRouteAtMost = 20 * base::kSecond;
// First byte, prefix, and eight random ones: too short to be a stateless reset, let alone a packet.
inline constexpr std::size_t kKeepRouteBytes = 17;

// How often, when the relay says that the routes end at `expires` and it is `now` here (both Unix s); 0: it says
// nothing. Its clock may be another: a wrong one makes it more often than needed, never more seldom than the limit.
base::MonoNs keep_route_every(std::int64_t expires, std::int64_t now);

class RouteKeeper final : public net::TimerHeap::Entry {
 public:
  struct Setup {
    Deadlines* deadlines = nullptr;
    quic::Endpoint* endpoint = nullptr;
    base::Random* random = nullptr;
    // Where the relay is now; nothing when the session with it has ended, and the routes with it.
    std::function<std::optional<net::SocketAddress>()> relay;
    quic::ServerId peer_route{};
    base::MonoNs every = kKeepRouteAtMost;
  };
  explicit RouteKeeper(Setup setup);
  ~RouteKeeper() override { setup_.deadlines->clear(*this); }
  void on_expire(base::MonoNs now) override;

 private:
  Setup setup_;
};

}  // namespace atlas::node
