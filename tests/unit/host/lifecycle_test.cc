// From load to stop, and every way in which a plugin can fall out of it.
#include <stdexcept>

#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Lifecycle : public HostTest {
 protected:
  atlas_status claim(std::uint8_t type, std::uint32_t flags = 0) {
    return script.messages().handle(script.host, type, flags, handle_message);
  }
};

TEST_F(Lifecycle, EachStepOnceAndInOrder) {
  start();
  EXPECT_EQ(row().state, "running");
  host->drain(clock.mono_ns() + 250 * base::kMillisecond);
  std::uint32_t given = 0;
  script.drain = [&](std::uint32_t ms) { given = ms; };
  settle();
  EXPECT_EQ(given, 250u);
  EXPECT_EQ(row().state, "draining");
  stop();
  EXPECT_EQ(row().state, "stopped");
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "drain", "stop"));
  host.reset();
  EXPECT_EQ(script.calls.size(), 4u);
}

TEST_F(Lifecycle, DrainMayFinishWhatIsOpen) {
  network.add_peer(7, "atlas_seven");
  int posted = 0;
  script.drain = [&](std::uint32_t) {
    EXPECT_EQ(script.messages().send(script.host, 7, 0x90, {}), ATLAS_OK);
    EXPECT_EQ(script.store().put(
                  script.host, bytes_of("k"), bytes_of("v"), [](void*, atlas_status) {}, nullptr),
              ATLAS_OK);
    EXPECT_EQ(script.host->post(
                  script.host, [](void* count) { ++*static_cast<int*>(count); }, &posted),
              ATLAS_OK);
  };
  start();
  bool stopped = false;
  host->begin_drain(clock.mono_ns() + base::kSecond, [&] { host->begin_stop([&] { stopped = true; }); });
  settle();
  EXPECT_FALSE(stopped) << "the commit waits";
  store.commit();
  settle();
  EXPECT_TRUE(stopped);
  EXPECT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(store.rows.size(), 1u);
  EXPECT_EQ(posted, 1);
}

TEST_F(Lifecycle, StopRightBehindDrainLeavesItItsMeans) {
  network.add_peer(7, "atlas_seven");
  script.drain = [&](std::uint32_t) { EXPECT_EQ(script.messages().send(script.host, 7, 0x90, {}), ATLAS_OK); };
  start();
  host->drain(clock.mono_ns() + base::kSecond);
  stop();
  EXPECT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(script.messages().send(script.host, 7, 0x90, {}), ATLAS_E_STOPPING);
}

TEST_F(Lifecycle, DrainEndsWhenWhatWasOpenIsFinished) {
  network.add_peer(7, "atlas_seven");
  script.init = [&] { return claim(0x90, ATLAS_HANDLE_ANSWERS); };
  atlas_reply_to owed = 0;
  script.handler = [&](const atlas_message& message) {
    owed = message.reply_to;
    return ATLAS_OK;
  };
  script.drain = [&](std::uint32_t) {
    script.messages().request(
        script.host, 7, 0x91, {}, 1000, [](void*, const atlas_answer*) {}, nullptr, nullptr);
    script.store().put(
        script.host, bytes_of("k"), bytes_of("v"), [](void*, atlas_status) {}, nullptr);
  };
  start(2);
  deliver(0x90, 5);
  settle();
  bool done = false;
  host->begin_drain(clock.mono_ns() + 500 * base::kMillisecond, [&] { done = true; });
  settle();
  EXPECT_FALSE(done);
  network.answer_everything();
  settle();
  EXPECT_FALSE(done) << "a commit waits";
  store.commit();
  settle();
  EXPECT_FALSE(done) << "a peer waits";
  EXPECT_EQ(script.messages().reply(script.host, owed, 0x91, {}), ATLAS_OK);  // as from a thread of the role's own
  settle();
  EXPECT_TRUE(done);
  stop();
}

TEST_F(Lifecycle, DrainEndsAtItsDeadline) {
  network.add_peer(7, "atlas_seven");
  script.drain = [&](std::uint32_t) {
    script.messages().request(
        script.host, 7, 0x91, {}, 1000, [](void*, const atlas_answer*) {}, nullptr, nullptr);
  };
  start();
  int done = 0;
  host->begin_drain(clock.mono_ns() + 500 * base::kMillisecond, [&] { ++done; });
  pass(499 * base::kMillisecond);
  EXPECT_EQ(done, 0);
  pass(base::kMillisecond);
  EXPECT_EQ(done, 1);
  stop();
  EXPECT_EQ(done, 1);
}

