// Sees to it that a peer whose request a plugin left unanswered gets an Error. One for each plugin.
#pragma once

#include <atomic>
#include <memory>

#include "host/timer_driver.h"

namespace atlas::host {

struct Plugin;

class ReplyWatch final : public Alarm, public std::enable_shared_from_this<ReplyWatch> {
 public:
  ReplyWatch(std::weak_ptr<Plugin> plugin, std::shared_ptr<TimerDriver> driver)
      : plugin_(std::move(plugin)), driver_(std::move(driver)) {}
  // A request is open that nobody looks after yet. On the strand.
  void watch();

 private:
  base::MonoNs ring(base::MonoNs now) override;

  const std::weak_ptr<Plugin> plugin_;
  const std::shared_ptr<TimerDriver> driver_;
  std::atomic<bool> armed_{false};
};

}  // namespace atlas::host
