// The discovery role against protocol.md, section 7: registering and coming back, and `net discover`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "atlas/msgpack.hpp"
#include "kit/documented_keys.h"
#include "kit/fake_host.h"
#include "records.h"

namespace {

using atlas::PeerInfo;
using atlas::kit::Bytes;
using atlas::kit::FakeDial;
using atlas::kit::FakeHost;
using atlas::kit::FakePeer;
using atlas::kit::FakeReply;
using atlas::kit::FakeRequest;
using atlas::kit::node_id;
using atlas::msgpack::MapView;
using atlas::msgpack::Writer;
using testing::HasSubstr;

constexpr std::uint64_t kSecond = 1'000, kMinute = 60'000;
const std::string kFirst = "198.51.100.1:4433", kSecondNode = "198.51.100.2:4433";

Bytes ack(std::string_view status = "registered") {
  Writer out;
  out.map(2).text("msg_id").text(node_id(0xfeed)).text("status").text(status);
  return out.take();
}

struct Told {
  std::string id, address = "203.0.113.7:4433";
  std::vector<std::string> skills = {};
  std::string operator_username = {};
  std::int64_t last_seen = 1'699'999'999;
};

Bytes peers_answer(const std::vector<Told>& records, const Bytes& next = {}) {
  Writer out;
  out.map(next.empty() ? 1 : 2).text("peers").array(records.size());
  for (const auto& record : records) {
    out.map(6).text("node_id").text(record.id).text("address").text(record.address).text("name").text("");
    out.text("skills").array(record.skills.size());
    for (const auto& skill : record.skills) out.text(skill);
    out.text("operator_username").text(record.operator_username).text("last_seen").integer(record.last_seen);
  }
  if (!next.empty()) out.text("next").bin(next);
  return out.take();
}

class Discovery : public testing::Test {
 protected:
  explicit Discovery(std::vector<std::string> bootstrap = {kFirst}, std::uint32_t mode = ATLAS_MODE_DAEMON)
      : host(atlas_plugin_v1, mode) {
    host.node_keys["network.bootstrap"] = std::move(bootstrap);
  }
  // The dial of a bootstrap node succeeds.
  atlas_peer accept(std::uint64_t number = 1, const std::string& address = kFirst) {
    host.finish_dial(host.dials.at(0), {.node_id = node_id(number), .address = address, .dialled = true});
    return host.peers.rbegin()->first;
  }
  void acknowledge() { host.answer(host.requests.at(0), 0x11, ack()); }
  atlas_peer registered() {
    host.run();
    const auto peer = accept();
    acknowledge();
    return peer;
  }
  // The time until something more is dialled or asked; at most `most`.
  std::uint64_t wait_for(const std::function<bool()>& ready, std::uint64_t most, std::uint64_t step = 10) {
    const std::uint64_t begin = host.now_ms;
    while (!ready() && host.now_ms - begin < most) host.advance(step);
    return host.now_ms - begin;
  }
  std::size_t warnings() const {
    return static_cast<std::size_t>(
        std::count_if(host.log.begin(), host.log.end(), [](const auto& line) { return line.first == ATLAS_LOG_WARN; }));
  }
  nlohmann::json result(atlas_call call) { return nlohmann::json::parse(host.calls.at(call).result.value()); }

