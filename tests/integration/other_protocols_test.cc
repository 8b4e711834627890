// Another ALPN on the nodes' own port, from role to role, with certificates of its own.
#include <gtest/gtest.h>

#include "attack/quic_hostile/self_signed.h"
#include "integration/node_test.h"
#include "kit/protocol_role.h"

namespace atlas::node {
namespace {

using hostile::SelfSigned;
using kit::ProtocolRole;

class OtherProtocolsTest : public testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 300 * base::kSecond;

  OtherProtocolsTest()
      : fleet_(20'250'813), left_(fleet_.add("left", {"keepalive"})), right_(fleet_.add("right", {"keepalive"})) {
    give(dialler, ours_);
    give(listener, theirs_);
  }
  static void give(ProtocolRole& role, const SelfSigned& certificate) {
    role.certificate = certificate.der;
    role.key = certificate.pkcs8;
  }
  void start() {
    left_.linked = {dialler.plugin<0>()};
    right_.linked = {listener.plugin<1>()};
    left_.start();
    right_.start();
    world().run_for(base::kSecond);
  }
  sim::SimWorld& world() { return fleet_.world(); }
  bool run_until(const std::function<bool()>& done, base::MonoNs most = kLong) { return world().run_until(done, most); }
  std::string there() const { return right_.address().text(); }
  // Up on both sides.
  void connect() {
    here_ = dialler.dial(there());
    ASSERT_EQ(dialler.status, ATLAS_OK);
    ASSERT_TRUE(run_until([&] { return dialler.logs[here_].up && !listener.connections.empty(); }));
    other_ = listener.connections.back();
  }
  ProtocolRole::Log& down(atlas_connection connection) {
    EXPECT_TRUE(run_until([&] { return dialler.logs[connection].down; }));
    return dialler.logs[connection];
  }

