// What one pair of routes has forwarded. Written on the I/O thread alone, read on any; figures of one moment need not
// belong together.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace atlas::net {

// [0] is towards the first peer of the pair, [1] towards the second.
struct RouteTally {
  std::array<std::atomic<std::uint64_t>, 2> datagrams{}, bytes{};
  std::atomic<std::uint64_t> dropped_rate{0}, dropped_source{0}, dropped_queue{0}, dropped_share{0};

  // There is one writer: no need for a locked addition.
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
    counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
};

}  // namespace atlas::net