TEST_F(Lifecycle, DrainWithNothingOpenTakesNoTime) {
  start(3);
  bool done = false;
  host->begin_drain(clock.mono_ns() + 500 * base::kMillisecond, [&] { done = true; });
  EXPECT_FALSE(done) << "drain() has not run";
  settle();
  EXPECT_TRUE(done);
  stop();
}

TEST_F(Lifecycle, RoleWithoutDrainDelaysNothing) {
  network.add_peer(7, "atlas_seven");
  load();
  host.reset();
  host = std::make_unique<host::Host>(setup());
  descriptors[0].drain = nullptr;
  host->add_linked(&descriptors[0]);
  ASSERT_THAT(host->load({}), IsEmpty());
  host->begin_start();
  settle();
  script.messages().request(
      script.host, 7, 0x91, {}, 1000, [](void*, const atlas_answer*) {}, nullptr, nullptr);
  bool done = false;
  host->begin_drain(clock.mono_ns() + 500 * base::kMillisecond, [&] { done = true; });
  EXPECT_TRUE(done);
}

TEST_F(Lifecycle, TellsWhenEveryStartHasReturned) {
  EXPECT_THAT(load(3), IsEmpty());
  int told = 0;
  std::vector<std::size_t> left = {0, 1, 2};
  for (const std::size_t i : {0, 1, 2}) {
    scripts[i].start = [&, i] {
      EXPECT_EQ(told, 0);
      std::erase(left, i);
      return i == 1 ? ATLAS_E_INTERNAL : ATLAS_OK;  // one that refuses has been asked as well
    };
  }
  host->begin_start([&] { ++told; });
  settle();
  EXPECT_THAT(left, IsEmpty());
  EXPECT_EQ(told, 1);
}

TEST_F(Lifecycle, RoleThatDoesNotStopIsNamed) {
  start(2);
  scripts[1].stop = [&] { EXPECT_THAT(host->unstopped(), ElementsAre("plugin1")); };
  stop();
  EXPECT_THAT(host->unstopped(), IsEmpty());
}

TEST_F(Lifecycle, StopsInReverseOrder) {
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) scripts[i].stop = [&order, i] { order.push_back(i); };
  start(3);
  stop();
  EXPECT_THAT(order, ElementsAre(2, 1, 0));
}

TEST_F(Lifecycle, DescribeRunsInitAndNeverStart) {
  script.init = [&] {
    EXPECT_EQ(script.host->mode, static_cast<std::uint32_t>(ATLAS_MODE_DESCRIBE));
    std::int64_t out = 0;
    return script.config().integer(script.host, "depth", 4, 1, 9, "How deep.", &out);
  };
  HostSetup bare;
  bare.mode = Mode::kDescribe;
  bare.clock = &clock;
  host = std::make_unique<host::Host>(std::move(bare));
  descriptors[0] = Scripted<0>::descriptor(script);
  host->add_linked(&descriptors[0]);
  EXPECT_THAT(host->load({}), IsEmpty());
  host->start();
  host->begin_start();
  ASSERT_EQ(row().keys.size(), 1u);
  EXPECT_EQ(row().keys[0].doc, "How deep.");
  host->stop();
  EXPECT_THAT(script.calls, ElementsAre("init", "stop"));
}

TEST_F(Lifecycle, FailedInitLeavesNothingBehind) {
  scripts[1].init = [&] {
    atlas_metric metric = 0;
    scripts[1].messages().handle(scripts[1].host, 0x91, 0, handle_message);
    scripts[1].metrics().define(scripts[1].host, "things", ATLAS_METRIC_COUNTER, "", &metric);
    atlas_cli_command command{};
    command.struct_size = sizeof command;
    command.path = "things";
    command.where = ATLAS_CLI_DAEMON;
    scripts[1].cli().command(scripts[1].host, &command, run_command, nullptr);
    return ATLAS_E_CONFIG;
  };
  script.init = [&] { return claim(0x90); };
  const auto problems = load(2);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].to_string(), "linked: init failed: configuration");
  EXPECT_EQ(row("plugin1").state, "refused");
  EXPECT_THAT(row("plugin1").types, IsEmpty());
  EXPECT_THAT(host->claims(), ElementsAre("type 0x90: plugin0"));
  EXPECT_THAT(host->commands(), IsEmpty());
  // None starts, and the one that had initialised is stopped exactly once.
  host->begin_start();
  settle();
  EXPECT_EQ(deliver(0x90, 1), Delivered::kNoOwner);
  stop();
  EXPECT_THAT(script.calls, ElementsAre("init", "stop"));
  EXPECT_THAT(scripts[1].calls, ElementsAre("init"));
}

