// The node under load: a child process of this tool, or one that runs already; its CPU time and memory from /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "net/address.h"

namespace atlas::bench {

// What the node of a run is to be, beside the limits that are out of the way in every run.
struct ServerConfig {
  std::vector<std::string> roles;
  std::vector<std::string> search = {};  // more folders of roles, absolute
  std::string transport = {};            // more lines of [transport]
  std::string tables = {};               // more tables
  std::vector<std::string> bind = {};    // loopback addresses, the first is address(); empty: 127.0.0.1
  std::vector<std::string> relays = {};  // ip:port
  std::string log = "warn";              // log.level
  int cpu = -1;                          // the only processor that it may run on; -1: any
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
  const std::string& node_id() const { return node_id_; }  // of what start() made
  pid_t pid() const { return pid_; }
  // SIGKILL, then the same node again on the same port and root; launch() returns once that is ready.
  void kill();
  // SIGTERM, and until it has ended.
  void stop();
  void launch();
  void kill_and_restart();

  // What `atlas <words>` prints for this node; empty when it fails.
  std::string ask(const std::vector<std::string>& words) const;
  // The result of a command over its control socket, null when it gave none; any thread. `why` is what it failed of.
  nlohmann::json call(const std::string& path, const std::map<std::string, std::string>& args = {},
                      std::string* why = nullptr) const;

  // Nanoseconds of CPU, all threads, user and system.
  std::uint64_t cpu_ns() const;
  struct Thread {
    std::string name;
    std::uint64_t cpu_ns = 0, switches = 0;  // switches: times that it was put to sleep or had to make room
  };
  std::map<int, Thread> threads() const;
  std::uint64_t rss_bytes() const;  // resident, private and dirty
  std::uint64_t descriptors() const;
  // Messages that came to its UDP socket while that was full, as the kernel counts them.
  std::uint64_t socket_drops() const;

 private:
  ServerProcess() = default;

  std::filesystem::path atlas_, root_;
  net::SocketAddress address_;
  std::string node_id_;
  std::size_t addresses_ = 1;  // that it tells when it is ready
  pid_t pid_ = -1;
  int cpu_ = -1;
  bool own_ = false;
};

// This process's own CPU, for "who was busy".
std::uint64_t own_cpu_ns();

}  // namespace atlas::bench
