// atlas.bus/1 between linked plugins of one host.
#include "host/bus.h"

#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BusTest : public HostTest {
 protected:
  BusTest() {
    // plugin0 serves and publishes, plugin1 hears and asks, plugin2 hears.
    script.init = [this] {
      EXPECT_EQ(bus(0).offer(script.host, text_of("plugin0/double"), serve), ATLAS_OK);
      return ATLAS_OK;
    };
    for (int i = 1; i < 3; ++i) {
      scripts[i].init = [this, i] { return bus(i).subscribe(scripts[i].host, text_of("plugin0/news"), hear); };
    }
    served = [this](const atlas_bus_request& request) {
      seen.push_back(std::string(view(request.from)) + " asks " + std::string(view(request.service)) + " " +
                     string_of(request.body));
      return bus(0).answer(script.host, request.call, bytes_of(string_of(request.body) + string_of(request.body)));
    };
  }
  ~BusTest() override { host.reset(); }

  const atlas_ext_bus& bus(int i) const { return *scripts[i].table<atlas_ext_bus>(ATLAS_EXT_BUS); }
  atlas_status publish(std::string_view topic, std::string_view body, std::uint32_t* receivers = nullptr) {
    return bus(0).publish(script.host, text_of(topic), bytes_of(body), receivers);
  }
  atlas_status ask(std::string_view service, std::string_view body, std::uint32_t timeout_ms = 1'000) {
    return bus(1).request(scripts[1].host, text_of(service), bytes_of(body), timeout_ms, answered, this);
  }
  static void hear(void* self, const atlas_bus_event* event) {
    auto& script = *static_cast<Script*>(self);
    script.calls.push_back(std::string(view(event->from)) + " " + std::string(view(event->topic)) + " " +
                           string_of(event->body));
  }
  static atlas_status serve(void*, const atlas_bus_request* request) { return served(*request); }
  static void answered(void* test, const atlas_bus_answer* answer) {
    static_cast<BusTest*>(test)->answers.push_back(std::to_string(answer->status) + " " + string_of(answer->body) +
                                                   std::string(view(answer->error)));
  }

  static inline std::function<atlas_status(const atlas_bus_request&)> served;
  std::vector<std::string> seen, answers;
};

TEST_F(BusTest, EventsReachEverySubscriberInOrder) {
  start(3);
  std::uint32_t receivers = 7;
  EXPECT_EQ(publish("plugin0/news", "one", &receivers), ATLAS_OK);
  EXPECT_EQ(receivers, 2u);
  EXPECT_EQ(publish("plugin0/news", "two"), ATLAS_OK);
  EXPECT_EQ(publish("plugin0/other", "unheard", &receivers), ATLAS_OK);
  EXPECT_EQ(receivers, 0u);
  EXPECT_THAT(scripts[1].calls, ElementsAre("init", "start"));  // later, and on their own strands
  settle();
  for (int i = 1; i < 3; ++i) {
    EXPECT_THAT(scripts[i].calls, ElementsAre("init", "start", "plugin0 plugin0/news one", "plugin0 plugin0/news two"));
  }
}

TEST_F(BusTest, NobodySpeaksInAnothersName) {
  start(2);
  EXPECT_EQ(publish("plugin1/news", "x"), ATLAS_E_DENIED);
  EXPECT_EQ(publish("plugin0", "x"), ATLAS_E_ARG);
  EXPECT_EQ(publish("plugin0/", "x"), ATLAS_E_ARG);
  EXPECT_EQ(publish("plugin0/NEWS", "x"), ATLAS_E_ARG);
  EXPECT_EQ(publish("plugin0/" + std::string(128, 'a'), "x"), ATLAS_E_ARG);
  EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 5);
  EXPECT_EQ(bus(0).offer(script.host, text_of("plugin0/late"), serve), ATLAS_E_STATE);
  EXPECT_EQ(bus(0).subscribe(script.host, text_of("plugin0/late"), hear), ATLAS_E_STATE);
}

