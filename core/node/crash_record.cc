#include "node/crash_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "base/utf8.h"
#include "host/loader.h"
#include "host/now_running.h"

namespace atlas::node {
namespace {

constexpr std::size_t kLinesKept = base::limits::plugins_crash_lines;
constexpr std::size_t kMostRead = 64 << 10;  // the end of a longer file
constexpr int kStderrPatience = 1000;        // ms
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// A sanitizer's own report says more than ours.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kHandlesSignals = false;
#else
constexpr bool kHandlesSignals = true;
#endif

std::atomic<int> g_file{-1};
std::atomic<pid_t> g_reporter{0};  // the thread that crashed first

// --- what a signal handler may do: a line in a fixed buffer ---
class Line {
 public:
  Line& text(const char* from) {
    while (*from != '\0') put(*from++);
    return *this;
  }
  Line& number(std::uint64_t value, unsigned base = 10, std::size_t width = 1) {
    char digits[24];
    std::size_t count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0 || count < width);
    while (count > 0) put(digits[--count]);
    return *this;
  }
  void write_to(int file) const {
    std::size_t done = 0;
    while (done < size_) {
      const ssize_t wrote = ::write(file, buffer_ + done, size_ - done);
      if (wrote <= 0) return;
      done += static_cast<std::size_t>(wrote);
    }
  }

 private:
  void put(char c) {
    if (size_ < sizeof buffer_) buffer_[size_++] = c;
  }
  char buffer_[512];
  std::size_t size_ = 0;
};

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    case SIGABRT:
      return "SIGABRT";
    default:
      return "signal";
  }
}

Line& put_entry(Line& line, const host::NowRunning& running) {
  line.text(running.entry);
  if (running.type >= 0) line.text(" 0x").number(static_cast<std::uint64_t>(running.type), 16, 2);
  return line;
}

void report(int signal) {
  const host::NowRunning running = host::now_running();
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  Line record;
  record.number(static_cast<std::uint64_t>(now.tv_sec < 0 ? 0 : now.tv_sec)).text(" ").text(name_of(signal));
  Line words;
  words.text("atlas: crashed with ").text(name_of(signal));
  if (running.plugin != nullptr) {
    put_entry(record.text(" ").text(running.plugin).text(" "), running);
    put_entry(words.text(" in the plugin ").text(running.plugin).text(", "), running);
  } else {
    words.text(", outside of every plugin");
  }
  record.text("\n").write_to(g_file.load());
  // A pipe that nobody reads must not keep the process from ending.
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, kStderrPatience) > 0) words.text("\n").write_to(STDERR_FILENO);
}

void end_as_without_us(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  raise(signal);
}

void on_crash(int signal) {
  const pid_t self = gettid();
  pid_t reporter = 0;
  if (g_reporter.compare_exchange_strong(reporter, self)) {
    report(signal);
  } else if (reporter != self) {
    // Another thread has crashed before and writes its line; the process ends with that.
    for (;;) pause();
  }
  end_as_without_us(signal);
}

int signal_of(std::string_view name) {
  for (const int signal : kSignals) {
    if (name == name_of(signal)) return signal;
  }
  return 0;
}

std::string line_of(const Crash& crash) {
  std::string out = std::to_string(crash.at) + ' ' + name_of(crash.signal);
  if (!crash.plugin.empty()) out += ' ' + crash.plugin + ' ' + crash.entry;
  return out + '\n';
}

// The end of the file; empty when there is none.
std::string text_of(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return {};
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  const std::streamoff size = in ? static_cast<std::streamoff>(in.tellg()) : -1;
  if (size <= 0) return {};
  std::string out(std::min<std::size_t>(static_cast<std::size_t>(size), kMostRead), '\0');
  in.seekg(size - static_cast<std::streamoff>(out.size()));
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return out;
}

std::vector<Crash> crashes_in(const std::string& text) {
  std::vector<Crash> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    Crash crash;
    std::string signal;
    if (!(words >> crash.at >> signal) || crash.at < 0 || (crash.signal = signal_of(signal)) == 0) continue;
    if (words >> crash.plugin && !host::is_plugin_id(crash.plugin)) continue;
    words >> std::ws;
    std::getline(words, crash.entry);
    crash.entry = base::escaped(crash.entry, 64);
    out.push_back(std::move(crash));
  }
  return out;
}

