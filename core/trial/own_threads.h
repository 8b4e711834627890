// Time by the real clock for a role that has threads of its own: the virtual time of a trial does not wait for them.
// The trial's thread.
#pragma once

#include <functional>

#include "base/clock.h"
#include "trial/world.h"

namespace atlas::trial {

class OwnThreads {
 public:
  // For one step: what its role may use up in all.
  explicit OwnThreads(base::MonoNs patience = 10 * base::kSecond) : left_(patience) {}

  // Runs the world until done(), or until the patience is used up. Returns at once where nobody else could change
  // anything: in a process without other threads.
  void wait(World& world, const std::function<bool()>& done);

 private:
  base::MonoNs left_;
};

}  // namespace atlas::trial
