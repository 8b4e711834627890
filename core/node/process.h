// A node as a process: its loop thread (the caller's), strand and writer threads, the lock that keeps a second daemon
// out of the same root, the control socket, signals. For the `atlas` program only.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/client.h"
#include "control/protocol.h"
#include "node/node.h"

namespace atlas::node {

// Files below the root directory.
struct Paths {
  std::filesystem::path root;
  std::filesystem::path key;       // keys/node-key.pem
  std::filesystem::path config;    // state/config.toml
  std::filesystem::path database;  // state/peers.db
  std::filesystem::path socket;    // run/control.sock
  std::filesystem::path lock;      // run/node.lock
  static Paths below(const std::filesystem::path& root);
};

struct ProcessSetup {
  Paths paths;
  config::Config config;
  std::string version;
  std::vector<std::filesystem::path> plugin_dirs;
};

// Why a process ended or did not begin; the `atlas` program maps it to its exit codes.
struct ProcessEnd {
  enum class Why { kStopped, kConfig, kAlreadyRunning, kNoIdentity, kFailed } why = Why::kStopped;
  std::string error;
  std::vector<config::Problem> problems;
};

// Runs a daemon until SIGINT or SIGTERM. A second one ends the process at once, with exit code 128 + its number. A stop
// that a role does not let end within 10 s ends the process with exit code 1, after the goodbyes to all peers and a
// flush of the database; both hold for run_command() too. `ready` is called once, when it accepts connections: one line
// per address.
ProcessEnd run_daemon(
    const ProcessSetup& setup,
    const std::function<void(const std::vector<net::SocketAddress>&, const std::string& node_id)>& ready);

// Runs one command inside this process, over a node that only dials and ends with the command.
ProcessEnd run_command(const ProcessSetup& setup, const control::Request& request, const control::Answers& answers,
                       control::Finished& finished);

}  // namespace atlas::node
