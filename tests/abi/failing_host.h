// A host table that a plugin is given in place of the real one: it passes every call on, but the one that a test names
// by its number fails, without reaching the host. Calls that cannot fail (log, metrics.add, the clocks, ...) are passed
// on and have no number.
//
// One at a time in a process, for the functions of the plugin ABI carry no context before init.
#pragma once

#include <atomic>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "atlas/ext/bus.h"
#include "atlas/ext/cli.h"
#include "atlas/ext/config.h"
#include "atlas/ext/identity.h"
#include "atlas/ext/listener.h"
#include "atlas/ext/log.h"
#include "atlas/ext/messages.h"
#include "atlas/ext/metrics.h"
#include "atlas/ext/peers.h"
#include "atlas/ext/protocols.h"
#include "atlas/ext/routes.h"
#include "atlas/ext/store.h"
#include "atlas/ext/streams.h"
#include "atlas/ext/timers.h"
#include "atlas/plugin.h"

namespace atlas::host::test {

class FailingHost {
 public:
  // Wraps the plugin's init; the descriptor is for Host::add_linked(). `fail_at` counts from 1; 0 fails nothing.
  FailingHost(const ::atlas_plugin& plugin, std::size_t fail_at, atlas_status with);
  FailingHost(const FailingHost&) = delete;
  FailingHost& operator=(const FailingHost&) = delete;
  ~FailingHost() { current = nullptr; }

  // The table with that id ends after so many bytes, as an older host's may. Before init.
  void shorten(std::string id, std::size_t bytes) {
    short_id_ = std::move(id);
    short_size_ = bytes;
  }
  struct Known {
    const char* id;
    std::size_t size;
  };
  static std::vector<Known> tables();

  const ::atlas_plugin* descriptor() const { return &wrapped_; }
  std::size_t calls() const { return calls_; }
  // The function that failed; empty when it has not come to that.
  const std::string& failed() const { return failed_; }

  // --- for the tables ---
  static inline FailingHost* current = nullptr;
  // Whether this call is to fail.
  bool fails(const char* name) {
    if (++calls_ != fail_at_) return false;
    failed_ = name;
    return true;
  }
  atlas_status status() const { return with_; }
  const atlas_host* real() const { return real_; }
  template <class Table>
  const Table* table(const char* id) const {
    return static_cast<const Table*>(real_->extension(real_, id));
  }

 private:
  static atlas_status init(const atlas_host* host, void** self);
  static const void* extension(const atlas_host* host, const char* id);

  const ::atlas_plugin plugin_;
  ::atlas_plugin wrapped_;
  atlas_host host_{};
  const atlas_host* real_ = nullptr;
  const std::size_t fail_at_;
  const atlas_status with_;
  std::size_t calls_ = 0;
  std::string failed_;
  std::string short_id_;
  std::size_t short_size_ = 0;
  std::vector<std::uint64_t> short_table_;
};

}  // namespace atlas::host::test
