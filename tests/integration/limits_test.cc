// Every limit that a peer meets (wire protocol, section 10, and [transport]): it bites, it is counted, and what it
// costs lasts as long as it should.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/limits.h"
#include "integration/node_test.h"

namespace atlas::node {
namespace {

using kit::RawLine;
using kit::RawStream;

class NodeLimits : public NodeTest {
 protected:
  // Sends `count` pings at once; how many of them were refused with 4001.
  std::size_t refused_of(RawLine& line, int count) {
    std::vector<quic::StreamId> streams;
    for (int i = 0; i < count; ++i) streams.push_back(peer().say(line, kPing, ping_payload(i)));
    std::size_t refused = 0;
    for (const auto stream : streams) {
      if (peer().wait_ended(line, stream) && line.streams[stream].error_code() == 4001) ++refused;
    }
    return refused;
  }
  // Three violations, a good second apart.
  void earn_a_ban(RawLine& line) {
    for (int i = 0; i < 3 && !line.closed; ++i) {
      refused_of(line, 6);
      world().run_for(1100 * base::kMillisecond);
    }
  }
  // The handshake runs to its end and the verdict is `rejected`.
  void expect_rejected(const std::string& why) {
    RawLine& line = peer().dial(address());
    EXPECT_FALSE(peer().greet(line));
    ASSERT_TRUE(peer().wait_closed(line));
    const auto envelopes = line.streams[line.greeting].envelopes();
    ASSERT_EQ(envelopes.size(), 2u);
    ASSERT_EQ(envelopes[1].type, wire::kVerifyAck);
    const auto verdict = wire::decode_verify_ack(envelopes[1].payload);
    ASSERT_TRUE(verdict);
    EXPECT_FALSE(verdict->ok);
    EXPECT_NE(verdict->reason.value_or("").find(why), std::string::npos) << verdict->reason.value_or("(none)");
    EXPECT_TRUE(line.streams[line.greeting].fin);
    EXPECT_TRUE(line.closed_by_peer_with(2)) << line.closed->code;
    EXPECT_EQ(sessions(), 0u);
  }
};

TEST_F(NodeLimits, ListOfPeersIsBounded) {
  start();
  EXPECT_EQ(node_.run(world(), "peers", {{"--limit", "10000"}}).exit_code, 0);
  const auto refused = node_.run(world(), "peers", {{"--limit", "10001"}});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.error.find("1 to 10000"), std::string::npos) << refused.error;
}

TEST_F(NodeLimits, EveryCounterOfALimitIsInTheStatus) {
  sim::FleetNode& node = fleet_.add("all", {"bootstrap", "discovery", "keepalive", "messaging", "relay"});
  node.config().transport.enable_relay = node.config().transport.offer_relay = true;
  node.start();
  const nlohmann::json status = node.run(world(), "status").result;
  const auto shown = [&](const std::string& counter) {
    if (counter.starts_with("atlas_")) return status.at("metrics").contains(counter);
    const std::size_t dot = counter.find('.');
    if (dot == std::string::npos) return status.at("counters").contains(counter);
    return status.contains(counter.substr(0, dot)) && status[counter.substr(0, dot)].contains(counter.substr(dot + 1));
  };
  constexpr std::string_view kEvery = "<plugin>";
  for (const base::Limit& limit : base::all_limits()) {
    std::string counter(limit.counter);
    if (const auto at = counter.find(kEvery); at != std::string::npos) counter.replace(at, kEvery.size(), "keepalive");
    EXPECT_TRUE(counter == "-" || shown(counter)) << limit.key << ": `net status` does not show " << counter;
  }
  EXPECT_FALSE(shown("store.nothing") || shown("nothing.failed") || shown("failed") || shown("atlas_keepalive_none"));
}

TEST_F(NodeLimits, SixthRequestAtOnceIs4001) {
  start();
  RawLine& line = peer().session(address());
  EXPECT_EQ(refused_of(line, 6), 1u);
  EXPECT_EQ(counter("refused_per_second"), 1u);
  EXPECT_EQ(counter("violations"), 1u);
  world().run_for(base::kSecond);
  EXPECT_EQ(refused_of(line, 5), 0u) << "a second later there is room for five again";
}

TEST_F(NodeLimits, SixtyFirstRequestInAMinuteIs4001) {
  start();
  RawLine& line = peer().session(address());
  for (int i = 0; i < 60; ++i) {
    ASSERT_EQ(refused_of(line, 1), 0u) << i;
    world().run_for(500 * base::kMillisecond);
  }
  EXPECT_EQ(refused_of(line, 1), 1u);
  EXPECT_EQ(counter("refused_per_minute"), 1u);
  world().run_for(60 * base::kSecond);
  EXPECT_EQ(refused_of(line, 1), 0u);
}

TEST_F(NodeLimits, PerMinuteFigureIsTheOperators) {
  start([](config::Config& config) { config.rate_limit.per_peer_per_minute = 3; });
  RawLine& line = peer().session(address());
  EXPECT_EQ(refused_of(line, 5), 2u);
  EXPECT_EQ(counter("refused_per_minute"), 2u);
}

TEST_F(NodeLimits, PayloadOfAMinuteIs4001) {
  start();
  RawLine& line = peer().session(address());
  msgpack::Writer out;
  out.map(2).text("ts").integer(1).text("x").bin(base::Bytes(4'000'000));
  EXPECT_EQ(peer().ask(line, kPing, out.bytes()).envelopes().at(0).type, kPong);
  EXPECT_EQ(peer().ask(line, kPing, out.bytes()).envelopes().at(0).type, kPong);
  EXPECT_EQ(peer().ask(line, kPing, out.bytes()).error_code(), 4001u);
  EXPECT_EQ(counter("refused_payload_per_minute"), 1u);
  EXPECT_EQ(refused_of(line, 1), 0u) << "a small one still fits";
}

TEST_F(NodeLimits, ViolationsOfOneSecondCountOnce) {
  start();
  RawLine& line = peer().session(address());
  EXPECT_EQ(refused_of(line, 40), 35u);
  world().run_for(5 * base::kSecond);
  EXPECT_FALSE(line.closed);
  EXPECT_EQ(counter("bans"), 0u);
}

TEST_F(NodeLimits, ThreeViolationsAreABan) {
  start();
  RawLine& line = peer().session(address());
  earn_a_ban(line);
  ASSERT_TRUE(peer().wait_closed(line));
  EXPECT_TRUE(line.closed_by_peer_with(2)) << line.closed->code;
  const quic::StreamId stream = line.opened_by_peer(true);
  ASSERT_GE(stream, 0) << "no Disconnect before the close";
  const auto envelopes = line.streams[stream].envelopes();
  ASSERT_EQ(envelopes.at(0).type, wire::kDisconnect);
  EXPECT_EQ(wire::decode_disconnect(envelopes[0].payload)->reason, 2u);
  EXPECT_LE(line.streams[stream].ended_at, line.closed_at);
  EXPECT_EQ(counter("bans"), 1u);
  expect_rejected("limit");
  EXPECT_EQ(counter("handshakes_rejected"), 1u);
}

TEST_F(NodeLimits, ViolationsFarApartAreNoBan) {
  start();
  RawLine& line = peer().session(address());
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(refused_of(line, 6), 1u);
    // Something has to pass in between, or the connection would end for being idle.
    for (int k = 0; k < 2; ++k) {
      world().run_for(80 * base::kSecond);
      peer().ask(line, kNobodys, ping_payload());
    }
  }
  EXPECT_FALSE(line.closed);
  EXPECT_EQ(counter("violations"), 6u);
  EXPECT_EQ(counter("bans"), 0u);
}

