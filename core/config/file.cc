#include "config/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/file_trust.h"

namespace atlas::config {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // False when the kernel reports a write that failed late.
  bool close() {
    if (fd_ < 0) return true;
    return ::close(std::exchange(fd_, -1)) == 0;
  }

 private:
  int fd_;
};

std::string cause() {
  return std::strerror(errno);
}

std::unexpected<base::Error> write_failure(const std::filesystem::path& file) {
  return base::fail(base::Fault::kInternal, file.string() + ": cannot be written: " + cause());
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool sync_directory(const std::filesystem::path& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return fd.ok() && ::fsync(fd.get()) == 0;
}

// The file that a chain of symbolic links ends at, whether it exists or not.
std::filesystem::path target_of(const std::filesystem::path& file) {
  std::error_code error;
  std::filesystem::path target = std::filesystem::weakly_canonical(file, error);
  return error ? file : target;
}

}  // namespace

base::Result<std::string> read_file(const std::filesystem::path& file, std::uint64_t most) {
  // Whoever can write there can put another file in place of this one, or one where there is none.
  const std::filesystem::path directory = file.has_parent_path() ? file.parent_path() : ".";
  if (const std::string why = base::writable_by_others(directory); !why.empty()) {
    return base::fail(base::Fault::kConfig, "is not safe: its directory " + why);
  }
  // O_NONBLOCK: a pipe in place of the file must not stop the node.
  const Descriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.ok()) {
    const auto fault = errno == ENOENT ? base::Fault::kGone : base::Fault::kInternal;
    return base::fail(fault, "cannot be read: " + cause());
  }
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return base::fail(base::Fault::kInternal, "cannot be read: " + cause());
  if (!S_ISREG(status.st_mode)) return base::fail(base::Fault::kArgument, "is no regular file");
  if (const std::string why = base::writable_by_others(status, file); !why.empty()) {
    return base::fail(base::Fault::kConfig, why);
  }
  std::string out;
  char piece[16'384];
  while (true) {
    const ssize_t got = ::read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::fail(base::Fault::kInternal, "cannot be read: " + cause());
    if (got == 0) return out;
    out.append(piece, static_cast<std::size_t>(got));
    if (out.size() > most) {
      return base::fail(base::Fault::kArgument, "is too big: at most " + std::to_string(most) + " bytes are read");
    }
  }
}

base::Result<void> write_file(const std::filesystem::path& file, std::string_view text) {
  const std::filesystem::path target = target_of(file);
  std::string temporary = target.string() + ".XXXXXX";
  Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd.ok()) return write_failure(file);
  const auto give_up = [&] {
    auto failure = write_failure(file);
    ::unlink(temporary.c_str());
    return failure;
  };
  struct stat old;
  if (::stat(target.c_str(), &old) == 0) {
    // Root may be editing the file of the node's own account.
    if (old.st_uid != ::geteuid() || old.st_gid != ::getegid()) {
      if (::fchown(fd.get(), old.st_uid, old.st_gid) != 0 && ::geteuid() == 0) return give_up();
    }
    if (::fchmod(fd.get(), old.st_mode & 0777) != 0) return give_up();
  }
  if (!write_all(fd.get(), text) || ::fsync(fd.get()) != 0 || !fd.close()) return give_up();
  if (::rename(temporary.c_str(), target.c_str()) != 0) return give_up();
  if (!sync_directory(target.parent_path())) return write_failure(file);
  return {};
}

base::Result<EditLock> EditLock::take(const std::filesystem::path& file) {
  const std::filesystem::path lock = std::filesystem::path(file).replace_extension(".lock");
  const auto failure = [&] {
    const auto fault = errno == EACCES || errno == EPERM ? base::Fault::kDenied : base::Fault::kInternal;
    return base::fail(fault, lock.string() + ": cannot be locked: " + cause() + "; run as the node's own user");
  };
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  if (fd < 0) return failure();
  EditLock held(fd);
  // A lock that root makes must not shut the node's own account out.
  struct stat status, above;
  if (::geteuid() == 0 && ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
      ::stat(lock.parent_path().c_str(), &above) == 0 && status.st_uid != above.st_uid &&
      ::fchown(fd, above.st_uid, above.st_gid) != 0) {
    return failure();
  }
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return failure();
  }
  return held;
}

EditLock::EditLock(EditLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

EditLock::~EditLock() {
  if (fd_ >= 0) ::close(fd_);  // which also unlocks
}

}  // namespace atlas::config
