// atlas.log/1
#include <algorithm>

#include "base/log.h"
#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

void write(const atlas_host* host, std::uint32_t level, atlas_text line) {
  Plugin& plugin = Plugin::of(host);
  // A level that this host does not know is some kind of error.
  const auto shown =
      level < ATLAS_LOG_DEBUG || level > ATLAS_LOG_ERROR ? base::Level::kError : static_cast<base::Level>(level);
  if (!base::log_enabled(shown)) return;
  std::uint32_t left_out = 0;
  if (!plugin.log_gate.pass(plugin.services->setup.clock->mono_ns(), &left_out)) return;
  if (left_out != 0) base::log(base::Level::kWarn, plugin.id, "{} lines were left out", left_out);
  base::log_line(shown, plugin.id, view(line).substr(0, base::kMaxLogLine));
}

}  // namespace

const atlas_ext_log kLogTable = {sizeof(atlas_ext_log), write};

}  // namespace atlas::host