  FakeHost host;
};

class DiscoveryOfTwo : public Discovery {
 protected:
  DiscoveryOfTwo() : Discovery({kFirst, kSecondNode}) {}
};
class DiscoveryClient : public Discovery {
 protected:
  DiscoveryClient() : Discovery({kFirst}, ATLAS_MODE_CLIENT) {}
};

// --- registering ---

TEST_F(Discovery, RegistersAtStart) {
  host.self.name = "alice";
  host.self.skills = {"search"};
  host.self.operator_username = "al";
  host.self.address = "[::]:4433";
  host.run();
  ASSERT_EQ(host.dials.size(), 1u);
  EXPECT_EQ(host.dials[0].target, kFirst);
  accept();
  ASSERT_EQ(host.requests.size(), 1u);
  EXPECT_EQ(host.requests[0].type, 0x20);
  const auto map = MapView::of(host.requests[0].body);
  EXPECT_EQ(map.find("node_id").text(), node_id(0xfeed));
  EXPECT_EQ(map.find("address").text(), "[::]:4433");
  EXPECT_EQ(map.find("timestamp").i64(), host.unix_seconds());
  EXPECT_EQ(map.find("operator_username").text(), "al");
  EXPECT_EQ(map.find("skills").array().size(), 1u);
  acknowledge();
  EXPECT_EQ(host.metric("registered"), 1);
  EXPECT_EQ(host.metric("registers"), 1);
  EXPECT_EQ(warnings(), 0u);
}

TEST_F(Discovery, RegistersAgainWithinTheJitterAndNotAlwaysAtTheSameTime) {
  registered();
  std::set<std::uint64_t> gaps;
  for (int i = 0; i < 20; ++i) {
    const auto gap = wait_for([&] { return !host.requests.empty(); }, 20 * kMinute, 1000);
    EXPECT_GE(gap, 12 * kMinute);
    EXPECT_LE(gap, 18 * kMinute + 1000);
    gaps.insert(gap);
    ASSERT_EQ(host.requests.size(), 1u);
    acknowledge();
  }
  EXPECT_GT(gaps.size(), 10u);
  EXPECT_EQ(host.metric("registers"), 1);  // it never was not registered
}

TEST_F(Discovery, ComesBackWithinTheFirstPauseWhenTheBootstrapNodeRestarts) {
  auto peer = registered();
  std::set<std::uint64_t> pauses;
  for (int i = 0; i < 20; ++i) {
    host.advance(2 * kMinute);
    host.lose_peer(peer);
    EXPECT_EQ(host.metric("registered"), 0);
    const auto pause = wait_for([&] { return !host.dials.empty(); }, kMinute);
    EXPECT_LE(pause, kSecond + 10);
    pauses.insert(pause);
    peer = accept();
    acknowledge();
    EXPECT_EQ(host.metric("registered"), 1);
  }
  EXPECT_GT(pauses.size(), 10u);
  EXPECT_EQ(host.metric("losses"), 20);
}

TEST_F(Discovery, LosingThePeerDuringTheRegisterIsOneFailure) {
  host.run();
  host.lose_peer(accept());
  EXPECT_EQ(warnings(), 1u);
  EXPECT_EQ(host.running_timers(), 1u);
  EXPECT_LE(wait_for([&] { return !host.dials.empty(); }, kMinute), kSecond + 10);
}

TEST_F(Discovery, UnreachableIsTriedAgainWithGrowingPausesAndSaidOnce) {
  host.run();
  std::uint64_t longest = 0;
  for (int i = 0; i < 200; ++i) {
    host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, kFirst + ": nobody there");
    const auto pause = wait_for([&] { return !host.dials.empty(); }, 2 * kMinute);
    const std::uint64_t most = std::min<std::uint64_t>(kSecond << std::min(i, 6), kMinute);
    EXPECT_LE(pause, most + 10) << i;
    longest = std::max(longest, pause);
  }
  EXPECT_GT(longest, kMinute / 2);
  EXPECT_EQ(warnings(), 1u);
  EXPECT_TRUE(host.logged("bootstrap node " + kFirst + ": nobody there")) << "the address is said once";
  host.fail_dial(host.dials.at(0), ATLAS_E_DENIED, "banned");  // another reason is told
  EXPECT_EQ(warnings(), 2u);
}

TEST_F(Discovery, OneThatHangsUpAtOnceIsNotDialledAtFullSpeed) {
  host.run();
  const std::uint64_t begin = host.now_ms;
  for (int i = 0; i < 40; ++i) {
    wait_for([&] { return !host.dials.empty(); }, 2 * kMinute);
    const auto peer = accept();
    acknowledge();
    host.lose_peer(peer);
  }
  EXPECT_GT(host.now_ms - begin, 10 * kMinute);
}

TEST_F(Discovery, RefusedBacksOffAndTellsWhyOnce) {
  host.run();
  accept();
  const std::uint64_t begin = host.now_ms;
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(host.requests.size(), 1u);
    host.answer_error(host.requests[0], 2003, "registry full");
    const std::uint64_t most = std::min<std::uint64_t>(kMinute << i, 15 * kMinute);
    const auto pause = wait_for([&] { return !host.dials.empty(); }, 20 * kMinute);
    EXPECT_GE(pause, most / 2) << i;
    EXPECT_LE(pause, most + 10) << i;
    host.finish_dial_existing(host.dials[0], host.peers.begin()->first);
  }
  EXPECT_GT(host.now_ms - begin, 30 * kMinute);
  EXPECT_EQ(warnings(), 1u);
  EXPECT_TRUE(host.logged("error 2003: registry full"));
  acknowledge();  // there is room again
  EXPECT_EQ(host.metric("registered"), 1);
  EXPECT_EQ(host.metric("losses"), 0);
}

