// When which candidate is tried, by whom, and what people are told.
#include "node/path_upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/host/host_fixture.h"
#include "unit/node/fake_endpoint.h"

namespace atlas::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PathUpgradeTest : public testing::Test {
 protected:
  PathUpgradeTest() : loop(clock), deadlines(loop) {}

  PathUpgrade make(FakeConnection& connection, const std::vector<std::string>& candidates,
                   bool symmetric_there = false) {
    PathUpgrade::Setup setup;
    setup.symmetric_there = symmetric_there;
    setup.here = [this] { return here; };
    setup.deadlines = &deadlines;
    setup.endpoint = &endpoint;
    setup.random = &random;
    setup.connection = &connection;
    for (const auto& text : candidates) setup.candidates.push_back(*net::SocketAddress::parse(text));
    return PathUpgrade(std::move(setup));
  }
  void pass(base::MonoNs span) {
    for (const base::MonoNs end = clock.mono_ns() + span; clock.mono_ns() < end;) {
      clock.advance(50 * base::kMillisecond);
      while (loop.run_once()) {
      }
    }
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  base::SeededRandom random{1};
  Deadlines deadlines;
  FakeEndpoint endpoint;
  Obstacles here;
  FakeConnection dialler{quic::Side::kDialler}, listener{quic::Side::kListener};
};

TEST_F(PathUpgradeTest, TheDiallerTriesOneAfterTheOther) {
  auto upgrade = make(dialler, {"192.0.2.1:1", "192.0.2.2:2"});
  upgrade.begin();
  EXPECT_THAT(dialler.tried, ElementsAre("192.0.2.1:1"));
  EXPECT_EQ(upgrade.text(), "relay (looking for a direct path)");
  pass(kTryFor);
  EXPECT_THAT(dialler.tried, ElementsAre("192.0.2.1:1", "192.0.2.2:2"));
  pass(kTryFor);
  EXPECT_EQ(upgrade.text(), "relay (direct failed: no answer from 192.0.2.1:1, 192.0.2.2:2)");
  EXPECT_THAT(endpoint.sent, IsEmpty());
}

TEST_F(PathUpgradeTest, AllAreTriedAgainEverMoreSeldom) {
  auto upgrade = make(dialler, {"192.0.2.1:1"});
  upgrade.begin();
  pass(kTryFor + kTryAgain);
  EXPECT_THAT(dialler.tried, SizeIs(2));
  pass(kTryAgain);
  EXPECT_THAT(dialler.tried, SizeIs(2));
  pass(kTryAgain + kTryFor);
  EXPECT_THAT(dialler.tried, SizeIs(3));
  pass(24 * 3600 * base::kSecond / 24);
  EXPECT_LE(dialler.tried.size(), 15u);
  EXPECT_GE(dialler.tried.size(), 6u);
}

TEST_F(PathUpgradeTest, ADirectPathEndsTheSearchAndALossBeginsItAnew) {
  auto upgrade = make(dialler, {"192.0.2.1:1"});
  upgrade.begin();
  dialler.through_relay = false;
  upgrade.on_path();
  EXPECT_EQ(upgrade.text(), "direct");
  EXPECT_EQ(upgrade.reason(), PathReason::kNone);
  pass(600 * base::kSecond);
  EXPECT_THAT(dialler.tried, SizeIs(1));
  dialler.through_relay = true;
  upgrade.on_path();
  EXPECT_EQ(upgrade.text(), "relay (direct failed: the direct path went silent)");
  EXPECT_EQ(to_text(upgrade.reason()), "went_silent");
  pass(kTryAgain);
  EXPECT_THAT(dialler.tried, SizeIs(2));
}

TEST_F(PathUpgradeTest, TheDialledSideOpensItsNatAndKeepsItOpen) {
  auto upgrade = make(listener, {"192.0.2.1:1"});
  upgrade.begin();
  EXPECT_THAT(endpoint.sent, ElementsAre("192.0.2.1:1"));
  pass(kOpenings * kOpenEvery);
  EXPECT_THAT(endpoint.sent, SizeIs(kOpenings));
  EXPECT_EQ(upgrade.text(), "relay (direct failed: the peer did not come)");
  EXPECT_EQ(to_text(upgrade.reason()), "peer_did_not_come");
  pass(10 * kKeepOpenEvery);
  EXPECT_THAT(endpoint.sent, SizeIs(kOpenings + 10));
  EXPECT_THAT(listener.tried, IsEmpty());
}

TEST_F(PathUpgradeTest, AnotherPortOfAHostThatTheRelayNamedIsTriedToo) {
  auto upgrade = make(dialler, {"192.0.2.1:1"});
  upgrade.begin();
  upgrade.on_opening(*net::SocketAddress::parse("192.0.2.1:777"));
  EXPECT_THAT(dialler.tried, ElementsAre("192.0.2.1:1", "192.0.2.1:777"));
  upgrade.on_opening(*net::SocketAddress::parse("192.0.2.9:1"));  // a stranger
  EXPECT_THAT(dialler.tried, SizeIs(2));
}

TEST_F(PathUpgradeTest, CandidatesAreBounded) {
  auto upgrade = make(listener, {"192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1", "192.0.2.5:1"});
  upgrade.begin();
  EXPECT_THAT(endpoint.sent, SizeIs(base::limits::node_path_candidates));
  auto other = make(dialler, {"192.0.2.1:1"});
  other.begin();
  for (std::uint16_t port = 1000; port < 1100; ++port) other.on_opening({*net::IpAddress::parse("192.0.2.1"), port});
  pass(kTryFor);
  dialler.tried.clear();
  pass(kTryAgain + 10 * kTryFor);
  EXPECT_THAT(dialler.tried, SizeIs(base::limits::node_path_candidates));
}

TEST_F(PathUpgradeTest, OneHostIsTriedAtTwoPortsAtMost) {
  auto upgrade = make(listener, {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"});
  upgrade.begin();
  EXPECT_THAT(endpoint.sent, SizeIs(3)) << "one opening to each address";
}

TEST_F(PathUpgradeTest, TheReasonIsTheNatsWhereTheyAreKnown) {
  auto open = make(dialler, {"192.0.2.1:1"}), symmetric = make(listener, {"192.0.2.1:1"}, true);
  open.begin();
  symmetric.begin();
  EXPECT_EQ(open.reason(), PathReason::kNone) << "it is still looking";
  pass(kOpenings * kOpenEvery);
  EXPECT_EQ(to_text(open.reason()), "no_answer");
  EXPECT_EQ(symmetric.text(), "relay (direct failed: symmetric NAT there)");
  EXPECT_EQ(to_text(symmetric.reason()), "symmetric_there");
  here.symmetric = true;  // learned later
  EXPECT_EQ(open.text(), "relay (direct failed: symmetric NAT here)");
  EXPECT_EQ(to_text(open.reason()), "symmetric_here");
  EXPECT_EQ(symmetric.text(), "relay (direct failed: symmetric NAT on both sides)");
  EXPECT_EQ(to_text(symmetric.reason()), "symmetric_both");
  here = {.symmetric = false, .udp = true};
  EXPECT_EQ(to_text(symmetric.reason()), "symmetric_there");
  EXPECT_EQ(open.text(), "relay (direct failed: UDP seems blocked here, no STUN server answers either)");
  EXPECT_EQ(to_text(open.reason()), "udp_blocked");
}

TEST_F(PathUpgradeTest, NatsOfIpv4DoNotExplainSilenceOfIpv6) {
  here.symmetric = true;
  auto upgrade = make(dialler, {"[2600::1]:1"}, true);
  upgrade.begin();
  pass(kTryFor);
  EXPECT_EQ(upgrade.text(), "relay (direct failed: no answer from [2600::1]:1)");
}

TEST_F(PathUpgradeTest, WithoutAnAddressThereIsNothingToTry) {
  auto upgrade = make(dialler, {});
  upgrade.begin();
  pass(kTryAgainAtMost);
  EXPECT_THAT(dialler.tried, IsEmpty());
  EXPECT_EQ(upgrade.text(), "relay (direct failed: the relay named no address of the peer)");
  EXPECT_EQ(to_text(upgrade.reason()), "no_address");
}

}  // namespace
}  // namespace atlas::node
