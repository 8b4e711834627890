// Commands of people that are running: each finishes exactly once, by the plugin, by the person's leaving, or by the
// plugin's end. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "atlas/ext/cli.h"
#include "base/limits.h"
#include "base/slots.h"
#include "host/host.h"

namespace atlas::host {

struct Plugin;

inline constexpr std::size_t kMaxCalls = base::limits::plugins_calls;  // in the node; ATLAS_E_FULL

// A command as a plugin registered it.
struct CommandSpec {
  Command shown;
  atlas_status (*run)(void* self, const atlas_cli_run* run) = nullptr;
  void (*cancelled)(void* self, atlas_call call) = nullptr;
};

struct Call {
  Plugin* plugin = nullptr;
  const CommandSpec* spec = nullptr;
  std::shared_ptr<CommandOutput> output;
  std::vector<std::pair<std::string, std::string>> args;  // checked
  std::atomic<bool> begun{false};                         // run() was called
  std::atomic<bool> result{false};                        // the one document is out
};

class Calls {
 public:
  explicit Calls(std::size_t most = kMaxCalls) : slots_(most) {}
  std::uint64_t add(std::shared_ptr<Call> call);  // 0 at the cap
  std::shared_ptr<Call> find(std::uint64_t token) const;
  // Whoever takes it out finishes it.
  std::shared_ptr<Call> take(std::uint64_t token);
  std::vector<std::shared_ptr<Call>> take_all(const Plugin& plugin);
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  mutable base::Slots<std::shared_ptr<Call>> slots_;
};

// The arguments of one run, checked against the command: unknown, missing and ill-typed ones are errors that say what
// is expected. Flags that are "false" are left out.
base::Result<std::vector<std::pair<std::string, std::string>>> check_args(
    const Command& command, const std::map<std::string, std::string>& args);

}  // namespace atlas::host
