#include "host/stuck_watch.h"

#include "host/plugin.h"

namespace atlas::host {

base::MonoNs StuckWatch::ring(base::MonoNs now) {
  for (const auto& watched : plugins_) {
    if (const auto plugin = watched.lock()) plugin->look_whether_stuck(now);
  }
  return base::after(now, every_);
}

}  // namespace atlas::host
