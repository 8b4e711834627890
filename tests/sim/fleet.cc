#include "sim/fleet.h"

#include <stdlib.h>

#include <stdexcept>

#include "base/log.h"

namespace atlas::sim {

namespace {

// Collects what a command says.
class Collected final : public control::Call {
 public:
  explicit Collected(std::shared_ptr<FleetNode::Outcome> out) : out_(std::move(out)) {}
  bool row(std::string_view json) override {
    out_->rows.push_back(nlohmann::json::parse(json));
    return true;
  }
  bool progress(std::string_view) override { return true; }
  bool result(std::string_view json) override {
    out_->result = nlohmann::json::parse(json);
    return true;
  }
  bool finish(int exit_code, std::string_view error) override {
    out_->exit_code = exit_code;
    out_->error = error;
    return true;
  }
  void on_gone(std::function<void()>) override {}

 private:
  std::shared_ptr<FleetNode::Outcome> out_;
};

}  // namespace

FleetNode::FleetNode(SimNode& machine, std::filesystem::path home, config::Config config)
    : machine_(machine), home_(std::move(home)), config_(std::move(config)) {
  std::filesystem::create_directories(home_);
  key_ = std::make_shared<const identity::NodeKey>(identity::NodeKey::generate(machine_.random()));
}

FleetNode::~FleetNode() {
  kill();
}

void FleetNode::start() {
  machine_.set_up(true);
  node::NodeSetup setup;
  setup.version = "0.0.0-test";
  setup.config = config_;
  setup.key = key_;
  setup.database = home_ / "peers.db";
  setup.plugin_dirs = {std::filesystem::path(ATLAS_BUILD_DIR) / "plugins"};
  setup.linked = linked;
  setup.environment = {&machine_.loop(), &machine_.clock(), &machine_.random(), &machine_.executor(),
                       &machine_.executor()};
  auto made = node::Node::make(std::move(setup));
  std::string problems = made.error;
  for (const auto& problem : made.problems) problems += "\n" + problem.to_string();
  if (!made.node) throw std::runtime_error(machine_.name() + " does not start: " + problems);
  node_ = std::move(made.node);
  if (const auto started = node_->start(); !started) throw std::runtime_error(started.error().text);
}

void FleetNode::stop(SimWorld& world) {
  if (!node_) return;
  bool over = false;
  node_->begin_stop([&over] { over = true; });
  if (!world.run_until([&over] { return over; }, 30 * base::kSecond)) throw std::runtime_error("a node did not stop");
  node_.reset();
}

void FleetNode::kill() {
  if (!node_) return;
  machine_.crash();
  node_.reset();
}

std::shared_ptr<const FleetNode::Outcome> FleetNode::begin(const std::string& path,
                                                           std::map<std::string, std::string> args) {
  auto out = std::make_shared<Outcome>();
  node_->handle({path, std::move(args)}, std::make_shared<Collected>(out));
  return out;
}

FleetNode::Outcome FleetNode::run(SimWorld& world, const std::string& path, std::map<std::string, std::string> args) {
  const auto out = begin(path, std::move(args));
  world.run_until([&out] { return out->exit_code >= 0; }, 300 * base::kSecond);
  return *out;
}

Fleet::Fleet(std::uint64_t seed) : world_(seed) {
  base::configure_log(base::Level::kOff, base::LogFormat::kText);  // fifty nodes have much to say
  std::string pattern = (std::filesystem::temp_directory_path() / "atlas-fleet.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  home_ = pattern;
}

Fleet::~Fleet() {
  nodes_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(home_, ignored);
}

FleetNode& Fleet::add(const std::string& name, const std::vector<std::string>& roles,
                      const std::vector<std::string>& bootstrap) {
  return add_at(world_.add_node(name), name, roles, bootstrap);
}

FleetNode& Fleet::add_behind(Nat& nat, const std::string& name, const std::vector<std::string>& roles,
                             const std::vector<std::string>& bootstrap) {
  const auto number = static_cast<std::uint8_t>(nodes_.size() + 2);
  return add_at(world_.add_node(name, {net::IpAddress::v4({10, 0, 0, number})}, &nat), name, roles, bootstrap);
}

FleetNode& Fleet::add_at(SimNode& machine, const std::string& name, const std::vector<std::string>& roles,
                         const std::vector<std::string>& bootstrap) {
  config::Config config;
  config.identity.name = name;
  config.network.port = FleetNode::kPort;
  config.network.bind.clear();
  for (const auto& ip : machine.loop().addresses()) config.network.bind.push_back(ip.text());
  config.network.bootstrap = bootstrap;
  config.plugins.enabled = roles;
  nodes_.push_back(std::make_unique<FleetNode>(machine, home_ / name, std::move(config)));
  return *nodes_.back();
}

}  // namespace atlas::sim
