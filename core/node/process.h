// A node as a process: its loop thread (the caller's), strand and writer threads, the lock that keeps a second daemon
// out of the same root, the control socket, signals. For the `atlas` program only.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
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
  std::filesystem::path crashes;   // state/crashes
  static Paths below(const std::filesystem::path& root);
};

struct ProcessSetup {
  Paths paths;
  config::Config config;
  std::string version;
  std::vector<std::filesystem::path> plugin_dirs;
  // Told once, on the caller's thread, before a wait for the root's lock: for people.
  std::function<void(std::string_view text)> note = {};
  bool safe_mode = false;                          // only the roles that come with atlas, from where it was installed
  std::vector<const ::atlas_plugin*> linked = {};  // roles that are part of this program, besides config's
};

// The enabled roles that are not to be started now: those that crashed the node again and again, says the record, and
// in safe mode whatever does not come with atlas.
std::map<std::string, host::LeftOut> left_out(const config::Config& config, const std::filesystem::path& crashes,
                                              std::int64_t now, bool safe_mode);

// Why a process ended or did not begin; the `atlas` program maps it to its exit codes.
struct ProcessEnd {
  enum class Why { kStopped, kConfig, kAlreadyRunning, kPortTaken, kNoIdentity, kFailed } why = Why::kStopped;
  std::string error;
  std::vector<config::Problem> problems;
};

// Called once, when the node accepts connections and its roles have started, or have not within 5 s; an error ends it
// again, with that text.
using ReadyCallback =
    std::function<base::Result<void>(const std::vector<net::SocketAddress>& addresses, const std::string& node_id)>;

// Runs a daemon until SIGINT, SIGTERM or SIGHUP, except a SIGHUP that is ignored at the start, as nohup does it. A
// second SIGINT or SIGTERM ends the process at once, with exit code 128 + its number. A stop that a role does not let
// end within 10 s ends the process with exit code 1, after the goodbyes to all peers and a flush of the database. All
// of this holds for run_command() too; there a signal is the command's exit code.
ProcessEnd run_daemon(const ProcessSetup& setup, const ReadyCallback& ready);

// Runs one command inside this process, over a node that only dials and ends with the command.
ProcessEnd run_command(const ProcessSetup& setup, const control::Request& request, const control::Answers& answers,
                       control::Finished& finished);

}  // namespace atlas::node