TEST_F(Lifecycle, EveryConflictOfEveryPluginIsReported) {
  script.init = [&] { return claim(0x90); };
  scripts[1].init = [&] {
    EXPECT_EQ(scripts[1].messages().handle(scripts[1].host, 0x90, 0, handle_message), ATLAS_E_CONFLICT);
    EXPECT_THAT(scripts[1].last_error(), HasSubstr("plugin0"));
    EXPECT_EQ(scripts[1].messages().handle(scripts[1].host, 0x20, 0, handle_message), ATLAS_E_DENIED);
    return ATLAS_OK;  // a plugin that does not care still cannot start
  };
  scripts[2].init = [&] { return scripts[2].messages().handle(scripts[2].host, 0x90, 0, handle_message); };
  std::vector<std::string> texts;
  for (const auto& problem : load(3)) texts.push_back(problem.to_string());
  EXPECT_THAT(texts, ElementsAre(HasSubstr("0x90 is claimed by plugin0 (linked) and by plugin1 (linked)"),
                                 HasSubstr("0x20, which is reserved for bootstrap"),
                                 HasSubstr("0x90 is claimed by plugin0 (linked) and by plugin2 (linked)")));
}

TEST_F(Lifecycle, ReplacesLetsAPluginTakeARole) {
  config.plugin_tables["plugin0"]["replaces"] = {std::string("bootstrap"), 3, 1};
  script.init = [&] { return claim(0x20); };
  EXPECT_THAT(load(), IsEmpty());
}

TEST_F(Lifecycle, ConfigurationProblemsKeepTheNodeFromStarting) {
  config.file = "config.toml";
  config.plugin_tables["plugin0"]["depth"] = {std::int64_t{99}, 12, 9};
  config.plugin_tables["plugin0"]["dept"] = {std::int64_t{1}, 13, 1};
  script.init = [&] {
    std::int64_t out = 0;
    EXPECT_EQ(script.config().integer(script.host, "depth", 4, 1, 9, "", &out), ATLAS_OK);
    EXPECT_EQ(out, 4);
    return ATLAS_OK;
  };
  std::vector<std::string> texts;
  for (const auto& problem : load()) texts.push_back(problem.to_string());
  EXPECT_THAT(texts, ElementsAre("config.toml:12:9: plugins.plugin0.depth = 99, expected 1..9",
                                 "config.toml:13:1: plugins.plugin0.dept: unknown key; did you mean "
                                 "plugins.plugin0.depth?"));
  host->begin_start();
  settle();
  EXPECT_THAT(script.calls, ElementsAre("init"));
}

TEST_F(Lifecycle, InitFunctionsAfterInitAreRefused) {
  start();
  std::int64_t number = 0;
  atlas_metric defined = 0;
  EXPECT_EQ(claim(0x90), ATLAS_E_STATE);
  EXPECT_EQ(script.config().integer(script.host, "depth", 4, 1, 9, "", &number), ATLAS_E_STATE);
  EXPECT_EQ(script.metrics().define(script.host, "x", ATLAS_METRIC_GAUGE, "", &defined), ATLAS_E_STATE);
  EXPECT_EQ(script.cli().command(script.host, nullptr, nullptr, nullptr), ATLAS_E_STATE);
  EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 4);
}

TEST_F(Lifecycle, NothingBeginsInInit) {
  script.init = [&] {
    EXPECT_EQ(script.host->post(
                  script.host, [](void*) {}, nullptr),
              ATLAS_E_STATE);
    EXPECT_EQ(script.messages().send(script.host, 7, 0x90, {}), ATLAS_E_STATE);
    EXPECT_EQ(script.timers().start(
                  script.host, 1, 0, [](void*) {}, nullptr, nullptr),
              ATLAS_E_STATE);
    EXPECT_EQ(script.store().put(script.host, bytes_of("k"), bytes_of("v"), nullptr, nullptr), ATLAS_E_STATE);
    EXPECT_EQ(script.store().get(script.host, bytes_of("k"), nullptr), ATLAS_E_STATE);
    EXPECT_EQ(script.peers().self(script.host, nullptr, [](void*, const atlas_peer_info*) {}), ATLAS_E_STATE);
    EXPECT_EQ(script.peers().connect(
                  script.host, text_of("192.0.2.1:1"), 1000, [](void*, const atlas_connected*) {}, nullptr),
              ATLAS_E_STATE);
    return ATLAS_OK;
  };
  EXPECT_THAT(load(), IsEmpty());
}

