// Which processors the two sides of a measurement run on.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <vector>

namespace atlas::bench {

// Keeps this process on one processor. Throws std::runtime_error when it cannot be.
void keep_on(int cpu);

// While it lives, those processes run on the first processor and this one on the last. Does nothing where there is but
// one. One at a time; throws std::runtime_error when the kernel does not let us.
class KeptApart {
 public:
  explicit KeptApart(const std::vector<pid_t>& servers);
  ~KeptApart();
  KeptApart(const KeptApart&) = delete;
  KeptApart& operator=(const KeptApart&) = delete;

  bool apart() const { return !before_.empty(); }

 private:
  struct Thread {
    pid_t id;
    cpu_set_t processors;
  };
  std::vector<Thread> before_;  // that were moved
};

}  // namespace atlas::bench
