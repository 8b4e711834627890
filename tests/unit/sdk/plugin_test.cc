// The C++ wrapper over a host inside this test: exceptions stay in, absent functions answer, callbacks run once and are
// freed. AddressSanitizer counts what is freed.
#include "atlas/plugin.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "kit/fake_host.h"

namespace {

using namespace std::chrono_literals;
using atlas::kit::Bytes;
using atlas::kit::FakeHost;
using atlas::kit::node_id;
using testing::ElementsAre;
using testing::HasSubstr;

// What the role under test does is chosen by each test.
struct Probe {
  std::function<void(atlas::Setup&)> construct;
  std::function<atlas::Status(const atlas::Incoming&)> message;
  std::function<void(const atlas::Call&)> command;
  std::function<void()> start, tick, stop;
  std::function<void(const atlas::PeerEvent&)> peer;
  atlas::Host* host = nullptr;
};
Probe* probe = nullptr;

class Role {
 public:
  explicit Role(atlas::Setup& setup) {
    probe->host = &setup.host();
    setup.on(0x80, &Role::on_message).on(0x81, &Role::on_silent, 0).every(10s, &Role::on_tick);
    setup.command({.path = "probe", .where = 3, .summary = "A test.", .args = {{"target"}, {"--count"}}}, &Role::run);
    setup.command({.path = "probe two", .where = 1, .summary = "Another."}, &Role::run_two);
    if (probe->construct) probe->construct(setup);
  }
  ~Role() {
    if (probe->stop) probe->stop();
  }
  void start() {
    if (probe->start) probe->start();
  }
  void drain(atlas::Millis deadline) { drained_ = deadline; }
  void on_second(const atlas::Incoming&) {}
  void on_peer(const atlas::PeerEvent& event) {
    if (probe->peer) probe->peer(event);
  }

 private:
  atlas::Status on_message(const atlas::Incoming& message) { return probe->message(message); }
  void on_silent(const atlas::Incoming&) {}
  void on_tick() {
    if (probe->tick) probe->tick();
  }
  void run(const atlas::Call& call) { probe->command(call); }
  void run_two(const atlas::Call& call) { call.fail({ATLAS_E_DENIED}, "two"); }
  atlas::Millis drained_{0};
};

}  // namespace

ATLAS_PLUGIN(Role, "probe", "1.2.3", "A role that a test steers.", ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS);

