// The node's log: lines to stderr as text or JSON, control bytes escaped, each place limited in rate.
// Any thread. The sink is set once at start; spdlog stays behind this header.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace atlas::base {

enum class Level : int { kDebug = 1, kInfo = 2, kWarn = 3, kError = 4, kOff = 5 };
enum class LogFormat { kText, kJson };

// Until configure() nothing below kWarn is written.
void configure_log(Level lowest, LogFormat format);
bool log_enabled(Level level);
// `who` is the folder or the plugin: "quic", "store", "relay". Bytes below 0x20, 0x7f and broken UTF-8 come out as
// \xNN; a line ends after kMaxLogLine bytes.
void log_line(Level level, std::string_view who, std::string_view line);

inline constexpr std::size_t kMaxLogLine = limits::log_line_bytes;

// Control characters and broken UTF-8 as \xNN, cut after `most` bytes: for everything a peer had a hand in.
std::string escaped(std::string_view text, std::size_t most = kMaxLogLine);

template <class... Args>
void log(Level level, std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) log_line(level, who, fmt::format(format, std::forward<Args>(args)...));
}

// One per place in the code that a peer can reach: at most `burst` lines a `period_ns`, then one line with the count of
// what was left out. Thread-safe.
class LogGate {
 public:
  explicit LogGate(std::uint32_t burst = 5, std::uint64_t period_ns = 10'000'000'000ull)
      : burst_(burst), period_ns_(period_ns) {}
  // True when the line may be written; *suppressed gets the number left out before it.
  bool pass(std::uint64_t now_ns, std::uint32_t* suppressed = nullptr);

 private:
  const std::uint32_t burst_;
  const std::uint64_t period_ns_;
  std::atomic<std::uint64_t> window_start_{0};
  std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint32_t> left_out_{0};
};

// A value that never shows in a log: formats as "***".
template <class T>
struct Secret {
  T value;
};

}  // namespace atlas::base

template <class T>
struct fmt::formatter<atlas::base::Secret<T>> : fmt::formatter<std::string_view> {
  auto format(const atlas::base::Secret<T>&, fmt::format_context& context) const {
    return fmt::formatter<std::string_view>::format("***", context);
  }
};
