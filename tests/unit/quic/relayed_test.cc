// Connections through a forwarder: ids that begin with a prefix, and who is let in.
#include <gmock/gmock.h>

#include "unit/quic/relay_fixture.h"

namespace atlas::quic {
namespace {

using ::testing::IsEmpty;

class RelayedTest : public RelayTest {};

TEST_F(RelayedTest, TwoAgentsMeetThroughTheForwarder) {
  Connection& here = meet();
  Connection& there = *bob->events.connected.back();
  EXPECT_TRUE(here.relayed());
  EXPECT_TRUE(there.relayed());
  EXPECT_EQ(here.remote(), relay->address());
  EXPECT_EQ(there.remote(), relay->address());
  EXPECT_EQ(here.peer_key(), bob->key.public_key());
  EXPECT_EQ(there.peer_key(), alice->key.public_key());
  carry(here, 1'000'000);
  EXPECT_GT(tally->bytes[1], 1'000'000u);
  EXPECT_GT(tally->datagrams[0], 10u);
  EXPECT_EQ(tally->dropped_source, 0u);
  EXPECT_FALSE(alice_at_relay->relayed());
}

TEST_F(RelayedTest, ManyUpdatesOfIdsKeepThePrefix) {
  Connection& here = meet();
  for (int i = 0; i < 20; ++i) carry(here, 5'000);
  EXPECT_THAT(alice->events.closed, IsEmpty());
  EXPECT_EQ(relay->counters().dropped_unknown_id, 0u);
}

TEST_F(RelayedTest, WhatNobodyAnnouncedIsNotTaken) {
  add(pair());
  dial();
  world.run_for(2 * base::kSecond);
  // To Bob it is a first packet of a stranger: he answers, and what he says cannot be routed.
  EXPECT_EQ(bob->events.connected.size(), 1u);
}

TEST_F(RelayedTest, AnotherAgentThanWasAnnouncedIsRefused) {
  add(pair());
  Expectation other = expectation();
  other.node_id = relay->key.node_id();
  ASSERT_TRUE(bob->endpoint->expect(other).has_value());
  dial();
  ASSERT_TRUE(world.run_until([&] { return !alice->events.closed.empty(); }, kLong));
  EXPECT_EQ(alice->events.closed.back().by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(bob->events.connected.size(), 1u);
}

TEST_F(RelayedTest, TheForwarderCannotStandInForTheTarget) {
  add(pair());
  ASSERT_TRUE(bob->endpoint->expect(expectation()).has_value());
  dial(relay->key.node_id());
  ASSERT_TRUE(world.run_until([&] { return !alice->events.closed.empty(); }, kLong));
  EXPECT_EQ(alice->events.closed.back().by, CloseInfo::By::kIdentity);
}

TEST_F(RelayedTest, WhatIsExpectedComesFromTheForwarderOnly) {
  Expectation elsewhere = expectation();
  elsewhere.forwarder = alice_node.at(1);
  ASSERT_TRUE(bob->endpoint->expect(elsewhere).has_value());
  add(pair());
  dial();
  world.run_for(2 * base::kSecond);
  EXPECT_EQ(bob->events.connected.size(), 1u);
  EXPECT_GT(bob->counters().dropped_malformed, 0u);
}

TEST_F(RelayedTest, AnExpectationEndsWithItsTime) {
  add(pair());
  Expectation brief = expectation();
  brief.until = base::after(bob_node.clock().mono_ns(), base::kSecond);
  ASSERT_TRUE(bob->endpoint->expect(brief).has_value());
  EXPECT_EQ(bob->endpoint->expect(brief).error().fault, base::Fault::kConflict);
  world.run_for(2 * base::kSecond);
  EXPECT_TRUE(bob->endpoint->expect(expectation()).has_value());
}

TEST_F(RelayedTest, ExpectedConnectionsAreBounded) {
  Expectation next = expectation();
  for (std::uint64_t i = 0; i < base::limits::quic_expected; ++i) {
    next.route = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 1};
    ASSERT_TRUE(bob->endpoint->expect(next).has_value()) << i;
  }
  EXPECT_EQ(bob->endpoint->expect(expectation()).error().fault, base::Fault::kFull);
}

// Packets and announcement take different ways; nothing is lost when the packets are faster.
TEST_F(RelayedTest, FirstPacketsMayOvertakeTheAnnouncement) {
  add(pair());
  Connection* here = dial();
  world.run_for(200 * base::kMillisecond);
  EXPECT_EQ(bob->counters().accepted, 0u);
  ASSERT_TRUE(bob->endpoint->expect(expectation()).has_value());
  ASSERT_TRUE(world.run_until([&] { return bob->events.connected.size() == 2; }, 100 * base::kMillisecond));
  EXPECT_TRUE(bob->events.connected.back()->relayed());
  carry(*here, 100'000);
}

// The node that forwards is a peer like any other.
TEST_F(RelayedTest, TheForwarderItselfMayDialUs) {
  Connection* back = relay->dial(*bob, bob->key.node_id());
  const auto connected = [&] {
    return std::ranges::find(relay->events.connected, back) != relay->events.connected.end();
  };
  ASSERT_TRUE(world.run_until(connected, 3 * base::kSecond));
  EXPECT_FALSE(back->relayed());
}

TEST_F(RelayedTest, NoMoreFirstPacketsWaitThanTheLimit) {
  for (std::uint64_t i = 0; i < base::limits::quic_held_packets; ++i) relay->dial(*bob);
  world.run_for(50 * base::kMillisecond);
  EXPECT_EQ(bob->counters().accepted, 0u);
  relay->dial(*bob);
  world.run_for(50 * base::kMillisecond);
  EXPECT_EQ(bob->counters().accepted, 1u);
  world.run_for(base::kSecond);
  EXPECT_GT(bob->counters().accepted, 10u);
}

TEST_F(RelayedTest, ClosingReachesTheOtherSide) {
  Connection& here = meet();
  here.close(4, "bye");
  ASSERT_TRUE(world.run_until([&] { return !bob->events.closed.empty(); }, kLong));
  EXPECT_EQ(bob->events.closed.back().by, CloseInfo::By::kPeer);
  EXPECT_EQ(bob->events.closed.back().code, 4u);
  // The sessions with the forwarder stay.
  EXPECT_THAT(relay->events.closed, IsEmpty());
}

// --- the direct path ---

class RoutedPathTest : public RelayTest {
 protected:
  bool is_direct(Connection& here) {
    return world.run_until([&] { return here.remote() == bob->address(); }, 10 * base::kSecond);
  }
  Connection& there() { return *bob->events.connected.back(); }
};

TEST_F(RoutedPathTest, MovesToADirectPathAndTheStreamGoesOn) {
  Connection& here = meet();
  world.heal();
  const StreamId stream = here.open_stream().value();
  here.write(stream, base::Bytes(2'000'000, 'x'), true);
  world.run_for(50 * base::kMillisecond);
  here.try_path(bob->address());
  ASSERT_TRUE(is_direct(here));
  EXPECT_FALSE(here.relayed());
  EXPECT_TRUE(here.routed());
  ASSERT_TRUE(world.run_until([&] { return bob->events.log(there(), stream).fin; }, kLong));
  EXPECT_EQ(bob->events.log(there(), stream).data.size(), 2'000'000u);
  EXPECT_EQ(there().remote(), alice->address());
  EXPECT_FALSE(there().relayed());
  EXPECT_EQ(alice->events.paths.size(), 1u);
  const std::uint64_t forwarded = tally->datagrams[1];
  carry(here, 100'000);
  EXPECT_EQ(tally->datagrams[1], forwarded);
}

TEST_F(RoutedPathTest, APathThatDoesNotAnswerChangesNothing) {
  Connection& here = meet();
  here.try_path(bob->address());  // still cut
  carry(here, 200'000);
  world.run_for(5 * base::kSecond);
  EXPECT_TRUE(here.relayed());
  EXPECT_THAT(alice->events.paths, IsEmpty());
  world.heal();
  here.try_path(bob->address());
  EXPECT_TRUE(is_direct(here));
}

TEST_F(RoutedPathTest, SomebodyElsesAddressIsNotTaken) {
  Connection& here = meet();
  sim::SimNode& stranger = world.add_node("stranger");
  Party other(stranger, 7);
  other.listen();
  here.try_path(other.address());
  world.run_for(5 * base::kSecond);
  EXPECT_TRUE(here.relayed());
  carry(here, 10'000);
}

TEST_F(RoutedPathTest, ReturnsToTheForwarderWhenTheDirectPathDies) {
  Connection& here = meet();
  world.heal();
  here.try_path(bob->address());
  ASSERT_TRUE(is_direct(here));
  const StreamId stream = here.open_stream().value();
  here.write(stream, base::Bytes(5'000'000, 'x'), true);
  world.run_for(100 * base::kMillisecond);
  world.cut(alice_node, bob_node);
  ASSERT_TRUE(world.run_until([&] { return here.relayed(); }, 2 * base::kSecond));
  ASSERT_TRUE(world.run_until([&] { return bob->events.log(there(), stream).fin; }, kLong));
  EXPECT_EQ(bob->events.log(there(), stream).data.size(), 5'000'000u);
  EXPECT_THAT(alice->events.closed, IsEmpty());
}

// The side that only receives notices, too.
TEST_F(RoutedPathTest, ReturnsWhileThePeerIsTheOneThatSends) {
  Connection& here = meet();
  world.heal();
  here.try_path(bob->address());
  ASSERT_TRUE(is_direct(here));
  carry(here, 1'000);
  const StreamId stream = there().open_stream().value();
  there().write(stream, base::Bytes(5'000'000, 'y'), true);
  world.run_for(100 * base::kMillisecond);
  world.cut(alice_node, bob_node);
  ASSERT_TRUE(world.run_until([&] { return here.relayed(); }, 2'500 * base::kMillisecond));
  ASSERT_TRUE(world.run_until([&] { return alice->events.log(here, stream).fin; }, kLong));
  EXPECT_EQ(alice->events.log(here, stream).data.size(), 5'000'000u);
}

TEST_F(RoutedPathTest, AnIdleDirectPathIsWatchedToo) {
  Connection& here = meet();
  world.heal();
  here.try_path(bob->address());
  ASSERT_TRUE(is_direct(here));
  carry(here, 1'000);
  world.run_for(30 * base::kSecond);
  EXPECT_FALSE(here.relayed());
  world.cut(alice_node, bob_node);
  ASSERT_TRUE(world.run_until([&] { return here.relayed(); }, 15 * base::kSecond));
}

TEST_F(RoutedPathTest, ManyMovesInARow) {
  Connection& here = meet();
  for (int i = 0; i < 10; ++i) {
    world.heal();
    here.try_path(bob->address());
    ASSERT_TRUE(is_direct(here)) << i;
    carry(here, 50'000);
    world.cut(alice_node, bob_node);
    const StreamId stream = here.open_stream().value();
    here.write(stream, bytes("still there"), true);
    ASSERT_TRUE(world.run_until([&] { return here.relayed(); }, 3 * base::kSecond)) << i;
    ASSERT_TRUE(world.run_until([&] { return bob->events.log(there(), stream).fin; }, kLong)) << i;
  }
  EXPECT_THAT(alice->events.closed, IsEmpty());
}

}  // namespace
}  // namespace atlas::quic
