// Pairs of agents that meet through a relay, in every kind of place that agents live in, and when relays come and go;
// each over good links, and over links that lose, repeat and change the order.
#include <gtest/gtest.h>

#include "sim/relayed_nodes.h"

namespace atlas::sim {
namespace {

using Mapping = NatPolicy::Mapping;
using Filter = NatPolicy::Filter;

constexpr NatPolicy kRestricted{.filter = Filter::kAddress};
constexpr NatPolicy kPortRestricted{.filter = Filter::kAddressAndPort};
constexpr NatPolicy kSymmetric{.mapping = Mapping::kPerDestination, .filter = Filter::kAddressAndPort};

net::IpAddress ip(const char* text) {
  return *net::IpAddress::parse(text);
}

class Weather : public testing::TestWithParam<double>, protected RelayedNodes {
 protected:
  Weather() : RelayedNodes(313, links()) {}

  static LinkPolicy links() {
    if (GetParam() == 0) return {};
    return {.drop = GetParam(), .duplicate = 0.05, .reorder = 0.1};
  }
  static bool calm() { return GetParam() == 0; }
  // What takes `time` on good links may take the time of some lost packets on bad ones.
  static base::MonoNs within(base::MonoNs time) { return calm() ? time : time + 10 * base::kSecond; }

