// Whole nodes that cannot reach each other meet through a relay: behind NATs of every kind, over lossy links, and when
// relays come and go.
#include <gtest/gtest.h>

#include "sim/fleet.h"

namespace atlas::sim {
namespace {

const std::vector<std::string> kAgentRoles = {"discovery", "keepalive", "messaging", "relay"};

class Relayed : public testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 60 * base::kSecond;

  Relayed() : fleet(31) { bootstrap = &start(fleet.add("bootstrap", {"bootstrap", "keepalive"})); }

  FleetNode& start(FleetNode& node) {
    node.start();
    return node;
  }
  FleetNode& add_relay(const std::string& name) {
    FleetNode& node = fleet.add(name, {"keepalive", "relay"});
    node.config().transport.enable_relay = node.config().transport.offer_relay = true;
    node.config().transport.relay_bandwidth_limit = 0;
    relays.push_back(node.address().text());
    return start(node);
  }
  FleetNode& start_agent(FleetNode& node) {
    node.config().transport.enable_relay = true;
    node.config().network.relays = relays;
    return start(node);
  }
  FleetNode& add_agent(const std::string& name) {
    return start_agent(fleet.add(name, kAgentRoles, {bootstrap->address().text()}));
  }
  FleetNode& add_agent(const std::string& name, NatPolicy policy) {
    Nat& nat = fleet.world().add_nat(net::IpAddress::v4({30, 0, 0, ++nats}), policy);
    return start_agent(fleet.add_behind(nat, name, kAgentRoles, {bootstrap->address().text()}));
  }
  // A relay, and two agents that are announced there and cannot reach each other.
  struct Apart {
    FleetNode &relay, &alice, &bob;
  };
  Apart apart() {
    Apart out{add_relay("relay"), add_agent("alice"), add_agent("bob")};
    fleet.world().cut(out.alice.machine(), out.bob.machine());
    EXPECT_TRUE(announced(out.relay, 2));
    return out;
  }
  bool announced(FleetNode& relay, std::int64_t count) {
    return fleet.world().run_until([&] { return relay.is_up() && announcements(relay) == count; }, kLong);
  }
  std::int64_t announcements(FleetNode& relay) {
    return relay.run(fleet.world(), "relay status").result.value("announced", std::int64_t{-1});
  }
  FleetNode::Outcome connect(FleetNode& from, FleetNode& to) {
    static_cast<void>(from.run(fleet.world(), "discover"));
    return from.run(fleet.world(), "connect", {{"target", to.node_id()}});
  }
  // How the session with that peer runs, and why.
  std::string path(FleetNode& node, FleetNode& to) {
    const auto peers = node.run(fleet.world(), "status").result;
    for (const auto& one : peers["paths"]) {
      if (one["node_id"] == to.node_id()) return one["path"];
    }
    return node.run(fleet.world(), "connect", {{"target", to.node_id()}}).result.value("path", "none");
  }
  void exchange(FleetNode& from, FleetNode& to) {
    const auto sent = from.run(fleet.world(), "send", {{"target", to.node_id()}, {"body", R"({"text":"hello"})"}});
    ASSERT_EQ(sent.exit_code, 0) << sent.error;
    EXPECT_EQ(sent.result["status"], "received");
  }

