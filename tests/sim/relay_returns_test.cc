// What becomes of a session that began through a relay when its routes, its relay or the other agent go away: it is
// kept where it can be, and ends at once where it cannot, so that the next request makes a new one.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

using base::kSecond;

class RelayReturns : public testing::Test, protected RelayedNodes {
 protected:
  RelayReturns() : RelayedNodes(53) {}

  std::size_t pairs(FleetNode& relay) { return relay.run(world(), "relay status").result["sessions"].size(); }
  // Until a message of the one has arrived at the other; each try has its own end.
  base::MonoNs until_sent(FleetNode& from, FleetNode& to, const std::string& text) {
    const base::MonoNs began = now();
    EXPECT_EQ(send(from, to, text), "");
    return now() - began;
  }
};

TEST_F(RelayReturns, TheRoutesOfADirectSessionAreKept) {
  FleetNode& relay = add_relay("relay");
  relay.stop(world());
  relay.config().transport.idle_timeout_s = 90;  // agents ping their relay each minute
  relay.start();
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(relay, 2));
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  world().cut(alice.machine(), bob.machine(), false);
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "direct"; }));
  world().run_for(400 * kSecond);
  EXPECT_EQ(pairs(relay), 1u);
  const auto opened = counter(alice, "sessions_opened");
  world().cut(alice.machine(), bob.machine());
  EXPECT_LE(until_sent(bob, alice, "by the relay again"), 5 * kSecond);
  EXPECT_EQ(path(alice, bob).substr(0, 5), "relay");
  EXPECT_EQ(counter(alice, "sessions_opened"), opened) << "it is the same session";
}

// The relay's word ends the session here; without it the next pings would, after minutes.
TEST_F(RelayReturns, AnAgentThatWasRestartedIsReachedAgainAtOnce) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  world().run_for(10 * kSecond);
  bob.kill();
  world().run_for(kSecond);
  bob.start();
  const base::MonoNs began = now();
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "none"; }, 2 * kSecond));
  EXPECT_LE(now() - began, kSecond);
  EXPECT_LE(until_sent(alice, bob, "there you are"), kSecond);
  EXPECT_LE(now() - began, 1500 * base::kMillisecond);
}

TEST_F(RelayReturns, ADirectSessionWithAnAgentThatWasRestartedEndsSoon) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  world().cut(alice.machine(), bob.machine(), false);
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "direct"; }));
  bob.kill();
  bob.start();
  const base::MonoNs began = now();
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "none"; }, 5 * kSecond));
  EXPECT_LE(now() - began, 3 * kSecond);
  EXPECT_EQ(send(alice, bob, "there you are"), "");
}

// A direct session does not need the relay, only the way back does: where that is gone the session ends at once.
TEST_F(RelayReturns, ADirectSessionOutlivesItsPair) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  world().cut(alice.machine(), bob.machine(), false);
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "direct" && path(bob, alice) == "direct"; }));
  const auto opened = counter(alice, "sessions_opened");
  relay.kill();
  relay.start();
  ASSERT_TRUE(announced(relay, 2, 3 * kSecond));
  world().run_for(10 * kSecond);
  EXPECT_EQ(path(alice, bob), "direct");
  EXPECT_EQ(send(alice, bob, "still here"), "");
  EXPECT_LE(counter(alice, "sessions_opened"), opened + 1) << "with the relay, not with Bob";
  world().cut(alice.machine(), bob.machine());
  const auto lost = begin_send(alice, bob, "is anybody there?");
  EXPECT_TRUE(eventually([&] { return path(alice, bob) == "none"; }, 2 * kSecond));
  EXPECT_EQ(connect(alice, bob).result["path"], "relay");
}

// Its address is the one that the operator configured, but behind it is anybody.
TEST_F(RelayReturns, WhoIsMetThroughABootstrapNodesRelayIsNoBootstrapNode) {
  FleetNode& both = fleet().add("both", {"bootstrap", "keepalive", "relay"});
  both.config().transport.enable_relay = both.config().transport.offer_relay = true;
  both.start();
  const auto add = [&](const std::string& name) -> FleetNode& {
    FleetNode& node = fleet().add(name, {"discovery", "keepalive", "messaging", "relay"}, {both.address().text()});
    node.config().transport.enable_relay = true;
    node.config().network.relays = {both.address().text()};
    node.start();
    return node;
  };
  FleetNode& alice = add("alice");
  FleetNode& bob = add("bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(both, 2));
  EXPECT_EQ(connect(alice, bob).result["trust_level"], "relay");
  world().cut(alice.machine(), bob.machine(), false);
  ASSERT_TRUE(eventually([&] { return path(alice, bob) == "direct"; }));
  EXPECT_EQ(connect(alice, bob).result["trust_level"], "unknown");
}

// A35: an offer that has expired is not used; one that a wrong clock makes look so is, within what a handshake allows.
TEST_F(RelayReturns, APathThatHasExpiredIsNotDialled) {
  auto [relay, alice, bob] = apart();
  alice.machine().clock().jump(3'600'000);
  const auto late = connect(alice, bob);
  EXPECT_EQ(late.exit_code, 4);
  EXPECT_NE(late.error.find("the path that it offers has expired"), std::string::npos) << late.error;
  alice.machine().clock().jump(-3'600'000 +
                               250'000);  // longer than the relay's idle limit, but no more than clocks differ
  EXPECT_EQ(connect(alice, bob).exit_code, 0);
  EXPECT_EQ(send(alice, bob, "renewed"), "");
}

TEST_F(RelayReturns, AnAgentIsNotExpectedOnAPathThatHasExpired) {
  auto [relay, alice, bob] = apart();
  bob.machine().clock().jump(3'600'000);
  EXPECT_EQ(connect(alice, bob).exit_code, 4) << "not 5: the clocks are never compared";
  bob.machine().clock().jump(-3'600'000);
  EXPECT_EQ(connect(alice, bob).exit_code, 0);
}

// F1.
TEST_F(RelayReturns, ARelayedPairPassesTrafficWithinASecondOfTheRelaysRestart) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  for (int i = 0; i < 3; ++i) {
    world().run_for(40 * kSecond);
    relay.kill();
    world().run_for(kSecond);
    relay.start();
    const base::MonoNs began = now();
    ASSERT_TRUE(eventually([&] { return path(alice, bob) == "none"; }, kSecond)) << "told of the restart";
    EXPECT_EQ(send(alice, bob, "again"), "");
    EXPECT_LE(now() - began, kSecond) << i;
  }
}

}  // namespace
}  // namespace atlas::sim