namespace {

class Wrapper : public testing::Test {
 protected:
  Wrapper() { probe = &steer; }
  ~Wrapper() override {
    host.stop();
    probe = nullptr;
  }
  Probe steer;
  FakeHost host{atlas_plugin_v1};
};

TEST_F(Wrapper, TheExportedObject) {
  EXPECT_EQ(atlas_plugin_v1.struct_size, sizeof(atlas_plugin));
  EXPECT_EQ(atlas_plugin_v1.abi_major, ATLAS_ABI_MAJOR);
  EXPECT_STREQ(atlas_plugin_v1.id, "probe");
  EXPECT_STREQ(atlas_plugin_v1.needs[0], ATLAS_EXT_MESSAGES);
  EXPECT_STREQ(atlas_plugin_v1.needs[1], ATLAS_EXT_TIMERS);
  EXPECT_EQ(atlas_plugin_v1.needs[2], nullptr);
}

TEST_F(Wrapper, RegistersWhatTheConstructorSays) {
  host.run();
  EXPECT_EQ(host.claimed, (std::map<std::uint8_t, std::uint32_t>{{0x80, 1}, {0x81, 0}}));
  EXPECT_THAT(host.commands.at("probe").args, ElementsAre("target", "--count"));
  EXPECT_EQ(host.calls.at(host.run_command("probe two", {})).error, "two");
}

TEST_F(Wrapper, AThrowingConstructorIsAStatus) {
  steer.construct = [](atlas::Setup&) { throw std::runtime_error("no luck"); };
  EXPECT_EQ(host.init(), ATLAS_E_INTERNAL);
  EXPECT_TRUE(host.logged("init failed: no luck"));
}

TEST_F(Wrapper, TheFirstRefusalIsWhatInitReturns) {
  int destroyed = 0;
  steer.stop = [&] { ++destroyed; };
  steer.construct = [](atlas::Setup& setup) {
    setup.on(0x80, &Role::on_second);
    setup.counter("a", "");
    setup.refuse({ATLAS_E_CONFIG});
  };
  EXPECT_EQ(host.init(), ATLAS_E_CONFLICT);
  EXPECT_EQ(destroyed, 1);
}

TEST_F(Wrapper, ExceptionsOfEveryEntryAreContained) {
  steer.start = [] { throw std::runtime_error("start"); };
  steer.tick = [] { throw std::runtime_error("tick"); };
  steer.peer = [](const atlas::PeerEvent&) { throw 7; };
  steer.message = [](const atlas::Incoming&) -> atlas::Status { throw std::bad_alloc(); };
  steer.command = [](const atlas::Call&) { throw std::runtime_error("command"); };
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.start(), ATLAS_E_INTERNAL);
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  EXPECT_EQ(host.deliver(peer, 0x80, {0x80}).error_code, 5001u);
  host.advance(10'000);
  const auto call = host.run_command("probe", {});
  EXPECT_TRUE(host.calls.at(call).finished);
  EXPECT_EQ(host.calls.at(call).status, ATLAS_E_INTERNAL);
  for (const char* line : {"start failed: start", "a timer failed: tick", "a peer event failed: unknown exception",
                           "a message handler failed: std::bad_alloc", "a command failed: command"}) {
    EXPECT_TRUE(host.logged(line)) << line;
  }
}

TEST_F(Wrapper, ExceptionsOfEveryCallbackAreContained) {
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  auto& it = *probe->host;
  it.request(peer, 0x90, "", 1s, [](const atlas::Answer&) { throw std::runtime_error("answer"); });
  it.connect("127.0.0.1:1", 1s, [](const atlas::Connected&) { throw std::runtime_error("dial"); });
  static_cast<void>(it.post([] { throw std::runtime_error("post"); }));
  it.store().put("k", "v", [](atlas::Status) { throw std::runtime_error("commit"); });
  const auto timer = it.after(1ms, [] { throw std::runtime_error("timer"); });
  host.answer(host.requests.at(0), 0x91, {0x80});
  host.fail_dial(host.dials.at(0), ATLAS_E_TIMEOUT, "");
  host.advance(5);
  for (const char* line : {"answer", "dial", "post", "commit", "timer"}) EXPECT_TRUE(host.logged(line)) << line;
}

TEST_F(Wrapper, ANegativeStatusLeavesTheErrorToTheCore) {
  steer.message = [](const atlas::Incoming&) { return atlas::Status{ATLAS_E_DENIED}; };
  host.run();
  EXPECT_EQ(host.deliver(host.connect_peer({.node_id = node_id(1)}), 0x80, {0x80}).error_code, 2003u);
}

TEST_F(Wrapper, AnswersLaterAndOnce) {
  std::optional<atlas::ReplyTo> kept;
  steer.message = [&](const atlas::Incoming& message) { return kept = message.reply_to, atlas::Status{}; };
  host.run();
  const auto reply = host.deliver_open(host.connect_peer({.node_id = node_id(1)}), 0x80, {0x80});
  EXPECT_FALSE(host.replies.at(reply).answered);
  EXPECT_TRUE(kept->send(0x81, "x").ok());
  EXPECT_EQ(host.replies.at(reply).body, Bytes{'x'});
  EXPECT_EQ(kept->reject("no").code, ATLAS_E_STATE);
}

// -- requests ---------------------------------------------------------------------------------------------------------

TEST_F(Wrapper, EveryWayThatARequestEnds) {
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  std::vector<std::string> ends;
  const auto ask = [&] {
    return probe->host->request(peer, 0x90, "", 1s, [&](const atlas::Answer& answer) {
      ends.push_back(answer.ok() ? "ok " + std::to_string(answer.rtt.count()) : answer.why());
    });
  };
  EXPECT_TRUE(ask());
  host.answer(host.requests.front(), 0x91, {0x80}, 321);
  ask();
  host.answer_error(host.requests.front(), 2003, "no");
  ask();
  host.advance(1'000);
  ask();
  host.lose_peer(peer);
  EXPECT_FALSE(ask());  // refused at once, and told at once
  EXPECT_THAT(ends, ElementsAre("ok 321", "error 2003: no", "no answer in time", "it does not exist any more",
                                "it does not exist any more"));
}

TEST_F(Wrapper, ACancelledRequestIsSilent) {
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  int answers = 0;
  auto request = probe->host->request(peer, 0x90, "", 1s, [&](const atlas::Answer&) { ++answers; });
  auto moved = std::move(request);
  EXPECT_FALSE(request);
  moved.cancel();
  EXPECT_FALSE(moved);
  moved.cancel();
  EXPECT_TRUE(host.requests.empty());
  probe->host->request(peer, 0x90, "", 1s, [&](const atlas::Answer&) { ++answers; });  // let go of: still answered
  host.advance(2'000);
  EXPECT_EQ(answers, 1);
}

TEST_F(Wrapper, PendingRequestsHearOfTheStop) {
  atlas_status last = ATLAS_OK;
  host.run();
  probe->host->request(host.connect_peer({.node_id = node_id(1)}), 0x90, "", 60s,
                       [&](const atlas::Answer& answer) { last = answer.status.code; });
  host.stop();
  EXPECT_EQ(last, ATLAS_E_STOPPING);
}

// -- timers -----------------------------------------------------------------------------------------------------------

TEST_F(Wrapper, TimersFireAsTheySay) {
  host.run();
  std::vector<std::uint64_t> once, often;
  const std::uint64_t begin = host.now_ms;
  auto one = probe->host->after(15ms, [&] { once.push_back(host.now_ms - begin); });
  auto many = probe->host->every(5ms, 10ms, [&] { often.push_back(host.now_ms - begin); });
  EXPECT_TRUE(one && many);
  host.advance(30);
  EXPECT_THAT(once, ElementsAre(15u));
  EXPECT_THAT(often, ElementsAre(5u, 15u, 25u));
  EXPECT_FALSE(one);
  EXPECT_TRUE(many);
  many.cancel();
  host.advance(100);
  EXPECT_EQ(often.size(), 3u);
}

TEST_F(Wrapper, ATimerThatGoesOutOfScopeIsQuiet) {
  host.run();
  int fired = 0;
  {
    const auto timer = probe->host->after(5ms, [&] { ++fired; });
  }
  auto timer = probe->host->after(5ms, [&] { ++fired; });
  timer = probe->host->after(7ms, [&] { fired += 10; });
  host.advance(10);
  EXPECT_EQ(fired, 10);
}

TEST_F(Wrapper, ATimerMayEndOrReplaceItselfInItsCallback) {
  host.run();
  int fired = 0;
  atlas::Timer periodic, chain;
  periodic = probe->host->every(5ms, [&] {
    if (++fired == 2) periodic.cancel();
  });
  std::function<void()> again = [&] {
    if (++fired < 100) chain = probe->host->after(5ms, [&] { again(); });
  };
  host.advance(50);
  EXPECT_EQ(fired, 2);
  again();
  host.advance(1'000);
  EXPECT_EQ(fired, 100);
}

TEST_F(Wrapper, NoTimerBeyondTheQuota) {
  host.run();
  host.timer_quota = host.running_timers();
  EXPECT_FALSE(probe->host->after(1ms, [] {}));
}

TEST_F(Wrapper, WhatOnlyACallbackHoldsIsFreedAtTheEnd) {
  host.run();
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  // A ring: the timer's callback holds the object that holds the timer.
  struct Ring {
    atlas::Timer timer;
    std::shared_ptr<int> held;
  };
  auto ring = std::make_shared<Ring>();
  ring->held = std::move(held);
  ring->timer = probe->host->after(1h, [ring] {});
  ring.reset();
  EXPECT_FALSE(watch.expired());
  host.stop();
  EXPECT_TRUE(watch.expired());
}

TEST_F(Wrapper, TicksStartWithTheRoleAndEndWithTheDrain) {
  int ticks = 0;
  steer.tick = [&] { ++ticks; };
  ASSERT_EQ(host.init(), ATLAS_OK);
  host.advance(60'000);
  EXPECT_EQ(ticks, 0);
  host.start();
  host.advance(60'000);
  EXPECT_EQ(ticks, 6);
  host.drain();
  host.advance(60'000);
  EXPECT_EQ(ticks, 6);
}

// -- commands ---------------------------------------------------------------------------------------------------------

TEST_F(Wrapper, ACallThatNobodyFinishesEndsByItself) {
  steer.command = [](const atlas::Call&) {};
  host.run();
  const auto& call = host.calls.at(host.run_command("probe", {}));
  EXPECT_TRUE(call.finished);
  EXPECT_EQ(call.status, ATLAS_E_INTERNAL);
  EXPECT_THAT(call.error, HasSubstr("without a result"));
}

TEST_F(Wrapper, ACallLivesInItsCallbacks) {
  atlas::Timer timer;
  steer.command = [&](const atlas::Call& call) {
    static_cast<void>(call.progress("working"));
    timer = probe->host->after(10ms, [call] {
      static_cast<void>(call.row("1"));
      static_cast<void>(call.result("{}"));
      call.finish();
      EXPECT_EQ(call.row("2").code, ATLAS_E_GONE);
    });
  };
  host.run();
  const auto id = host.run_command("probe", {{"target", "x"}});
  EXPECT_FALSE(host.calls.at(id).finished);
  host.advance(10);
  EXPECT_TRUE(host.calls.at(id).finished);
  EXPECT_EQ(host.calls.at(id).status, ATLAS_OK);
  EXPECT_THAT(host.calls.at(id).rows, ElementsAre("1"));
}

TEST_F(Wrapper, ACancelledCallIsToldOnce) {
  int cancelled = 0;
  std::optional<atlas::Call> kept;
  steer.command = [&](const atlas::Call& call) {
    kept = call;
    call.on_cancel([&] { ++cancelled; });
  };
  host.run();
  const auto id = host.run_command("probe", {});
  host.cancel_command(id);
  host.cancel_command(id);
  EXPECT_EQ(cancelled, 1);
  EXPECT_FALSE(kept->is_open());
  EXPECT_EQ(kept->progress("x").code, ATLAS_E_GONE);
  kept->finish();
  EXPECT_EQ(host.calls.at(id).error, "");
}

TEST_F(Wrapper, ArgumentsAreReadStrictly) {
  for (const auto& [value, fine] : std::map<std::string, bool>{{"5", true},
                                                               {"1", true},
                                                               {"10", true},
                                                               {"0", false},
                                                               {"11", false},
                                                               {"5x", false},
                                                               {"", false},
                                                               {" 5", false}}) {
    std::optional<std::int64_t> got;
    steer.command = [&](const atlas::Call& call) {
      got = call.integer("--count", 3, 1, 10);
      call.finish();
    };
    if (!probe->host) host.run();
    const auto& call = host.calls.at(host.run_command("probe", {{"--count", value}}));
    EXPECT_EQ(got.has_value(), fine) << value;
    EXPECT_EQ(call.status, fine ? ATLAS_OK : ATLAS_E_ARG);
  }
}

TEST(Durations, AsPeopleWriteThem) {
  const std::pair<const char*, std::optional<atlas::Millis>> cases[] = {
      {"1500ms", 1500ms}, {"90s", 90s},   {"5m", 5min},     {"1h", 1h},
      {"2", 2s},          {"0.2", 200ms}, {"1.5s", 1500ms}, {"", {}},
      {"s", {}},          {"-1s", {}},    {"1d", {}},       {"1 s", {}},
      {"nan", {}},        {"inf", {}},    {"1e3", {}},      {"99999999999999999h", {}}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(atlas::parse_duration(text), expected) << text;
}

// -- what a host may lack ---------------------------------------------------------------------------------------------

TEST_F(Wrapper, AHostWithNothingAnswersEverythingWithAStatus) {
  host.missing = {ATLAS_EXT_LOG,   ATLAS_EXT_CONFIG,  ATLAS_EXT_PEERS,
                  ATLAS_EXT_STORE, ATLAS_EXT_METRICS, ATLAS_EXT_TIMERS};
  steer.construct = [](atlas::Setup& setup) {
    EXPECT_EQ(setup.config().integer("k", 7, 1, 10, ""), 7);
    EXPECT_EQ(setup.config().duration("k", 7s, 1s, 10s, ""), 7s);
    EXPECT_EQ(setup.config().text("k", "x", ""), "x");
    EXPECT_TRUE(setup.config().texts("k", "").empty());
    EXPECT_TRUE(setup.config().boolean("k", true, ""));
    EXPECT_TRUE(setup.config().node_key("network.port").empty());
    setup.config().reject("k", "x");
    setup.counter("c", "").add();
    setup.gauge("g", "").set(1);
  };
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.start(), ATLAS_E_FULL);  // its tick has no timer
  auto& it = *probe->host;
  it.info("nobody listens");
  EXPECT_FALSE(it.after(1ms, [] {}));
  EXPECT_EQ(it.peers().find("x"), 0u);
  EXPECT_FALSE(it.peers().info(1));
  EXPECT_TRUE(it.peers().list(ATLAS_PEERS_LIVE).empty());
  EXPECT_EQ(it.peers().disconnect(1, 0, "").code, ATLAS_E_STATE);
  EXPECT_EQ(it.peers().upsert({}).code, ATLAS_E_STATE);
  EXPECT_FALSE(it.store().get("k"));
  EXPECT_EQ(it.store().put("k", "v").code, ATLAS_E_STATE);
  atlas_status told = ATLAS_OK;
  it.connect("x", 1s, [&](const atlas::Connected& result) { told = result.status.code; });
  EXPECT_EQ(told, ATLAS_E_STATE);
  it.store().put("k", "v", [&](atlas::Status status) { told = status.code - 100; });
  EXPECT_EQ(told, ATLAS_E_STATE - 100);
}

TEST_F(Wrapper, AShorterTableLacksItsTail) {
  host.tables.messages.struct_size = offsetof(atlas_ext_messages, request);
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  EXPECT_TRUE(probe->host->send(peer, 0x90, "x").ok());
  atlas_status told = ATLAS_OK;
  probe->host->request(peer, 0x90, "", 1s, [&](const atlas::Answer& answer) { told = answer.status.code; });
  EXPECT_EQ(told, ATLAS_E_STATE);
}

// -- peers and store --------------------------------------------------------------------------------------------------

TEST_F(Wrapper, PeersAsValues) {
  host.run();
  host.self.skills = {"me"};
  const auto peer = host.connect_peer({.node_id = node_id(1),
                                       .address = "[2001:db8::1]:1",
                                       .name = "n",
                                       .skills = {"a", "b"},
                                       .relays = {"r"},
                                       .rtt_us = 5});
  host.known = {{.node_id = node_id(8)}, {.node_id = node_id(9)}};
  const auto peers = probe->host->peers();
  EXPECT_THAT(peers.self().skills, ElementsAre("me"));
  EXPECT_EQ(peers.find(node_id(1)), peer);
  EXPECT_EQ(peers.find(node_id(2)), 0u);
  const auto info = peers.info(peer);
  EXPECT_EQ(info->address, "[2001:db8::1]:1");
  EXPECT_THAT(info->skills, ElementsAre("a", "b"));
  EXPECT_EQ(info->rtt_us, 5u);
  EXPECT_EQ(peers.list(ATLAS_PEERS_KNOWN).size(), 2u);
  int seen = 0;
  static_cast<void>(peers.list(ATLAS_PEERS_KNOWN, [&](const atlas::PeerView&) { return ++seen < 1; }));
  EXPECT_EQ(seen, 1);
  EXPECT_TRUE(peers.upsert(*info).ok());
  EXPECT_THAT(host.upserted.at(0).skills, ElementsAre("a", "b"));
  EXPECT_TRUE(peers.disconnect(peer, 1, "bye").ok());
  EXPECT_EQ(host.disconnects.at(0).note, "bye");
}

TEST_F(Wrapper, PeerEventsArrive) {
  std::vector<std::string> events;
  steer.peer = [&](const atlas::PeerEvent& event) {
    events.push_back(std::to_string(event.what) + std::string(event.node_id.substr(6, 1)) +
                     std::to_string(event.reason));
  };
  host.run();
  host.lose_peer(host.connect_peer({.node_id = node_id(1)}), 4);
  EXPECT_THAT(events, ElementsAre("110", "214"));
}

TEST_F(Wrapper, TheStore) {
  host.run();
  const auto store = probe->host->store();
  std::vector<atlas_status> commits;
  store.put("a/1", "one", [&](atlas::Status status) { commits.push_back(status.code); });
  EXPECT_TRUE(store.put("a/2", Bytes{2}).ok());
  EXPECT_TRUE(store.put("b/1", "x").ok());
  EXPECT_EQ(store.get("a/1"), (Bytes{'o', 'n', 'e'}));
  EXPECT_FALSE(store.get("zz"));
  EXPECT_TRUE(commits.empty());
  host.settle();
  EXPECT_THAT(commits, ElementsAre(ATLAS_OK));
  std::vector<std::size_t> sizes;
  const auto row = [&](atlas::Bytes, atlas::Bytes value) { return sizes.push_back(value.size()), true; };
  EXPECT_TRUE(store.scan("a/", "", row).ok());
  EXPECT_THAT(sizes, ElementsAre(3u, 1u));
  EXPECT_TRUE(store.scan("a/", "a/1", row).ok());
  EXPECT_EQ(sizes.size(), 3u);
  store.remove("a/1", [&](atlas::Status status) { commits.push_back(status.code); });
  EXPECT_FALSE(store.get("a/1"));
  host.settle();
  EXPECT_EQ(commits.size(), 2u);
  host.store_status = ATLAS_E_FULL;
  store.put("c", "d", [&](atlas::Status status) { commits.push_back(status.code); });
  EXPECT_EQ(commits.back(), ATLAS_E_FULL);
}

TEST_F(Wrapper, RandomBelowCoversItsRange) {
  host.run();
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 300; ++i) seen.insert(probe->host->random_below(7));
  EXPECT_THAT(seen, ElementsAre(0u, 1u, 2u, 3u, 4u, 5u, 6u));
  host.random_source = [](std::uint8_t* out, std::size_t size) { std::fill_n(out, size, 0); };
  EXPECT_EQ(probe->host->random_below(7), 0u);  // ends even with a broken source
}

}  // namespace
