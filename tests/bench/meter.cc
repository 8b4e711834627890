#include "bench/meter.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace atlas::bench {

using nlohmann::json;

namespace {

// Time that this machine's processors were busy or taken away, all together: user, nice, system, irq, softirq, steal.
std::uint64_t machine_cpu_ns() {
  std::ifstream stat("/proc/stat");
  std::string name;
  std::uint64_t sum = 0, ticks = 0;
  stat >> name;
  for (int column = 0; column < 8 && stat >> ticks; ++column) {
    if (column != 3 && column != 4) sum += ticks;  // idle, iowait
  }
  return sum * (1'000'000'000 / static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK)));
}

}  // namespace

Meter::Meter(const ServerProcess& server, const base::Clock& clock)
    : server_(server),
      clock_(clock),
      start_(clock.mono_ns()),
      cpu_(server.cpu_ns()),
      own_(own_cpu_ns()),
      machine_(machine_cpu_ns()) {}

void Meter::report(json& out, std::uint64_t units, const char* per) const {
  const double wall = wall_s(), cpu = server_cpu_s(), own = own_cpu_s();
  const auto n = static_cast<double>(std::max<std::uint64_t>(units, 1));
  out["units"] = units;
  out["per_second"] = n / wall;
  out[std::string("srv_cpu_us_per_") + per] = cpu * 1e6 / n;
  out[std::string("own_cpu_us_per_") + per] = own * 1e6 / n;
  out["server_busy"] = cpu / wall;
  out["own_busy"] = own / wall;  // below 1: this tool waited for the server, not the other way round
  out["other_cores"] = other_cores();
}

double Meter::other_cores() const {
  const double machine = in_seconds(machine_cpu_ns() - machine_);
  return std::max(0.0, (machine - server_cpu_s() - own_cpu_s()) / wall_s());
}

json percentiles(std::vector<base::MonoNs>& samples) {
  if (samples.empty()) return nullptr;
  const auto at = [&](double q) { return static_cast<double>(quantile(samples, q)) / 1000.0; };
  return {{"p50", at(0.5)}, {"p90", at(0.9)}, {"p99", at(0.99)}, {"max", at(1.0)}};
}

}  // namespace atlas::bench