  Fleet fleet;
  FleetNode* bootstrap = nullptr;
  std::vector<std::string> relays;
  std::uint8_t nats = 0;
};

TEST_F(Relayed, AgentsThatCannotReachEachOtherMeet) {
  auto [relay, alice, bob] = apart();
  const auto met = connect(alice, bob);
  ASSERT_EQ(met.exit_code, 0) << met.error;
  EXPECT_EQ(met.result["path"], "relay");
  EXPECT_EQ(met.result["trust_level"], "relay");
  EXPECT_EQ(path(alice, bob), "relay (looking for a direct path)");
  EXPECT_EQ(met.result["node_id"], bob.node_id());
  exchange(alice, bob);
  exchange(bob, alice);
  const auto status = relay.run(fleet.world(), "relay status").result;
  ASSERT_EQ(status["sessions"].size(), 1u);
  // What the relay saw is not what the agents hold: its address never becomes the peer's.
  for (const auto& peer : alice.run(fleet.world(), "peers").result) {
    if (peer["node_id"] == bob.node_id()) {
      EXPECT_EQ(peer["address"], bob.address().text());
    }
  }
}

TEST_F(Relayed, ADirectPathIsTakenWhenThereIsOne) {
  FleetNode& relay = add_relay("relay");
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  ASSERT_TRUE(announced(relay, 2));
  const auto met = connect(alice, bob);
  ASSERT_EQ(met.exit_code, 0) << met.error;
  EXPECT_EQ(met.result["path"], "direct");
}

// Which pairs find a direct path: all but those where the one side's port for the other cannot be known and the other
// side lets nobody else in (RFC 5128, section 3.3.5).
TEST_F(Relayed, EveryPairOfNatsConnectsAndFindsTheDirectPathThereIs) {
  using Policy = NatPolicy;
  const std::pair<const char*, Policy> kKinds[] = {
      {"full cone", {.filter = Policy::Filter::kNone}},
      {"restricted", {.filter = Policy::Filter::kAddress}},
      {"port-restricted", {.filter = Policy::Filter::kAddressAndPort}},
      {"symmetric", {.mapping = Policy::Mapping::kPerDestination, .filter = Policy::Filter::kAddressAndPort}},
  };
  constexpr std::size_t kPortRestricted = 2, kSymmetric = 3;
  FleetNode& relay = add_relay("relay");
  std::vector<FleetNode*> here, there;
  for (const auto& [name, policy] : kKinds) {
    here.push_back(&add_agent(std::string(name) + " a", policy));
    there.push_back(&add_agent(std::string(name) + " b", policy));
  }
  ASSERT_TRUE(announced(relay, 8));
  for (std::size_t i = 0; i < here.size(); ++i) {
    for (std::size_t k = 0; k < there.size(); ++k) {
      SCOPED_TRACE(std::string(kKinds[i].first) + " to " + kKinds[k].first);
      const auto met = connect(*here[i], *there[k]);
      EXPECT_EQ(met.exit_code, 0) << met.error;
      if (met.exit_code != 0) continue;
      exchange(*here[i], *there[k]);
      const bool possible = !(i == kSymmetric && k >= kPortRestricted) && !(k == kSymmetric && i >= kPortRestricted);
      const bool direct = fleet.world().run_until([&] { return path(*here[i], *there[k]) == "direct"; }, kLong / 6);
      EXPECT_EQ(direct, possible) << path(*here[i], *there[k]);
      exchange(*there[k], *here[i]);
    }
  }
}

TEST_F(Relayed, LossReorderingAndRepeatsAreNoMoreThanThat) {
  auto [relay, alice, bob] = apart();
  for (const double loss : {0.0, 0.05, 0.2}) {
    fleet.world().set_default_link({.drop = loss, .duplicate = 0.05, .reorder = 0.1});
    const auto met = connect(alice, bob);
    ASSERT_EQ(met.exit_code, 0) << loss << ": " << met.error;
    exchange(alice, bob);
  }
}

TEST_F(Relayed, MovesToADirectPathWhenThereIsOneAndBackWhenItDies) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  fleet.world().run_for(10 * base::kSecond);
  EXPECT_EQ(path(alice, bob).substr(0, 36), "relay (direct failed: no answer from");
  fleet.world().cut(alice.machine(), bob.machine(), false);
  EXPECT_TRUE(fleet.world().run_until([&] { return path(alice, bob) == "direct"; }, kLong));
  EXPECT_TRUE(fleet.world().run_until([&] { return path(bob, alice) == "direct"; }, base::kSecond));
  exchange(alice, bob);
  fleet.world().cut(alice.machine(), bob.machine());
  EXPECT_TRUE(fleet.world().run_until(
      [&] { return path(alice, bob) == "relay (direct failed: the direct path went silent)"; }, kLong / 3));
  exchange(alice, bob);
  exchange(bob, alice);
}

TEST_F(Relayed, AnUnknownTargetIsNotReached) {
  FleetNode& relay = add_relay("relay");
  FleetNode& alice = add_agent("alice");
  ASSERT_TRUE(announced(relay, 1));
  const auto met = alice.run(fleet.world(), "connect", {{"target", "atlas_" + std::string(64, 'a')}});
  EXPECT_EQ(met.exit_code, 4);
}

TEST_F(Relayed, ARestartedRelayIsUsedAgain) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  relay.kill();
  relay.start();
  ASSERT_TRUE(fleet.world().run_until([&] { return announcements(relay) == 2; }, 2 * base::kSecond));
  const auto again = connect(alice, bob);
  ASSERT_EQ(again.exit_code, 0) << again.error;
  exchange(alice, bob);
}

TEST_F(Relayed, ASecondRelayTakesOver) {
  FleetNode& first = add_relay("first");
  FleetNode& second = add_relay("second");
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  fleet.world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(first, 2));
  ASSERT_TRUE(announced(second, 2));
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  first.stop(fleet.world());
  const base::MonoNs began = fleet.world().now();
  const auto again = connect(alice, bob);
  ASSERT_EQ(again.exit_code, 0) << again.error;
  EXPECT_EQ(again.result["path"], "relay");
  EXPECT_LE(fleet.world().now() - began, base::kSecond);
}

TEST_F(Relayed, SlotsReturnWithTheSession) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  bob.stop(fleet.world());
  EXPECT_TRUE(fleet.world().run_until(
      [&] { return relay.run(fleet.world(), "relay status").result["sessions"].empty(); }, base::kSecond));
}

}  // namespace
}  // namespace atlas::sim