TEST_F(Discovery, AnAnswerThatIsNoAckIsARefusal) {
  host.run();
  accept();
  host.answer(host.requests[0], 0x11, ack("perhaps"));
  EXPECT_EQ(host.metric("registered"), 0);
  EXPECT_TRUE(host.logged("no acknowledgement"));
}

TEST_F(Discovery, ATimeoutOfTheRegisterIsTriedAgain) {
  registered();
  wait_for([&] { return !host.requests.empty(); }, 20 * kMinute, 1000);
  host.advance(10 * kSecond);
  EXPECT_EQ(host.metric("registered"), 0);
  wait_for([&] { return !host.dials.empty(); }, kMinute);
  host.finish_dial_existing(host.dials.at(0), host.peers.begin()->first);
  acknowledge();
  EXPECT_EQ(host.metric("registered"), 1);
}

TEST_F(DiscoveryOfTwo, OneUnreachableNodeDoesNotHoldUpTheOther) {
  host.run();
  ASSERT_EQ(host.dials.size(), 2u);
  host.fail_dial(host.dials[0], ATLAS_E_UNREACHABLE, "nobody there");
  EXPECT_EQ(host.dials[0].target, kSecondNode);
  accept(2, kSecondNode);
  acknowledge();
  EXPECT_EQ(host.metric("registered"), 1);
}

TEST_F(DiscoveryOfTwo, AnotherPeersEndIsNoLoss) {
  registered();
  accept(2, kSecondNode);
  acknowledge();
  EXPECT_EQ(host.metric("registered"), 2);
  host.lose_peer(host.connect_peer({.node_id = node_id(9)}));
  EXPECT_EQ(host.metric("registered"), 2);
}

TEST_F(Discovery, TheSameAddressTwiceIsOne) {
  host.node_keys["network.bootstrap"] = {kFirst, kFirst};
  host.run();
  EXPECT_EQ(host.dials.size(), 1u);
}

TEST_F(Discovery, DrainEndsIt) {
  const auto peer = registered();
  host.drain();
  EXPECT_EQ(host.running_timers(), 0u);
  host.lose_peer(peer);
  host.advance(60 * kMinute);
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(Discovery, StopWhileDiallingIsClean) {
  host.run();
  host.stop();
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(DiscoveryClient, ACommandIsNobodyToBeFound) {
  host.run();
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(Discovery, WithoutBootstrapNodesThereIsNothingToDo) {
  host.node_keys.clear();
  host.run();
  EXPECT_TRUE(host.dials.empty());
  const auto& call = host.calls.at(host.run_command("discover", {}));
  EXPECT_EQ(call.status, ATLAS_E_CONFIG);
  EXPECT_THAT(call.error, HasSubstr("network.bootstrap"));
}

TEST_F(Discovery, PeersAsARequestAreRejected) {
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(5)});
  EXPECT_EQ(host.deliver(peer, 0x22, peers_answer({})).error_code, 2003u);
}

TEST_F(Discovery, WrongConfigurationIsNoted) {
  host.config["interval"] = "50m";  // a record would be stale
  host.config["longest_retry"] = "0s";
  host.config["max_records"] = std::int64_t{0};
  host.config["timeout"] = "1h";
  EXPECT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.problems.size(), 4u);
}

// --- net discover ---

class Discover : public DiscoveryClient {
 protected:
  Discover() { host.self.address = "203.0.113.99:4433"; }
  atlas_call discover(const std::map<std::string, std::string>& args = {}) {
    host.run();
    const auto call = host.run_command("discover", args);
    accept();
    return call;
  }
  void tell(const std::vector<Told>& records, const Bytes& next = {}) {
    host.answer(host.requests.at(0), 0x22, peers_answer(records, next));
  }
  std::vector<std::string> ids(atlas_call call) {
    std::vector<std::string> out;
    for (const auto& peer : result(call)) out.push_back(peer.at("node_id"));
    return out;
  }
};

