// Whole nodes on a simulated network: real QUIC, real TLS, the roles' real shared objects, one thread, virtual time.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "identity/node_key.h"
#include "node/node.h"
#include "sim/sim_world.h"

namespace atlas::sim {

// One node of a fleet: where it runs, what it is, and the node itself while it is up.
class FleetNode {
 public:
  FleetNode(SimNode& machine, std::filesystem::path home, config::Config config);
  ~FleetNode();

  // Builds the node and starts it; throws with every problem when it cannot.
  void start();
  // A clean stop, driven by the world until it is over.
  void stop(SimWorld& world);
  // The process dies: nothing is said to anybody; what is on disk stays.
  void kill();

  bool is_up() const { return node_ != nullptr; }
  node::Node& node() { return *node_; }
  // What `status` says now, without virtual time going on by more than a turn.
  nlohmann::json status(SimWorld& world) { return run(world, "status").result; }
  SimNode& machine() { return machine_; }
  config::Config& config() { return config_; }
  // Roles that are part of the test; before start().
  std::vector<const ::atlas_plugin*> linked;
  const std::string& node_id() const { return key_->node_id(); }
  const identity::NodeKey& key() const { return *key_; }
  net::SocketAddress address() const { return machine_.at(kPort); }

  struct Outcome {
    int exit_code = -1;  // until the command has ended
    std::string error;
    nlohmann::json result;
    std::vector<nlohmann::json> rows;
  };
  // Begins a command; the outcome fills as the world goes on.
  std::shared_ptr<const Outcome> begin(const std::string& path, std::map<std::string, std::string> args = {});
  // Runs a command to its end: virtual time goes on.
  Outcome run(SimWorld& world, const std::string& path, std::map<std::string, std::string> args = {});

  static constexpr std::uint16_t kPort = 4433;

 private:
  SimNode& machine_;
  const std::filesystem::path home_;
  config::Config config_;
  std::shared_ptr<const identity::NodeKey> key_;
  std::unique_ptr<node::Node> node_;
};

// A temporary directory for the databases, the world, and the nodes in it.
class Fleet {
 public:
  explicit Fleet(std::uint64_t seed);
  ~Fleet();

  SimWorld& world() { return world_; }
  FleetNode& add(const std::string& name, const std::vector<std::string>& roles,
                 const std::vector<std::string>& bootstrap = {});
  // With a private address, behind that NAT.
  FleetNode& add_behind(Nat& nat, const std::string& name, const std::vector<std::string>& roles,
                        const std::vector<std::string>& bootstrap = {});
  // On a machine of the world that was made for it.
  FleetNode& add_at(SimNode& machine, const std::string& name, const std::vector<std::string>& roles,
                    const std::vector<std::string>& bootstrap = {});
  FleetNode& operator[](std::size_t index) { return *nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }

 private:
  std::filesystem::path home_;
  SimWorld world_;
  std::vector<std::unique_ptr<FleetNode>> nodes_;
};

}  // namespace atlas::sim
