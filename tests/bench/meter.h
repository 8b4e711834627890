// What a stretch of work cost on both sides, and how samples are summed up.
// One thread; borrows the server and the clock.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/clock.h"
#include "bench/server_process.h"

namespace atlas::bench {

inline double in_seconds(base::MonoNs ns) {
  return static_cast<double>(ns) / 1e9;
}

// CPU of both sides since it was made.
class Meter {
 public:
  Meter(const ServerProcess& server, const base::Clock& clock);
  // units, per_second, srv_cpu_us_per_<per>, own_cpu_us_per_<per>, server_busy, own_busy, other_cores.
  void report(nlohmann::json& out, std::uint64_t units, const char* per) const;

  double wall_s() const { return in_seconds(clock_.mono_ns() - start_); }
  double server_cpu_s() const { return in_seconds(server_.cpu_ns() - cpu_); }
  double own_cpu_s() const { return in_seconds(own_cpu_ns() - own_); }
  // What others had of this machine meanwhile, in processors.
  double other_cores() const;

 private:
  const ServerProcess& server_;
  const base::Clock& clock_;
  base::MonoNs start_;
  std::uint64_t cpu_, own_, machine_;
};

// The value below which the share q (0 to 1) of the samples lies; sorts them. 0 for none.
template <class T>
T quantile(std::vector<T>& samples, double q) {
  if (samples.empty()) return T();
  std::ranges::sort(samples);
  return samples[static_cast<std::size_t>(q * static_cast<double>(samples.size() - 1))];
}

// p50, p90, p99, max in microseconds; null for none.
nlohmann::json percentiles(std::vector<base::MonoNs>& samples);

}  // namespace atlas::bench
