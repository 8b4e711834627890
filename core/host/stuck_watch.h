// Looks from time to time whether a callback of a plugin has been running for longer than the hard budget, and cuts its
// plugin off: the peers get errors instead of silence, and the thread that it keeps is replaced.
//
// Rings on the loop's thread. One for each host.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "host/timer_driver.h"

namespace atlas::host {

struct Plugin;

class StuckWatch final : public Alarm, public std::enable_shared_from_this<StuckWatch> {
 public:
  StuckWatch(std::vector<std::weak_ptr<Plugin>> plugins, std::shared_ptr<TimerDriver> driver, base::MonoNs every)
      : plugins_(std::move(plugins)), driver_(std::move(driver)), every_(every) {}
  void begin(base::MonoNs now) { driver_->arm(shared_from_this(), base::after(now, every_)); }
  void end() { driver_->disarm(shared_from_this()); }

 private:
  base::MonoNs ring(base::MonoNs now) override;

  const std::vector<std::weak_ptr<Plugin>> plugins_;
  const std::shared_ptr<TimerDriver> driver_;
  const base::MonoNs every_;
};

}  // namespace atlas::host
