// The file half of key_file.h: who may own and read a key file, and how it is written whole.
#include "identity/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/file_trust.h"

namespace atlas::identity {
namespace {

using base::fail;
using base::Fault;

// Closes a file descriptor at the end of its block.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::unexpected<base::Error> system_failure(const std::string& name, std::string_view what, int error) {
  const Fault fault = error == EACCES || error == EPERM ? Fault::kDenied : Fault::kInternal;
  return fail(fault, fmt::format("{}: {}: {}", name, what, std::strerror(error)));
}

std::unexpected<base::Error> open_failure(const std::string& name, int error) {
  if (error == ENOENT) {
    return fail(Fault::kGone, fmt::format("{}: there is no node key. Make one with `atlas id init`", name));
  }
  if (error == ELOOP) {
    return fail(Fault::kDenied,
                fmt::format("{}: the node key is a symbolic link. Put the key file itself in its place", name));
  }
  return system_failure(name, "the node key cannot be opened", error);
}

// The rules that NodeKey::load states, on the file that is open already: nobody can swap it in between.
base::Result<void> check_rules(const std::string& name, const struct stat& info) {
  if (!S_ISREG(info.st_mode)) {
    return fail(Fault::kDenied,
                fmt::format("{}: the node key is not a regular file. Put a key file in its place", name));
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return fail(
        Fault::kDenied,
        fmt::format("{0}: the node key belongs to user {1}, but this is user {2}. Run `chown {2} {0}`, or start "
                    "the node as user {1}",
                    name, info.st_uid, ::geteuid()));
  }
  if ((info.st_mode & 077) != 0) {
    return fail(Fault::kDenied,
                fmt::format("{0}: others than its owner can read or change the node key (mode {1:04o}). "
                            "Run `chmod 600 {0}`, and replace the key if somebody may have read it",
                            name, info.st_mode & 07777));
  }
  if (info.st_size > static_cast<off_t>(kMaxKeyFile)) {
    return fail(Fault::kArgument,
                fmt::format("{}: {} bytes are too many for a node key (at most {}). Put a PKCS#8 PEM file in its place",
                            name, info.st_size, kMaxKeyFile));
  }
  return {};
}

// Whoever can write in the directory can put another key in place of this one.
base::Result<void> check_directory(const std::filesystem::path& file) {
  const auto directory = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const std::string why = base::writable_by_others(directory);
  if (why.empty()) return {};
  return fail(Fault::kState, fmt::format("{}: the directory of the node key {}", directory.string(), why));
}

bool write_all(int fd, base::ByteView data) {
  while (!data.empty()) {
    const ssize_t done = ::write(fd, data.data(), data.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data = data.subspan(static_cast<std::size_t>(done));
  }
  return true;
}

// Moves without ever replacing: one step where the file system knows it, else a hard link under the new name.
int move_new(const char* from, const char* to) {
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::link(from, to) != 0) return errno;
  ::unlink(from);
  return 0;
}

void sync_folder_of(const std::filesystem::path& file) {
  const auto folder = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.open()) ::fsync(opened.get());
}

}  // namespace

base::Result<LockedBytes> read_private_file(const std::filesystem::path& file) {
  const std::string name = file.string();
  // O_NONBLOCK: a pipe in place of the file must not hang the start.
  const Descriptor opened(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!opened.open()) return open_failure(name, errno);
  struct stat info {};
  if (::fstat(opened.get(), &info) != 0) return system_failure(name, "the node key cannot be examined", errno);
  if (auto allowed = check_rules(name, info); !allowed) return std::unexpected(allowed.error());
  if (auto safe = check_directory(file); !safe) return std::unexpected(safe.error());

  LockedBytes contents(static_cast<std::size_t>(info.st_size));
  std::size_t filled = 0;
  while (filled < contents.size()) {
    const ssize_t got = ::read(opened.get(), contents.data() + filled, contents.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure(name, "the node key cannot be read", errno);
    if (got == 0) return fail(Fault::kInternal, fmt::format("{}: the node key shrank while it was read", name));
    filled += static_cast<std::size_t>(got);
  }
  return contents;
}

base::Result<void> write_private_file(const std::filesystem::path& file, base::ByteView contents) {
  const std::string name = file.string();
  if (auto safe = check_directory(file); !safe) return safe;
  struct stat info {};
  if (::lstat(file.c_str(), &info) == 0) {
    return fail(Fault::kConflict, fmt::format("{}: there is a node key already. Move it away first", name));
  }
  std::string temporary = name + ".XXXXXX";
  const Descriptor opened(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!opened.open()) return system_failure(name, "the node key cannot be written", errno);

  int error = 0;
  if (!write_all(opened.get(), contents) || ::fchmod(opened.get(), 0600) != 0 || ::fsync(opened.get()) != 0) {
    error = errno;
  } else {
    error = move_new(temporary.c_str(), file.c_str());
  }
  if (error == 0) {
    sync_folder_of(file);
    return {};
  }
  ::unlink(temporary.c_str());
  if (error == EEXIST) {
    return fail(Fault::kConflict, fmt::format("{}: there is a node key already. Move it away first", name));
  }
  return system_failure(name, "the node key cannot be written", error);
}

}  // namespace atlas::identity
