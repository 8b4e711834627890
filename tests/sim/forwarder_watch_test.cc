// The sessions with relays, which carry nothing themselves while others run through them: they are kept alive through
// NATs, and a relay that has died is left while another one answers.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

class ForwarderWatch : public testing::Test, protected RelayedNodes {
 protected:
  ForwarderWatch() : RelayedNodes(11) {}
  ~ForwarderWatch() override { world().on_passage({}); }

  // The longest time without a datagram from the one to the other, in `span` from now.
  base::MonoNs longest_silence(const FleetNode& from, const FleetNode& to, base::MonoNs span) {
    base::MonoNs last = now(), longest = 0;
    world().on_passage([&](const Passage& passage) {
      if (passage.from != &from_machine(from) || passage.to != &from_machine(to)) return;
      longest = std::max(longest, passage.when - last);
      last = passage.when;
    });
    world().run_for(span);
    world().on_passage({});
    return std::max(longest, now() - last);
  }
  static SimNode& from_machine(const FleetNode& node) { return const_cast<FleetNode&>(node).machine(); }
};

// Many NATs forget a young mapping after 30 s; whoever is announced at a relay must be reachable after an hour.
TEST_F(ForwarderWatch, AnIdleSessionWithARelaySpeaksOftenEnoughForANat) {
  FleetNode& relay = add_relay("relay");
  FleetNode& alice = add_agent("alice", NatPolicy{});
  ASSERT_TRUE(announced(relay, 1));
  world().run_for(5 * base::kSecond);
  EXPECT_LE(longest_silence(alice, relay, 300 * base::kSecond), 16 * base::kSecond);
}

TEST_F(ForwarderWatch, ADeadRelayIsLeftWhileAnotherAnswers) {
  FleetNode& first = add_relay("first");
  FleetNode& second = add_relay("second");
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(first, 2));
  ASSERT_TRUE(announced(second, 2));
  static_cast<void>(alice.run(world(), "discover"));
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  ASSERT_EQ(send(alice, bob, "before"), "");
  // Whichever carries them.
  FleetNode& used = metric(first, "atlas_relay_sessions") > 0 ? first : second;
  used.kill();
  const base::MonoNs killed = now();
  // The attempt at hand ends with the session; the next one goes another way.
  int attempts = 1;
  while (send(alice, bob, "after") != "" && ++attempts < 20) world().run_for(10 * base::kMillisecond);
  EXPECT_LE(now() - killed, 4 * base::kSecond);
  EXPECT_EQ(inbox(bob, alice).back(), "after");
}

// With no other relay it may be this node that is cut off: to give the session up would win nothing.
TEST_F(ForwarderWatch, TheOnlyRelayIsNotGivenUp) {
  auto [relay, alice, bob] = apart();
  ASSERT_EQ(connect(alice, bob).exit_code, 0);
  ASSERT_EQ(send(alice, bob, "before"), "");
  const std::size_t sessions = alice.node().session_count();
  relay.machine().set_up(false);
  const auto sent = begin_send(alice, bob, "meanwhile");
  world().run_for(6 * base::kSecond);
  EXPECT_EQ(alice.node().session_count(), sessions);
  relay.machine().set_up(true);
  EXPECT_TRUE(eventually([&] { return sent->exit_code == 0; }));
  EXPECT_EQ(inbox(bob, alice), (std::vector<std::string>{"before", "meanwhile"}));
}

}  // namespace
}  // namespace atlas::sim
