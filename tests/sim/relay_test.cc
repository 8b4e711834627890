// Whole nodes that cannot reach each other meet through a relay: behind NATs of every kind, over lossy links, and when
// relays come and go.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

class Relayed : public testing::Test, protected RelayedNodes {
 protected:
  Relayed() : RelayedNodes(31) {}

  void exchange(FleetNode& from, FleetNode& to) { EXPECT_EQ(send(from, to, "hello"), ""); }
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
  const auto status = relay.run(world(), "relay status").result;
  ASSERT_EQ(status["sessions"].size(), 1u);
  // What the relay saw is not what the agents hold: its address never becomes the peer's.
  for (const auto& peer : alice.run(world(), "peers").result) {
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
      const bool direct = eventually([&] { return path(*here[i], *there[k]) == "direct"; }, kLong / 6);
      EXPECT_EQ(direct, possible) << path(*here[i], *there[k]);
      exchange(*there[k], *here[i]);
    }
  }
}

TEST_F(Relayed, LossReorderingAndRepeatsAreNoMoreThanThat) {
  auto [relay, alice, bob] = apart();
  for (const double loss : {0.0, 0.05, 0.2}) {
    world().set_default_link({.drop = loss, .duplicate = 0.05, .reorder = 0.1});
    const auto met = connect(alice, bob);
    ASSERT_EQ(met.exit_code, 0) << loss << ": " << met.error;
    exchange(alice, bob);
  }
}

TEST_F(Relayed, MovesToADirectPathWhenThereIsOneAndBackWhenItDies) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  world().run_for(10 * base::kSecond);
  EXPECT_EQ(path(alice, bob).substr(0, 36), "relay (direct failed: no answer from");
  world().cut(alice.machine(), bob.machine(), false);
  EXPECT_TRUE(eventually([&] { return path(alice, bob) == "direct"; }, kLong));
  EXPECT_TRUE(eventually([&] { return path(bob, alice) == "direct"; }, base::kSecond));
  exchange(alice, bob);
  world().cut(alice.machine(), bob.machine());
  EXPECT_TRUE(
      eventually([&] { return path(alice, bob) == "relay (direct failed: the direct path went silent)"; }, kLong / 3));
  exchange(alice, bob);
  exchange(bob, alice);
}

TEST_F(Relayed, AnUnknownTargetIsNotReached) {
  FleetNode& relay = add_relay("relay");
  FleetNode& alice = add_agent("alice");
  ASSERT_TRUE(announced(relay, 1));
  const auto met = alice.run(world(), "connect", {{"target", "atlas_" + std::string(64, 'a')}});
  EXPECT_EQ(met.exit_code, 4);
}

TEST_F(Relayed, ARestartedRelayIsUsedAgain) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  relay.kill();
  relay.start();
  ASSERT_TRUE(announced(relay, 2, 2 * base::kSecond));
  const auto again = connect(alice, bob);
  ASSERT_EQ(again.exit_code, 0) << again.error;
  exchange(alice, bob);
}

TEST_F(Relayed, ASecondRelayTakesOver) {
  FleetNode& first = add_relay("first");
  FleetNode& second = add_relay("second");
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(first, 2));
  ASSERT_TRUE(announced(second, 2));
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  first.stop(world());
  const base::MonoNs began = world().now();
  const auto again = connect(alice, bob);
  ASSERT_EQ(again.exit_code, 0) << again.error;
  EXPECT_EQ(again.result["path"], "relay");
  EXPECT_LE(world().now() - began, base::kSecond);
}

TEST_F(Relayed, SlotsReturnWithTheSession) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  bob.stop(world());
  EXPECT_TRUE(eventually([&] { return relay.run(world(), "relay status").result["sessions"].empty(); }, base::kSecond));
}

}  // namespace
}  // namespace atlas::sim
