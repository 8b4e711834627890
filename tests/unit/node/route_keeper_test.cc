// A route that is not used is kept by a datagram now and then.
#include "node/route_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/host/host_fixture.h"
#include "unit/node/fake_endpoint.h"

namespace atlas::node {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class RouteKeeperTest : public testing::Test {
 protected:
  RouteKeeperTest() : loop(clock), deadlines(loop) {}

  RouteKeeper make() {
    return RouteKeeper({.deadlines = &deadlines,
                        .endpoint = &endpoint,
                        .random = &random,
                        .relay = [this] { return relay; },
                        .peer_route = {1, 2, 3, 4, 5, 6, 7, 8},
                        .every = 10 * base::kSecond});
  }
  void pass(base::MonoNs span) {
    for (const base::MonoNs end = clock.mono_ns() + span; clock.mono_ns() < end;) {
      clock.advance(base::kSecond);
      while (loop.run_once()) {
      }
    }
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  base::SeededRandom random{1};
  Deadlines deadlines;
  FakeEndpoint endpoint;
  std::optional<net::SocketAddress> relay = net::SocketAddress::parse("192.0.2.1:4433");
};

TEST_F(RouteKeeperTest, SendsAShortHeaderWithThePrefixEachTime) {
  const RouteKeeper keeper = make();
  pass(9 * base::kSecond);
  EXPECT_THAT(endpoint.sent, SizeIs(0));
  pass(21 * base::kSecond);
  EXPECT_THAT(endpoint.sent, ElementsAre("192.0.2.1:4433", "192.0.2.1:4433", "192.0.2.1:4433"));
  const base::Bytes& last = endpoint.last_datagram;
  ASSERT_EQ(last.size(), kKeepRouteBytes);
  EXPECT_EQ(last[0] & 0xc0, 0x40);
  EXPECT_THAT(base::Bytes(last.begin() + 1, last.begin() + 9), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(RouteKeeperTest, EndsWithTheSessionAtTheRelay) {
  const RouteKeeper keeper = make();
  relay.reset();
  pass(10 * base::kSecond);
  relay = net::SocketAddress::parse("192.0.2.2:4433");
  pass(60 * base::kSecond);
  EXPECT_THAT(endpoint.sent, SizeIs(0));
}

TEST_F(RouteKeeperTest, NothingIsSentForOneThatIsGone) {
  { const RouteKeeper keeper = make(); }
  pass(60 * base::kSecond);
  EXPECT_THAT(endpoint.sent, SizeIs(0));
}

TEST(KeepRouteEvery, ThreeTimesInWhatTheRelayAllows) {
  EXPECT_EQ(keep_route_every(1'000'030, 1'000'000), 10 * base::kSecond);
  EXPECT_EQ(keep_route_every(1'000'120, 1'000'000), kKeepRouteAtMost);
  EXPECT_EQ(keep_route_every(0, 1'000'000), kKeepRouteAtMost) << "it did not say";
}

TEST(KeepRouteEvery, WhatCannotBeIsHeldToTheEnds) {
  EXPECT_EQ(keep_route_every(1'000'001, 1'000'000), kKeepRouteAtLeast);
  EXPECT_EQ(keep_route_every(999'000, 1'000'000), kKeepRouteAtLeast);
  EXPECT_EQ(keep_route_every(INT64_MAX, INT64_MIN), kKeepRouteAtMost);
  EXPECT_EQ(keep_route_every(INT64_MIN, INT64_MAX), kKeepRouteAtLeast);
  EXPECT_EQ(keep_route_every(INT64_MAX, -1), kKeepRouteAtMost);
}

}  // namespace
}  // namespace atlas::node