TEST_F(NodeLimits, BanEndsWhenItsTimeIsOver) {
  start([](config::Config& config) { config.security.ban_duration_s = 30; });
  earn_a_ban(peer().session(address()));
  expect_rejected("limit");
  world().run_for(31 * base::kSecond);
  EXPECT_TRUE(peer().greet(peer().dial(address())));
}

TEST_F(NodeLimits, BanIsOfTheNodeIdAndNotOfTheAddress) {
  start();
  earn_a_ban(peer().session(address()));
  expect_rejected("limit");
  const auto neighbour = identity::NodeKey::generate(raw_machine_.random());
  EXPECT_TRUE(peer().greet(peer().dial(address(), &neighbour), &neighbour));
}

TEST_F(NodeLimits, BanOutlivesARestart) {
  start();
  earn_a_ban(peer().session(address()));
  node_.stop(world());
  node_.start();
  expect_rejected("limit");
  world().run_for(600 * base::kSecond);
  EXPECT_TRUE(peer().greet(peer().dial(address())));
}

TEST_F(NodeLimits, BanOutlivesTheDeathOfTheProcess) {
  start();
  earn_a_ban(peer().session(address()));
  world().run_for(2 * base::kSecond);
  node_.kill();
  node_.start();
  expect_rejected("limit");
}

