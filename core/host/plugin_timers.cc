#include "host/plugin_timers.h"

#include <vector>

#include "host/plugin.h"
#include "host/timer_driver.h"

namespace atlas::host {

class PluginAlarm final : public Alarm {
 public:
  PluginAlarm(std::weak_ptr<Plugin> plugin, base::MonoNs period) : plugin_(std::move(plugin)), period_(period) {}
  std::uint64_t handle = 0;

 private:
  base::MonoNs ring(base::MonoNs now) override {
    const auto plugin = plugin_.lock();
    if (!plugin) return base::kNever;
    const PluginTimers::Tick tick = plugin->timers.tick(handle);
    if (tick == PluginTimers::Tick::kOver) return base::kNever;
    if (tick == PluginTimers::Tick::kQueue) {
      Item item;
      item.kind = ItemKind::kTimer;
      item.a = handle;
      plugin->strand.append(item, {}, {}, Admission::kCompletion);
    }
    return period_ == 0 ? base::kNever : base::after(now, period_);
  }

  const std::weak_ptr<Plugin> plugin_;
  const base::MonoNs period_;
};

atlas_status PluginTimers::start(const std::shared_ptr<Plugin>& plugin, base::MonoNs delay, base::MonoNs period,
                                 Callback callback, void* argument, std::uint64_t* out) {
  auto alarm = std::make_shared<PluginAlarm>(plugin, period);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return ATLAS_E_STOPPING;
    alarm->handle = timers_.emplace(Timer{callback, argument, period != 0, false, alarm});
    if (alarm->handle == 0) return ATLAS_E_FULL;
    if (out != nullptr) *out = alarm->handle;
  }
  const Services& services = *plugin->services;
  services.timers->arm(std::move(alarm), base::after(services.setup.clock->mono_ns(), delay));
  return ATLAS_OK;
}

atlas_status PluginTimers::cancel(TimerDriver& driver, std::uint64_t handle) {
  std::shared_ptr<PluginAlarm> alarm;
  {
    const std::lock_guard lock(mutex_);
    const Timer* timer = timers_.find(handle);
    if (timer == nullptr) return ATLAS_E_GONE;
    alarm = timer->alarm;
    timers_.erase(handle);
  }
  driver.disarm(std::move(alarm));
  return ATLAS_OK;
}

PluginTimers::Tick PluginTimers::tick(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  Timer* timer = timers_.find(handle);
  if (timer == nullptr) return Tick::kOver;
  if (timer->pending) return Tick::kSkip;
  timer->pending = true;
  return Tick::kQueue;
}

std::optional<PluginTimers::Due> PluginTimers::take_due(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  Timer* timer = timers_.find(handle);
  if (timer == nullptr) return std::nullopt;
  const Due due{timer->callback, timer->argument};
  timer->pending = false;
  if (!timer->periodic) timers_.erase(handle);
  return due;
}

std::size_t PluginTimers::size() const {
  const std::lock_guard lock(mutex_);
  return timers_.size();
}

void PluginTimers::close(TimerDriver* driver) {
  std::vector<std::shared_ptr<PluginAlarm>> alarms;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::vector<std::uint64_t> handles;
    timers_.each([&](std::uint64_t handle, const Timer& timer) {
      handles.push_back(handle);
      alarms.push_back(timer.alarm);
    });
    for (const std::uint64_t handle : handles) timers_.erase(handle);
  }
  if (driver == nullptr) return;
  for (auto& alarm : alarms) driver->disarm(std::move(alarm));
}

}  // namespace atlas::host
