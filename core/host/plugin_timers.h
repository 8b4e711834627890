// The timers of one plugin: from the loop, where they expire, to the strand, where they run.
// start() and cancel(): any thread. take_due(): on the strand.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "atlas/plugin.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/slots.h"

namespace atlas::host {

struct Plugin;
class TimerDriver;

class PluginTimers {
 public:
  using Callback = void (*)(void* argument);

  // `*out` is set before the timer can fire. period 0: once.
  atlas_status start(const std::shared_ptr<Plugin>& plugin, base::MonoNs delay, base::MonoNs period, Callback callback,
                     void* argument, std::uint64_t* out);
  atlas_status cancel(TimerDriver& driver, std::uint64_t handle);

  struct Due {
    Callback callback;
    void* argument;
  };
  // Nothing when it was cancelled in between. A one-shot timer is gone afterwards.
  std::optional<Due> take_due(std::uint64_t handle);
  // Cancels everything; nothing can be started afterwards.
  void close(TimerDriver* driver);
  std::size_t size() const;

 private:
  friend class PluginAlarm;
  struct Timer {
    Callback callback;
    void* argument;
    bool periodic;
    bool pending;  // its tick waits on the strand: no second one is queued
    std::shared_ptr<class PluginAlarm> alarm;
  };
  enum class Tick { kQueue, kSkip, kOver };
  Tick tick(std::uint64_t handle);

  mutable std::mutex mutex_;
  base::Slots<Timer> timers_{base::limits::plugins_timers};
  bool closed_ = false;
};

}  // namespace atlas::host