TEST_F(BusTest, NamesOfOthersCannotBeOffered) {
  script.init = [this] {
    EXPECT_EQ(bus(0).offer(script.host, text_of("plugin1/double"), serve), ATLAS_E_DENIED);
    EXPECT_EQ(bus(0).offer(script.host, text_of("plugin0/double"), nullptr), ATLAS_E_ARG);
    EXPECT_EQ(bus(0).offer(script.host, text_of("plugin0/double"), serve), ATLAS_OK);
    EXPECT_EQ(bus(0).offer(script.host, text_of("plugin0/double"), serve), ATLAS_E_CONFLICT);
    EXPECT_EQ(bus(0).subscribe(script.host, text_of("plugin1/a"), hear), ATLAS_OK);
    EXPECT_EQ(bus(0).subscribe(script.host, text_of("plugin1/a"), hear), ATLAS_E_CONFLICT);
    return ATLAS_OK;
  };
  start();
}

TEST_F(BusTest, ARequestIsAnsweredOnTheAskersStrand) {
  start(2);
  EXPECT_EQ(ask("plugin0/double", "ab"), ATLAS_OK);
  EXPECT_THAT(answers, IsEmpty());
  settle();
  EXPECT_THAT(seen, ElementsAre("plugin1 asks plugin0/double ab"));
  EXPECT_THAT(answers, ElementsAre("0 abab"));
}

TEST_F(BusTest, AnAnswerMayComeLaterAndOnlyOnce) {
  atlas_bus_call open = 0;
  served = [&](const atlas_bus_request& request) -> atlas_status {
    open = request.call;
    return ATLAS_OK;
  };
  start(2);
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_OK);
  settle();
  EXPECT_THAT(answers, IsEmpty());
  EXPECT_EQ(bus(1).answer(scripts[1].host, open, bytes_of("forged")), ATLAS_E_GONE);
  EXPECT_EQ(bus(0).answer(script.host, open, bytes_of("late")), ATLAS_OK);
  EXPECT_EQ(bus(0).answer(script.host, open, bytes_of("again")), ATLAS_E_GONE);
  EXPECT_EQ(bus(0).fail(script.host, open, ATLAS_E_DENIED, text_of("again")), ATLAS_E_GONE);
  settle();
  EXPECT_THAT(answers, ElementsAre("0 late"));
}

TEST_F(BusTest, FailuresCarryTheirReason) {
  served = [&](const atlas_bus_request& request) -> atlas_status {
    if (string_of(request.body) == "throw") throw std::runtime_error("no");
    if (string_of(request.body) == "status") return ATLAS_E_CONFIG;
    EXPECT_EQ(bus(0).fail(script.host, request.call, ATLAS_OK, {}), ATLAS_E_ARG);
    return bus(0).fail(script.host, request.call, ATLAS_E_DENIED, text_of("not you"));
  };
  start(2);
  EXPECT_EQ(ask("plugin0/double", "fail"), ATLAS_OK);
  EXPECT_EQ(ask("plugin0/double", "status"), ATLAS_OK);
  settle();
  EXPECT_EQ(ask("plugin0/double", "throw"), ATLAS_OK);
  settle();
  EXPECT_THAT(answers, ElementsAre("-7 not you", "-8 " + std::string(status_text(ATLAS_E_CONFIG)), HasSubstr("-10 ")));
  EXPECT_EQ(row("plugin0").state, "faulted");
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_E_GONE);
}

