// Why two agents stay on the relay, as `net status` says it: to people in words, to programs with a code.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

constexpr NatPolicy kPortRestricted{.filter = NatPolicy::Filter::kAddressAndPort};
constexpr NatPolicy kSymmetric{.mapping = NatPolicy::Mapping::kPerDestination,
                               .filter = NatPolicy::Filter::kAddressAndPort};

class PathReason : public testing::Test, protected RelayedNodes {
 protected:
  PathReason() : RelayedNodes(47) {}

  std::string reason(FleetNode& node, FleetNode& to) {
    const auto status = node.status(world());
    for (const auto& one : status["paths"]) {
      if (one["node_id"] == to.node_id()) return one["reason"].is_null() ? "" : one["reason"].get<std::string>();
    }
    return "none";
  }
  // Alice and Bob behind such NATs, with a session that has looked for a direct path in vain.
  void meet(NatPolicy hers, NatPolicy his) {
    relay = &add_relay("relay");
    alice = &add_agent("alice", hers);
    bob = &add_agent("bob", his);
    ASSERT_TRUE(announced(*relay, 2));
    ASSERT_EQ(connect(*alice, *bob).exit_code, 0);
    ASSERT_TRUE(eventually([&] { return !reason(*alice, *bob).empty() && !reason(*bob, *alice).empty(); }));
  }

  FleetNode *relay = nullptr, *alice = nullptr, *bob = nullptr;
};

TEST_F(PathReason, SymmetricNatsOnBothSides) {
  meet(kSymmetric, kSymmetric);
  for (const auto& [one, other] : {std::pair(alice, bob), std::pair(bob, alice)}) {
    EXPECT_EQ(path(*one, *other), "relay (direct failed: symmetric NAT on both sides)");
    EXPECT_EQ(reason(*one, *other), "symmetric_both");
  }
  EXPECT_EQ(alice->status(world())["nat"]["mapping_v4"], "dependent");
  EXPECT_EQ(alice->status(world())["nat"]["behind_nat"], true);
}

TEST_F(PathReason, ASymmetricNatOnOneSideIsNamedByBoth) {
  meet(kSymmetric, kPortRestricted);
  EXPECT_EQ(path(*alice, *bob), "relay (direct failed: symmetric NAT here)");
  EXPECT_EQ(reason(*alice, *bob), "symmetric_here");
  EXPECT_EQ(path(*bob, *alice), "relay (direct failed: symmetric NAT there)");
  EXPECT_EQ(reason(*bob, *alice), "symmetric_there");
  EXPECT_EQ(bob->status(world())["nat"]["mapping_v4"], "same");
}

TEST_F(PathReason, WithoutNatsToBlameItIsTheSilence) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  ASSERT_TRUE(eventually([&] { return reason(alice, bob) == "no_answer"; }));
  EXPECT_EQ(path(alice, bob), "relay (direct failed: no answer from " + bob.address().text() + ")");
  EXPECT_TRUE(eventually([&] { return reason(bob, alice) == "peer_did_not_come"; })) << "he tries for longer";
  world().cut(alice.machine(), bob.machine(), false);
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "direct"; }));
  EXPECT_EQ(reason(alice, bob), "");
}

// A relay that the world reaches through a NAT only is of little use, and its operator is told.
TEST_F(PathReason, ARelayBehindANatIsWarnedOf) {
  Nat& nat = world().add_nat(*net::IpAddress::parse("30.0.0.99"), kPortRestricted);
  SimNode& machine = world().add_node("inside", {*net::IpAddress::parse("10.9.9.2")}, &nat);
  FleetNode& inside = fleet().add_at(machine, "inside", {"discovery", "relay"}, {bootstrap().address().text()});
  inside.config().transport.offer_relay = true;
  inside.start();
  ASSERT_TRUE(eventually([&] { return inside.status(world())["nat"]["behind_nat"] == true; }));
  const std::string warning = inside.status(world())["nat"]["warning"];
  EXPECT_NE(warning.find("transport.offer_relay is set, but this node is behind a NAT"), std::string::npos) << warning;
  EXPECT_NE(warning.find("30.0.0.99:"), std::string::npos) << warning;
  FleetNode& open = add_relay("open");
  world().run_for(base::kSecond);
  EXPECT_TRUE(open.status(world())["nat"]["warning"].is_null());
}

}  // namespace
}  // namespace atlas::sim