  const SelfSigned ours_ = hostile::self_signed(), theirs_ = hostile::self_signed();
  ProtocolRole dialler{"left.role"}, listener{"right.role"};
  ProtocolRole left_two{"left.two", {"test/2", "test/3"}}, right_two{"right.two", {"test/2", "test/3"}};
  sim::Fleet fleet_;
  sim::FleetNode &left_, &right_;
  atlas_connection here_ = 0, other_ = 0;
};

TEST_F(OtherProtocolsTest, BothSidesKnowEachOtherByTheirCertificates) {
  start();
  connect();
  const base::Bytes ours = ours_.der, theirs = theirs_.der;
  ASSERT_EQ(dialler.chains.size(), 1u);
  EXPECT_EQ(dialler.chains[0], std::vector<std::string>{std::string(theirs.begin(), theirs.end())});
  EXPECT_EQ(listener.chains[0], std::vector<std::string>{std::string(ours.begin(), ours.end())});
  EXPECT_EQ(listener.logs[other_].identity, "friend");
  EXPECT_TRUE(dialler.logs[here_].dialled);
  EXPECT_FALSE(listener.logs[other_].dialled);
  EXPECT_EQ(dialler.logs[here_].remote, there());
}

TEST_F(OtherProtocolsTest, StreamsOfBothKindsGoBothWays) {
  listener.echoes = true;
  start();
  connect();
  const atlas_stream two_way = dialler.open(here_);
  EXPECT_EQ(dialler.write(two_way, "ask"), ATLAS_OK);
  EXPECT_EQ(dialler.finish(two_way), ATLAS_OK);
  ASSERT_TRUE(run_until([&] { return dialler.streams[two_way].closed; }));
  EXPECT_EQ(dialler.streams[two_way].data, "ask");
  EXPECT_EQ(dialler.streams[two_way].status, ATLAS_OK);

  const atlas_stream one_way = dialler.open(here_, true);
  EXPECT_EQ(dialler.write(one_way, "tell"), ATLAS_OK);
  EXPECT_EQ(dialler.finish(one_way), ATLAS_OK);
  ASSERT_TRUE(run_until([&] { return listener.logs[other_].streams.size() == 2; }));
  const atlas_stream heard = listener.logs[other_].streams[1];
  ASSERT_TRUE(run_until([&] { return listener.streams[heard].closed && dialler.streams[one_way].closed; }));
  EXPECT_TRUE(listener.streams[heard].unidirectional);
  EXPECT_EQ(listener.streams[heard].data, "tell");
  EXPECT_EQ(listener.streams[heard].status, ATLAS_OK);

  const atlas_stream back = listener.open(other_, true);
  EXPECT_EQ(listener.write(back, "and back"), ATLAS_OK);
  EXPECT_EQ(listener.finish(back), ATLAS_OK);
  ASSERT_TRUE(run_until([&] { return dialler.logs[here_].streams.size() == 1; }));
  ASSERT_TRUE(run_until([&] { return dialler.streams[dialler.logs[here_].streams[0]].fin; }));
}

TEST_F(OtherProtocolsTest, AMebibyteArrives) {
  start();
  connect();
  const atlas_stream stream = dialler.open(here_);
  std::size_t sent = 0;
  const std::string piece(32 << 10, 'x');
  ASSERT_TRUE(run_until([&] {
    while (sent < (1 << 20) && dialler.write(stream, piece) == ATLAS_OK) sent += piece.size();
    return sent == 1 << 20;
  }));
  dialler.finish(stream);
  ASSERT_TRUE(run_until([&] { return !listener.logs[other_].streams.empty(); }));
  const atlas_stream theirs = listener.logs[other_].streams[0];
  ASSERT_TRUE(run_until([&] { return listener.streams[theirs].fin; }));
  EXPECT_EQ(listener.streams[theirs].received, 1u << 20);
}

TEST_F(OtherProtocolsTest, ASlowReaderHoldsNoMoreThanItsWindow) {
  listener.limits.stream_window = 8192;
  listener.credits = false;
  start();
  connect();
  const atlas_stream stream = dialler.open(here_);
  dialler.write(stream, std::string(200'000, 'x'));
  world().run_for(10 * base::kSecond);
  const atlas_stream theirs = listener.logs[other_].streams.at(0);
  EXPECT_EQ(listener.streams[theirs].received, 8192u);
  EXPECT_EQ(listener.stream_table().credit(listener.host(), theirs, 8192), ATLAS_OK);
  world().run_for(10 * base::kSecond);
  EXPECT_EQ(listener.streams[theirs].received, 2 * 8192u);
}

TEST_F(OtherProtocolsTest, OneThatIsRefusedGetsTheAlertAndNothingIsHeardOfIt) {
  listener.verify = [](const atlas_presented&, atlas_verdict&) { return ATLAS_E_DENIED; };
  start();
  const auto& log = down(dialler.dial(there()));
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_TRANSPORT));
  EXPECT_EQ(log.code, 0x12au);
  EXPECT_TRUE(listener.connections.empty());
  world().run_for(5 * base::kSecond);
  for (const auto& [connection, theirs] : listener.logs) EXPECT_FALSE(theirs.up || theirs.down);
}

TEST_F(OtherProtocolsTest, ADiallerRefusesAListener) {
  dialler.verify = [](const atlas_presented&, atlas_verdict&) { return ATLAS_E_DENIED; };
  start();
  const auto& log = down(dialler.dial(there()));
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_REFUSED));
  EXPECT_EQ(log.code, 0x12au);
  EXPECT_FALSE(log.up);
}

TEST_F(OtherProtocolsTest, AVerdictThatComesTooLateIsNone) {
  listener.limits.handshake_ms = 2000;
  right_.config().plugins.soft_budget_ms = right_.config().plugins.hard_budget_ms = 60'000;
  // The strand is busy for good: here the verdict is asked for, and time passes inside.
  sim::SimWorld& world = this->world();
  listener.verify = [&world](const atlas_presented&, atlas_verdict&) {
    world.run_for(3 * base::kSecond);
    return ATLAS_OK;
  };
  start();
  const base::MonoNs before = world.now();
  const atlas_connection connection = dialler.dial(there());
  const auto& log = down(connection);
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_TRANSPORT));
  EXPECT_EQ(log.code, 0x2u) << "CONNECTION_REFUSED";
  EXPECT_GE(world.now() - before, 2 * base::kSecond);
  ASSERT_TRUE(run_until([&] { return listener.logs.size() == 1; }));
  world.run_for(5 * base::kSecond);
  EXPECT_FALSE(listener.logs.begin()->second.up);
}

