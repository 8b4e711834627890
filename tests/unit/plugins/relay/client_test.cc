// The client half: staying announced at every relay, notices, and the paths that dials ask for.
#include <set>

#include "atlas/plugin.hpp"
#include "caps.h"
#include "role_fixture.h"

namespace relay_test {
namespace {

using relay::Connect;
using relay::encode;
using relay::Forwarding;
using relay::kAnnounce;
using relay::kConnect;
using relay::kError;
using relay::kReady;

const std::string kFirst = "198.51.100.1:4433", kSecondRelay = "198.51.100.2:4433";

Bytes relay_error(std::uint32_t code) {
  return encode(relay::Error{code, "words of the relay", node_id(2)});
}

Bytes ready_for(std::uint64_t peer, const std::vector<std::string>& observed = {"203.0.113.9:40000"},
                std::int64_t expires = 1'700'000'500) {
  Forwarding out;
  out.session = 7;
  out.route = {1, 2, 3, 4, 5, 6, 7, 8};
  out.peer_route = {8, 7, 6, 5, 4, 3, 2, 1};
  out.peer_id = node_id(peer);
  out.expires = expires;
  for (const auto& address : observed) out.observed.push_back(*atlas::Address::parse(address));
  return encode(out);
}

class RelayClient : public RelayRole {
 protected:
  explicit RelayClient(std::uint32_t mode = ATLAS_MODE_DAEMON) : RelayRole(mode) {
    host.node_keys["network.relays"] = {kFirst};
  }
  // The dial of a relay succeeds.
  atlas_peer accept(std::uint64_t number = 100, const std::string& address = kFirst) {
    host.finish_dial(host.dials.at(0), {.node_id = node_id(number), .address = address, .dialled = true});
    return host.peers.rbegin()->first;
  }
  void take_announcement() { host.answer(host.requests.at(0), kReady, relay::encode_waiting()); }
  atlas_peer announced() {
    host.run();
    const auto peer = accept();
    take_announcement();
    EXPECT_EQ(host.metric("announced_at"), 1);
    return peer;
  }
  // The time until something more is dialled or asked; at most `most`.
  std::uint64_t wait_for_dial(std::uint64_t most) {
    const std::uint64_t begin = host.now_ms;
    while (host.dials.empty() && host.now_ms - begin < most) host.advance(1);
    return host.now_ms - begin;
  }
  std::size_t warnings() const {
    return static_cast<std::size_t>(
        std::count_if(host.log.begin(), host.log.end(), [](const auto& line) { return line.first == ATLAS_LOG_WARN; }));
  }
};
class RelayClientCommand : public RelayClient {
 protected:
  RelayClientCommand() : RelayClient(ATLAS_MODE_CLIENT) {}
};

// --- presence ---

TEST_F(RelayClient, AnnouncesItselfAtEveryRelay) {
  host.node_keys["network.relays"] = {kFirst, kSecondRelay, kFirst};
  host.run();
  ASSERT_EQ(host.dials.size(), 2u);
  EXPECT_EQ(host.dials[0].target, kFirst);
  EXPECT_EQ(host.dials[1].target, kSecondRelay);
  accept();
  accept(101, kSecondRelay);
  ASSERT_EQ(host.requests.size(), 2u);
  EXPECT_EQ(host.requests[0].type, kAnnounce);
  const auto map = MapView::of(host.requests[0].body);
  EXPECT_EQ(map.find("node_id").text(), node_id(0xfeed));
  EXPECT_EQ(map.find("timestamp").i64(), host.unix_seconds());
  take_announcement();
  take_announcement();
  EXPECT_EQ(host.metric("announced_at"), 2);
  EXPECT_EQ(warnings(), 0u);
}

TEST_F(RelayClient, OneRelayDoesNotHoldUpTheOther) {
  host.node_keys["network.relays"] = {kFirst, kSecondRelay};
  host.run();
  host.fail_dial(host.dials[0], ATLAS_E_UNREACHABLE, "nobody there");
  accept(101, kSecondRelay);
  take_announcement();
  EXPECT_EQ(host.metric("announced_at"), 1);
}

TEST_F(RelayClient, DoesNotDialItself) {
  host.self.address = kFirst;
  host.self.public_address = kSecondRelay;
  host.node_keys["network.relays"] = {kFirst, kSecondRelay, "198.51.100.3:4433"};
  host.run();
  ASSERT_EQ(host.dials.size(), 1u);
  EXPECT_EQ(host.dials[0].target, "198.51.100.3:4433");
}

TEST_F(RelayClient, WithoutEnableRelayNobodyIsDialled) {
  host.node_keys["transport.enable_relay"] = {"false"};
  host.run();
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(RelayClientCommand, ACommandIsNobodyToBeReached) {
  host.run();
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(RelayClient, AfterALossItComesBackWithFullJitterFromTheFirstTry) {
  const auto peer = announced();
  host.advance(kMinute);
  host.lose_peer(peer);
  EXPECT_EQ(host.metric("announced_at"), 0);
  EXPECT_EQ(host.metric("presence_lost"), 1);
  std::uint64_t longest = 0;
  std::set<std::uint64_t> pauses;
  for (int i = 0; i < 15; ++i) {
    if (i > 0) host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
    const auto pause = wait_for_dial(kMinute);
    EXPECT_LE(pause, std::min<std::uint64_t>(250u << std::min(i, 7), 30'000) + 1) << i;
    longest = std::max(longest, pause);
    pauses.insert(pause);
  }
  EXPECT_GT(longest, 10 * kSecond);
  EXPECT_GT(pauses.size(), 10u);
  accept();
  take_announcement();
  EXPECT_EQ(host.metric("announced_at"), 1);
  EXPECT_EQ(warnings(), 2u) << "once for each reason";
}

// A39: what came together does not come back together.
TEST_F(RelayClient, TwoAgentsDoNotComeBackInStep) {
  std::set<std::uint64_t> pauses;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    one.random_state = seed;
    one.run();
    for (int i = 0; i < 7; ++i) {
      one.fail_dial(one.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
      while (one.dials.empty()) one.advance(10);
    }
    const std::uint64_t begin = one.now_ms;
    one.fail_dial(one.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
    while (one.dials.empty()) one.advance(500);
    pauses.insert((one.now_ms - begin) / 500);
  }
  EXPECT_GT(pauses.size(), 20u) << "spread over half a minute";
}

TEST_F(RelayClient, ARelayThatHangsUpIsNotDialledAtFullSpeed) {
  host.run();
  const std::uint64_t begin = host.now_ms;
  for (int i = 0; i < 40; ++i) {
    wait_for_dial(kMinute);
    const auto peer = accept();
    take_announcement();
    host.lose_peer(peer);
  }
  EXPECT_GT(host.now_ms - begin, 3 * kMinute);
}

TEST_F(RelayClient, ARelayThatSaysNoIsAskedEverMoreSeldom) {
  host.run();
  accept();
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(host.requests.size(), 1u);
    host.answer(host.requests[0], kError, relay_error(3));
    EXPECT_EQ(status().at("relays")[0].at("state"), "refused");
    const std::uint64_t most = std::min<std::uint64_t>((30 * kSecond) << i, 10 * kMinute);
    const auto pause = wait_for_dial(11 * kMinute);
    EXPECT_GE(pause, most / 2) << i;
    EXPECT_LE(pause, most + 1) << i;
    host.finish_dial_existing(host.dials[0], host.peers.begin()->first);
  }
  EXPECT_EQ(warnings(), 1u);
  EXPECT_TRUE(host.logged("the relay is full"));
  take_announcement();
  EXPECT_EQ(host.metric("announced_at"), 1);
}

TEST_F(RelayClient, OnlyWaitingAnnounces) {
  const std::vector<std::pair<std::uint8_t, Bytes>> answers = {{kReady, ready_for(2)},
                                                               {0x11, relay::encode_waiting()},
                                                               {kReady, Bytes{0x80}},
                                                               {kError, Bytes{0x80}},
                                                               {kError, relay_error(99)}};
  for (const auto& [type, body] : answers) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    one.run();
    one.finish_dial(one.dials.at(0), {.node_id = node_id(100), .address = kFirst});
    one.answer(one.requests.at(0), type, body);
    EXPECT_EQ(one.metric("announced_at"), 0);
    one.advance(20 * kSecond);
  }
}

TEST_F(RelayClient, ASessionThroughARelayIsNoRelay) {
  host.run();
  host.finish_dial(host.dials.at(0), {.node_id = node_id(9), .address = kFirst, .trust = ATLAS_TRUST_RELAY});
  EXPECT_TRUE(host.requests.empty());
  EXPECT_TRUE(host.logged("runs through a relay"));
}

TEST_F(RelayClient, ASilentRelayIsTriedAgain) {
  host.run();
  accept();
  host.advance(10 * kSecond);
  EXPECT_LE(wait_for_dial(kMinute), 250u);
  host.finish_dial_existing(host.dials.at(0), host.peers.begin()->first);
  take_announcement();
  EXPECT_EQ(host.metric("announced_at"), 1);
}

TEST_F(RelayClient, DrainEndsIt) {
  const auto peer = announced();
  host.drain();
  EXPECT_EQ(host.metric("announced_at"), 0);
  host.deliver(peer, kReady, ready_for(2));
  EXPECT_TRUE(host.expected.empty());
  host.lose_peer(peer);
  host.advance(10 * kMinute);
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(RelayClient, StatusShowsTheRelays) {
  host.node_keys["network.relays"] = {kFirst, kSecondRelay};
  host.run();
  accept();
  take_announcement();
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
  const auto rows = status().at("relays");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (nlohmann::json{{"address", kFirst},
                                     {"node_id", node_id(100)},
                                     {"state", "announced"},
                                     {"announced_at", host.unix_seconds()},
                                     {"problem", nullptr}}));
  EXPECT_EQ(rows[1], (nlohmann::json{{"address", kSecondRelay},
                                     {"node_id", nullptr},
                                     {"state", "waiting"},
                                     {"announced_at", nullptr},
                                     {"problem", "nobody there"}}));
}

// --- notices ---

TEST_F(RelayClient, ANoticeOfItsRelayIsExpected) {
  const auto peer = announced();
  EXPECT_FALSE(host.deliver(peer, kReady, ready_for(2)).answered);
  ASSERT_EQ(host.expected.size(), 1u);
  const auto& path = host.expected[0];
  EXPECT_EQ(path.via, peer);
  EXPECT_EQ(path.route, (atlas::RoutePrefix{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(path.peer_route, (atlas::RoutePrefix{8, 7, 6, 5, 4, 3, 2, 1}));
  EXPECT_EQ(path.node_id, node_id(2));
  EXPECT_EQ(path.observed, std::vector<std::string>{"203.0.113.9:40000"});
  EXPECT_EQ(path.expires, 1'700'000'500);
  EXPECT_EQ(host.metric("notices"), 1);
}

TEST_F(RelayClient, ANoticeOfAStrangerIsIgnoredAndCounted) {
  const auto relay_peer = announced();
  const auto stranger = host.connect_peer({.node_id = node_id(5)});
  EXPECT_FALSE(host.deliver(stranger, kReady, ready_for(2)).answered);
  EXPECT_FALSE(host.deliver(stranger, kReady, Bytes{0x80}).answered);
  EXPECT_TRUE(host.expected.empty());
  EXPECT_EQ(host.metric("notices_from_strangers"), 2);
  // One that refuses to be our relay.
  host.lose_peer(relay_peer);
  wait_for_dial(kSecond);
  const auto again = accept();
  host.answer(host.requests.at(0), kError, relay_error(5));
  host.deliver(again, kReady, ready_for(2));
  EXPECT_TRUE(host.expected.empty());
  EXPECT_EQ(host.metric("notices_from_strangers"), 3);
}

TEST_F(RelayClient, ANoticeMayOvertakeTheAnswerToTheAnnouncement) {
  host.run();
  const auto peer = accept();
  host.deliver(peer, kReady, ready_for(2));
  EXPECT_EQ(host.expected.size(), 1u);
}

TEST_F(RelayClient, MalformedNoticesAreRejected) {
  const auto peer = announced();
  EXPECT_EQ(host.deliver(peer, kReady, relay::encode_waiting()).error_code, 2003u);
  EXPECT_EQ(host.deliver(peer, kReady, Bytes{0x80}).error_code, 2003u);
  EXPECT_EQ(host.deliver(peer, kReady, ready_for(0xfeed)).error_code, 2003u) << "this node itself";
  EXPECT_EQ(host.metric("notices_refused"), 3);
  host.path_status = ATLAS_E_FULL;
  EXPECT_FALSE(host.deliver(peer, kReady, ready_for(2)).answered);
  EXPECT_EQ(host.metric("notices_refused"), 4);
  EXPECT_TRUE(host.expected.empty());
}

TEST_F(RelayClient, ObservedAddressesAreKeptAsFarAsTheRelayCanKnowThem) {
  const std::vector<std::string> told = {"203.0.113.9:1", "8.8.8.8:1",   "10.0.0.1:1",        "169.254.169.254:1",
                                         "127.0.0.1:1",   "224.0.0.1:1", "[2002:7f00:1::]:1", "[2600::1]:1"};
  const auto kept_from = [&](const std::string& relay) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    one.run();
    one.finish_dial(one.dials.at(0), {.node_id = node_id(100), .address = relay});
    one.answer(one.requests.at(0), kReady, relay::encode_waiting());
    one.deliver(one.peers.begin()->first, kReady, ready_for(2, told));
    return one.expected.at(0).observed;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(kept_from("9.9.9.9:4433"), (Texts{"8.8.8.8:1", "[2600::1]:1"}));
  EXPECT_EQ(kept_from("198.51.100.1:4433"), (Texts{"203.0.113.9:1", "8.8.8.8:1", "[2600::1]:1"}));
  EXPECT_EQ(kept_from("10.0.0.2:4433"), (Texts{"203.0.113.9:1", "8.8.8.8:1", "10.0.0.1:1", "[2600::1]:1"}));
  EXPECT_EQ(kept_from("127.0.0.1:4433"),
            (Texts{"203.0.113.9:1", "8.8.8.8:1", "10.0.0.1:1", "169.254.169.254:1", "127.0.0.1:1", "[2600::1]:1"}));
}

TEST_F(RelayClient, ARelaysWordOnTheEndOfItsRoutesIsHeldToADay) {
  const auto peer = announced();
  host.deliver(peer, kReady, ready_for(2, {}, INT64_MAX));
  host.deliver(peer, kReady, ready_for(3, {}, 0));
  ASSERT_EQ(host.expected.size(), 2u);
  EXPECT_EQ(host.expected[0].expires, host.unix_seconds() + 86'400);
  EXPECT_EQ(host.expected[1].expires, 0);
}

// --- ends of pairs ---

class RelayClientPairs : public RelayClient {
 protected:
  // An agent that this node has a session with, through the pair that ready_for() offers.
  atlas_peer reached(atlas_peer via, std::uint32_t trust = ATLAS_TRUST_RELAY) {
    host.deliver(via, kReady, ready_for(2));
    return host.connect_peer({.node_id = node_id(2), .address = kFirst, .trust = trust});
  }
  void tell_over(atlas_peer from, std::uint64_t session = 7, std::uint64_t other = 2) {
    EXPECT_FALSE(host.deliver(from, kReady, encode(relay::Over{session, node_id(other)})).answered);
  }
};

TEST_F(RelayClientPairs, TheEndOfAPairEndsTheSessionThatRunsThroughIt) {
  const auto via = announced();
  const auto peer = reached(via);
  tell_over(via);
  ASSERT_EQ(host.disconnects.size(), 1u);
  EXPECT_EQ(host.disconnects[0].peer, peer);
  EXPECT_EQ(host.metric("pairs_lost"), 1);
}

TEST_F(RelayClientPairs, OnlyTheRelaysWordOnThePairInUseCounts) {
  const auto via = announced();
  reached(via);
  tell_over(host.connect_peer({.node_id = node_id(5)}));
  tell_over(via, 6);     // of an earlier pair
  tell_over(via, 7, 3);  // of another agent
  EXPECT_TRUE(host.disconnects.empty());
}

TEST_F(RelayClientPairs, ADirectSessionIsAskedForASignOfLife) {
  const auto via = announced();
  const auto peer = reached(via, ATLAS_TRUST_UNKNOWN);
  tell_over(via);
  ASSERT_EQ(host.requests.size(), 1u);
  EXPECT_EQ(host.requests[0].to, peer);
  EXPECT_EQ(host.requests[0].type, 0xf0);
  host.answer(host.requests[0], 0xf1, Bytes{0x80});
  EXPECT_TRUE(host.disconnects.empty());
  tell_over(via);
  host.advance(2 * kSecond);
  ASSERT_EQ(host.disconnects.size(), 1u);
  EXPECT_EQ(host.disconnects[0].peer, peer);
}

TEST_F(RelayClientPairs, ADirectSessionThatComesBackFindsNoRelay) {
  const auto via = announced();
  const auto peer = reached(via, ATLAS_TRUST_UNKNOWN);
  tell_over(via);
  host.answer(host.requests.at(0), 0xf1, Bytes{0x80});
  host.peers.at(peer).trust = ATLAS_TRUST_RELAY;
  host.peer_event(ATLAS_PEER_PATH, host.peers.at(peer), 0);
  ASSERT_EQ(host.disconnects.size(), 1u);
  EXPECT_EQ(host.disconnects[0].peer, peer);
}

TEST_F(RelayClientPairs, WhatIsRememberedIsBounded) {
  const auto via = announced();
  for (std::uint64_t i = 0; i < relay::kMaxKnownPairs + 10; ++i) host.deliver(via, kReady, ready_for(1'000 + i));
  std::size_t known = 0;
  for (std::uint64_t i = 0; i < relay::kMaxKnownPairs + 10; ++i) {
    host.connect_peer({.node_id = node_id(1'000 + i), .trust = ATLAS_TRUST_RELAY});
    host.disconnects.clear();
    tell_over(via, 7, 1'000 + i);
    known += host.disconnects.size();
  }
  EXPECT_EQ(known, relay::kMaxKnownPairs);
}

// --- paths for dials ---

// F1: the target of a relay that was restarted announces itself a moment later than this node.
TEST_F(RelayClient, ARelayThatJustCameBackIsAskedAgain) {
  const auto before = announced();
  host.lose_peer(before);
  wait_for_dial(kSecond);
  const auto peer = accept();
  take_announcement();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kError, relay_error(1));
  EXPECT_FALSE(host.reaches.at(reach).over);
  host.advance(150);
  host.answer(host.requests.at(0), kError, relay_error(1));
  EXPECT_FALSE(host.reaches.at(reach).over);
  host.advance(450);
  host.answer(host.requests.at(0), kError, relay_error(1));
  EXPECT_TRUE(host.reaches.at(reach).over);
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_UNREACHABLE);
  const auto other = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kError, relay_error(1));
  host.advance(150);
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.reaches.at(other).status, ATLAS_OK);
  host.advance(5 * kSecond);
  const auto late = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kError, relay_error(1));
  EXPECT_TRUE(host.reaches.at(late).over) << "by now it should know";
}

TEST_F(RelayClient, FindsAPathForADial) {
  host.node_keys["network.relays"] = {};
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  ASSERT_EQ(host.dials.size(), 1u);
  EXPECT_EQ(host.dials[0].target, kFirst);
  const auto peer = accept();
  ASSERT_EQ(host.requests.size(), 1u);
  EXPECT_EQ(host.requests[0].type, kConnect);
  const auto asked = relay::decode_connect(MapView::of(host.requests[0].body));
  EXPECT_EQ(asked->source_id, node_id(0xfeed));
  EXPECT_EQ(asked->target_id, node_id(2));
  host.answer(host.requests[0], kReady, ready_for(2));
  const auto& told = host.reaches.at(reach);
  ASSERT_TRUE(told.over);
  EXPECT_EQ(told.status, ATLAS_OK);
  EXPECT_EQ(told.path.via, peer);
  EXPECT_EQ(told.path.node_id, node_id(2));
  EXPECT_EQ(told.path.route, (atlas::RoutePrefix{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(host.metric("paths_found"), 1);
}

TEST_F(RelayClientCommand, ACommandFindsAPathToo) {
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  accept();
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.reaches.at(reach).path.node_id, node_id(2));
}

TEST_F(RelayClient, ASessionThatIsThereServesAgain) {
  const auto peer = announced();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.reaches.at(reach).path.via, peer);
}

TEST_F(RelayClient, EveryRefusalHasItsReason) {
  const auto peer = announced();
  const auto told = [&](std::uint8_t type, const Bytes& body) {
    const auto reach = host.want_path(node_id(2), kFirst);
    host.finish_dial_existing(host.dials.at(0), peer);
    host.answer(host.requests.at(0), type, body);
    EXPECT_TRUE(host.reaches.at(reach).over);
    return std::pair(host.reaches.at(reach).status, host.reaches.at(reach).reason);
  };
  const std::string relay = "relay " + kFirst + ": ";
  using Told = std::pair<atlas_status, std::string>;
  EXPECT_EQ(told(kError, relay_error(1)), Told(ATLAS_E_UNREACHABLE, relay + "the target is not announced there"));
  EXPECT_EQ(told(kError, relay_error(2)), Told(ATLAS_E_FULL, relay + "the target is busy there"));
  EXPECT_EQ(told(kError, relay_error(3)), Told(ATLAS_E_FULL, relay + "the relay is full"));
  EXPECT_EQ(told(kError, relay_error(4)), Told(ATLAS_E_DENIED, relay + "the relay denies it"));
  EXPECT_EQ(told(kError, relay_error(5)), Told(ATLAS_E_DENIED, relay + "it is not offered there"));
  EXPECT_EQ(told(kError, relay_error(77)), Told(ATLAS_E_DENIED, relay + "the relay refuses with code 77"));
  EXPECT_EQ(told(kError, Bytes{0x80}), Told(ATLAS_E_DENIED, relay + "its answer is malformed"));
  EXPECT_EQ(told(kReady, Bytes{0x80}), Told(ATLAS_E_DENIED, relay + "its answer is malformed"));
  EXPECT_EQ(told(kReady, relay::encode_waiting()), Told(ATLAS_E_DENIED, relay + "its answer is malformed"));
  EXPECT_EQ(told(0x11, ready_for(2)), Told(ATLAS_E_DENIED, relay + "its answer is malformed"));
  EXPECT_EQ(told(kReady, ready_for(3)), Told(ATLAS_E_DENIED, relay + "it offers a way to another node"));
  Writer published;
  published.map(1).text("status").text("ready");
  EXPECT_EQ(told(kReady, published.take()), Told(ATLAS_E_DENIED, relay + "it does not forward packets"));
  host.path_status = ATLAS_E_ARG;
  EXPECT_EQ(told(kReady, ready_for(2)), Told(ATLAS_E_ARG, relay + "the path that it offers is none"));
  EXPECT_EQ(host.metric("paths_not_found"), 13);
}

TEST_F(RelayClient, AnErrorOfTheRelayIsTheReasonButNotMoreOfItThanThat) {
  const auto peer = announced();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer_error(host.requests.at(0), 4001, std::string(10'000, 'x'));
  const auto& told = host.reaches.at(reach);
  EXPECT_EQ(told.status, ATLAS_E_DENIED);
  EXPECT_THAT(told.reason, HasSubstr("error 4001: xxx"));
  EXPECT_LE(told.reason.size(), relay::kMaxProblem + 64);
}

TEST_F(RelayClient, ARelayThatIsNotThereIsNoPath) {
  host.node_keys["network.relays"] = {};
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody answered");
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_UNREACHABLE);
  EXPECT_EQ(host.reaches.at(reach).reason, "relay " + kFirst + ": nobody answered");
}

TEST_F(RelayClient, ADialIsToldWithinItsTime) {
  host.node_keys["network.relays"] = {};
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  EXPECT_EQ(host.dials.at(0).timeout_ms, 4'000u);
  host.advance(3'000);
  accept();
  EXPECT_EQ(host.requests.at(0).deadline_ms - host.now_ms, 1'000u);
  host.advance(1'000);
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_TIMEOUT);
  const auto late = host.want_path(node_id(2), kFirst);
  host.advance(4'000);
  host.finish_dial_existing(host.dials.at(0), host.peers.begin()->first);
  EXPECT_EQ(host.reaches.at(late).status, ATLAS_E_TIMEOUT);
  EXPECT_TRUE(host.requests.empty());
}

TEST_F(RelayClient, AnEndOfTheSessionIsTheEndOfTheSearch) {
  host.node_keys["network.relays"] = {};
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.lose_peer(accept());
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_GONE);
}

TEST_F(RelayClient, PathsThroughASessionThatIsRelayedAreRefused) {
  host.node_keys["network.relays"] = {};
  host.run();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial(host.dials.at(0), {.node_id = node_id(9), .address = kFirst, .trust = ATLAS_TRUST_RELAY});
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_DENIED);
  EXPECT_TRUE(host.requests.empty());
}

TEST_F(RelayClient, DialsThatAskAtOnceAreBounded) {
  host.node_keys["network.relays"] = {};
  host.run();
  for (std::size_t i = 0; i < relay::kMaxReaches; ++i) host.want_path(node_id(2), kFirst);
  const auto one_more = host.want_path(node_id(2), kFirst);
  EXPECT_EQ(host.reaches.at(one_more).status, ATLAS_E_FULL);
  EXPECT_EQ(host.dials.size(), relay::kMaxReaches);
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody");
  EXPECT_FALSE(host.reaches.at(host.want_path(node_id(2), kFirst)).over);
}

TEST_F(RelayClient, ADialThatIsOverIsLeftAlone) {
  const auto peer = announced();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.reaches.erase(reach);
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.metric("paths_found"), 0);
}

// The core says GONE for a session with the relay that has just ended, and the dial waits still.
TEST_F(RelayClient, ADialIsToldWhenTheSessionWithTheRelayEndsUnderThePath) {
  const auto peer = announced();
  const auto reach = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.path_status = ATLAS_E_GONE;
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_GONE);
  EXPECT_EQ(host.reaches.at(reach).reason, "relay " + kFirst + ": the session with it has ended");
}

TEST_F(RelayClient, DrainEndsWhatDialsWaitFor) {
  const auto peer = announced();
  const auto asked = host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  const auto dialling = host.want_path(node_id(3), kFirst);
  host.drain();
  EXPECT_EQ(host.reaches.at(asked).status, ATLAS_E_STOPPING);
  EXPECT_EQ(host.reaches.at(dialling).status, ATLAS_E_STOPPING);
  EXPECT_EQ(host.reaches.at(host.want_path(node_id(4), kFirst)).status, ATLAS_E_STOPPING);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kReady, ready_for(2));
  EXPECT_EQ(host.metric("paths_found"), 0);
}

TEST_F(RelayClient, StopWhileEverythingIsUnderWayIsClean) {
  const auto peer = announced();
  host.want_path(node_id(2), kFirst);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.want_path(node_id(3), kFirst);
  host.stop();
  EXPECT_TRUE(host.dials.empty());
  EXPECT_TRUE(host.requests.empty());
}

}  // namespace
}  // namespace relay_test
