#include "base/log.h"

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>

#include "base/line_writer.h"
#include "base/utf8.h"

namespace atlas::base {
namespace {

std::atomic<int> g_lowest{static_cast<int>(Level::kWarn)};
std::atomic<LogFormat> g_format{LogFormat::kText};

// For a stderr that nobody reads when the process ends.
constexpr std::chrono::milliseconds kLastPatience{2'000};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
    case Level::kOff:
      return "off";
  }
  return "info";
}

void append_json_text(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(now);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds).count();
  const std::time_t t = std::chrono::system_clock::to_time_t(seconds);
  std::tm parts{};
  gmtime_r(&t, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, millis);
}

std::string line_of(Level level, std::string_view who, std::string_view line) {
  const std::string safe = escaped(line);
  if (g_format != LogFormat::kJson) return fmt::format("{} {:<5} {}: {}", timestamp(), name_of(level), who, safe);
  std::string out = fmt::format(R"({{"time":"{}","level":"{}","who":"{}","line":")", timestamp(), name_of(level), who);
  append_json_text(out, safe);
  out += "\"}";
  return out;
}

// Never destroyed: whatever ends last may still have something to say.
LineWriter& writer() {
  static LineWriter& made = []() -> LineWriter& {
    auto* out = new LineWriter(STDERR_FILENO, limits::log_waiting_lines, [](std::uint64_t count) {
      return line_of(Level::kWarn, "log", fmt::format("{} lines were left out, for stderr was not read", count)) + '\n';
    });
    std::atexit([] { writer().flush(kLastPatience); });
    return *out;
  }();
  return made;
}

// The library's own sinks wait for stderr, with every thread that logs behind them; its asynchronous logger waits for
// it when the process ends.
class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    writer().write(std::string(message.payload.data(), message.payload.size()) + '\n');
  }
  void flush_() override {}
};

spdlog::logger& logger() {
  static spdlog::logger& made = []() -> spdlog::logger& {
    auto* out = new spdlog::logger("atlas", std::make_shared<StderrSink>());
    out->set_level(spdlog::level::trace);
    return *out;
  }();
  return made;
}

}  // namespace

void configure_log(Level lowest, LogFormat format) {
  g_lowest = static_cast<int>(lowest);
  g_format = format;
}

bool log_enabled(Level level) {
  return static_cast<int>(level) >= g_lowest.load(std::memory_order_relaxed);
}

void log_line(Level level, std::string_view who, std::string_view line) {
  if (!log_enabled(level)) return;
  logger().log(to_spdlog(level), line_of(level, who, line));
}

std::string escaped(std::string_view text, std::size_t most) {
  constexpr std::string_view kCut = "...";
  std::string out;
  out.reserve(std::min(text.size(), most));
  std::size_t i = 0;
  std::size_t kept = 0;  // of `out`, with room for kCut behind it
  while (i < text.size()) {
    const std::size_t length = utf8_length(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are commands to some terminals.
    const bool high_control = length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    const bool printable = length > 0 && byte >= 0x20 && byte != 0x7f && !high_control;
    const std::size_t grows = printable ? length : 4;
    if (out.size() + grows > most) {
      out.resize(kept);
      out += kCut.substr(0, most);
      break;
    }
    if (printable) {
      out.append(text.substr(i, length));
      i += length;
    } else {
      out += fmt::format("\\x{:02x}", byte);
      ++i;
    }
    if (out.size() + kCut.size() <= most) kept = out.size();
  }
  return out;
}

bool LogGate::pass(std::uint64_t now_ns, std::uint32_t* suppressed) {
  std::uint64_t start = window_start_.load(std::memory_order_relaxed);
  if (now_ns - start >= period_ns_ && window_start_.compare_exchange_strong(start, now_ns)) used_ = 0;
  if (used_.fetch_add(1, std::memory_order_relaxed) < burst_) {
    const std::uint32_t left = left_out_.exchange(0, std::memory_order_relaxed);
    if (suppressed != nullptr) *suppressed = left;
    return true;
  }
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

}  // namespace atlas::base
