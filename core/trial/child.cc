#include "trial/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>

#include "base/log.h"

namespace atlas::trial {
namespace {

constexpr std::size_t kMaxNote = 2048, kMaxInfo = 1 << 20, kMaxLog = 8192;

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::string signal_name(int number) {
  const char* name = sigabbrev_np(number);
  return name == nullptr ? fmt::format("signal {}", number) : fmt::format("SIG{}", name);
}

std::string tail_of(int fd) {
  const off_t size = ::lseek(fd, 0, SEEK_END);
  if (size <= 0) return {};
  std::string out(std::min<std::size_t>(static_cast<std::size_t>(size), kMaxLog), '\0');
  const ssize_t got = ::pread(fd, out.data(), out.size(), size - static_cast<off_t>(out.size()));
  out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return out;
}

}  // namespace

void Notes::line(char kind, std::string_view text) const {
  write_all(fd_, kind + base::escaped(text, kind == 'I' ? kMaxInfo : kMaxNote) + '\n');
}

class Child {
 public:
  Child(const std::function<std::string(const Notes&)>& work, const base::Clock& clock);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(notes_);
    ::close(output_);
  }
  Outcome wait(base::MonoNs limit);

 private:
  [[noreturn]] void run(const std::function<std::string(const Notes&)>& work, int notes) const;
  bool read_notes(base::MonoNs until);  // false: the time is up
  void take(std::string_view line);
  void take_end(int status);

  const base::Clock& clock_;
  const base::MonoNs began_;
  int notes_ = -1, output_ = -1;
  pid_t pid_ = -1;
  std::string unread_;
  std::optional<std::string> ended_;  // what it says is wrong
  Outcome outcome_;
};

Child::Child(const std::function<std::string(const Notes&)>& work, const base::Clock& clock)
    : clock_(clock), began_(clock.mono_ns()) {
  int ends[2] = {-1, -1};
  output_ = ::memfd_create("role-output", MFD_CLOEXEC);
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  notes_ = ends[0];
  pid_ = ::fork();
  if (pid_ == 0) run(work, ends[1]);
  ::close(ends[1]);
}

void Child::run(const std::function<std::string(const Notes&)>& work, int notes) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close(notes_);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output_, STDOUT_FILENO);
  ::dup2(output_, STDERR_FILENO);
  const Notes report(notes);
  std::string why;
  try {
    why = work(report);
  } catch (const std::exception& error) {
    why = std::string("an exception: ") + error.what();
  }
  report.line('E', why);
  ::_exit(0);  // nothing of the parent's is to be flushed or destroyed here
}

bool Child::read_notes(base::MonoNs until) {
  char piece[4096];
  while (true) {
    const base::MonoNs left = base::saturating_sub(until, clock_.mono_ns());
    if (left == 0) return false;
    pollfd waiting{notes_, POLLIN, 0};
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::min<base::MonoNs>(left / base::kMillisecond + 1, 60'000)));
    if (ready < 0 && errno != EINTR) return true;
    if (ready <= 0) continue;
    const ssize_t got = ::read(notes_, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    unread_.append(piece, static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = unread_.find('\n')) != std::string::npos;) {
      take(std::string_view(unread_).substr(0, end));
      unread_.erase(0, end + 1);
    }
  }
}

void Child::take(std::string_view line) {
  if (line.empty()) return;
  const std::string text(line.substr(1));
  if (line.front() == 'N') outcome_.where = text;
  if (line.front() == 'I') outcome_.info = text;
  if (line.front() == 'E') ended_ = text;
}

void Child::take_end(int status) {
  if (ended_ && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    outcome_.ok = ended_->empty();
    outcome_.why = *ended_;
    if (outcome_.ok) outcome_.where.clear();
  } else if (WIFSIGNALED(status)) {
    outcome_.why = fmt::format("crashed with {}", signal_name(WTERMSIG(status)));
  } else {
    outcome_.why = fmt::format("ended the process, with exit code {}", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  }
}

Outcome Child::wait(base::MonoNs limit) {
  if (pid_ < 0) {
    outcome_.why = fmt::format("no process for it could be made: {}", std::strerror(errno));
    return std::move(outcome_);
  }
  const bool in_time = read_notes(base::after(began_, limit));
  if (!in_time) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  if (in_time) {
    take_end(status);
  } else {
    outcome_.why = fmt::format("hung: it had not ended after {} s", limit / base::kSecond);
  }
  outcome_.log = tail_of(output_);
  outcome_.took = clock_.mono_ns() - began_;
  return std::move(outcome_);
}

Outcome run_in_child(const std::function<std::string(const Notes&)>& work, base::MonoNs limit,
                     const base::Clock& clock) {
  return Child(work, clock).wait(limit);
}

}  // namespace atlas::trial
