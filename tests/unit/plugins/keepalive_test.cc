// The keepalive role against protocol.md, section 6: intervals and jitter, the three misses, pongs, `net ping`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "atlas/msgpack.hpp"
#include "kit/documented_keys.h"
#include "kit/fake_host.h"
#include "ping.h"

namespace {

using atlas::kit::Bytes;
using atlas::kit::FakeHost;
using atlas::kit::FakeReply;
using atlas::kit::FakeRequest;
using atlas::kit::node_id;
using atlas::msgpack::MapView;
using testing::HasSubstr;

constexpr std::uint64_t kMinute = 60'000;

std::int64_t ts_of(const Bytes& ping) {
  return MapView::of(ping).find("ts").i64().value();
}
Bytes pong_to(const FakeRequest& ping) {
  return keepalive::encode_pong(7, ts_of(ping.body)).take();
}
FakeReply pong_reply(const FakeRequest& ping) {
  return {true, 0xf1, pong_to(ping), 0, ""};
}

class Keepalive : public testing::Test {
 protected:
  FakeHost host{atlas_plugin_v1};
  void run() { host.run(); }
};

TEST_F(Keepalive, ClaimsPingAndPromisesAnAnswer) {
  run();
  EXPECT_EQ(host.claimed, (std::map<std::uint8_t, std::uint32_t>{{0xf0, ATLAS_HANDLE_ANSWERS}}));
}

TEST_F(Keepalive, AnswersAPingWithItsTs) {
  run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  for (const std::int64_t ts : {std::int64_t{0}, std::int64_t{-5}, std::int64_t{1'700'000'000},
                                std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    const FakeReply reply = host.deliver(peer, 0xf0, keepalive::encode_ping(ts).take());
    ASSERT_TRUE(reply.answered);
    EXPECT_EQ(reply.type, 0xf1);
    EXPECT_EQ(MapView::of(reply.body).find("echo").i64(), ts);
    EXPECT_EQ(MapView::of(reply.body).find("ts").i64(), host.unix_ms_at_start);
  }
}

TEST_F(Keepalive, APingWithoutTsIsRefused) {
  run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  atlas::msgpack::Writer text;
  text.map(1).text("ts").text("now");
  for (const Bytes& body : {Bytes{0x80}, text.take()}) {
    const FakeReply reply = host.deliver(peer, 0xf0, body);
    EXPECT_EQ(reply.error_code, 2003u);
    EXPECT_THAT(reply.error_text, HasSubstr("ts"));
  }
}

TEST_F(Keepalive, PingsComeWithinTheJitterAndDiffer) {
  run();
  host.responder = pong_reply;
  host.connect_peer({.node_id = node_id(1)});
  std::set<std::uint64_t> gaps;
  std::uint64_t last = host.now_ms;
  for (std::int64_t sent = 1; sent <= 50; ++sent) {
    while (host.metric("pings_sent") < sent) {
      host.advance(10);
      ASSERT_LT(host.now_ms - last, 73'000u);
    }
    const std::uint64_t gap = host.now_ms - last;
    EXPECT_GE(gap, 48'000u);
    EXPECT_LE(gap, 72'110u);  // the wake-up may be 100 ms late, and this loop 10
    gaps.insert(gap);
    last = host.now_ms;
  }
  EXPECT_GT(gaps.size(), 25u);
  EXPECT_EQ(host.metric("pongs_received"), 50);
  EXPECT_TRUE(host.disconnects.empty());
}

TEST_F(Keepalive, ThreeMissesAndTheFourthWouldBeDue) {
  run();
  const std::uint64_t begin = host.now_ms;
  host.connect_peer({.node_id = node_id(1)});
  while (host.metric("pings_sent") < 3) host.advance(1000);
  host.advance(20'000);  // the third has timed out, the fourth is not due yet
  EXPECT_EQ(host.metric("misses"), 3);
  EXPECT_TRUE(host.disconnects.empty());
  while (host.disconnects.empty() && host.now_ms - begin < 6 * kMinute) host.advance(1000);
  ASSERT_EQ(host.disconnects.size(), 1u);
  EXPECT_EQ(host.disconnects[0].reason, 1u);
  EXPECT_EQ(host.disconnects[0].node_id, node_id(1));
  EXPECT_GE(host.now_ms - begin, 4 * 48'000u);
  EXPECT_LE(host.now_ms - begin, 4 * 72'200u + 1000);
  EXPECT_EQ(host.metric("pings_sent"), 3);
  EXPECT_EQ(host.metric("disconnects"), 1);
  host.advance(10 * kMinute);
  EXPECT_EQ(host.disconnects.size(), 1u);
}

TEST_F(Keepalive, AnyAnswerClearsTheMisses) {
  run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  std::int64_t pings = 0;
  host.responder = [&](const FakeRequest& ping) -> std::optional<FakeReply> {
    if (++pings % 3 != 0) return std::nullopt;
    return pings % 2 ? pong_reply(ping) : FakeReply{true, 0xe0, {}, 4001, "rate limited"};
  };
  host.advance(60 * kMinute);
  EXPECT_TRUE(host.disconnects.empty());
  EXPECT_TRUE(host.peers.contains(peer));
  EXPECT_GE(host.metric("misses"), 30);
}

TEST_F(Keepalive, AFullQueueIsNotThePeersFault) {
  run();
  host.connect_peer({.node_id = node_id(1)});
  host.request_status = ATLAS_E_FULL;
  host.advance(30 * kMinute);
  EXPECT_TRUE(host.disconnects.empty());
  EXPECT_EQ(host.metric("pings_sent"), 0);
}

TEST_F(Keepalive, ConfiguredIntervalAndMisses) {
  host.config["interval"] = "5s";
  host.config["misses"] = std::int64_t{1};
  host.config["timeout"] = "500ms";
  run();
  host.connect_peer({.node_id = node_id(1)});
  host.advance(12'300);
  ASSERT_EQ(host.disconnects.size(), 1u);
  EXPECT_EQ(host.disconnects[0].note, "no answer to 1 ping");
}

TEST_F(Keepalive, WrongConfigurationIsNoted) {
  host.config["interval"] = "10ms";
  host.config["misses"] = std::int64_t{0};
  host.config["timeout"] = true;
  EXPECT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.problems.size(), 3u);
}

TEST_F(Keepalive, APeerThatLeftIsForgotten) {
  run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  host.advance(30'000);
  host.lose_peer(peer);
  host.advance(10 * kMinute);
  EXPECT_EQ(host.metric("pings_sent"), 0);
  EXPECT_EQ(host.running_timers(), 0u);
}

TEST_F(Keepalive, APeerThatLeavesWithAPingOpen) {
  run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  while (host.metric("pings_sent") < 1) host.advance(100);
  host.lose_peer(peer);
  EXPECT_EQ(host.metric("misses"), 0);
  EXPECT_TRUE(host.requests.empty());
}

TEST_F(Keepalive, SessionsFromBeforeStartArePinged) {
  ASSERT_EQ(host.init(), ATLAS_OK);
  host.peers[77] = {.node_id = node_id(1), .handle = 77};
  ASSERT_EQ(host.start(), ATLAS_OK);
  host.advance(73'000);
  EXPECT_EQ(host.metric("pings_sent"), 1);
}

TEST_F(Keepalive, TenThousandPeersShareOneTimerAndSpreadTheirPings) {
  run();
  host.responder = pong_reply;
  for (int i = 0; i < 10'000; ++i) host.connect_peer({.node_id = node_id(i)});
  EXPECT_EQ(host.running_timers(), 1u);
  std::int64_t before = 0, most = 0;
  for (int second = 0; second < 73; ++second) {
    host.advance(1000);
    most = std::max(most, host.metric("pings_sent") - before);
    before = host.metric("pings_sent");
  }
  EXPECT_GE(before, 10'000);
  EXPECT_LT(most, 10'000 / 24 * 2);  // 24 seconds of jitter, and nobody bunches up
  EXPECT_EQ(host.running_timers(), 1u);
}

TEST_F(Keepalive, DrainEndsThePings) {
  run();
  host.connect_peer({.node_id = node_id(1)});
  host.drain();
  host.connect_peer({.node_id = node_id(2)});
  host.advance(10 * kMinute);
  EXPECT_EQ(host.metric("pings_sent"), 0);
}

TEST_F(Keepalive, StopWithPingsOpen) {
  run();
  host.connect_peer({.node_id = node_id(1)});
  while (host.metric("pings_sent") < 1) host.advance(100);
  host.stop();
  EXPECT_TRUE(host.disconnects.empty());
}

class NetPing : public Keepalive {
 protected:
  atlas_call ping(std::map<std::string, std::string> args) {
    args.try_emplace("target", "127.0.0.1:4433");
    return host.run_command("ping", args);
  }
};

TEST_F(NetPing, FourPingsASecondApart) {
  run();
  std::vector<std::uint64_t> rtts = {900, 300, 600, 200}, times;
  host.responder = [&](const FakeRequest& ping) {
    times.push_back(host.now_ms);
    host.responder_rtt_us = rtts[times.size() - 1];
    return pong_reply(ping);
  };
  const auto call = ping({});
  ASSERT_EQ(host.dials.size(), 1u);
  EXPECT_EQ(host.dials[0].target, "127.0.0.1:4433");
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  const std::uint64_t begin = host.now_ms;
  host.advance(3000);
  EXPECT_EQ(times, (std::vector<std::uint64_t>{begin, begin + 1000, begin + 2000, begin + 3000}));
  const auto& out = host.calls.at(call);
  EXPECT_TRUE(out.finished);
  EXPECT_EQ(out.status, ATLAS_OK);
  EXPECT_EQ(out.progress.size(), 4u);
  EXPECT_THAT(out.progress[0], HasSubstr("rtt=0.900 ms"));
  EXPECT_EQ(out.result.value(), "{\"node_id\":\"" + node_id(5) +
                                    "\",\"path\":\"direct\",\"sent\":4,\"received\":4,"
                                    "\"rtt_ms\":{\"min\":0.2,\"avg\":0.5,\"max\":0.9}}");
}

TEST_F(NetPing, CountAndInterval) {
  run();
  host.responder = pong_reply;
  const auto call = ping({{"--count", "2"}, {"--interval", "250ms"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.advance(249);
  EXPECT_FALSE(host.calls.at(call).finished);
  host.advance(1);
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_THAT(*host.calls.at(call).result, HasSubstr("\"sent\":2,\"received\":2"));
}

TEST_F(NetPing, LostPingsAreCounted) {
  run();
  int pings = 0;
  host.responder = [&](const FakeRequest& ping) {
    return ++pings == 2 ? std::nullopt : std::optional(pong_reply(ping));
  };
  const auto call = ping({{"--count", "3"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.advance(12'000);
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
  EXPECT_THAT(*host.calls.at(call).result, HasSubstr("\"sent\":3,\"received\":2"));
}

TEST_F(NetPing, FailsWhenNothingComesBack) {
  run();
  const auto call = ping({{"--count", "2"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.advance(21'000);
  const auto& out = host.calls.at(call);
  EXPECT_EQ(out.status, ATLAS_E_TIMEOUT);
  EXPECT_THAT(out.error, HasSubstr("no answer to 2 pings"));
  EXPECT_THAT(*out.result, HasSubstr("\"received\":0,\"rtt_ms\":{\"min\":null,\"avg\":null,\"max\":null}"));
}

TEST_F(NetPing, AForeignEchoIsNoPong) {
  run();
  host.responder = [](const FakeRequest& ping) {
    return FakeReply{true, 0xf1, keepalive::encode_pong(1, ts_of(ping.body) + 1).take(), 0, ""};
  };
  const auto call = ping({{"--count", "1"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_TIMEOUT);
}

TEST_F(NetPing, StopsAtARateLimit) {
  run();
  int pings = 0;
  host.responder = [&](const FakeRequest& ping) {
    return ++pings <= 2 ? pong_reply(ping) : FakeReply{true, 0xe0, {}, 4001, "slow down"};
  };
  const auto call = ping({{"--count", "50"}, {"--interval", "1ms"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.advance(1000);
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(pings, 3);
  EXPECT_THAT(host.calls.at(call).progress.back(), HasSubstr("4001"));
}

TEST_F(NetPing, StopsWhenTheSessionEnds) {
  run();
  const auto call = ping({});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.lose_peer(host.peers.begin()->first);
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_NE(host.calls.at(call).status, ATLAS_OK);
}

TEST_F(NetPing, SaysWhyADialFailed) {
  run();
  const auto call = ping({});
  host.fail_dial(host.dials[0], ATLAS_E_UNREACHABLE, "127.0.0.1:4433: unreachable (connection refused)");
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_UNREACHABLE);
  EXPECT_EQ(host.calls.at(call).error, "127.0.0.1:4433: unreachable (connection refused)");
}

TEST_F(NetPing, ADialThatTheHostRefusesAtOnce) {
  run();
  host.connect_status = ATLAS_E_FULL;
  host.last_error = "too many dials";
  const auto call = ping({});
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_FULL);
  EXPECT_THAT(host.calls.at(call).error, HasSubstr("too many dials"));
}

TEST_F(NetPing, ABadTargetIsAUsageErrorThatSaysWhy) {
  run();
  for (const auto& [target, why] : std::map<std::string, std::string>{
           {"foo", "neither ip:port"}, {"127.0.0.1", "127.0.0.1:4433?"}, {"127.0.0.1:0", "1 to 65535"}}) {
    const auto call = ping({{"target", target}});
    EXPECT_EQ(host.calls.at(call).status, ATLAS_E_ARG) << target;
    EXPECT_THAT(host.calls.at(call).error, HasSubstr(why));
  }
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(NetPing, APeerWithoutTheRoleIsToldOnce) {
  run();
  host.responder = [](const FakeRequest&) { return FakeReply{true, 0xe0, {}, 2003, "no role here answers this"}; };
  const auto call = ping({});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  ASSERT_TRUE(host.calls.at(call).finished) << "the next ping would come to the same";
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_DENIED);
  EXPECT_EQ(host.calls.at(call).error,
            "no pong to 1 ping: error 2003: no role here answers this; the peer has no keepalive role, it seems");
}

TEST_F(NetPing, PrintsTheKeysOfTheReference) {
  run();
  host.responder = pong_reply;
  const auto call = ping({{"--count", "1"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  const auto documented = atlas::kit::documented_keys("net ping");
  ASSERT_EQ(documented.size(), 1u);
  EXPECT_EQ(atlas::kit::keys_of(nlohmann::json::parse(*host.calls.at(call).result)), documented[0]);
}

TEST_F(NetPing, BadArgumentsAreNamed) {
  run();
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"--count", "0"}, {"--count ", "x"}, {"--interval", "soon"}, {"--interval ", "-1s"}}) {
    const std::string option = name.substr(0, name.find(' '));
    const auto call = ping({{option, value}});
    EXPECT_EQ(host.calls.at(call).status, ATLAS_E_ARG);
    EXPECT_THAT(host.calls.at(call).error, HasSubstr(option));
  }
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(NetPing, APersonWhoLeavesEndsThePings) {
  run();
  host.responder = pong_reply;
  const auto call = ping({{"--count", "100"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.cancel_command(call);
  EXPECT_EQ(host.running_timers(), 1u);  // the one that watches the peer
}

TEST_F(NetPing, AStopInTheMiddleEndsTheCommand) {
  run();
  host.responder = pong_reply;
  const auto call = ping({{"--count", "100"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  host.advance(1500);  // between two pings: only a timer holds the run
  host.stop();
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_NE(host.calls.at(call).status, ATLAS_OK);
}

TEST(KeepaliveClient, PingRunsInAClientToo) {
  FakeHost host(atlas_plugin_v1, ATLAS_MODE_CLIENT);
  host.run();
  EXPECT_EQ(host.commands.at("ping").where, ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT);
  host.responder = pong_reply;
  const auto call = host.run_command("ping", {{"target", node_id(5)}, {"--count", "1"}});
  host.finish_dial(host.dials[0], {.node_id = node_id(5)});
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
}

TEST(KeepaliveDescribe, DeclaresItsKeys) {
  FakeHost host(atlas_plugin_v1, ATLAS_MODE_DESCRIBE);
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.asked.at("interval"), "millis 60000 100 86400000");
  EXPECT_EQ(host.asked.at("misses"), "integer 3 1 100");
}

}  // namespace
