#include "node/root_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace atlas::node {
namespace {

std::optional<pid_t> read_pid(int descriptor) {
  char text[32] = {};
  if (::pread(descriptor, text, sizeof text - 1, 0) <= 0) return std::nullopt;
  const long pid = std::strtol(text, nullptr, 10);
  if (pid <= 0) return std::nullopt;
  return static_cast<pid_t>(pid);
}

}  // namespace

base::Result<RootLock> RootLock::take(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::create_directories(file.parent_path(), ignored)) ::chmod(file.parent_path().c_str(), 0700);
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return base::fail(base::Fault::kInternal,
                      fmt::format("{}: cannot be opened: {}", file.string(), std::strerror(errno)));
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    const auto pid = read_pid(descriptor);
    ::close(descriptor);
    return base::fail(base::Fault::kConflict,
                      fmt::format("a node runs on {} already (pid {})", file.parent_path().parent_path().string(),
                                  pid ? std::to_string(*pid) : "unknown"));
  }
  RootLock lock(descriptor);
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, text.data(), text.size(), 0) < 0) {
    return base::fail(base::Fault::kInternal,
                      fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
  }
  return lock;
}

std::optional<pid_t> RootLock::holder(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return std::nullopt;
  const bool held = ::flock(descriptor, LOCK_SH | LOCK_NB) != 0;
  const auto pid = held ? read_pid(descriptor) : std::nullopt;
  ::close(descriptor);
  return pid;
}

RootLock::~RootLock() {
  if (descriptor_ < 0) return;
  if (::ftruncate(descriptor_, 0) != 0) {
    // The pid stays in the file; the lock itself is what counts.
  }
  ::close(descriptor_);
}

}  // namespace atlas::node
