// Which plugin's code runs on this thread, and why its last host call failed. Both belong to the thread, for a callback
// never changes threads.
#pragma once

#include <string_view>

#include "atlas/plugin.h"

namespace atlas::host {

struct Plugin;

// While it lives, this thread is the plugin's strand.
class OnStrand {
 public:
  explicit OnStrand(const Plugin& plugin);
  ~OnStrand();
  OnStrand(const OnStrand&) = delete;
  OnStrand& operator=(const OnStrand&) = delete;

  static const Plugin* current();

 private:
  const Plugin* const outer_;
};

}  // namespace atlas::host
