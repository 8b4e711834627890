// Where work runs that must not run here: plugin strands and the database writer. Threads in a node, the simulated
// loop in a simulation.
#pragma once

#include <functional>

namespace atlas::base {

class Executor {
 public:
  virtual ~Executor() = default;
  // Any thread. Runs every task once, in no promised order between tasks; a task may block.
  virtual void run(std::move_only_function<void()> task) = 0;
  // A task does not come back and keeps its thread: another one takes its place. reclaim() when it came back after all.
  virtual void replace_thread() {}
  virtual void reclaim_thread() {}
};

}  // namespace atlas::base