bool write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(file, text.data(), text.size());
    if (wrote <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return true;
}

// Through a second file, so that a full disk costs no line that is there.
bool replace(const std::filesystem::path& file, const std::string& text) {
  const std::string fresh = file.string() + ".new";
  unlink(fresh.c_str());
  const int opened = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (opened < 0) return false;
  const bool good = write_all(opened, text) && close(opened) == 0 && rename(fresh.c_str(), file.c_str()) == 0;
  if (!good) unlink(fresh.c_str());
  return good;
}

// To append to, without waiting for anything; -1 and errno when it is no regular file.
int open_record(const std::filesystem::path& file) {
  const int opened =
      open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  struct stat status {};
  if (opened < 0) return -1;
  if (fstat(opened, &status) == 0 && S_ISREG(status.st_mode)) {
    fchmod(opened, 0600);
    return opened;
  }
  close(opened);
  errno = EINVAL;
  return -1;
}

}  // namespace

std::vector<Crash> read_crashes(const std::filesystem::path& file) {
  return crashes_in(text_of(file));
}

std::vector<CrashLoop> crash_loops(const std::vector<Crash>& crashes, std::int64_t now,
                                   const std::filesystem::path& file) {
  struct Seen {
    std::size_t times = 0;
    const Crash* last = nullptr;
  };
  std::map<std::string, Seen> seen;
  for (const Crash& crash : crashes) {
    if (crash.plugin.empty() || crash.at > now || now - crash.at >= kCrashSpan) continue;
    Seen& entry = seen[crash.plugin];
    ++entry.times;
    entry.last = &crash;
  }
  std::vector<CrashLoop> out;
  for (const auto& [plugin, entry] : seen) {
    if (entry.times < kCrashesUntilLeftOut) continue;
    const std::int64_t minutes = kCrashSpan / 60;
    out.push_back(
        {plugin,
         fmt::format("it crashed the node {} times within {} minutes, last with {} in its {}; to start "
                     "it again, mend it, remove {} and restart the node (a restart more than {} "
                     "minutes after these crashes tries it again by itself)",
                     entry.times, minutes, name_of(entry.last->signal), entry.last->entry, file.string(), minutes)});
  }
  return out;
}

base::Result<void> arm_crash_record(const std::filesystem::path& file) {
  const std::string there = text_of(file);
  const std::vector<Crash> crashes = crashes_in(there);
  std::string kept;
  const std::size_t skip = crashes.size() > kLinesKept ? crashes.size() - kLinesKept : 0;
  for (std::size_t i = skip; i < crashes.size(); ++i) kept += line_of(crashes[i]);
  const bool shortened = kept == there || replace(file, kept);
  const int opened = open_record(file);
  if (opened < 0) {
    return base::fail(base::Fault::kInternal, fmt::format("{}: the record of crashes cannot be opened: {}",
                                                          file.string(), std::strerror(errno)));
  }
  const int before = g_file.exchange(opened);
  if (before >= 0) close(before);
  use_signal_stack();
  struct sigaction action {};
  action.sa_handler = on_crash;
  // SA_NODEFER: a crash inside of the handler ends the process.
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_NODEFER);
  for (const int signal : kSignals) {
    if (kHandlesSignals) sigaction(signal, &action, nullptr);
  }
  if (shortened) return {};
  return base::fail(base::Fault::kInternal, file.string() + ": the record of crashes cannot be shortened");
}

void use_signal_stack() {
  constexpr std::size_t kStack = 32 << 10;
  // Taken out before its memory goes: the thread may still run other destructors.
  struct Stack {
    ~Stack() {
      if (!memory) return;
      stack_t none{};
      none.ss_flags = SS_DISABLE;
      sigaltstack(&none, nullptr);
    }
    std::unique_ptr<std::byte[]> memory;
  };
  thread_local Stack stack;
  if (stack.memory) return;
  stack.memory = std::make_unique<std::byte[]>(kStack);
  stack_t own{};
  own.ss_sp = stack.memory.get();
  own.ss_size = kStack;
  sigaltstack(&own, nullptr);
}

}  // namespace atlas::node
