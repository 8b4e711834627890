#include "host/now_running.h"

#include <atomic>

namespace atlas::host {
namespace {

// Trivial and in the program itself, so reading it in a signal handler touches no lock and no allocator.
constinit thread_local NowRunning t_running;

// In an order in which a handler that comes between two stores never sees one plugin with another's entry.
void set(const NowRunning& to) {
  t_running.plugin = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_running.entry = to.entry;
  t_running.type = to.type;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t_running.plugin = to.plugin;
}

}  // namespace

NowRunning now_running() {
  return t_running;
}

RunningEntry::RunningEntry(const char* plugin, const char* entry, int type) : outer_(t_running) {
  set({plugin, entry, type});
}

RunningEntry::~RunningEntry() {
  set(outer_);
}

}  // namespace atlas::host