// The dialler takes itself for connected while the listener still thinks about it, and says all that it likes.
TEST_F(OtherProtocolsTest, WhatComesBeforeTheVerdictIsToldAfterIt) {
  right_.config().plugins.soft_budget_ms = right_.config().plugins.hard_budget_ms = 60'000;
  bool spoke = false;
  dialler.on_event = [&](const atlas_connection_event& event) {
    if (event.what != ATLAS_CONNECTION_UP) return;
    const atlas_stream whole = dialler.open(event.connection), broken = dialler.open(event.connection);
    const atlas_stream one_way = dialler.open(event.connection, true);
    EXPECT_EQ(dialler.write(whole, "early"), ATLAS_OK);
    EXPECT_EQ(dialler.finish(whole), ATLAS_OK);
    EXPECT_EQ(dialler.stream_table().reset(dialler.host(), broken, 9), ATLAS_OK);
    EXPECT_EQ(dialler.finish(one_way), ATLAS_OK);
    spoke = true;
  };
  for (const atlas_status verdict : {atlas_status{ATLAS_OK}, atlas_status{ATLAS_E_DENIED}}) {
    SCOPED_TRACE(verdict);
    listener.streams.clear();
    listener.connections.clear();
    listener.verify = [&](const atlas_presented&, atlas_verdict&) {
      world().run_for(2 * base::kSecond);
      EXPECT_TRUE(spoke);
      EXPECT_TRUE(listener.streams.empty());
      return verdict;
    };
    spoke = false;
    if (verdict == ATLAS_OK) start();
    const atlas_connection connection = dialler.dial(there());
    if (verdict == ATLAS_OK) {
      ASSERT_TRUE(run_until([&] { return listener.streams.size() == 3; }));
      world().run_for(base::kSecond);
      const auto& opened = listener.logs[listener.connections[0]].streams;
      ASSERT_EQ(opened.size(), 3u);
      EXPECT_EQ(listener.streams[opened[0]].data, "early");
      EXPECT_TRUE(listener.streams[opened[0]].fin);
      EXPECT_EQ(listener.streams[opened[2]].reset, 9u);
      EXPECT_TRUE(listener.streams[opened[1]].fin);
      EXPECT_TRUE(listener.streams[opened[1]].unidirectional);
      EXPECT_TRUE(listener.streams[opened[1]].closed);
    } else {
      down(connection);
      world().run_for(base::kSecond);
      EXPECT_TRUE(listener.streams.empty());
      EXPECT_TRUE(listener.connections.empty());
    }
  }
}

TEST_F(OtherProtocolsTest, WithoutCredentialsOrClaimNobodyIsThere) {
  listener.certificate.clear();
  start();
  const auto& log = down(dialler.dial(there()));
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_TRANSPORT));
  EXPECT_EQ(log.code, 0x178u) << "no_application_protocol";
  // They may come at any time.
  give(listener, theirs_);
  EXPECT_EQ(listener.credentials("test/1"), ATLAS_OK);
  world().run_for(base::kSecond);
  connect();
}

TEST_F(OtherProtocolsTest, CredentialsThatDoNotBelongTogetherAreRefused) {
  start();
  dialler.certificate = theirs_.der;
  EXPECT_EQ(dialler.credentials("test/1"), ATLAS_E_ARG);
  dialler.certificate = {1, 2, 3};
  EXPECT_EQ(dialler.credentials("test/1"), ATLAS_E_ARG);
  connect();  // with those from before
}

TEST_F(OtherProtocolsTest, NobodyAnswersThere) {
  start();
  const base::MonoNs before = world().now();
  const auto& log = down(dialler.dial(right_.machine().at(9).text(), "test/1", 3000));
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_IDLE));
  EXPECT_LE(world().now() - before, 3 * base::kSecond + 200 * base::kMillisecond);
}

TEST_F(OtherProtocolsTest, CloseTellsBothSides) {
  start();
  connect();
  const atlas_stream stream = dialler.open(here_);
  dialler.write(stream, "x");
  ASSERT_TRUE(run_until([&] { return !listener.logs[other_].streams.empty(); }));
  EXPECT_EQ(listener.close(other_, 42, "enough"), ATLAS_OK);
  const auto& log = down(here_);
  EXPECT_EQ(log.why, static_cast<std::uint32_t>(ATLAS_CLOSED_PEER));
  EXPECT_EQ(log.code, 42u);
  EXPECT_EQ(log.reason, "enough");
  EXPECT_TRUE(dialler.streams[stream].closed) << "its streams ended before it";
  EXPECT_EQ(dialler.streams[stream].status, ATLAS_E_GONE);
  ASSERT_TRUE(run_until([&] { return listener.logs[other_].down; }));
  EXPECT_EQ(listener.logs[other_].why, static_cast<std::uint32_t>(ATLAS_CLOSED_LOCAL));
  EXPECT_EQ(dialler.open(here_), 0u);
  EXPECT_EQ(dialler.status, ATLAS_E_GONE);
}

