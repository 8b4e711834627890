// One direction of the way between two nodes: what it does to datagrams. Draws from a generator of its own, so that
// traffic elsewhere does not change what happens here. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"

namespace atlas::sim {

// Probabilities are 0 to 1 for each datagram.
struct LinkPolicy {
  base::MonoNs latency = 10 * base::kMillisecond;
  base::MonoNs jitter = 0;  // up to this much more; does not change the order
  double drop = 0, duplicate = 0, corrupt = 0, reorder = 0;
  base::MonoNs reorder_by = 5 * base::kMillisecond;  // how much later a reordered datagram comes
  std::uint64_t bytes_per_second = 0;                // 0: no limit
  std::size_t queue_bytes = 256 << 10;               // what waits for its turn on a limited link; more is lost
  std::size_t largest = 1472;                        // payload bytes; larger ones vanish, as behind a smaller MTU
};

// xoshiro256++ seeded by splitmix64: small and fast, and the same everywhere.
class SimRandom {
 public:
  explicit SimRandom(std::uint64_t seed);
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  // Draws nothing for 0, so that a policy without chance leaves the sequence alone.
  bool chance(double probability);

 private:
  std::uint64_t state_[4];
};

std::uint64_t mix(std::uint64_t a, std::uint64_t b);

class SimLink {
 public:
  explicit SimLink(std::uint64_t seed) : random_(seed) {}

  enum class Fate { kPassed, kLost, kTooLarge, kQueueFull };
  struct Verdict {
    Fate fate = Fate::kPassed;
    base::MonoNs arrival = 0;
    base::MonoNs second_arrival = base::kNever;  // of a duplicate
    std::uint64_t corrupt_bit = kIntact;         // index of the bit to turn over
  };
  static constexpr std::uint64_t kIntact = UINT64_MAX;

  Verdict judge(const LinkPolicy& policy, std::size_t bytes, base::MonoNs now);

 private:
  SimRandom random_;
  base::MonoNs line_free_ = 0;     // when a limited link has sent all that it was given
  base::MonoNs last_arrival_ = 0;  // order is kept against this
};

}  // namespace atlas::sim
