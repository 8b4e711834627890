// Sees to it that a stop ends the process even when a role's callback never returns. On the loop's thread; must outlive
// the stop, and the node must too.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "net/loop.h"
#include "node/node.h"

namespace atlas::node {

inline constexpr base::MonoNs kStopPatience = 10 * base::kSecond;    // with kGoodbyePatience below TimeoutStopSec
inline constexpr base::MonoNs kGoodbyePatience = 2 * base::kSecond;  // of a stop that the roles did not let end

class OrderlyStop {
 public:
  // `stopped` runs when the node has stopped; `end_process` with an exit code when it does not within kStopPatience:
  // after the goodbyes of Node::abandon_roles(), or without them kGoodbyePatience later. It is not to return, for
  // destructors would wait for the callback that does not.
  OrderlyStop(net::Loop& loop, std::function<void()> stopped, std::function<void(int exit_code)> end_process)
      : loop_(loop), stopped_(std::move(stopped)), end_process_(std::move(end_process)) {}

  // The first call counts: a command may end and be interrupted in the same turn of the loop.
  void begin(Node& node);

 private:
  void give_up(Node& node);

  net::Loop& loop_;
  const std::function<void()> stopped_;
  const std::function<void(int)> end_process_;
  std::unique_ptr<net::Timer> patience_;  // set: it has begun
  bool gave_up_ = false;
};

}  // namespace atlas::node