TEST_F(Discover, ShowsAndKeepsWhatItIsTold) {
  const auto call = discover();
  EXPECT_EQ(host.requests.at(0).type, 0x21);
  EXPECT_EQ(MapView::of(host.requests[0].body).find("limit").u32(), 1000u);
  tell({{.id = node_id(1), .last_seen = 1'699'999'000},
        {.id = node_id(2), .skills = {"search"}, .operator_username = "alice"}});
  ASSERT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(ids(call), (std::vector{node_id(2), node_id(1)}));  // newest first
  EXPECT_EQ(result(call)[0].at("skills")[0], "search");
  EXPECT_EQ(result(call)[0].at("operator_username"), "alice");
  ASSERT_EQ(host.upserted.size(), 2u);
  EXPECT_EQ(host.upserted[0].node_id, node_id(1));
  EXPECT_EQ(host.upserted[0].trust, static_cast<std::uint32_t>(ATLAS_TRUST_UNKNOWN));
}

TEST_F(Discover, FiltersThemselfWhereAPublishedNodeDoesNot) {
  const auto call = discover({{"--skill", "search"}, {"--operator", "@alice"}});
  const auto map = MapView::of(host.requests.at(0).body);
  EXPECT_EQ(map.find("skill").text(), "search");
  EXPECT_EQ(map.find("operator").text(), "alice");
  tell({{.id = node_id(1), .skills = {"search"}, .operator_username = "alice"},
        {.id = node_id(2), .skills = {"search"}},
        {.id = node_id(3), .skills = {"cook"}, .operator_username = "alice"},
        {.id = node_id(4), .skills = {"cook", "search"}, .operator_username = "@alice"}});
  EXPECT_THAT(ids(call), testing::UnorderedElementsAre(node_id(1), node_id(4)));
  EXPECT_EQ(host.upserted.size(), 4u);
}

TEST_F(Discover, OneNodeById) {
  const auto call = discover({{"--node", node_id(7)}});
  EXPECT_EQ(MapView::of(host.requests.at(0).body).find("node_id").text(), node_id(7));
  tell({{.id = node_id(7)}, {.id = node_id(8)}});
  EXPECT_EQ(ids(call), std::vector{node_id(7)});
}

TEST_F(Discover, OwnIdIsNeitherShownNorKept) {
  const auto call = discover();
  tell({{.id = node_id(0xfeed)}, {.id = node_id(1)}});
  EXPECT_EQ(ids(call), std::vector{node_id(1)});
  EXPECT_EQ(host.upserted.size(), 1u);
}

TEST_F(Discover, AForgedLastSeenDoesNotDisplaceAnother) {
  const auto call = discover();
  tell({{.id = node_id(1), .address = "203.0.113.1:1", .last_seen = 1'699'999'999},
        {.id = node_id(1), .address = "203.0.113.2:1", .last_seen = 9'999'999'999},
        {.id = node_id(1), .address = "203.0.113.3:1", .last_seen = 9'999'999'998}});
  ASSERT_EQ(result(call).size(), 1u);
  EXPECT_EQ(result(call)[0].at("last_seen"), host.unix_seconds());
  EXPECT_EQ(result(call)[0].at("address"), "203.0.113.2:1");
}

TEST_F(Discover, BadAddressesAreLeftOut) {
  const auto call = discover();
  tell({{.id = node_id(1), .address = "127.0.0.1:4433"},
        {.id = node_id(2), .address = "0.0.0.0:4433"},
        {.id = node_id(3), .address = "[ff02::1]:4433"},
        {.id = node_id(4), .address = "victim.example:4433"},
        {.id = node_id(5), .address = "10.0.0.5:4433"}});
  EXPECT_EQ(ids(call), std::vector{node_id(5)});
  EXPECT_EQ(host.upserted.size(), 1u);
}

TEST_F(Discover, NothingIsDialledBecauseSomebodyToldIt) {
  discover();
  std::vector<Told> records;
  for (std::uint64_t i = 1; i <= 2'000; ++i) records.push_back({.id = node_id(i)});
  tell(records);
  host.advance(60 * kMinute);
  EXPECT_TRUE(host.dials.empty());
  EXPECT_TRUE(host.requests.empty());
}

TEST_F(Discover, PagesAreAskedForWithAPauseUntilTheLast) {
  const auto call = discover();
  tell({{.id = node_id(1)}}, {1});
  EXPECT_TRUE(host.requests.empty());
  EXPECT_EQ(wait_for([&] { return !host.requests.empty(); }, kSecond), 250u);
  Bytes cursor;
  EXPECT_TRUE(MapView::of(host.requests[0].body).find("cursor").bytes(cursor, 10));
  EXPECT_EQ(cursor, Bytes{1});
  tell({}, {2});  // a page may be empty
  host.advance(250);
  tell({{.id = node_id(2)}});
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_THAT(ids(call), testing::UnorderedElementsAre(node_id(1), node_id(2)));
}

TEST_F(Discover, PagesStayWithinTheRateLimitOfTheOtherSide) {
  host.config["timeout"] = "10m";
  std::vector<std::uint64_t> asked;
  std::uint8_t page = 0;
  host.responder = [&](const FakeRequest&) {
    asked.push_back(host.now_ms);
    return FakeReply{true, 0x22, peers_answer({}, {++page}), 0, ""};
  };
  discover();
  host.advance(10 * kMinute);
  ASSERT_EQ(asked.size(), 64u);  // an endless cursor ends
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto within = [&](std::uint64_t span) {
      return std::count_if(asked.begin(), asked.end(), [&](auto at) { return at >= asked[i] && at < asked[i] + span; });
    };
    EXPECT_LE(within(kSecond), 5);
    EXPECT_LE(within(kMinute), 56);
  }
}

TEST_F(Discover, ACursorThatStaysTheSameEnds) {
  const auto call = discover();
  tell({{.id = node_id(1)}}, {1});
  host.advance(250);
  tell({{.id = node_id(2)}}, {1});
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(ids(call).size(), 2u);
}

TEST_F(Discover, ThousandsOfRecordsEndAtTheLimit) {
  host.config["max_records"] = std::int64_t{1'500};
  const auto call = discover();
  std::vector<Told> records;
  for (std::uint64_t i = 1; i <= 1'000; ++i) records.push_back({.id = node_id(i)});
  tell(records, {1});
  host.advance(250);
  for (auto& record : records) record.id.replace(6, 4, "ffff");
  tell(records, {2});
  ASSERT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(host.upserted.size(), 1'500u);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
}

TEST_F(Discover, MebibytesOfAnswersEndAtTheLimit) {
  const auto call = discover();
  const Bytes filling(3'500'000, 0);
  std::size_t answers = 0;
  while (!host.calls.at(call).finished && answers < 20) {
    Writer page;
    page.map(3).text("peers").array(0).text("filling").bin(filling);
    page.text("next").bin(Bytes{static_cast<std::uint8_t>(++answers)});
    host.answer(host.requests.at(0), 0x22, page.take());
    host.advance(kSecond);
  }
  EXPECT_EQ(answers, 5u) << "four have less than 16 MiB, five have more";
}

TEST_F(Discover, TheResultFitsALineOfTheControlSocket) {
  host.config["max_records"] = std::int64_t{10'000};
  const auto call = discover();
  std::vector<Told> records;
  const std::string skill(64, '\x01');  // six times as long in JSON
  for (std::uint64_t i = 1; i <= 1'500; ++i) records.push_back({node_id(i), "203.0.113.7:4433", {32, skill}, ""});
  tell(records);
  EXPECT_LT(host.calls.at(call).result->size(), 8u << 20);
  EXPECT_LT(result(call).size(), 1'500u);
  EXPECT_THAT(host.calls.at(call).progress, testing::Contains(HasSubstr("more are not shown")));
}

TEST_F(Discover, WhatIsNoListOfPeersIsSaid) {
  const auto call = discover();
  host.answer(host.requests.at(0), 0x11, ack());
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_DENIED);
  EXPECT_THAT(host.calls.at(call).progress, testing::Contains(HasSubstr("no list of peers")));
}

TEST_F(Discover, ARefusalIsNoSilence) {
  host.known = {{.node_id = node_id(3)}};
  host.run();
  for (const auto& [code, advice] : std::map<std::uint32_t, std::string>{
           {4001, "in some minutes"}, {5001, "ask again later"}, {2003, "runs the bootstrap role"}}) {
    const auto call = host.run_command("discover", {});
    accept();
    host.answer_error(host.requests.at(0), code, "no");
    EXPECT_EQ(host.calls.at(call).status, ATLAS_E_DENIED);
    EXPECT_THAT(host.calls.at(call).error,
                HasSubstr("bootstrap node " + kFirst + " refused: error " + std::to_string(code) + ": no: "));
    EXPECT_THAT(host.calls.at(call).error, HasSubstr(advice));
    EXPECT_EQ(ids(call), std::vector{node_id(3)});
  }
}

TEST_F(Discover, ANodeIdThatIsNoneGoesNowhere) {
  host.node_keys.clear();  // whatever else is wrong
  host.run();
  for (const char* id : {"bogus", "", "atlas_00", "127.0.0.1:4433"}) {
    const auto& call = host.calls.at(host.run_command("discover", {{"--node", id}}));
    EXPECT_EQ(call.status, ATLAS_E_ARG);
    EXPECT_THAT(call.error, HasSubstr("--node: "));
    EXPECT_THAT(call.error, HasSubstr("64 lower-case hex digits"));
  }
  EXPECT_TRUE(host.dials.empty());
}

TEST_F(Discover, WhatAnAddressCameToIsSaidOnce) {
  host.run();
  const auto call = host.run_command("discover", {});
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, kFirst + ": unreachable (no answer)");
  EXPECT_THAT(host.calls.at(call).progress,
              testing::ElementsAre("bootstrap node " + kFirst + ": unreachable (no answer)"));
}

TEST_F(Discover, PrintsTheKeysOfTheReference) {
  const auto call = discover();
  tell({{.id = node_id(1)}});
  const auto documented = atlas::kit::documented_keys("net discover");
  ASSERT_EQ(documented.size(), 1u);
  EXPECT_EQ(atlas::kit::keys_of(result(call).at(0)), documented[0]);
}

TEST_F(Discover, NobodyAnswersAndTheDatabaseIsShown) {
  host.known = {{.node_id = node_id(3), .skills = {"search"}},
                {.node_id = node_id(4)},
                {.node_id = node_id(0xfeed), .skills = {"search"}}};
  host.run();
  const auto call = host.run_command("discover", {{"--skill", "search"}});
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_UNREACHABLE);
  EXPECT_THAT(host.calls.at(call).error, HasSubstr("database"));
  EXPECT_THAT(host.calls.at(call).progress, testing::Contains(HasSubstr("nobody there")));
  EXPECT_EQ(ids(call), std::vector{node_id(3)});
}

TEST_F(Discover, WhatTheDatabaseShowsIsBounded) {
  for (std::uint64_t i = 1; i <= 1'001; ++i) host.known.push_back({.node_id = node_id(i)});
  host.run();
  const auto call = host.run_command("discover", {});
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
  EXPECT_EQ(ids(call).size(), 1'000u);
}

TEST_F(Discover, OneOfTwoAnswersAndThatIsASuccess) {
  host.node_keys["network.bootstrap"] = {kSecondNode, kFirst};
  host.run();
  const auto call = host.run_command("discover", {});
  host.fail_dial(host.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
  accept();
  tell({{.id = node_id(1)}});
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(ids(call), std::vector{node_id(1)});
  EXPECT_THAT(host.calls.at(call).progress, testing::Contains(HasSubstr(kSecondNode)));
}

TEST_F(Discover, ASlowNodeDoesNotHoldBackTheOthersForLong) {
  host.node_keys["network.bootstrap"] = {kFirst, kSecondNode};
  host.config["timeout"] = "5s";
  host.run();
  const auto call = host.run_command("discover", {});
  accept();
  tell({{.id = node_id(1)}});
  host.advance(4'999);
  EXPECT_FALSE(host.calls.at(call).finished);
  host.advance(1);
  ASSERT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(ids(call), std::vector{node_id(1)});
  accept(2, kSecondNode);  // too late: nobody is asked any more
  EXPECT_TRUE(host.requests.empty());
}

TEST_F(Discover, HalfAnAnswerIsShown) {
  const auto call = discover();
  tell({{.id = node_id(1)}}, {1});
  host.advance(250);
  host.lose_peer(host.peers.begin()->first);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(ids(call), std::vector{node_id(1)});
}

TEST_F(Discover, EndsWhenThePersonLeaves) {
  const auto call = discover();
  tell({{.id = node_id(1)}}, {1});
  host.cancel_command(call);
  host.advance(kMinute);
  EXPECT_TRUE(host.requests.empty());
  EXPECT_EQ(host.running_timers(), 0u);
  EXPECT_FALSE(host.calls.at(call).result.has_value());
}

TEST_F(Discover, OnlySoManyAtOnce) {
  host.run();
  for (int i = 0; i < 4; ++i) host.run_command("discover", {});
  const auto fifth = host.run_command("discover", {});
  EXPECT_EQ(host.calls.at(fifth).status, ATLAS_E_FULL);
  accept();
  tell({});
  EXPECT_FALSE(host.calls.at(host.run_command("discover", {})).finished);
}

TEST_F(Discover, StopInTheMiddleEndsTheCommand) {
  const auto call = discover();
  tell({{.id = node_id(1)}}, {1});
  host.stop();
  EXPECT_TRUE(host.calls.at(call).finished);
}

}  // namespace
