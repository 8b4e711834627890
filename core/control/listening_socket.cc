#include "control/listening_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/limits.h"

namespace atlas::control {
namespace {

constexpr int kListenQueue = base::limits::control_listen_queue;
constexpr timeval kConnectPatience{5, 0};  // for a node that is alive but does not accept

std::string reason(int error) {
  return std::strerror(error);
}

base::Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& text = path.native();
  const std::size_t most = sizeof address.sun_path - 1;
  if (text.empty() || text.size() > most) {
    return base::fail(base::Fault::kArgument,
                      fmt::format("control socket {}: the path is {} bytes long and a socket path has room for {}; "
                                  "choose a shorter root directory",
                                  text, text.size(), most));
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

base::Result<void> make_directories(const std::filesystem::path& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) == 0) return {};
  if (directory.has_parent_path() && directory.parent_path() != directory) {
    if (auto made = make_directories(directory.parent_path()); !made) return made;
  }
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return base::fail(
      errno == EACCES || errno == EROFS ? base::Fault::kDenied : base::Fault::kInternal,
      fmt::format("directory {} for the control socket cannot be made: {}", directory.native(), reason(errno)));
}

// Returns the directory open and locked, so that two nodes that start at once do not take each other's socket for
// stale.
base::Result<int> hold_directory(const std::filesystem::path& directory) {
  if (auto made = make_directories(directory); !made) return std::unexpected(made.error());
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    return base::fail(base::Fault::kDenied, fmt::format("directory {} for the control socket cannot be opened: {}",
                                                        directory.native(), reason(errno)));
  }
  const auto refuse = [&](base::Fault fault, std::string text) -> base::Result<int> {
    ::close(fd);
    return base::fail(fault, std::move(text));
  };
  struct stat status {};
  if (::fstat(fd, &status) != 0) return refuse(base::Fault::kInternal, reason(errno));
  if (status.st_uid != ::geteuid()) {
    return refuse(base::Fault::kDenied,
                  fmt::format("directory {} for the control socket belongs to user {}, not to {}; "
                              "run atlas as its owner or choose another root directory",
                              directory.native(), status.st_uid, ::geteuid()));
  }
  if ((status.st_mode & 022) != 0) {
    return refuse(base::Fault::kDenied, fmt::format("directory {} for the control socket can be written by others "
                                                    "(mode {:04o}); run: chmod 700 {}",
                                                    directory.native(), status.st_mode & 07777, directory.native()));
  }
  if ((status.st_mode & 0777) != 0700 && ::fchmod(fd, 0700) != 0) {
    return refuse(base::Fault::kInternal,
                  fmt::format("directory {} cannot be given mode 0700: {}", directory.native(), reason(errno)));
  }
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return refuse(base::Fault::kInternal, fmt::format("{}: {}", directory.native(), reason(errno)));
  }
  return fd;
}

base::Result<void> remove_stale(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return base::fail(base::Fault::kConflict,
                      fmt::format("{} is in the way of the control socket and is no socket; remove it", path.native()));
  }
  if (const auto alive = connect_to(path)) {
    ::close(*alive);
    return base::fail(
        base::Fault::kConflict,
        fmt::format("another node already answers on the control socket {}; stop it first, or give this one "
                    "a root directory of its own",
                    path.native()));
  } else if (alive.error().fault != base::Fault::kUnreachable) {
    return std::unexpected(alive.error());
  }
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return base::fail(base::Fault::kInternal,
                    fmt::format("old control socket {} cannot be removed: {}", path.native(), reason(errno)));
}

base::Result<int> bind_and_listen(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return base::fail(base::Fault::kInternal, fmt::format("control socket: {}", reason(errno)));
  // The mode of the descriptor becomes that of the file, so there is no moment with a wider one.
  const bool bound =
      ::fchmod(fd, 0600) == 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (bound && ::chmod(address.sun_path, 0600) == 0 && ::listen(fd, kListenQueue) == 0) return fd;
  const int error = errno;
  if (bound) ::unlink(address.sun_path);
  ::close(fd);
  return base::fail(base::Fault::kInternal, fmt::format("control socket {}: {}", address.sun_path, reason(error)));
}

}  // namespace

base::Result<ListeningSocket> ListeningSocket::open(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const auto directory = hold_directory(path.has_parent_path() ? path.parent_path() : std::filesystem::path("."));
  if (!directory) return std::unexpected(directory.error());

  const auto cleared = remove_stale(path);
  const auto made = cleared ? bind_and_listen(*address) : std::unexpected(cleared.error());
  ::close(*directory);
  if (!made) return std::unexpected(made.error());

  ListeningSocket listening(*made, path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0) {
    listening.device_ = status.st_dev;
    listening.inode_ = status.st_ino;
  }
  return listening;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), device_(other.device_), inode_(other.inode_) {}

ListeningSocket::~ListeningSocket() {
  if (fd_ < 0) return;
  struct stat status {};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  ::close(fd_);
}

base::Result<void> check_socket_path(const std::filesystem::path& path) {
  if (const auto address = address_of(path); !address) return std::unexpected(address.error());
  return {};
}

base::Result<int> connect_to(const std::filesystem::path& path) {
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::fail(base::Fault::kInternal, fmt::format("control socket: {}", reason(errno)));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kConnectPatience, sizeof kConnectPatience);
  int outcome = 0;
  do {
    outcome = ::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  } while (outcome != 0 && errno == EINTR);
  const int error = errno;
  constexpr timeval kForever{0, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kForever, sizeof kForever);
  if (outcome == 0) return fd;
  ::close(fd);
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
      return base::fail(base::Fault::kUnreachable,
                        fmt::format("no node answers on the control socket {} ({})", path.native(), reason(error)));
    case EACCES:
    case EPERM:
      return base::fail(base::Fault::kDenied, fmt::format("control socket {}: {}; it is open to the user that runs the "
                                                          "node, and to root",
                                                          path.native(), reason(error)));
    case EAGAIN:
      return base::fail(base::Fault::kTimeout,
                        fmt::format("a node listens on the control socket {} but does not accept", path.native()));
    default:
      return base::fail(base::Fault::kInternal, fmt::format("control socket {}: {}", path.native(), reason(error)));
  }
}

bool trusted_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace atlas::control
