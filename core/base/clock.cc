#include "base/clock.h"

#include <time.h>

namespace atlas::base {

MonoNs SystemClock::mono_ns() const {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<MonoNs>(now.tv_sec) * kSecond + static_cast<MonoNs>(now.tv_nsec);
}

std::int64_t SystemClock::unix_ms() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace atlas::base
