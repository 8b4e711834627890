// The node under load: a child process of this tool, or one that runs already; its CPU time and memory from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "net/address.h"

namespace atlas::bench {

class ServerProcess {
 public:
  // Attaches; ends nothing.
  ServerProcess(net::SocketAddress address, pid_t pid);
  // Starts `atlas net listen` on a root of its own below the temporary directory, with the limits out of the way.
  static ServerProcess start(const std::filesystem::path& atlas, const std::vector<std::string>& roles);
  ServerProcess(ServerProcess&&) noexcept;
  ~ServerProcess();  // SIGTERM and wait, root removed; only what start() made

  const net::SocketAddress& address() const { return address_; }
  pid_t pid() const { return pid_; }
  // SIGKILL, then the same node again on the same port and root.
  void kill_and_restart();

  // Nanoseconds of CPU, all threads, user and system.
  std::uint64_t cpu_ns() const;
  std::uint64_t rss_bytes() const;  // resident, private and dirty
  std::uint64_t descriptors() const;

 private:
  ServerProcess() = default;
  void launch();

  std::filesystem::path atlas_, root_;
  net::SocketAddress address_;
  pid_t pid_ = -1;
  bool own_ = false;
};

// This process's own CPU, for "who was busy".
std::uint64_t own_cpu_ns();

}  // namespace atlas::bench
