// Which plugin's code runs on this thread: for the report of a crash, which has nothing else to go by.
//
// A record for each thread; a signal handler on the same thread may read it at any moment. The texts are constants or
// live as long as the host.
#pragma once

#include <cstdint>

namespace atlas::host {

struct NowRunning {
  const char* plugin = nullptr;  // id; null while no plugin's code runs
  const char* entry = nullptr;   // "message handler", "timer", ...
  int type = -1;                 // of the message, for a message handler
};

// Async-signal-safe.
NowRunning now_running();

// While it lives, this thread runs that entry of that plugin; entries nest.
class RunningEntry {
 public:
  RunningEntry(const char* plugin, const char* entry, int type);
  ~RunningEntry();
  RunningEntry(const RunningEntry&) = delete;
  RunningEntry& operator=(const RunningEntry&) = delete;

 private:
  const NowRunning outer_;
};

}  // namespace atlas::host