TEST_F(BusTest, NobodyWaitsBeyondTheTimeout) {
  atlas_bus_call open = 0;
  served = [&](const atlas_bus_request& request) -> atlas_status {
    open = request.call;
    return ATLAS_OK;
  };
  start(2);
  EXPECT_EQ(ask("plugin0/double", "x", 300), ATLAS_OK);
  EXPECT_EQ(ask("plugin0/double", "x", 100), ATLAS_OK);
  settle();
  pass(99 * base::kMillisecond);
  EXPECT_THAT(answers, IsEmpty());
  pass(2 * base::kMillisecond);
  EXPECT_THAT(answers, ElementsAre("-5 no answer in time"));
  pass(200 * base::kMillisecond);
  EXPECT_THAT(answers, ElementsAre("-5 no answer in time", "-5 no answer in time"));
  EXPECT_EQ(bus(0).answer(script.host, open, bytes_of("late")), ATLAS_E_GONE);
  EXPECT_EQ(ask("plugin0/double", "x", 0), ATLAS_E_ARG);
  EXPECT_EQ(ask("plugin0/double", "x", 600'001), ATLAS_E_ARG);
}

TEST_F(BusTest, WhoGoesLeavesNobodyWaiting) {
  served = [](const atlas_bus_request&) { return ATLAS_OK; };
  start(2);
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_OK);
  settle();
  EXPECT_EQ(ask("plugin0/double", "queued"), ATLAS_OK);
  stop();  // plugin1 first: its own promises end with STOPPING
  EXPECT_THAT(answers, ElementsAre("-9 ", "-9 "));
}

TEST_F(BusTest, AFaultOfTheServerEndsItsCalls) {
  served = [](const atlas_bus_request&) { return ATLAS_OK; };
  script.peer_event = [](const atlas_peer_event&) { throw std::runtime_error("bad day"); };
  start(2);
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_OK);
  settle();
  host->peer_event({ATLAS_PEER_UP, 7, "atlas_x", 0, false});
  settle();
  EXPECT_THAT(answers, ElementsAre("-4 the plugin went out of service"));
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_E_GONE);
}

TEST_F(BusTest, AFullQueueIsTold) {
  config.plugins.queue_messages = 2;
  start(2);
  EXPECT_EQ(ask("plugin0/double", "1"), ATLAS_OK);
  EXPECT_EQ(ask("plugin0/double", "2"), ATLAS_OK);
  EXPECT_EQ(ask("plugin0/double", "3"), ATLAS_E_FULL);
  std::uint32_t receivers = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(publish("plugin0/news", "x", &receivers), ATLAS_OK);
  EXPECT_EQ(receivers, 0u);
  settle();
  EXPECT_THAT(answers, ElementsAre("0 11", "0 22"));
  EXPECT_EQ(metric("atlas_plugin1_dropped"), 1);
}

TEST_F(BusTest, BodiesAreBounded) {
  start(2);
  const std::string most(base::limits::plugins_bus_body_bytes, 'x');
  EXPECT_EQ(publish("plugin0/news", most), ATLAS_OK);
  EXPECT_EQ(publish("plugin0/news", most + "x"), ATLAS_E_ARG);
  EXPECT_EQ(ask("plugin0/double", most + "x"), ATLAS_E_ARG);
  served = [&](const atlas_bus_request& request) -> atlas_status {
    EXPECT_EQ(bus(0).answer(script.host, request.call, bytes_of(most + "x")), ATLAS_E_ARG);
    return bus(0).answer(script.host, request.call, bytes_of("short"));
  };
  EXPECT_EQ(ask("plugin0/double", "x"), ATLAS_OK);
  settle();
  EXPECT_THAT(answers, ElementsAre("0 short"));
}

TEST_F(BusTest, SubscriptionsAndServicesAreBounded) {
  script.init = [this] {
    for (std::size_t i = 0; i <= base::limits::plugins_bus_subscriptions; ++i) {
      const bool fits = i < base::limits::plugins_bus_subscriptions;
      const std::string name = "plugin0/" + std::to_string(i);
      EXPECT_EQ(bus(0).subscribe(script.host, text_of(name), hear), fits ? ATLAS_OK : ATLAS_E_FULL);
      EXPECT_EQ(bus(0).offer(script.host, text_of(name), serve), fits ? ATLAS_OK : ATLAS_E_FULL);
    }
    return ATLAS_OK;
  };
  start();
}

TEST_F(BusTest, OpenCallsAreBounded) {
  start();
  Bus small(2);
  const auto open = [&] { return small.open({nullptr, 1, nullptr, base::kSecond}); };
  EXPECT_NE(open(), 0u);
  EXPECT_NE(open(), 0u);
  EXPECT_EQ(open(), 0u);
  std::vector<BusCall> overdue;
  EXPECT_EQ(small.expire(base::kSecond, overdue), base::kNever);
  EXPECT_EQ(overdue.size(), 2u);
  EXPECT_NE(open(), 0u);
}

}  // namespace
}  // namespace atlas::host::test
