// Pairs of routes between two connections: datagrams that are not for this node but go on, unread and unchanged, to the
// other peer of the pair (wire protocol, section 8). Found by the first eight bytes of their destination connection id
// before any QUIC; no decryption, no allocation, GRO in and GSO out.
//
// A datagram is forwarded only when it comes from the validated address of the other peer, to where the receiver was
// last validated: both follow migrations. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "net/route_tally.h"
#include "quic/connection_ids.h"

namespace atlas::quic {

class Connection;

enum class RouteEnded : std::uint8_t { kRemoved = 1, kIdle = 2, kBudget = 3, kPeerGone = 4 };

struct RoutePair {
  Connection* a = nullptr;
  Connection* b = nullptr;
  ServerId to_a{}, to_b{};  // random, and different
  // Both directions together, 0 = no limit: UDP payload a second, with a burst of kRouteBurst; and in all.
  std::uint64_t bytes_per_second = 0, byte_budget = 0;
  base::MonoNs idle = 0;                                 // the pair ends when nothing was forwarded for so long
  std::shared_ptr<net::RouteTally> tally;                // never null
  std::move_only_function<void(RouteEnded)> ended = {};  // exactly once, unless the endpoint is destroyed
};

using RouteId = std::uint64_t;  // 0: none

inline constexpr base::MonoNs kRouteBurst = 250 * base::kMillisecond;
// What a limited pair may send at once when it is new: enough for the first flights of a handshake, and little enough
// that the first ten seconds stay within a hundredth of the limit.
inline constexpr std::uint64_t kRouteFirstBurst = 16 << 10;  // bytes

class Routes {
 public:
  // kConflict when a prefix is taken, kFull when there are base::limits::quic_routes. `ended` runs only after success.
  virtual base::Result<RouteId> add(RoutePair pair) = 0;
  virtual void remove(RouteId route) = 0;
  virtual std::size_t size() const = 0;

 protected:
  ~Routes() = default;
};

}  // namespace atlas::quic
