// The datapath: who may send, how much, where it goes, and when it ends.
#include "quic/forwarding.h"

#include <gmock/gmock.h>

#include "unit/quic/raw_socket.h"
#include "unit/quic/relay_fixture.h"

namespace atlas::quic {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ForwardingTest : public RelayTest {};

TEST_F(ForwardingTest, WhatComesFromElsewhereIsDroppedAndCounted) {
  add(pair());
  sim::SimNode& stranger = world.add_node("stranger");
  RawSocket raw(stranger);
  base::Bytes packet(1200, 0x40);
  std::ranges::copy(kToBob, packet.begin() + 1);
  for (int i = 0; i < 5; ++i) raw.send(relay->address(), packet);
  world.run_for(base::kSecond);
  EXPECT_EQ(tally->dropped_source, 5u);
  EXPECT_EQ(tally->bytes[1], 0u);
}

// The prefix that leads to an agent is for the other one alone, not for the agent itself.
TEST_F(ForwardingTest, AnAgentCannotSendToItself) {
  Connection& here = meet();
  carry(here, 10'000);
  const std::uint64_t before = tally->dropped_source;
  RoutePair turned = pair();
  turned.to_a = prefix(0xc3);
  turned.to_b = prefix(0xd4);
  turned.a = bob_at_relay;
  turned.b = alice_at_relay;
  turned.tally = std::make_shared<net::RouteTally>();
  const auto own = turned.tally;
  add(std::move(turned));
  DialOptions options;
  options.remote = relay->address();
  options.via = Via{kToAlice, prefix(0xd4)};  // leads to Alice herself
  ASSERT_TRUE(alice->endpoint->dial(options).has_value());
  world.run_for(base::kSecond);
  EXPECT_GT(own->dropped_source, 0u);
  EXPECT_EQ(own->bytes[0] + own->bytes[1], 0u);
  EXPECT_EQ(tally->dropped_source, before);
}

TEST_F(ForwardingTest, FollowsAMigration) {
  Connection& here = meet();
  carry(here, 10'000);
  world.rebind(bob_node);
  // Bob's session with the relay speaks first, as keep-alives do, and is validated at its new address.
  for (Connection* connection : bob->events.connected) {
    if (connection->side() == Side::kDialler) connection->open_stream();
  }
  Connection& session = *bob->events.connected.front();
  const StreamId stream = session.open_stream().value();
  session.write(stream, bytes("here"), true);
  ASSERT_TRUE(world.run_until([&] { return !relay->events.paths.empty(); }, kLong));
  carry(here, 100'000);
  EXPECT_THAT(alice->events.closed, IsEmpty());
}

TEST_F(ForwardingTest, EndsWithEitherSession) {
  meet();
  bob_at_relay->close(0, "");
  world.run_for(base::kSecond);
  EXPECT_THAT(ended, ElementsAre(RouteEnded::kPeerGone));
  EXPECT_EQ(relay->endpoint->routes().size(), 0u);
}

TEST_F(ForwardingTest, EndsWhenItIsIdle) {
  RoutePair brief = pair();
  brief.idle = 2 * base::kSecond;
  Connection& here = meet(std::move(brief));
  for (int i = 0; i < 3; ++i) {
    world.run_for(1'500 * base::kMillisecond);
    carry(here, 1'000);
  }
  EXPECT_THAT(ended, IsEmpty());
  world.run_for(4 * base::kSecond);
  EXPECT_THAT(ended, ElementsAre(RouteEnded::kIdle));
}

TEST_F(ForwardingTest, EndsWithItsBudget) {
  RoutePair paid = pair();
  paid.byte_budget = 50'000;
  Connection& here = meet(std::move(paid));
  const StreamId stream = here.open_stream().value();
  here.write(stream, base::Bytes(200'000, 'x'), true);
  world.run_for(5 * base::kSecond);
  EXPECT_THAT(ended, ElementsAre(RouteEnded::kBudget));
  EXPECT_GE(tally->bytes[0] + tally->bytes[1], 50'000u);
  EXPECT_LT(tally->bytes[0] + tally->bytes[1], 120'000u);
}

TEST_F(ForwardingTest, RemovalEndsItOnce) {
  const RouteId route = add(pair());
  relay->endpoint->routes().remove(route);
  relay->endpoint->routes().remove(route);
  EXPECT_THAT(ended, ElementsAre(RouteEnded::kRemoved));
  world.run_for(base::kSecond);
  EXPECT_NE(add(pair()), route);
}

TEST_F(ForwardingTest, PrefixesAreTakenOnce) {
  add(pair());
  EXPECT_EQ(relay->endpoint->routes().add(pair()).error().fault, base::Fault::kConflict);
  RoutePair same = pair();
  same.to_a = same.to_b = prefix(0xee);
  EXPECT_EQ(relay->endpoint->routes().add(std::move(same)).error().fault, base::Fault::kConflict);
  EXPECT_THAT(ended, IsEmpty());
}

TEST_F(ForwardingTest, PairsAreBounded) {
  const auto numbered = [this](std::uint64_t number) {
    RoutePair out = pair();
    out.ended = {};
    for (std::size_t i = 0; i < 4; ++i) out.to_a[i] = out.to_b[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return out;
  };
  for (std::uint64_t i = 0; i < base::limits::quic_routes; ++i) ASSERT_NE(add(numbered(i)), 0u);
  EXPECT_EQ(relay->endpoint->routes().add(numbered(base::limits::quic_routes)).error().fault, base::Fault::kFull);
}

// Whoever sends as fast as the path allows gets the limit, within a hundredth over ten seconds.
TEST_F(ForwardingTest, HoldsTheBandwidthLimit) {
  for (const std::uint64_t limit : {512u << 10, 1u << 20, 5u << 20}) {
    TokenBucket bucket(limit, 0);
    std::uint64_t passed = 0;
    const base::MonoNs step = base::kMillisecond;
    for (base::MonoNs now = step; now <= 10 * base::kSecond; now += step) passed += bucket.take(12'000, 1'200, now);
    EXPECT_NEAR(static_cast<double>(passed) / static_cast<double>(10 * limit), 1.0, 0.01) << limit;
  }
}

TEST_F(ForwardingTest, TheLimitCountsBothDirectionsAndDropsWhatIsOver) {
  RoutePair slow = pair();
  slow.bytes_per_second = 100'000;
  Connection& here = meet(std::move(slow));
  const base::MonoNs began = world.now();
  carry(here, 300'000, 60 * base::kSecond);
  const double seconds = static_cast<double>(world.now() - began) / static_cast<double>(base::kSecond);
  EXPECT_GE(seconds, 2.5);
  EXPECT_GT(tally->dropped_rate, 0u);
  EXPECT_LE(static_cast<double>(tally->bytes[0] + tally->bytes[1]), (seconds + 1) * 100'000 + kRouteFirstBurst);
}

TEST(ForwardPollTest, IsForDatagramsThatComeCloserThanItWouldWait) {
  constexpr base::MonoNs kPoll = 50 * base::kMicrosecond;
  ForwardPoll poll(kPoll);
  EXPECT_EQ(poll.forwarded(1'000), std::nullopt) << "the first is close to nothing";
  EXPECT_EQ(poll.forwarded(1'000 + kPoll), 1'000 + 2 * kPoll);
  EXPECT_EQ(poll.forwarded(1'001 + 2 * kPoll), std::nullopt) << "a lone one lets the thread sleep";
  EXPECT_EQ(poll.forwarded(1'002 + 2 * kPoll), 1'002 + 3 * kPoll);
}

class PollingRelayTest : public RelayTest {
 protected:
  static constexpr base::MonoNs kPoll = 200 * base::kMillisecond;  // longer than a round trip here
  PollingRelayTest() : RelayTest({.forward_poll = kPoll}) {}
};

TEST_F(PollingRelayTest, StaysAwakeWhileItForwardsAndOnlyThen) {
  carry(meet(), 200'000);
  const base::MonoNs wish = relay_node.loop().awake_until();
  EXPECT_GT(wish, 0u);
  EXPECT_LE(wish, relay_node.clock().mono_ns() + kPoll);
  world.run_for(base::kSecond);
  const base::MonoNs quiet = relay_node.loop().awake_until();
  join(*alice);
  EXPECT_EQ(relay_node.loop().awake_until(), quiet) << "its own connections are no reason";
}

TEST_F(ForwardingTest, SleepsAtOnceWhereNothingElseIsAsked) {
  carry(meet(), 200'000);
  EXPECT_EQ(relay_node.loop().awake_until(), 0u);
}

TEST(TokenBucketTest, ABurstIsAQuarterOfASecond) {
  TokenBucket bucket(1'000'000, 0);
  EXPECT_EQ(bucket.take(1'000'000, 1, 0), kRouteFirstBurst);
  EXPECT_EQ(bucket.take(1'000'000, 1, 60 * base::kSecond), 250'000u);
}

TEST(TokenBucketTest, PassesWholeDatagramsOnly) {
  TokenBucket bucket(100'000, 0);
  EXPECT_EQ(bucket.take(1'200'000, 1'200, 0) % 1'200, 0u);
}

TEST(TokenBucketTest, AVeryLowLimitStillPassesADatagramNowAndThen) {
  TokenBucket bucket(100, 0);
  EXPECT_EQ(bucket.take(1'200, 1'200, 0), 1'200u);
  EXPECT_EQ(bucket.take(1'200, 1'200, base::kSecond), 0u);
  EXPECT_EQ(bucket.take(1'200, 1'200, 30 * base::kSecond), 1'200u);
}

}  // namespace
}  // namespace atlas::quic
