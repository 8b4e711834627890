// What brought this program down, for its next start: a signal handler appends one line to <root>/state/crashes that
// names the signal and the plugin whose code ran, and says the same on stderr. Whoever starts next reads it and leaves
// out a plugin that has crashed the node again and again.
//
// A line is "<Unix seconds> <signal> [<plugin> <entry>]". The file is closed to others (0600), holds the newest lines
// only, and whatever else it holds counts for nothing.
//
// arm_crash_record() and the reading belong to the thread that starts the process. The handler runs wherever the crash
// was; it uses nothing but what a signal handler may. For real processes only: a simulation has one process for many
// nodes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"

namespace atlas::node {

struct Crash {
  std::int64_t at = 0;  // Unix seconds
  int signal = 0;
  std::string plugin;  // empty: no plugin's code ran on that thread
  std::string entry;   // "message handler 0x30"

  bool operator==(const Crash&) const = default;
};

// A plugin that crashed the node again and again, and what is to be done, for people.
struct CrashLoop {
  std::string plugin;
  std::string reason;
};

// The lines of the file, oldest first; what does not parse is skipped. Empty when there is no file.
std::vector<Crash> read_crashes(const std::filesystem::path& file);

// Plugins whose code ran in at least kCrashesUntilLeftOut crashes of the last kCrashSpan. Crashes that lie in the
// future (a clock that was set back) do not count.
inline constexpr std::size_t kCrashesUntilLeftOut = base::limits::plugins_crashes;
inline constexpr std::int64_t kCrashSpan = base::limits::plugins_crash_span;  // s
std::vector<CrashLoop> crash_loops(const std::vector<Crash>& crashes, std::int64_t now,
                                   const std::filesystem::path& file);

// Drops what is no line of ours and all but the newest, and installs the handler for SIGSEGV, SIGBUS, SIGILL, SIGFPE
// and SIGABRT. The process ends by the signal as it would have without.
base::Result<void> arm_crash_record(const std::filesystem::path& file);

// Gives the calling thread a stack of its own for signal handlers, so that an overflow of its own is recorded, too.
// Lives until the thread ends.
void use_signal_stack();

}  // namespace atlas::node