TEST_F(NodeLimits, ReconnectDoesNotRefillTheBudget) {
  start();
  RawLine& first = peer().session(address());
  EXPECT_EQ(refused_of(first, 5), 0u);
  first.connection->close(0, "");
  RawLine& second = peer().session(address());
  EXPECT_GE(refused_of(second, 5), 3u);
}

TEST_F(NodeLimits, BudgetsOfTwoPeersAreTheirOwn) {
  start();
  const auto neighbour = identity::NodeKey::generate(raw_machine_.random());
  RawLine& one = peer().session(address());
  RawLine& other = peer().session(address(), &neighbour);
  EXPECT_EQ(refused_of(one, 10), 5u);
  EXPECT_EQ(refused_of(other, 5), 0u);
}

TEST_F(NodeLimits, PeerCannotOpenMoreStreamsThanAllowed) {
  start([](config::Config& config) { config.transport.max_streams_per_conn = 3; });
  RawLine& line = peer().session(address());
  world().run_for(base::kSecond);
  std::vector<quic::StreamId> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(peer().say(line, base::ByteView(), false));
  EXPECT_FALSE(line.connection->open_stream());
  for (const auto stream : streams) peer().say_more(line, stream, wire::seal(kNobodys, ping_payload()), true);
  for (const auto stream : streams) ASSERT_TRUE(peer().wait_ended(line, stream));
  world().run_for(base::kSecond);
  EXPECT_EQ(peer().ask(line, kPing, ping_payload()).envelopes().at(0).type, kPong) << "they are given back";
}

TEST_F(NodeLimits, ConnectionsOverTheMaximumAreRefused) {
  start([](config::Config& config) { config.transport.max_connections = 3; });
  std::vector<identity::NodeKey> keys;
  for (int i = 0; i < 4; ++i) keys.push_back(identity::NodeKey::generate(raw_machine_.random()));
  for (int i = 0; i < 3; ++i) peer().session(address(), &keys[i]);
  RawLine& fourth = peer().dial(address(), &keys[3]);
  ASSERT_TRUE(peer().wait_closed(fourth));
  EXPECT_FALSE(fourth.connected);
  EXPECT_EQ(fourth.closed->by, quic::CloseInfo::By::kPeerTransport);
  EXPECT_EQ(fourth.closed->code, 2u) << "CONNECTION_REFUSED";
  EXPECT_EQ(sessions(), 3u);
  EXPECT_EQ(node_.node().endpoint_counters().refused_full, 1u);
}

