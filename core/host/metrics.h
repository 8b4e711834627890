// Counters and gauges of one plugin. define(): while it initialises. The rest: any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "host/host.h"

namespace atlas::host {

struct Owner;
class Claims;

inline constexpr std::size_t kMaxMetrics = base::limits::plugins_metrics;  // per plugin; ATLAS_E_FULL

class Metrics {
 public:
  explicit Metrics(const std::string& plugin_id);

  // The handle, or why not.
  base::Result<std::uint64_t> define(Claims& claims, const Owner& owner, std::string_view name, bool gauge,
                                     std::string_view help);
  void add(std::uint64_t metric, std::int64_t delta);
  void set(std::uint64_t metric, std::int64_t value);
  void clear() { rows_.clear(); }

  void append_to(std::vector<MetricRow>& out) const;
  std::string exported(std::string_view name) const { return prefix_ + std::string(name); }

 private:
  struct Row {
    std::string name, help;
    bool gauge;
    std::atomic<std::int64_t> value{0};
  };
  const std::string prefix_;  // atlas_<plugin>_
  std::deque<Row> rows_;      // grows only while the plugin initialises
};

}  // namespace atlas::host