TEST_F(Lifecycle, FailedStartIsStoppedAndTakenOut) {
  script.init = [&] { return claim(0x90); };
  script.start = [] { return ATLAS_E_UNREACHABLE; };
  start();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "stop"));
  EXPECT_EQ(row().state, "faulted");
  EXPECT_EQ(row().reason, "start failed: unreachable");
  EXPECT_FALSE(host->owns(0x90));
  EXPECT_THAT(host->claims(), IsEmpty());
  stop();
  EXPECT_EQ(script.calls.size(), 3u);
}

TEST_F(Lifecycle, MessagesDoNotOvertakeStart) {
  script.init = [&] { return claim(0x90); };
  script.start = [&] {
    EXPECT_EQ(deliver(0x90, 1), Delivered::kQueued);
    EXPECT_EQ(script.calls.size(), 2u);
    return ATLAS_OK;
  };
  script.handler = [&](const atlas_message&) {
    script.calls.emplace_back("message");
    return ATLAS_OK;
  };
  start();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "message"));
}

TEST_F(Lifecycle, ExceptionPutsThePluginOutOfService) {
  config.plugin_tables["plugin0"]["on_fault"] = {std::string("stop-node"), 3, 1};
  script.init = [&] { return claim(0x90, ATLAS_HANDLE_ANSWERS); };
  script.handler = [](const atlas_message&) -> atlas_status { throw std::runtime_error("out of\ncheese"); };
  start();
  deliver(0x90, 1);
  deliver(0x90, 2);
  settle();
  EXPECT_EQ(row().state, "faulted");
  EXPECT_EQ(row().reason, "exception in message handler 0x90: out of\\x0acheese");
  EXPECT_EQ(row().faults, 1u);
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "stop"));
  // Both peers hear of it: the one whose request it was, and the one that waited behind.
  ASSERT_EQ(network.replies.size(), 2u);
  EXPECT_EQ(network.replies[0].error_code(), 5001u);
  EXPECT_EQ(network.replies[1].error_code(), 5001u);
  EXPECT_EQ(deliver(0x90, 3), Delivered::kNoOwner);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].id, "plugin0");
  EXPECT_TRUE(faults[0].stop_node);
}

TEST_F(Lifecycle, ExceptionsInEveryEntryAreCaught) {
  const auto boom = [] { throw 7; };
  script.init = [&]() -> atlas_status { throw std::runtime_error("init"); };
  const auto problems = load();
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].to_string(), "linked: exception in init: init");
  host.reset();

  script.init = nullptr;
  script.start = [&]() -> atlas_status {
    boom();
    return ATLAS_OK;
  };
  start();
  EXPECT_EQ(row().reason, "exception in start: not a std::exception");
  host.reset();

  script.start = nullptr;
  script.peer_event = [&](const atlas_peer_event&) { boom(); };
  start();
  host->peer_event({ATLAS_PEER_UP, 7, "atlas_x", 0, false});
  settle();
  EXPECT_EQ(row().state, "faulted");
  host.reset();

  script.peer_event = nullptr;
  script.stop = boom;
  start();
  stop();  // noted, and the others are stopped all the same
  EXPECT_EQ(row().state, "stopped");
}

TEST_F(Lifecycle, HardBudgetPutsThePluginOutOfService) {
  script.init = [&] { return claim(0x90); };
  script.handler = [&](const atlas_message&) {
    clock.advance(1'001 * base::kMillisecond);
    return ATLAS_OK;
  };
  start();
  deliver(0x90, 1);
  deliver(0x90, 2);
  settle();
  EXPECT_EQ(row().state, "faulted");
  EXPECT_EQ(row().reason, "message handler 0x90 took 1001 ms, the hard budget is 1000 ms");
  EXPECT_EQ(network.replies.size(), 2u);
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "stop"));
}

TEST_F(Lifecycle, SoftBudgetOnlyCounts) {
  config.plugins.soft_budget_ms = 20;
  script.init = [&] { return claim(0x90); };
  script.handler = [&](const atlas_message&) {
    clock.advance(21 * base::kMillisecond);
    return ATLAS_OK;
  };
  start();
  deliver(0x90, 1);
  settle();
  EXPECT_EQ(row().state, "running");
  EXPECT_EQ(metric("atlas_plugin0_slow_callbacks"), 1);
}

TEST_F(Lifecycle, StartAndStopMayTakeTheirTime) {
  script.start = [&] {
    clock.advance(60 * base::kSecond);
    return ATLAS_OK;
  };
  start();
  EXPECT_EQ(row().state, "running");
}

