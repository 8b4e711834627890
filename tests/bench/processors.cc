#include "bench/processors.h"

#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace atlas::bench {
namespace {

std::vector<pid_t> threads_of(pid_t process) {
  std::vector<pid_t> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    out.push_back(std::stoi(task.path().filename().string()));
  }
  return out;
}

}  // namespace

void keep_on(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) {
    throw std::runtime_error("cannot be kept on processor " + std::to_string(cpu));
  }
}

KeptApart::KeptApart(const std::vector<pid_t>& servers) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) throw std::runtime_error("no list of processors");
  std::vector<int> processors;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &allowed)) processors.push_back(cpu);
  }
  if (processors.size() < 2) return;
  const auto keep = [&](pid_t process, int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    for (const pid_t thread : threads_of(process)) {
      cpu_set_t before;
      if (sched_getaffinity(thread, sizeof before, &before) != 0) continue;  // it ended meanwhile
      if (sched_setaffinity(thread, sizeof one, &one) != 0) {
        throw std::runtime_error("process " + std::to_string(process) + " cannot be kept on processor " +
                                 std::to_string(cpu));
      }
      before_.push_back({thread, before});
    }
  };
  for (const pid_t server : servers) keep(server, processors.front());
  keep(getpid(), processors.back());
}

KeptApart::~KeptApart() {
  for (const Thread& thread : before_) sched_setaffinity(thread.id, sizeof thread.processors, &thread.processors);
}

}  // namespace atlas::bench
