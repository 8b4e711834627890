#include "node/root_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/file_trust.h"

namespace atlas::node {
namespace {

namespace fs = std::filesystem;

std::string_view word_of(LockUse use) {
  return use == LockUse::kDaemon ? "daemon" : "command";
}

LockHolder read_holder(int descriptor) {
  char text[32] = {};
  LockHolder holder;
  if (::pread(descriptor, text, sizeof text - 1, 0) <= 0) return holder;
  char* rest = nullptr;
  const long pid = std::strtol(text, &rest, 10);
  if (pid <= 0) return holder;
  holder.pid = static_cast<pid_t>(pid);
  // What a killed process left says nothing of the one that has the lock now.
  if (::kill(*holder.pid, 0) != 0 && errno == ESRCH) return holder;
  const std::string_view word = std::string_view(rest).substr(0, std::string_view(rest).find('\n'));
  for (const LockUse use : {LockUse::kDaemon, LockUse::kCommand}) {
    if (word == ' ' + std::string(word_of(use))) holder.use = use;
  }
  return holder;
}

std::string conflict_text(const fs::path& root, const LockHolder& holder) {
  const std::string pid = holder.pid ? std::to_string(*holder.pid) : "unknown";
  if (holder.use == LockUse::kDaemon) return fmt::format("a node runs on {} already (pid {})", root.string(), pid);
  return fmt::format("{} uses {} (pid {}); wait until it has ended, or stop it",
                     holder.use == LockUse::kCommand ? "a command" : "another atlas", root.string(), pid);
}

base::Result<void> make_private(const fs::path& directory) {
  const auto failure = [&](std::string_view what) {
    return base::fail(base::Fault::kInternal,
                      fmt::format("{}: {}: {}", directory.string(), what, std::strerror(errno)));
  };
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failure("cannot be created");
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return failure("cannot be opened");
  base::Result<void> result;
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) {
    result = failure("cannot be examined");
  } else if (const std::string why = base::writable_by_others(found, directory); !why.empty()) {
    result = base::fail(base::Fault::kDenied, fmt::format("{}: {}", directory.string(), why));
  } else if ((found.st_mode & 07777) != 0700 && ::fchmod(descriptor, 0700) != 0) {
    result = failure("cannot be given mode 0700");
  }
  ::close(descriptor);
  return result;
}

}  // namespace

std::string LockHolder::in_words() const {
  const char* what = use == LockUse::kDaemon ? "the node" : use == LockUse::kCommand ? "a command" : "another atlas";
  return fmt::format("{} (pid {})", what, pid ? std::to_string(*pid) : "unknown");
}

base::Result<RootLock> RootLock::take(const fs::path& file, LockUse use, LockHolder* holder) {
  if (auto made = make_private(file.parent_path()); !made) return std::unexpected(made.error());
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return base::fail(base::Fault::kInternal,
                      fmt::format("{}: cannot be opened: {}", file.string(), std::strerror(errno)));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const LockHolder found = read_holder(descriptor);
    ::close(descriptor);
    if (holder != nullptr) *holder = found;
    return base::fail(base::Fault::kConflict, conflict_text(file.parent_path().parent_path(), found));
  }
  RootLock lock(descriptor);
  const std::string text = fmt::format("{} {}\n", ::getpid(), word_of(use));
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, text.data(), text.size(), 0) < 0) {
    return base::fail(base::Fault::kInternal,
                      fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
  }
  return lock;
}

std::optional<LockHolder> RootLock::holder(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return std::nullopt;
  std::optional<LockHolder> found;
  if (::flock(descriptor, LOCK_SH | LOCK_NB) != 0) found = read_holder(descriptor);
  ::close(descriptor);
  return found;
}

RootLock::~RootLock() {
  if (descriptor_ < 0) return;
  if (::ftruncate(descriptor_, 0) != 0) {
    // The pid stays in the file; the lock itself is what counts.
  }
  ::close(descriptor_);
}

base::Result<RootLock> take_patiently(const fs::path& file, LockUse use, const LockWait& wait) {
  const base::MonoNs deadline = base::after(wait.clock.mono_ns(), kLockPatience);
  bool told = false;
  for (;;) {
    LockHolder holder;
    auto lock = RootLock::take(file, use, &holder);
    if (lock || lock.error().fault != base::Fault::kConflict || wait.clock.mono_ns() >= deadline) return lock;
    if (use == LockUse::kDaemon && holder.use == LockUse::kDaemon) return lock;
    if (holder.use && wait.note && !std::exchange(told, true)) {
      const bool node = holder.use == LockUse::kDaemon;
      wait.note(fmt::format("waiting for {} that {}", holder.in_words(),
                            node ? "starts or stops on this root" : "uses this root"));
    }
    wait.pause(kLockRetry);
  }
}

}  // namespace atlas::node
