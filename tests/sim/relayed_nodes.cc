#include "sim/relayed_nodes.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace atlas::sim {
namespace {

const std::vector<std::string> kAgentRoles = {"discovery", "keepalive", "messaging", "relay"};

}  // namespace

RelayedNodes::RelayedNodes(std::uint64_t seed, const LinkPolicy& links) : fleet_(seed), random_(seed) {
  world().set_default_link(links);
  const auto number = [](std::uint8_t last) { return std::array<std::uint8_t, 4>{20, 200, 0, last}; };
  std::array<std::uint8_t, 16> six{0x26, 0x00};
  six[15] = 1;
  SimNode& machine = world().add_node("bootstrap", {net::IpAddress::v4(number(1)), net::IpAddress::v6(six)});
  bootstrap_ = &fleet_.add_at(machine, "bootstrap", {"bootstrap", "keepalive"});
  bootstrap_->start();
}

FleetNode& RelayedNodes::add_relay_at(SimNode& machine, const std::string& name) {
  FleetNode& node = fleet_.add_at(machine, name, {"keepalive", "relay"});
  node.config().transport.enable_relay = node.config().transport.offer_relay = true;
  node.config().transport.relay_bandwidth_limit = 0;
  for (const auto& ip : machine.loop().addresses()) {
    relays_.push_back(net::SocketAddress{ip, FleetNode::kPort}.text());
  }
  node.start();
  return node;
}

FleetNode& RelayedNodes::add_agent_at(SimNode& machine, const std::string& name) {
  // Of the addresses of a node with both families, an agent takes the one of its own.
  const auto reachable = [&](const std::string& text) {
    const auto parsed = net::SocketAddress::parse(text);
    return std::ranges::any_of(machine.loop().addresses(),
                               [&](const auto& own) { return own.family() == parsed->ip.family(); });
  };
  std::vector<std::string> bootstraps, relays;
  for (const auto& ip : bootstrap_->machine().loop().addresses()) {
    const std::string text = net::SocketAddress{ip, FleetNode::kPort}.text();
    if (reachable(text)) bootstraps.push_back(text);
  }
  std::ranges::copy_if(relays_, std::back_inserter(relays), reachable);
  FleetNode& node = fleet_.add_at(machine, name, kAgentRoles, bootstraps);
  node.config().transport.enable_relay = true;
  node.config().network.relays = relays;
  node.start();
  return node;
}

FleetNode& RelayedNodes::add_agent(const std::string& name, NatPolicy policy) {
  Nat& nat = world().add_nat(net::IpAddress::v4({30, 0, 0, ++nats_}), policy);
  return add_agent_at(world().add_node(name, {net::IpAddress::v4({10, 0, nats_, 2})}, &nat), name);
}

FleetNode& RelayedNodes::add_agent_behind(Nat& carrier, const std::string& name, NatPolicy home) {
  Nat& nat = world().add_nat(net::IpAddress::v4({100, 64, 0, ++nats_}), home, &carrier);
  return add_agent_at(world().add_node(name, {net::IpAddress::v4({10, 0, nats_, 2})}, &nat), name);
}

RelayedNodes::Apart RelayedNodes::apart() {
  Apart out{add_relay("relay"), add_agent("alice"), add_agent("bob")};
  world().cut(out.alice.machine(), out.bob.machine());
  if (!announced(out.relay, 2)) throw std::runtime_error("two agents did not announce themselves");
  return out;
}

bool RelayedNodes::eventually(const std::function<bool()>& done, base::MonoNs most) {
  const base::MonoNs end = base::after(now(), most);
  while (!done()) {
    if (now() >= end) return false;
    world().run_for(10 * base::kMillisecond);
  }
  return true;
}

bool RelayedNodes::announced(FleetNode& relay, std::int64_t count, base::MonoNs most) {
  return eventually([&] { return relay.is_up() && announcements(relay) == count; }, most);
}

std::int64_t RelayedNodes::announcements(FleetNode& relay) {
  return relay.run(world(), "relay status").result.value("announced", std::int64_t{-1});
}

FleetNode::Outcome RelayedNodes::connect(FleetNode& from, FleetNode& to) {
  static_cast<void>(from.run(world(), "discover"));
  return from.run(world(), "connect", {{"target", to.node_id()}});
}

std::string RelayedNodes::path(FleetNode& node, FleetNode& to) {
  const auto status = node.status(world());
  for (const auto& one : status["paths"]) {
    if (one["node_id"] == to.node_id()) return one["path"];
  }
  for (const auto& peer : node.run(world(), "peers").result) {
    if (peer["node_id"] == to.node_id() && peer["connected"] == true) return "direct";
  }
  return "none";
}

std::shared_ptr<const FleetNode::Outcome> RelayedNodes::begin_send(FleetNode& from, FleetNode& to,
                                                                   const std::string& text) {
  return from.begin("send", {{"target", to.node_id()}, {"body", nlohmann::json(text).dump()}});
}

std::string RelayedNodes::send(FleetNode& from, FleetNode& to, const std::string& text) {
  const auto sent = begin_send(from, to, text);
  if (!eventually([&] { return sent->exit_code >= 0; }, 300 * base::kSecond)) return "it never ended";
  if (sent->exit_code != 0) return sent->error;
  return sent->result["status"] == "received" ? "" : sent->result.dump();
}

std::vector<std::string> RelayedNodes::inbox(FleetNode& to, FleetNode& from) {
  std::vector<std::string> out;
  for (const auto& row : to.run(world(), "inbox", {{"--from", from.node_id()}, {"--limit", "1000"}}).result) {
    out.push_back(row["body"].is_string() ? row["body"].get<std::string>() : row["body"].dump());
  }
  return out;
}

std::string RelayedNodes::random_text(std::size_t size) {
  static constexpr std::string_view kSigns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out(size, ' ');
  for (char& sign : out) sign = kSigns[random_.below(kSigns.size())];
  return out;
}

Standstill::Standstill(SimWorld& world, const SimNode& receiver) : world_(world), last_(world.now()) {
  world_.on_passage([this, to = &receiver](const Passage& passage) {
    if (passage.to != to || passage.fate != Fate::kDelivered || passage.bytes < kFull) return;
    longest_ = std::max(longest_, passage.when - last_);
    last_ = passage.when;
  });
}

}  // namespace atlas::sim
