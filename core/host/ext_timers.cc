// atlas.timers/1
#include <fmt/format.h>

#include "host/ext.h"
#include "host/plugin.h"

namespace atlas::host {
namespace {

base::MonoNs nanoseconds(std::uint64_t ms) {
  return base::saturating_mul<base::MonoNs>(ms, base::kMillisecond);
}

atlas_status start(const atlas_host* host, std::uint64_t delay_ms, std::uint64_t period_ms, void (*fn)(void*),
                   void* arg, atlas_timer* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = plugin.in_service(); status != ATLAS_OK) return status;
  if (fn == nullptr) return plugin.contract_break(ATLAS_E_ARG, "timers.start(): no function");
  const atlas_status status =
      plugin.timers.start(plugin.shared_from_this(), nanoseconds(delay_ms), nanoseconds(period_ms), fn, arg, out);
  if (status != ATLAS_E_FULL) return status;
  return plugin.refuse(status, fmt::format("{} timers run already", base::limits::plugins_timers));
}

atlas_status cancel(const atlas_host* host, atlas_timer timer) {
  Plugin& plugin = Plugin::of(host);
  if (!plugin.services->timers) return plugin.refuse(ATLAS_E_GONE, "no such timer");
  const atlas_status status = plugin.timers.cancel(*plugin.services->timers, timer);
  return status == ATLAS_OK ? status : plugin.refuse(status, "no such timer");
}

}  // namespace

const atlas_ext_timers kTimersTable = {sizeof(atlas_ext_timers), start, cancel};

}  // namespace atlas::host
