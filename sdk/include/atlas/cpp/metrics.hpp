// atlas/cpp/metrics.hpp - counters and gauges. Defined in the role's constructor, counted from any thread.
#pragma once

#include "../ext/metrics.h"
#include "base.hpp"

namespace atlas {

namespace detail {
class Metric {
 public:
  Metric() = default;
  Metric(const atlas_host* host, const atlas_ext_metrics* table, atlas_metric id)
      : host_(host), table_(table), id_(id) {}

 protected:
  void add(std::int64_t delta) const {
    if (id_ != 0) ATLAS_CALL_VOID(table_, atlas_ext_metrics, add, host_, id_, delta);
  }
  void set(std::int64_t value) const {
    if (id_ != 0) ATLAS_CALL_VOID(table_, atlas_ext_metrics, set, host_, id_, value);
  }

 private:
  const atlas_host* host_ = nullptr;
  const atlas_ext_metrics* table_ = nullptr;
  atlas_metric id_ = 0;
};
}  // namespace detail

// Counts nothing until Setup::counter() made it.
class Counter : detail::Metric {
 public:
  using detail::Metric::Metric;
  void add(std::int64_t delta = 1) const { Metric::add(delta); }
};

class Gauge : detail::Metric {
 public:
  using detail::Metric::Metric;
  void add(std::int64_t delta) const { Metric::add(delta); }
  void set(std::int64_t value) const { Metric::set(value); }
};

}  // namespace atlas