TEST_F(NodeLimits, HalfOfTheHandshakeLimitBringsRetryAndAllOfItRefusal) {
  start([](config::Config& config) { config.security.handshake_limit = 4; });
  const auto& counters = node_.node().endpoint_counters();
  std::vector<RawLine*> lines;
  for (int i = 0; i < 3; ++i) {
    lines.push_back(&peer().dial(address()));
    ASSERT_TRUE(peer().wait_connected(*lines.back()));
  }
  EXPECT_EQ(counters.retry_sent, 0u);
  RawLine& fourth = peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(fourth)) << "Retry delays, it does not refuse";
  EXPECT_EQ(counters.retry_sent, 1u);
  RawLine& fifth = peer().dial(address());
  ASSERT_TRUE(peer().wait_closed(fifth));
  EXPECT_FALSE(fifth.connected);
  EXPECT_GE(counters.refused_half_open, 1u);
  // Those that finish their handshake make room.
  EXPECT_TRUE(peer().greet(fourth));
  EXPECT_EQ(counters.half_open, 3u);
  // Those that do not are gone after ten seconds.
  world().run_for(11 * base::kSecond);
  EXPECT_EQ(counters.half_open, 0u);
}

TEST_F(NodeLimits, IdleSessionEndsInSilence) {
  start([](config::Config& config) { config.transport.idle_timeout_s = 30; });
  RawLine& line = peer().session(address());
  world().run_for(28 * base::kSecond);
  EXPECT_EQ(sessions(), 1u);
  peer().ask(line, kPing, ping_payload());
  world().run_for(28 * base::kSecond);
  EXPECT_EQ(sessions(), 1u) << "any exchange puts it off";
  world().run_for(4 * base::kSecond);
  EXPECT_EQ(sessions(), 0u);
  ASSERT_TRUE(line.closed);
  EXPECT_EQ(line.closed->by, quic::CloseInfo::By::kIdle);
  EXPECT_EQ(line.opened_by_peer(true), -1) << "no Disconnect";
}

TEST_F(NodeLimits, ThreeUnansweredPingsAreDisconnect1) {
  start([](config::Config& config) { config.plugin_tables["keepalive"]["interval"] = {std::string("60s"), 0, 0}; });
  RawLine& line = peer().session(address());
  const base::MonoNs began = world().now();
  ASSERT_TRUE(peer().wait_closed(line, 600 * base::kSecond));
  EXPECT_TRUE(line.closed_by_peer_with(1)) << line.closed->code;
  std::size_t pings = 0;
  quic::StreamId last = -1;
  for (quic::StreamId id = line.opened_by_peer(true); id >= 0; id = line.opened_by_peer(true, id)) {
    pings += line.streams[id].envelopes().at(0).type == kPing;
    last = id;
  }
  EXPECT_EQ(pings, 3u);
  ASSERT_EQ(line.streams[last].envelopes().at(0).type, wire::kDisconnect);
  EXPECT_EQ(wire::decode_disconnect(line.streams[last].envelopes()[0].payload)->reason, 1u);
  // When the fourth would be due: four intervals of 60 s, each a fifth more or less.
  EXPECT_GE(line.closed_at - began, 4 * 48 * base::kSecond);
  EXPECT_LE(line.closed_at - began, 4 * 76 * base::kSecond);
  EXPECT_EQ(sessions(), 0u);
}

TEST_F(NodeLimits, AnsweredPingsKeepTheSession) {
  start([](config::Config& config) { config.plugin_tables["keepalive"]["interval"] = {std::string("60s"), 0, 0}; });
  RawLine& line = peer().session(address());
  peer().on_piece = [this](RawLine& on, quic::StreamId stream) {
    const auto envelopes = on.streams[stream].envelopes();
    if (envelopes.empty() || envelopes[0].type != kPing) return;
    // An Error is a sign of life as good as a Pong.
    peer().say_more(on, stream, wire::encode(wire::ErrorMessage{2003, "no such role", {}}), true);
  };
  world().run_for(3600 * base::kSecond);
  EXPECT_FALSE(line.closed);
  EXPECT_EQ(sessions(), 1u);
}

}  // namespace
}  // namespace atlas::node
