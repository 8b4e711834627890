// Steady load: requests on held connections, so many at once.
// One thread; borrows the swarm.
#pragma once

#include <functional>
#include <vector>

#include "bench/swarm.h"

namespace atlas::bench {

struct Load {
  std::uint64_t done = 0, wrong = 0;  // wrong: answers of another type than expected
  std::vector<base::MonoNs> round_trips;
};

// Requests on `peers` connections, `in_flight` in all, for the time given; every answer must be of type `expected`.
Load run_load(Swarm& swarm, std::size_t peers, std::size_t in_flight, base::MonoNs span, std::uint8_t type,
              std::uint8_t expected, const std::function<base::Bytes(Peer&)>& payload);

}  // namespace atlas::bench