TEST_F(OtherProtocolsTest, MoreStreamsThanAllowedAreFullUntilOneCloses) {
  listener.limits.max_streams = 2;
  listener.echoes = true;
  start();
  connect();
  const atlas_stream one = dialler.open(here_), two = dialler.open(here_);
  EXPECT_NE(two, 0u);
  EXPECT_EQ(dialler.open(here_), 0u);
  EXPECT_EQ(dialler.status, ATLAS_E_FULL);
  dialler.write(one, "x");
  dialler.finish(one);
  ASSERT_TRUE(run_until([&] { return dialler.streams[one].closed; }));
  world().run_for(base::kSecond);
  EXPECT_NE(dialler.open(here_), 0u);
}

TEST_F(OtherProtocolsTest, MaximumOfConnections) {
  listener.limits.max_connections = 1;
  start();
  connect();
  const auto& log = down(dialler.dial(there()));
  EXPECT_EQ(log.code, 0x2u);
  EXPECT_FALSE(dialler.logs[here_].down);
}

TEST_F(OtherProtocolsTest, AnIdleConnectionEnds) {
  listener.limits.idle_ms = dialler.limits.idle_ms = 3000;
  start();
  connect();
  EXPECT_EQ(down(here_).why, static_cast<std::uint32_t>(ATLAS_CLOSED_IDLE));
}

TEST_F(OtherProtocolsTest, TwoProtocolsAndTheNodesOwnAtOnce) {
  give(left_two, theirs_);
  give(right_two, ours_);
  right_two.echoes = listener.echoes = true;
  left_.linked = {dialler.plugin<0>(), left_two.plugin<2>()};
  right_.linked = {listener.plugin<1>(), right_two.plugin<3>()};
  left_.start();
  right_.start();
  world().run_for(base::kSecond);
  connect();
  const atlas_connection second = left_two.dial(there(), "test/2"), third = left_two.dial(there(), "test/3");
  ASSERT_TRUE(run_until([&] { return left_two.logs[second].up && left_two.logs[third].up; }));
  ASSERT_EQ(left_.run(world(), "connect", {{"target", there()}}).exit_code, 0);
  const atlas_stream one = dialler.open(here_), two = left_two.open(second), three = left_two.open(third);
  dialler.write(one, "one");
  left_two.write(two, "two");
  left_two.write(three, "three");
  ASSERT_TRUE(run_until([&] {
    return dialler.streams[one].data == "one" && left_two.streams[two].data == "two" &&
           left_two.streams[three].data == "three";
  }));
  EXPECT_EQ(left_.run(world(), "ping", {{"target", right_.node_id()}}).exit_code, 0);
  EXPECT_EQ(right_.node().session_count(), 1u);
}

TEST_F(OtherProtocolsTest, ARoleThatStopsClosesItsConnections) {
  start();
  connect();
  right_.stop(world());
  EXPECT_TRUE(listener.logs[other_].down);
  EXPECT_EQ(listener.logs[other_].why, static_cast<std::uint32_t>(ATLAS_CLOSED_LOCAL));
  EXPECT_EQ(down(here_).why, static_cast<std::uint32_t>(ATLAS_CLOSED_PEER));
}

TEST_F(OtherProtocolsTest, ARoleThatFaultsIsGoneForItsPeersAndTheNodeLives) {
  start();
  connect();
  listener.on_event = [](const atlas_connection_event& event) {
    if (event.what == ATLAS_CONNECTION_STREAM) throw std::runtime_error("a bug");
  };
  const atlas_stream stream = dialler.open(here_);
  dialler.write(stream, "x");
  EXPECT_EQ(down(here_).why, static_cast<std::uint32_t>(ATLAS_CLOSED_PEER));
  const auto& log = down(dialler.dial(there()));
  EXPECT_EQ(log.code, 0x178u) << "its certificate went with it";
  EXPECT_EQ(left_.run(world(), "connect", {{"target", there()}}).exit_code, 0);
}

}  // namespace
}  // namespace atlas::node
