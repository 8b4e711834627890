// The node: endpoint, sessions, store and plugin host put together over an injected environment. It starts no thread
// and asks the system for nothing, so a simulation runs fifty of them in one thread on virtual time; node/process.h
// gives one the threads, clocks, lock file and control socket of a real process.
//
// make(), start(), begin_stop() and the destructor belong to the loop's thread; handle() may be called on any.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/result.h"
#include "config/config.h"
#include "control/server.h"
#include "host/host.h"
#include "identity/node_key.h"
#include "net/loop.h"
#include "quic/endpoint.h"

struct atlas_plugin;

namespace atlas::node {

enum class Mode { kDaemon, kClient };

struct Environment {
  net::Loop* loop = nullptr;
  const base::Clock* clock = nullptr;
  base::Random* random = nullptr;
  base::Executor* strands = nullptr;  // plugin strands
  base::Executor* writer = nullptr;   // the database writer
  bool watch_strands = false;         // look for callbacks of roles that do not return; of use with threads only
  // Of this machine's interfaces as they are now. Empty, or giving none: not known.
  std::function<std::vector<net::IpAddress>()> own_addresses = {};
};

struct NodeSetup {
  Mode mode = Mode::kDaemon;
  std::string version;
  config::Config config;  // with command-line overrides applied
  std::shared_ptr<const identity::NodeKey> key;
  std::filesystem::path database;
  std::vector<std::filesystem::path> plugin_dirs;  // absolute; searched after config's
  std::map<std::string, host::LeftOut> left_out;   // plugins that are not to be started
  std::vector<const ::atlas_plugin*> linked;       // roles that are part of this program (simulations)
  // A role with on_fault = "stop-node" went out of service. On that role's strand; may be called more than once.
  std::function<void(const std::string& role, const std::string& reason)> on_fatal;
  // Every role's start has returned. Any thread; may be empty.
  std::function<void()> on_started = {};
  Environment environment;
};

struct NodeCounters;

class Node {
 public:
  // Opens the database and loads every enabled plugin; problems of the configuration come back all together.
  struct Made {
    std::unique_ptr<Node> node;             // null when there is anything in the rest
    std::vector<config::Problem> problems;  // exit 3
    std::string error;                      // database, key, sockets
  };
  static Made make(NodeSetup setup);
  virtual ~Node() = default;

  // Opens the sockets (kDaemon: [network] port and bind; kClient: none until it dials) and starts the plugins.
  virtual base::Result<void> start() = 0;
  // Disconnect 0 to every peer, plugins drained and stopped, sockets closed; `done` runs on the loop when all is over.
  virtual void begin_stop(std::function<void()> done) = 0;
  // When a stop does not end because a role's callback does not return: says goodbye to every peer without waiting for
  // the roles and writes the database to disk. `done` gets the roles that keep it, on the loop. The node cannot be
  // destroyed afterwards, for that waits for the role too: the process ends in `done`.
  virtual void abandon_roles(std::function<void(const std::vector<std::string>& stuck)> done) = 0;

  virtual std::vector<net::SocketAddress> listening() const = 0;
  virtual const std::string& node_id() const = 0;
  // A command of a person: the core's own (status, peers, connect, disconnect, plugins, commands) and the plugins'.
  virtual void handle(const control::Request& request, std::shared_ptr<control::Call> call) = 0;

  virtual std::size_t session_count() const = 0;
  virtual const quic::EndpointCounters& endpoint_counters() const = 0;
};

}  // namespace atlas::node
