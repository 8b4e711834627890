// The file side of the control socket: its directory, its permissions, and whose it is.
// Used by the thread that starts and stops the server.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "base/result.h"

namespace atlas::control {

// A bound and listening Unix socket, 0600 in a 0700 directory. Owns the descriptor and the file; the file is removed
// only while it is still the one that was made here.
class ListeningSocket {
 public:
  // Makes the directory if need be. Errors: kArgument the path does not fit into a socket address; kDenied the
  // directory belongs to, or can be written by, somebody else; kConflict somebody answers on the path, or it is no
  // socket; kInternal a system call failed.
  static base::Result<ListeningSocket> open(const std::filesystem::path& path);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int fd() const { return fd_; }

 private:
  ListeningSocket(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  int fd_ = -1;
  std::filesystem::path path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// kArgument, with what to do, when the path is too long for a socket address. Asks nobody.
base::Result<void> check_socket_path(const std::filesystem::path& path);

// Connects a blocking descriptor to `path`, which the caller closes. kUnreachable when nobody listens there, kTimeout
// when somebody does but does not accept.
base::Result<int> connect_to(const std::filesystem::path& path);

// True when the process at the other end runs as this user or as root.
bool trusted_peer(int fd);

}  // namespace atlas::control
