// A35, the datapath's part: a prefix leads somewhere as long as its pair lives and no longer, an expectation is good
// for one connection and ten seconds, and a relay that restarts has forgotten both without locking anybody out.
#include "unit/quic/raw_socket.h"
#include "unit/quic/relay_fixture.h"

namespace atlas::quic {
namespace {

class RouteTokens : public RelayTest {
 protected:
  // The next pair has prefixes of its own, as a relay gives them.
  Connection& meet_anew() {
    RoutePair next = pair();
    next.to_a = prefix(0xc3);
    next.to_b = prefix(0xd4);
    add(std::move(next));
    Expectation expected = expectation();
    expected.route = prefix(0xd4);
    EXPECT_TRUE(bob->endpoint->expect(expected).has_value());
    DialOptions options;
    options.remote = relay->address();
    options.expected_node_id = bob->key.node_id();
    options.via = Via{prefix(0xc3), prefix(0xd4)};
    const std::size_t before = bob->events.connected.size();
    Connection* made = alice->endpoint->dial(options).value();
    EXPECT_TRUE(world.run_until([&] { return bob->events.connected.size() > before; }, kLong));
    return *made;
  }
  std::uint64_t forwarded() const { return tally->datagrams[0] + tally->datagrams[1]; }
};

TEST_F(RouteTokens, sec_relay_token_lifecycle) {
  RoutePair brief = pair();
  brief.idle = 2 * base::kSecond;
  Connection& here = meet(std::move(brief));
  carry(here, 10'000);
  world.run_for(5 * base::kSecond);
  ASSERT_EQ(ended, std::vector{RouteEnded::kIdle});
  // Stale: what still comes for the prefix is dropped, and reaches nobody.
  const std::uint64_t before = forwarded(), unknown = relay->counters().dropped_unknown_id;
  const StreamId stream = here.open_stream().value();
  here.write(stream, base::Bytes(10'000, 'x'), true);
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(forwarded(), before);
  EXPECT_GT(relay->counters().dropped_unknown_id, unknown);
  // Renewed: the next pair works at once, over the same two sessions.
  Connection& again = meet_anew();
  carry(again, 10'000);
  EXPECT_GT(forwarded(), before);
}

// The prefixes of others, old or guessed: whoever is not the other agent of a pair cannot use them.
TEST_F(RouteTokens, sec_relay_token_lifecycle_is_bound_to_the_session) {
  Connection& here = meet();
  carry(here, 10'000);
  world.run_for(base::kSecond);
  RawSocket thief(world.add_node("thief"));
  base::Bytes packet(1'200, 0x40);
  for (const ServerId& id : {kToAlice, kToBob}) {
    std::ranges::copy(id, packet.begin() + 1);
    for (int i = 0; i < 50; ++i) thief.send(relay->address(), packet);
  }
  const std::uint64_t before = forwarded();
  world.run_for(base::kSecond);
  EXPECT_EQ(tally->dropped_source, 100u);
  EXPECT_EQ(forwarded(), before);
  carry(here, 10'000);
}

TEST_F(RouteTokens, sec_relay_token_lifecycle_of_an_expectation) {
  add(pair());
  Expectation brief = expectation();
  brief.until = base::after(bob_node.clock().mono_ns(), base::kSecond);
  ASSERT_TRUE(bob->endpoint->expect(brief).has_value());
  world.run_for(2 * base::kSecond);
  const std::size_t before = bob->events.connected.size();
  dial();
  world.run_for(2 * base::kSecond);
  EXPECT_EQ(bob->events.connected.size(), before) << "too late";
  world.run_for(20 * base::kSecond);
  // Announced anew, it is let in: once.
  ASSERT_TRUE(bob->endpoint->expect(expectation()).has_value());
  dial();
  ASSERT_TRUE(world.run_until([&] { return bob->events.connected.size() == before + 1; }, kLong));
  dial();
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(bob->events.connected.size(), before + 1) << "used up";
}

TEST_F(RouteTokens, sec_relay_token_lifecycle_over_a_restart) {
  Connection& here = meet();
  carry(here, 10'000);
  relay.reset();
  relay = std::make_unique<Party>(relay_node, 9);
  relay->listen();
  const StreamId stream = here.open_stream().value();
  here.write(stream, base::Bytes(10'000, 'x'), true);
  const std::uint64_t before = forwarded();
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(forwarded(), before);
  EXPECT_EQ(relay->endpoint->routes().size(), 0u);
  // Both come back, with the same keys and to the same address, and are forwarded for as before.
  alice_at_relay = join(*alice);
  bob_at_relay = join(*bob);
  Connection& again = meet_anew();
  carry(again, 100'000);
  EXPECT_GT(forwarded(), before);
}

}  // namespace
}  // namespace atlas::quic
