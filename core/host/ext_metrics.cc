// atlas.metrics/1
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

atlas_status define(const atlas_host* host, const char* name, std::uint32_t kind, const char* help, atlas_metric* out) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "a metric is defined outside init");
  if (name == nullptr || out == nullptr || (kind != ATLAS_METRIC_COUNTER && kind != ATLAS_METRIC_GAUGE)) {
    return plugin.contract_break(ATLAS_E_ARG, "metrics.define(): a name, a kind and a place for the handle");
  }
  const auto defined = plugin.metrics.define(plugin.services->claims, plugin.owner, name, kind == ATLAS_METRIC_GAUGE,
                                             help == nullptr ? "" : help);
  if (!defined) return plugin.refuse_claim(defined.error());
  *out = *defined;
  return ATLAS_OK;
}

void add(const atlas_host* host, atlas_metric metric, std::int64_t delta) {
  Plugin::of(host).metrics.add(metric, delta);
}

void set(const atlas_host* host, atlas_metric metric, std::int64_t value) {
  Plugin::of(host).metrics.set(metric, value);
}

}  // namespace

const atlas_ext_metrics kMetricsTable = {sizeof(atlas_ext_metrics), define, add, set};

}  // namespace atlas::host
