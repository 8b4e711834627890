// Random bytes, injected so that a simulation repeats. Any thread.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace atlas::base {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(MutableBytes out) = 0;

  std::uint64_t u64() {
    std::uint64_t value;
    fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
  }
  // Uniform in [0, bound); 0 for bound 0.
  std::uint64_t below(std::uint64_t bound) {
    if (bound == 0) return 0;
    const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    std::uint64_t value = u64();
    while (value >= limit) value = u64();
    return value % bound;
  }
};

// libsodium's generator; made in core/node and in tests only.
class SystemRandom final : public Random {
 public:
  SystemRandom();
  void fill(MutableBytes out) override;
};

// Repeats for the same seed: simulations and property tests only. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  void fill(MutableBytes out) override;

 private:
  ByteArray<32> seed_{};
  std::uint64_t block_ = 0;
};

}  // namespace atlas::base
