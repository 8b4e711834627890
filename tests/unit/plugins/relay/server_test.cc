// The server half against protocol.md, section 8: who is announced, who is brought together, and who is refused how.
#include <set>

#include "atlas/plugin.hpp"
#include "caps.h"
#include "role_fixture.h"

namespace relay_test {
namespace {

using relay::Connect;
using relay::encode;
using relay::kAnnounce;
using relay::kConnect;
using relay::kError;
using relay::kReady;

TEST_F(RelayServer, AnnouncesAreAnsweredWithWaiting) {
  host.run();
  const auto reply = announce(agent(1));
  EXPECT_EQ(reply.type, kReady);
  EXPECT_EQ(reply.body, relay::encode_waiting());
  EXPECT_EQ(host.metric("announced"), 1);
  EXPECT_EQ(host.metric("announces"), 1);
}

TEST_F(RelayServer, OnlyTheSessionsOwnNodeIsAnnounced) {
  host.run();
  const auto peer = agent(1);
  const auto reply = announce(peer, node_id(2));
  EXPECT_EQ(code(reply), 4u);
  EXPECT_EQ(host.metric("refused_identity"), 1);
  EXPECT_EQ(host.metric("announced"), 0);
}

TEST_F(RelayServer, BringsTwoAgentsTogether) {
  host.run();
  const auto there = target(2), here = agent(1);
  const auto reply = connect(here, 2);
  ASSERT_EQ(reply.type, kReady);
  ASSERT_EQ(host.routes.size(), 1u);
  const auto& [handle, route] = *host.routes.begin();
  EXPECT_EQ(route.a, here);
  EXPECT_EQ(route.b, there);
  EXPECT_EQ(route.options.bytes_per_second, 1'048'576u);
  EXPECT_EQ(route.options.idle_ms, 120'000u);
  ASSERT_EQ(host.sent.size(), 1u);
  EXPECT_EQ(host.sent[0].to, there);
  EXPECT_EQ(host.sent[0].type, kReady);

  const auto at_source = forwarding_of(reply.body), at_target = forwarding_of(host.sent[0].body);
  const auto prefix = [](const std::uint8_t(&bytes)[8]) {
    atlas::RoutePrefix out;
    std::copy(std::begin(bytes), std::end(bytes), out.begin());
    return out;
  };
  EXPECT_EQ(at_source.route, prefix(route.prefixes.to_a));
  EXPECT_EQ(at_source.peer_route, prefix(route.prefixes.to_b));
  EXPECT_EQ(at_target.route, at_source.peer_route);
  EXPECT_EQ(at_target.peer_route, at_source.route);
  EXPECT_EQ(at_source.peer_id, node_id(2));
  EXPECT_EQ(at_target.peer_id, node_id(1));
  EXPECT_EQ(at_source.observed, std::vector{*atlas::Address::parse(host.peers.at(there).address)});
  EXPECT_EQ(at_target.observed, std::vector{*atlas::Address::parse(host.peers.at(here).address)});
  EXPECT_EQ(at_source.session, at_target.session);
  EXPECT_EQ(at_source.bandwidth_limit, 1'048'576u);
  EXPECT_EQ(at_source.expires, host.unix_seconds() + 120);
  EXPECT_EQ(host.metric("sessions"), 1);
  EXPECT_EQ(host.metric("connects"), 1);
}

TEST_F(RelayServer, FieldsHaveTheNamesOfTheProtocol) {
  host.run();
  target(2);
  const auto reply = connect(agent(1), 2);
  const auto map = MapView::of(reply.body);
  EXPECT_EQ(map.size(), 7u);
  EXPECT_EQ(map.find("status").text(), "ready");
  EXPECT_TRUE(map.find("session").u64());
  EXPECT_EQ(map.find("route").bin()->size(), 8u);
  EXPECT_EQ(map.find("peer_route").bin()->size(), 8u);
  EXPECT_EQ(map.find("peer").map().find("node_id").text(), node_id(2));
  EXPECT_EQ(map.find("peer").map().find("observed").array().size(), 1u);
  EXPECT_TRUE(map.find("bandwidth_limit").u64());
  EXPECT_TRUE(map.find("expires").i64());
}

TEST_F(RelayServer, TheIdleLimitIsHeldToWhatRoutesCanHave) {
  host.node_keys["transport.idle_timeout"] = {"86400"};
  host.node_keys["transport.relay_bandwidth_limit"] = {"0"};
  host.run();
  target(2);
  const auto answer = forwarding_of(connect(agent(1), 2).body);
  EXPECT_EQ(host.routes.begin()->second.options.idle_ms, 3'600'000u);
  EXPECT_EQ(host.routes.begin()->second.options.bytes_per_second, 0u);
  EXPECT_EQ(answer.bandwidth_limit, 0u);
}

TEST_F(RelayServer, TheSourceIsTheSessionsOwn) {
  host.run();
  target(2);
  const auto reply = host.deliver(agent(1), kConnect, encode(Connect{node_id(3), node_id(2)}));
  EXPECT_EQ(code(reply), 4u);
  EXPECT_EQ(host.metric("refused_identity"), 1);
  EXPECT_TRUE(host.routes.empty());
}

TEST_F(RelayServer, OfferedOnlyWhereItIsSwitchedOn) {
  host.node_keys["transport.offer_relay"] = {"false"};
  host.run();
  const auto peer = agent(1);
  EXPECT_EQ(code(announce(peer)), 5u);
  EXPECT_EQ(code(connect(peer, 2)), 5u);
  EXPECT_EQ(host.metric("refused_not_offered"), 2);
}

TEST_F(RelayServer, AgentsWithoutTheFeatureGetNotOffered) {
  host.run();
  const auto there = target(2);
  host.peers.at(there).routes = false;
  EXPECT_EQ(code(connect(agent(1), 2)), 5u);
  EXPECT_EQ(host.metric("refused_no_routes"), 1);
  EXPECT_EQ(host.metric("sessions"), 0);
}

TEST_F(RelayServer, AnnouncementsEndWithTheirSessions) {
  host.run();
  const auto there = target(2), here = agent(1);
  host.lose_peer(there);
  EXPECT_EQ(host.metric("announced"), 0);
  EXPECT_EQ(code(connect(here, 2)), 1u);
  agent(2);  // it comes back, and has not announced itself
  EXPECT_EQ(code(connect(here, 2)), 1u);
}

TEST_F(RelayServer, TheEndOfAReplacedSessionLeavesTheNewAnnouncement) {
  host.run();
  const auto older = target(2);
  const auto newer = target(2);
  EXPECT_EQ(host.metric("announced"), 1);
  host.lose_peer(older);
  EXPECT_EQ(host.metric("announced"), 1);
  EXPECT_EQ(connect(agent(1), 2).type, kReady);
  EXPECT_EQ(host.routes.begin()->second.b, newer);
}

TEST_F(RelayServer, WhoMayHaveNoSessionLearnsNothingAboutATarget) {
  host.config["sessions_per_node"] = std::int64_t{1};
  host.run();
  target(2);
  target(3);
  const auto here = agent(1);
  EXPECT_EQ(connect(here, 2).type, kReady);
  EXPECT_EQ(code(connect(here, 3)), 3u);   // announced
  EXPECT_EQ(code(connect(here, 77)), 3u);  // unknown
}

TEST_F(RelayServer, SessionsAreBounded) {
  host.config["max_sessions"] = std::int64_t{2};
  host.run();
  target(100);
  EXPECT_EQ(connect(agent(1), 100).type, kReady);
  EXPECT_EQ(connect(agent(2), 100).type, kReady);
  EXPECT_EQ(code(connect(agent(3), 100)), 3u);
  EXPECT_EQ(host.metric("refused_sessions"), 1);
  EXPECT_EQ(host.routes.size(), 2u);
}

TEST_F(RelayServer, OneSourceHasItsShareOfSessions) {
  host.config["sessions_per_node"] = std::int64_t{2};
  host.run();
  for (const std::uint64_t number : {101, 102, 103}) target(number);
  const auto here = agent(1);
  EXPECT_EQ(connect(here, 101).type, kReady);
  EXPECT_EQ(connect(here, 102).type, kReady);
  EXPECT_EQ(code(connect(here, 103)), 3u);
  EXPECT_EQ(host.metric("refused_node_sessions"), 1);
}

TEST_F(RelayServer, OneTargetHasItsShareOfSessions) {
  host.config["sessions_per_node"] = std::int64_t{2};
  host.run();
  target(100);
  EXPECT_EQ(connect(agent(1), 100).type, kReady);
  EXPECT_EQ(connect(agent(2), 100).type, kReady);
  EXPECT_EQ(code(connect(agent(3), 100)), 2u);
  EXPECT_EQ(host.metric("refused_target_sessions"), 1);
}

TEST_F(RelayServer, OnePrefixHasItsShareOfSessions) {
  host.config["sessions_per_prefix"] = std::int64_t{2};
  host.run();
  for (const std::uint64_t number : {100, 101, 102}) target(number);
  EXPECT_EQ(connect(agent(1, "192.0.2.1:1"), 100).type, kReady);
  EXPECT_EQ(connect(agent(2, "192.0.2.200:2"), 101).type, kReady);
  EXPECT_EQ(code(connect(agent(3, "192.0.2.3:3"), 102)), 3u);
  EXPECT_EQ(host.metric("refused_prefix_sessions"), 1);
  EXPECT_EQ(connect(agent(4, "192.0.3.1:1"), 102).type, kReady);
  EXPECT_EQ(connect(agent(5, "[2001:db8:1:1::1]:1"), 100).type, kReady);
  EXPECT_EQ(connect(agent(6, "[2001:db8:1:2::1]:1"), 101).type, kReady);
  EXPECT_EQ(code(connect(agent(7, "[2001:db8:1:ffff::1]:1"), 102)), 3u);
  EXPECT_EQ(connect(agent(8, "[2001:db8:2::1]:1"), 102).type, kReady);
}

TEST_F(RelayServer, AnnouncementsAreBounded) {
  host.config["max_announced"] = std::int64_t{2};
  host.run();
  const auto first = target(1);
  target(2);
  const auto third = agent(3);
  EXPECT_EQ(code(announce(third)), 3u);
  EXPECT_EQ(host.metric("refused_announced"), 1);
  EXPECT_EQ(announce(first).type, kReady);  // who is in stays in
  host.lose_peer(first);
  EXPECT_EQ(announce(third).type, kReady);
}

// A target counts notices as requests of this node, and would ban it for what others ask.
TEST_F(RelayServer, NoticesToOneTargetAreBounded) {
  host.config["sessions_per_node"] = std::int64_t{20'000};
  host.run();
  target(100);
  target(101);
  std::uint64_t number = 0;
  std::vector<std::uint64_t> told;
  for (int step = 0; step < 120; ++step, host.advance(500)) {
    for (int i = 0; i < 3; ++i) {
      const auto peer = agent(++number % 90);
      const auto reply = connect(peer, 100);
      if (reply.type == kReady) told.push_back(host.now_ms);
      EXPECT_TRUE(reply.type == kReady || code(reply) == 2u);
      host.lose_peer(peer);
    }
  }
  EXPECT_EQ(static_cast<std::int64_t>(360 - told.size()), host.metric("refused_target_notices"));
  EXPECT_GE(told.size(), 40u);
  for (std::size_t i = 0; i < told.size(); ++i) {
    const auto within = [&](std::uint64_t span) {
      return std::count_if(told.begin(), told.end(), [&](auto at) { return at >= told[i] && at < told[i] + span; });
    };
    EXPECT_LE(within(kSecond), 5);
    EXPECT_LE(within(kMinute), 44);
  }
  EXPECT_EQ(connect(agent(95), 101).type, kReady);  // another target has its own
}

TEST_F(RelayServer, OneSourceHasItsShareOfATargetsNotices) {
  host.run();
  target(100);
  const auto greedy = agent(1), honest = agent(2);
  int told = 0, refused = 0;
  for (int second = 0; second < 59; ++second, host.advance(kSecond)) {
    const auto reply = connect(greedy, 100);
    told += reply.type == kReady;
    refused += code(reply) == 2;
  }
  EXPECT_EQ(told, 5) << "an eighth of 40";
  EXPECT_EQ(refused, 54);
  EXPECT_EQ(host.metric("refused_target_share"), 54);
  EXPECT_EQ(connect(honest, 100).type, kReady);
  host.advance(kMinute);
  EXPECT_EQ(connect(greedy, 100).type, kReady);
}

TEST_F(RelayServer, ARepeatedConnectReplacesTheEarlierPair) {
  host.config["max_sessions"] = std::int64_t{1};
  host.config["sessions_per_node"] = std::int64_t{1};
  host.config["sessions_per_prefix"] = std::int64_t{1};
  host.run();
  target(2);
  const auto here = agent(1);
  const auto first = forwarding_of(connect(here, 2).body);
  const auto second = forwarding_of(connect(here, 2).body);
  EXPECT_NE(first.route, second.route);
  EXPECT_EQ(host.routes.size(), 1u);
  EXPECT_EQ(host.metric("sessions"), 1);
  EXPECT_EQ(host.metric("replaced"), 1);
  EXPECT_EQ(code(connect(agent(3), 2)), 3u);  // the caps are as they were
}

// An agent that was restarted knows nothing of its sessions; those on the other side cannot tell it from silence.
TEST_F(RelayServer, TheOtherAgentOfAPairIsToldOfItsEnd) {
  host.run();
  const auto there = target(2), here = target(1);
  const auto session = forwarding_of(connect(here, 2).body).session;
  host.sent.clear();
  host.lose_peer(there);
  ASSERT_EQ(host.sent.size(), 1u);
  EXPECT_EQ(host.sent[0].to, here);
  EXPECT_EQ(host.sent[0].type, kReady);
  const auto told = relay::decode_ready(MapView::of(host.sent[0].body));
  ASSERT_TRUE(told && told->over);
  EXPECT_EQ(told->over->session, session);
  EXPECT_EQ(told->over->peer_id, node_id(2));
  EXPECT_EQ(host.metric("sessions"), 0);
}

TEST_F(RelayServer, BothAgentsAreToldOfAPairThatWasIdle) {
  host.run();
  const auto there = target(2), here = target(1);
  connect(here, 2);
  host.sent.clear();
  host.end_route(host.routes.begin()->first, ATLAS_ROUTE_IDLE);
  ASSERT_EQ(host.sent.size(), 2u);
  EXPECT_EQ(host.sent[0].to, here);
  EXPECT_EQ(host.sent[1].to, there);
}

TEST_F(RelayServer, NobodyIsToldOfAPairThatWasReplaced) {
  host.run();
  target(2);
  const auto here = target(1);
  connect(here, 2);
  host.sent.clear();
  connect(here, 2);
  EXPECT_EQ(host.sent.size(), 1u) << "the notice of the new one";
  EXPECT_EQ(host.metric("replaced"), 1);
}

TEST_F(RelayServer, EndsCountAsNoticesToo) {
  host.run();
  target(100);
  int told = 0;
  for (int i = 0; i < 20; ++i) {
    const auto peer = agent(1);
    if (connect(peer, 100).type != kReady) continue;
    host.sent.clear();
    host.lose_peer(peer);
    told += static_cast<int>(host.sent.size()) + 1;
  }
  EXPECT_LE(told, relay::kNoticeBurst);
}

TEST_F(RelayServer, APairThatOnlyKeepsItsRoutesMakesRoom) {
  host.config["sessions_per_node"] = std::int64_t{2};
  host.run();
  target(100);
  connect(agent(1), 100);
  connect(agent(2), 100);
  const auto first = host.routes.begin()->first;
  auto& kept = host.routes.begin()->second.counters;
  auto& used = std::next(host.routes.begin())->second.counters;
  for (int i = 0; i < 120; ++i) {
    ++kept.datagrams_to_b;
    kept.bytes_to_b += 17;
    ++used.datagrams_to_b;
    used.bytes_to_b += 40;
    host.advance(kSecond);
  }
  EXPECT_EQ(code(connect(agent(3), 100)), 0u);
  EXPECT_FALSE(host.routes.contains(first));
  EXPECT_EQ(host.metric("made_way"), 1);
  EXPECT_EQ(host.metric("sessions"), 2);
  EXPECT_EQ(code(connect(agent(4), 100)), 2u) << "the others are in use";
}

TEST_F(RelayServer, AFullRelayTakesAKeptPairsPlace) {
  host.config["max_sessions"] = std::int64_t{1};
  host.run();
  target(100);
  target(101);
  connect(agent(1), 100);
  const auto other = agent(2);
  EXPECT_EQ(code(connect(other, 101)), 3u);
  host.advance(120 * kSecond);
  EXPECT_EQ(code(connect(other, 102)), 1u) << "not announced: nobody makes way for that";
  EXPECT_EQ(host.metric("made_way"), 0);
  EXPECT_EQ(connect(other, 101).type, kReady);
  EXPECT_EQ(host.metric("made_way"), 1);
  EXPECT_EQ(host.routes.size(), 1u);
}

TEST_F(RelayServer, WhenTheCoreHasNoRoutesLeftTheRelayIsFull) {
  host.run();
  target(2);
  host.route_status = ATLAS_E_FULL;
  EXPECT_EQ(code(connect(agent(1), 2)), 3u);
  EXPECT_EQ(host.metric("refused_routes"), 1);
  EXPECT_TRUE(host.sent.empty());
}

TEST_F(RelayServer, ATargetThatCannotBeToldIsBusy) {
  host.run();
  target(2);
  const auto here = agent(1);
  host.request_status = ATLAS_E_FULL;
  EXPECT_EQ(code(connect(here, 2)), 2u);
  EXPECT_EQ(host.metric("refused_target_queue"), 1);
  EXPECT_TRUE(host.routes.empty());
  EXPECT_EQ(host.metric("sessions"), 0);
}

TEST_F(RelayServer, MalformedRequestsAreRejected) {
  host.run();
  const auto peer = agent(1);
  const auto rejected = [&](std::uint8_t type, const Bytes& body) { return host.deliver(peer, type, body).error_code; };
  Writer empty, wrong, no_id;
  empty.map(0);
  wrong.map(2).text("node_id").integer(1).text("timestamp").integer(1);
  no_id.map(2).text("source_id").text(node_id(1)).text("target_id").text("bob");
  EXPECT_EQ(rejected(kAnnounce, empty.take()), 2003u);
  EXPECT_EQ(rejected(kAnnounce, wrong.take()), 2003u);
  EXPECT_EQ(rejected(kConnect, no_id.take()), 2003u);
  EXPECT_EQ(rejected(kError, encode(relay::Error{1, "no", node_id(2)})), 2003u);
  EXPECT_EQ(host.metric("refused_malformed"), 3);
}

TEST_F(RelayServer, TakesNothingNewWhileItStops) {
  host.run();
  target(2);
  const auto here = agent(1);
  host.drain();
  EXPECT_EQ(code(connect(here, 2)), 3u);
  EXPECT_EQ(code(announce(here)), 3u);
  EXPECT_EQ(host.metric("refused_stopping"), 2);
}

TEST_F(RelayServer, BytesAreCountedWhileTheyFlowAndAtTheEnd) {
  host.run();
  target(2);
  connect(agent(1), 2);
  const auto handle = host.routes.begin()->first;
  auto& counters = host.routes.at(handle).counters;
  counters.bytes_to_a = 1'000;
  counters.bytes_to_b = 500;
  EXPECT_EQ(status().at("bytes"), 1'500);
  EXPECT_EQ(host.metric("bytes"), 0);
  host.advance(kSecond);
  EXPECT_EQ(host.metric("bytes"), 1'500);
  host.advance(kSecond);
  EXPECT_EQ(host.metric("bytes"), 1'500);
  EXPECT_EQ(status().at("bytes"), 1'500);
  counters.bytes_to_a = 3'000;
  host.end_route(handle, ATLAS_ROUTE_IDLE);
  EXPECT_EQ(host.metric("bytes"), 3'500);
  EXPECT_EQ(status().at("bytes"), 3'500);
}

TEST_F(RelayServer, ManySessionsAreCountedInTurns) {
  host.config["max_sessions"] = std::int64_t{20'000};
  host.config["sessions_per_node"] = std::int64_t{20'000};
  host.config["sessions_per_prefix"] = std::int64_t{20'000};
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  target(5'000);
  const std::int64_t count = relay::kCountedEachSecond + 10;
  for (std::int64_t i = 0; i < count; ++i) {
    connect(agent(static_cast<std::uint64_t>(i), "192.0.2.1:1"), 5'000);
    host.advance(1);
  }
  host.advance(2 * kSecond);
  ASSERT_EQ(host.metric("sessions"), count);
  for (auto& [handle, route] : host.routes) route.counters.bytes_to_b = 1;
  host.advance(kSecond);
  EXPECT_LE(host.metric("bytes"), static_cast<std::int64_t>(relay::kCountedEachSecond));
  host.advance(2 * kSecond);
  EXPECT_EQ(host.metric("bytes"), count);
}

TEST_F(RelayServer, StatusShowsSessionsLimitsAndRefusals) {
  host.run();
  target(2);
  connect(agent(1), 2);
  connect(agent(3), 77);
  auto& counters = host.routes.begin()->second.counters;
  counters.bytes_to_a = 10;
  counters.bytes_to_b = 20;
  counters.datagrams_to_a = 1;
  counters.datagrams_to_b = 2;
  counters.dropped_rate = 3;
  counters.dropped_source = 4;
  counters.dropped_queue = 5;
  counters.dropped_share = 6;
  host.advance(7 * kSecond);
  const auto shown = status();
  EXPECT_EQ(shown.at("offered"), true);
  EXPECT_EQ(shown.at("announced"), 1);
  EXPECT_EQ(shown.at("active"), 1);
  EXPECT_EQ(shown.at("limits").at("max_sessions"), 1'000);
  EXPECT_EQ(shown.at("limits").at("sessions_per_node"), 16);
  EXPECT_EQ(shown.at("limits").at("sessions_per_prefix"), 64);
  EXPECT_EQ(shown.at("limits").at("max_announced"), 10'000);
  EXPECT_EQ(shown.at("limits").at("bandwidth_limit"), 1'048'576);
  EXPECT_EQ(shown.at("limits").at("idle_s"), 120);
  EXPECT_EQ(shown.at("refused").at("not_announced"), 1);
  EXPECT_EQ(shown.at("refused").at("loop"), 0);
  ASSERT_EQ(shown.at("sessions").size(), 1u);
  const auto& row = shown.at("sessions")[0];
  EXPECT_EQ(row.at("source"), node_id(1));
  EXPECT_EQ(row.at("target"), node_id(2));
  EXPECT_EQ(row.at("bytes_to_source"), 10);
  EXPECT_EQ(row.at("bytes_to_target"), 20);
  EXPECT_EQ(row.at("datagrams_to_source"), 1);
  EXPECT_EQ(row.at("datagrams_to_target"), 2);
  EXPECT_EQ(row.at("dropped"), (nlohmann::json{{"rate", 3}, {"source", 4}, {"queue", 5}, {"share", 6}}));
  EXPECT_EQ(row.at("age_s"), 7);
  EXPECT_EQ(shown.at("relays").size(), 0u);
  const auto& lines = host.calls.rbegin()->second.progress;
  EXPECT_THAT(lines, testing::Contains(HasSubstr("10 bytes to the source, 20 to the target")));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("refused, not_announced: 1")));
}

TEST_F(RelayServer, StatusFitsALineOfTheControlSocket) {
  host.config["max_sessions"] = std::int64_t{20'000};
  host.config["sessions_per_node"] = std::int64_t{20'000};
  host.config["sessions_per_prefix"] = std::int64_t{20'000};
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  target(50'000);
  for (std::uint64_t i = 0; i < 16'000; ++i) {
    connect(agent(i, "192.0.2.1:1"), 50'000);
    if (i % 4 == 3) host.now_ms += 4;
  }
  ASSERT_EQ(host.metric("sessions"), 16'000);
  const auto call = host.run_command("relay status", {});
  const auto& it = host.calls.at(call);
  EXPECT_LT(it.result->size(), 6u << 20);
  const auto shown = nlohmann::json::parse(*it.result);
  EXPECT_EQ(shown.at("active"), 16'000);
  EXPECT_EQ(shown.at("more_sessions"), true);
  EXPECT_LT(shown.at("sessions").size(), 16'000u);
  EXPECT_LE(it.progress.size(), relay::kMaxShownLines + 2);
}

}  // namespace
}  // namespace relay_test