TEST_F(Lifecycle, CallbackThatDoesNotReturnShowsAsStuck) {
  script.init = [&] { return claim(0x90); };
  script.handler = [&](const atlas_message&) {
    clock.advance(2 * base::kSecond);
    EXPECT_EQ(row().state, "stuck");
    return ATLAS_OK;
  };
  start();
  deliver(0x90, 0);
  settle();
}

TEST_F(Lifecycle, PendingCallbacksCompleteBeforeStop) {
  network.add_peer(7, "atlas_seven");
  struct Waiting {
    Script* script;
    std::vector<std::string> seen;
  } waiting{&script, {}};
  start();
  const auto answered = [](void* arg, const atlas_answer* answer) {
    auto& mine = *static_cast<Waiting*>(arg);
    EXPECT_EQ(answer->status, ATLAS_E_STOPPING);
    mine.script->calls.emplace_back("answer");
    // From here nothing new can begin.
    EXPECT_EQ(mine.script->host->post(
                  mine.script->host, [](void*) {}, nullptr),
              ATLAS_E_STOPPING);
  };
  const auto connected = [](void* arg, const atlas_connected* result) {
    EXPECT_EQ(result->status, ATLAS_E_STOPPING);
    static_cast<Waiting*>(arg)->script->calls.emplace_back("connected");
  };
  const auto durable = [](void* arg, atlas_status status) {
    EXPECT_EQ(status, ATLAS_E_STOPPING);
    static_cast<Waiting*>(arg)->script->calls.emplace_back("durable");
  };
  EXPECT_EQ(script.messages().request(script.host, 7, 0x90, {}, 1000, answered, &waiting, nullptr), ATLAS_OK);
  EXPECT_EQ(script.peers().connect(script.host, text_of("192.0.2.1:1"), 1000, connected, &waiting), ATLAS_OK);
  EXPECT_EQ(script.store().put(script.host, bytes_of("k"), bytes_of("v"), durable, &waiting), ATLAS_OK);
  stop();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "answer", "connected", "durable", "stop"));
  EXPECT_EQ(network.cancelled, (std::vector<std::uint64_t>{network.requests[0].tag}));
  // What comes too late finds nobody.
  network.requests[0].done(Answer{});
  network.dials[0].done(Connected{});
  store.commit();
  settle();
  EXPECT_EQ(script.calls.size(), 6u);
}

TEST_F(Lifecycle, StopLetsGoOfTheLoopsTimer) {
  start();
  script.timers().start(
      script.host, 1000, 1000, [](void*) { FAIL() << "the plugin is stopped"; }, nullptr, nullptr);
  settle();
  EXPECT_EQ(loop.timers(), 1u);
  stop();
  EXPECT_EQ(loop.timers(), 0u);
  pass(base::kSecond * 2);
}

TEST_F(Lifecycle, DestroyedWhileRunningStopsEverybodyRightThere) {
  network.add_peer(7, "atlas_seven");
  start(2);
  bool called = false;
  host->begin_stop([&] { called = true; });  // and nobody runs the executor
  script.timers().start(
      script.host, 10, 0, [](void*) {}, nullptr, nullptr);
  host.reset();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "stop"));
  EXPECT_THAT(scripts[1].calls, ElementsAre("init", "start", "stop"));
  EXPECT_EQ(loop.timers(), 0u);
  settle();
  EXPECT_FALSE(called);
}

TEST_F(Lifecycle, SamePluginTwiceIsAnError) {
  scripts[1].id = "plugin0";
  const auto problems = load(2);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].text, "plugin plugin0 is there twice: linked and linked");
}

TEST_F(Lifecycle, StartAndStopOfManyPluginsOnThreads) {
  for (int round = 0; round < 20; ++round) {
    ThreadPool pool(3);
    HostSetup with = setup();
    with.executor = &pool;
    host::Host threaded(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(scripts[0]);
    descriptors[1] = Scripted<1>::descriptor(scripts[1]);
    descriptors[2] = Scripted<2>::descriptor(scripts[2]);
    for (const auto& descriptor : descriptors) threaded.add_linked(&descriptor);
    ASSERT_THAT(threaded.load({}), IsEmpty());
    threaded.start();
    for (const auto& one : scripts) EXPECT_EQ(one.calls.back(), "start");
    threaded.stop();
    for (const auto& one : scripts) EXPECT_EQ(one.calls.back(), "stop");
  }
}

}  // namespace
}  // namespace atlas::host::test
