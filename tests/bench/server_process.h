// The node under load: a child process of this tool, or one that runs already; its CPU time and memory from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "net/address.h"

namespace atlas::bench {

// What the node of a run is to be, beside the limits that are out of the way in every run.
struct ServerConfig {
  std::vector<std::string> roles;
  std::string transport = {};  // more lines of [transport]
  std::string tables = {};     // more tables
  int cpu = -1;                // the only one that it may run on; -1: any
};

class ServerProcess {
 public:
  // Attaches; ends nothing.
  ServerProcess(net::SocketAddress address, pid_t pid);
  // Starts `atlas net listen` on a root of its own below the temporary directory, with the limits out of the way.
  static ServerProcess start(const std::filesystem::path& atlas, const ServerConfig& config);
  ServerProcess(ServerProcess&&) noexcept;
  ~ServerProcess();  // SIGTERM and wait, root removed; only what start() made

  const net::SocketAddress& address() const { return address_; }
  pid_t pid() const { return pid_; }
  // SIGKILL, then the same node again on the same port and root.
  void kill_and_restart();

  // What `atlas <words>` prints for this node; empty when it fails.
  std::string ask(const std::vector<std::string>& words) const;

  // Nanoseconds of CPU, all threads, user and system.
  std::uint64_t cpu_ns() const;
  std::uint64_t rss_bytes() const;  // resident, private and dirty
  std::uint64_t descriptors() const;
  // Messages that came to its UDP socket while that was full, as the kernel counts them.
  std::uint64_t socket_drops() const;

 private:
  ServerProcess() = default;
  void launch();

  std::filesystem::path atlas_, root_;
  net::SocketAddress address_;
  pid_t pid_ = -1;
  int cpu_ = -1;
  bool own_ = false;
};

// Keeps this process, or another, on one processor.
void keep_on(int cpu, pid_t pid = 0);

// This process's own CPU, for "who was busy".
std::uint64_t own_cpu_ns();

}  // namespace atlas::bench
