// What scenarios about the relay begin with: a bootstrap node, relays, and agents that use them, on a simulated
// network; and what they ask of these again and again. One thread, that of the simulation.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/fleet.h"

namespace atlas::sim {

class RelayedNodes {
 public:
  static constexpr base::MonoNs kLong = 60 * base::kSecond;

  // `links` are all links, until a scenario says otherwise.
  explicit RelayedNodes(std::uint64_t seed, const LinkPolicy& links = {});

  SimWorld& world() { return fleet_.world(); }
  Fleet& fleet() { return fleet_; }
  FleetNode& bootstrap() { return *bootstrap_; }
  base::MonoNs now() { return world().now(); }

  FleetNode& add_relay(const std::string& name) { return add_relay_at(world().add_node(name), name); }
  // Each of its addresses becomes a relay of the agents that are added later.
  FleetNode& add_relay_at(SimNode& machine, const std::string& name);
  FleetNode& add_agent(const std::string& name) { return add_agent_at(world().add_node(name), name); }
  // Behind a NAT of its own, at 30.0.0.x.
  FleetNode& add_agent(const std::string& name, NatPolicy policy);
  // In a home with a NAT of its own, which is behind the carrier's.
  FleetNode& add_agent_behind(Nat& carrier, const std::string& name, NatPolicy home);
  FleetNode& add_agent_at(SimNode& machine, const std::string& name);

  // A relay, and two agents that are announced there and cannot reach each other.
  struct Apart {
    FleetNode &relay, &alice, &bob;
  };
  Apart apart();
  // Asked every 10 ms of virtual time.
  bool eventually(const std::function<bool()>& done, base::MonoNs most = kLong);
  bool announced(FleetNode& relay, std::int64_t count, base::MonoNs most = kLong);
  std::int64_t announcements(FleetNode& relay);

  FleetNode::Outcome connect(FleetNode& from, FleetNode& to);
  // How the session of the one with the other runs, and why; "none" when there is none.
  std::string path(FleetNode& node, FleetNode& to);
  std::int64_t counter(FleetNode& node, const std::string& name) { return node.status(world())["counters"][name]; }
  std::int64_t metric(FleetNode& node, const std::string& name) { return node.status(world())["metrics"][name]; }

  // The text of a message is its body. Begins to send it.
  std::shared_ptr<const FleetNode::Outcome> begin_send(FleetNode& from, FleetNode& to, const std::string& text);
  // Sends it and waits; empty, or what went wrong.
  std::string send(FleetNode& from, FleetNode& to, const std::string& text);
  // The texts that `to` has of `from`, in the order in which they came.
  std::vector<std::string> inbox(FleetNode& to, FleetNode& from);
  // Of random letters and digits.
  std::string random_text(std::size_t size);

 private:
  Fleet fleet_;
  FleetNode* bootstrap_ = nullptr;
  std::vector<std::string> relays_;
  std::uint8_t nats_ = 0;
  SimRandom random_;
};

// The longest time in which no full datagram reached a node, from its making to its end: how long a transfer stood
// still.
class Standstill {
 public:
  Standstill(SimWorld& world, const SimNode& receiver);
  ~Standstill() { world_.on_passage({}); }
  base::MonoNs longest() const { return longest_; }
  // When a full datagram last came.
  base::MonoNs last() const { return last_; }

 private:
  static constexpr std::size_t kFull = 1000;  // bytes; acknowledgements and probes are smaller
  SimWorld& world_;
  base::MonoNs last_, longest_ = 0;
};

}  // namespace atlas::sim