  void meet(FleetNode& one, FleetNode& other) {
    const auto met = connect(one, other);
    ASSERT_EQ(met.exit_code, 0) << met.error;
    exchange(one, other);
  }
  void exchange(FleetNode& one, FleetNode& other) {
    for (auto [from, to] : {std::pair{&one, &other}, {&other, &one}}) {
      const std::string text = random_text(5000);
      ASSERT_EQ(send(*from, *to, text), "");
      const auto got = inbox(*to, *from);
      EXPECT_EQ(std::ranges::count(got, text), 1) << got.size();
    }
  }
  bool becomes_direct(FleetNode& one, FleetNode& other) {
    return eventually([&] { return path(one, other) == "direct" && path(other, one) == "direct"; });
  }
  // The first search for a direct path has ended without one.
  bool stays_relayed(FleetNode& one, FleetNode& other) {
    return eventually([&] { return path(one, other).starts_with("relay (direct failed"); });
  }
  // A person's or a program's attempts to send, until one arrives.
  bool sends_within(FleetNode& from, FleetNode& to, base::MonoNs most) {
    const base::MonoNs end = base::after(now(), most);
    while (now() <= end) {
      const auto sent = begin_send(from, to, "again");
      if (!eventually([&] { return sent->exit_code >= 0; }, end - now())) return false;
      if (sent->exit_code == 0 && sent->result["status"] == "received") return true;
      world().run_for(10 * base::kMillisecond);
    }
    return false;
  }
};

TEST_P(Weather, AgentsWithIpv6Alone) {
  FleetNode& relay = add_relay_at(world().add_node("relay", {ip("2600::2")}), "relay");
  FleetNode& alice = add_agent_at(world().add_node("alice", {ip("2600:a::1")}), "alice");
  FleetNode& bob = add_agent_at(world().add_node("bob", {ip("2600:b::1")}), "bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(path(alice, bob).starts_with("relay"));
  EXPECT_TRUE(stays_relayed(alice, bob)) << path(alice, bob);
  world().cut(alice.machine(), bob.machine(), false);
  EXPECT_TRUE(becomes_direct(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

// The firewall of a home with IPv6: no translation, but nobody comes in who was not spoken to.
TEST_P(Weather, AgentsWithIpv6BehindFirewalls) {
  FleetNode& relay = add_relay_at(world().add_node("relay", {ip("2600::2")}), "relay");
  Nat& one = world().add_nat(ip("2600:a::1"), {.filter = Filter::kAddressAndPort, .keep_port = true});
  Nat& other = world().add_nat(ip("2600:b::1"), {.filter = Filter::kAddressAndPort, .keep_port = true});
  FleetNode& alice = add_agent_at(world().add_node("alice", {ip("2600:a::1")}, &one), "alice");
  FleetNode& bob = add_agent_at(world().add_node("bob", {ip("2600:b::1")}, &other), "bob");
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(becomes_direct(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

TEST_P(Weather, OneWithIpv4AndOneWithIpv6ThroughARelayWithBoth) {
  FleetNode& relay = add_relay_at(world().add_node("relay", {ip("20.77.0.1"), ip("2600::2")}), "relay");
  FleetNode& alice = add_agent_at(world().add_node("alice", {ip("20.78.0.1")}), "alice");
  FleetNode& bob = add_agent_at(world().add_node("bob", {ip("2600:b::1")}), "bob");
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(stays_relayed(alice, bob)) << path(alice, bob);
  exchange(bob, alice);
}

TEST_P(Weather, BehindTheNatsOfTwoCarriers) {
  FleetNode& relay = add_relay("relay");
  Nat& one = world().add_nat(ip("30.1.0.1"), kPortRestricted);
  Nat& other = world().add_nat(ip("30.2.0.1"), kPortRestricted);
  FleetNode& alice = add_agent_behind(one, "alice", kRestricted);
  FleetNode& bob = add_agent_behind(other, "bob", kPortRestricted);
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(becomes_direct(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

TEST_P(Weather, BehindTwoCarriersThatGiveEachDestinationAPort) {
  FleetNode& relay = add_relay("relay");
  Nat& one = world().add_nat(ip("30.1.0.1"), kSymmetric);
  Nat& other = world().add_nat(ip("30.2.0.1"), kSymmetric);
  FleetNode& alice = add_agent_behind(one, "alice", kRestricted);
  FleetNode& bob = add_agent_behind(other, "bob", kRestricted);
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(stays_relayed(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

TEST_P(Weather, BehindTheNatOfOneCarrier) {
  FleetNode& relay = add_relay("relay");
  Nat& carrier = world().add_nat(ip("30.1.0.1"), kPortRestricted);
  FleetNode& alice = add_agent_behind(carrier, "alice", kPortRestricted);
  FleetNode& bob = add_agent_behind(carrier, "bob", kPortRestricted);
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(becomes_direct(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

TEST_P(Weather, BehindTheNatOfOneCarrierThatDoesNotTurnThemBack) {
  FleetNode& relay = add_relay("relay");
  Nat& carrier = world().add_nat(ip("30.1.0.1"), {.filter = Filter::kAddressAndPort, .hairpin = false});
  FleetNode& alice = add_agent_behind(carrier, "alice", kPortRestricted);
  FleetNode& bob = add_agent_behind(carrier, "bob", kPortRestricted);
  ASSERT_TRUE(announced(relay, 2));
  meet(alice, bob);
  EXPECT_TRUE(stays_relayed(alice, bob)) << path(alice, bob);
  exchange(alice, bob);
}

TEST_P(Weather, APairThatNeedsItsRelayIsBackWithIt) {
  auto [relay, alice, bob] = apart();
  meet(alice, bob);
  relay.kill();
  relay.start();
  EXPECT_TRUE(sends_within(alice, bob, within(base::kSecond)));
  EXPECT_TRUE(path(alice, bob).starts_with("relay"));
  exchange(alice, bob);
}

TEST_P(Weather, APairThatNeedsItsRelayIsBackWithItAfterAWhile) {
  auto [relay, alice, bob] = apart();
  meet(alice, bob);
  relay.kill();
  world().run_for(5 * base::kSecond);
  relay.start();
  EXPECT_TRUE(sends_within(alice, bob, within(base::kSecond)));
  exchange(bob, alice);
}

// Killed, not stopped: nobody is told.
TEST_P(Weather, WhoHasASecondRelayIsReachedThroughItWhenTheFirstIsKilled) {
  FleetNode& first = add_relay("first");
  FleetNode& second = add_relay("second");
  FleetNode& alice = add_agent("alice");
  FleetNode& bob = add_agent("bob");
  world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(announced(first, 2));
  ASSERT_TRUE(announced(second, 2));
  static_cast<void>(alice.run(world(), "discover"));
  first.kill();
  const base::MonoNs killed = now();
  const auto met = alice.run(world(), "connect", {{"target", bob.node_id()}});
  ASSERT_EQ(met.exit_code, 0) << met.error;
  EXPECT_EQ(met.result["path"], "relay");
  EXPECT_LE(now() - killed, within(base::kSecond));
  exchange(alice, bob);
}

std::string name_of(const testing::TestParamInfo<double>& info) {
  return "Loss" + std::to_string(static_cast<int>(info.param * 100 + 0.5));
}

INSTANTIATE_TEST_SUITE_P(Links, Weather, testing::Values(0.0, 0.05, 0.2), name_of);

}  // namespace
}  // namespace atlas::sim
