// What the host does for all plugins together: dispatch, events, bounds that span tables.
#include "host/host.h"

#include "host/metrics.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Host : public HostTest {};

TEST_F(Host, DispatchesByTypeAndOnlyWhileRunning) {
  std::vector<int> got;
  for (int i = 0; i < 2; ++i) {
    scripts[i].init = [this, i] {
      return scripts[i].messages().handle(scripts[i].host, static_cast<std::uint8_t>(0x90 + i), 0, handle_message);
    };
    scripts[i].handler = [&got, i](const atlas_message& message) {
      EXPECT_EQ(message.type, 0x90 + i);
      got.push_back(i);
      return ATLAS_OK;
    };
  }
  ASSERT_THAT(load(2), IsEmpty());
  EXPECT_EQ(deliver(0x90, 0), Delivered::kNoOwner);
  host->begin_start();
  settle();
  EXPECT_TRUE(host->owns(0x90));
  EXPECT_FALSE(host->owns(0x92));
  EXPECT_EQ(deliver(0x91, 0), Delivered::kQueued);
  EXPECT_EQ(deliver(0x90, 0), Delivered::kQueued);
  EXPECT_EQ(deliver(0x92, 0), Delivered::kNoOwner);
  EXPECT_THAT(got, IsEmpty());  // never on the caller's thread
  settle();
  EXPECT_THAT(got, ::testing::UnorderedElementsAre(0, 1));
  stop();
  EXPECT_EQ(deliver(0x90, 0), Delivered::kNoOwner);
}

TEST_F(Host, FullQueueIsReportedAndCounted) {
  config.plugins.queue_messages = 4;
  script.init = [&] { return script.messages().handle(script.host, 0x90, 0, handle_message); };
  script.handler = [](const atlas_message&) { return ATLAS_OK; };
  start();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(deliver(0x90, 0), Delivered::kQueued);
  EXPECT_EQ(deliver(0x90, 0), Delivered::kQueueFull);
  EXPECT_EQ(row().queue_messages, 4u);
  EXPECT_EQ(row().dropped, 1u);
  EXPECT_EQ(script.host->post(
                script.host, [](void*) {}, nullptr),
            ATLAS_E_FULL);
  settle();
  EXPECT_EQ(deliver(0x90, 0), Delivered::kQueued);
}

TEST_F(Host, PeerEventsReachEveryPlugin) {
  std::vector<std::string> seen;
  for (int i = 0; i < 2; ++i) {
    scripts[i].peer_event = [&seen](const atlas_peer_event& event) {
      seen.push_back(std::to_string(event.what) + " " + std::to_string(event.peer) + " " +
                     std::string(view(event.node_id)) + " " + std::to_string(event.reason) + " " +
                     std::to_string(event.dialled));
    };
  }
  start(2);
  host->peer_event({ATLAS_PEER_UP, 7, "atlas_seven", 0, true});
  host->peer_event({ATLAS_PEER_DOWN, 7, "atlas_seven", 4, false});
  settle();
  EXPECT_THAT(seen,
              ElementsAre("1 7 atlas_seven 0 1", "2 7 atlas_seven 4 0", "1 7 atlas_seven 0 1", "2 7 atlas_seven 4 0"));
}

TEST_F(Host, PostRunsOnTheStrand) {
  start();
  int ran = 0;
  EXPECT_EQ(script.host->post(
                script.host, [](void* arg) { ++*static_cast<int*>(arg); }, &ran),
            ATLAS_OK);
  EXPECT_EQ(ran, 0);
  settle();
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(script.host->post(script.host, nullptr, nullptr), ATLAS_E_ARG);
}

TEST_F(Host, TimerQuota) {
  start();
  const auto start_one = [&] {
    return script.timers().start(
        script.host, 1000, 0, [](void*) {}, nullptr, nullptr);
  };
  for (std::uint64_t i = 0; i < base::limits::plugins_timers; ++i) ASSERT_EQ(start_one(), ATLAS_OK);
  EXPECT_EQ(start_one(), ATLAS_E_FULL);
  pass(base::kSecond);
  EXPECT_EQ(start_one(), ATLAS_OK);
}

TEST_F(Host, TablesAreTheSamePointerAndComplete) {
  start();
  for (const Extension& known : extensions()) {
    EXPECT_EQ(script.host->extension(script.host, std::string(known.id).c_str()), known.table);
    std::uint32_t size = 0;
    std::memcpy(&size, known.table, sizeof size);
    const auto* functions = static_cast<void* const*>(known.table);
    for (std::size_t i = 1; i < size / sizeof(void*); ++i) EXPECT_NE(functions[i], nullptr) << known.id << " " << i;
  }
  EXPECT_EQ(script.host->extension(script.host, "atlas.messages/2"), nullptr);
  EXPECT_EQ(script.host->extension(script.host, nullptr), nullptr);
}

TEST_F(Host, EachPluginHasItsOwnTable) {
  start(2);
  EXPECT_NE(scripts[0].host, scripts[1].host);
  EXPECT_EQ(scripts[0].host->struct_size, sizeof(atlas_host));
  EXPECT_EQ(scripts[0].host->abi_major, ATLAS_ABI_MAJOR);
  EXPECT_STREQ(scripts[0].host->version, "0.2.0");
  EXPECT_EQ(scripts[0].host->now_ms(scripts[0].host), clock.mono_ns() / base::kMillisecond);
  EXPECT_EQ(scripts[0].host->unix_ms(scripts[0].host), clock.unix_ms());
  std::uint8_t a[16] = {}, b[16] = {};
  scripts[0].host->random(scripts[0].host, a, sizeof a);
  scripts[0].host->random(scripts[0].host, b, sizeof b);
  EXPECT_NE(std::memcmp(a, b, sizeof a), 0);
}

TEST_F(Host, LastErrorIsCutAndTellsItsLength) {
  start();
  EXPECT_EQ(script.messages().send(script.host, 99, 0x90, {}), ATLAS_E_GONE);
  EXPECT_EQ(script.last_error(), "the session has ended");
  char few[4] = {};
  EXPECT_EQ(script.host->last_error(script.host, few, 3), 21u);
  EXPECT_STREQ(few, "the");
  EXPECT_EQ(script.host->last_error(script.host, nullptr, 0), 21u);
}

TEST_F(Host, MetricsOfPluginAndHost) {
  atlas_metric sent = 0, open = 0;
  script.init = [&] {
    EXPECT_EQ(script.metrics().define(script.host, "sent", ATLAS_METRIC_COUNTER, "Things sent.", &sent), ATLAS_OK);
    EXPECT_EQ(script.metrics().define(script.host, "open", ATLAS_METRIC_GAUGE, "Things open.", &open), ATLAS_OK);
    return ATLAS_OK;
  };
  start();
  script.metrics().add(script.host, sent, 5);
  script.metrics().add(script.host, sent, -3);  // a counter only rises
  script.metrics().set(script.host, sent, 1);
  script.metrics().set(script.host, open, 9);
  script.metrics().add(script.host, open, -2);
  script.metrics().add(script.host, 0, 1);
  script.metrics().add(script.host, 999, 1);
  EXPECT_EQ(metric("atlas_plugin0_sent"), 5);
  EXPECT_EQ(metric("atlas_plugin0_open"), 7);
  EXPECT_EQ(metric("atlas_plugin0_callbacks"), 1);  // start
  EXPECT_EQ(metric("atlas_plugin0_faults"), 0);
}

TEST_F(Host, MetricNamesAreCheckedAndUnique) {
  script.id = "org.example";
  scripts[1].id = "org-example";
  atlas_metric out = 0;
  script.init = [&] {
    const auto& metrics = script.metrics();
    EXPECT_EQ(metrics.define(script.host, "sent", ATLAS_METRIC_COUNTER, "", &out), ATLAS_OK);
    return ATLAS_OK;
  };
  scripts[1].init = [&] {
    // The same name once it is exported.
    EXPECT_EQ(scripts[1].metrics().define(scripts[1].host, "sent", ATLAS_METRIC_COUNTER, "", &out), ATLAS_E_CONFLICT);
    EXPECT_EQ(scripts[1].metrics().define(scripts[1].host, "Sent", ATLAS_METRIC_COUNTER, "", &out), ATLAS_E_ARG);
    return ATLAS_OK;
  };
  EXPECT_EQ(load(2).size(), 2u);
}

TEST_F(Host, MetricsAreBounded) {
  script.init = [&] {
    atlas_metric out = 0;
    for (std::size_t i = 0; i < kMaxMetrics; ++i) {
      const std::string name = "m" + std::to_string(i);
      EXPECT_EQ(script.metrics().define(script.host, name.c_str(), ATLAS_METRIC_COUNTER, "", &out), ATLAS_OK) << name;
    }
    EXPECT_EQ(script.metrics().define(script.host, "one_more", ATLAS_METRIC_COUNTER, "", &out), ATLAS_E_FULL);
    return ATLAS_OK;
  };
  load();
  EXPECT_EQ(metric("atlas_plugin0_m255"), 0);
  EXPECT_EQ(metric("atlas_plugin0_one_more"), -1) << "there is none of that name";
}

TEST_F(Host, MetricsOfTheHostAreTaken) {
  ASSERT_THAT(load(), IsEmpty());
  std::vector<std::string> names;
  for (const MetricRow& metric : host->metrics()) names.push_back(metric.name.substr(sizeof("atlas_plugin0_") - 1));
  ASSERT_THAT(names, ::testing::Contains("callbacks"));
  script.init = [&] {
    for (const std::string& name : names) {
      atlas_metric out = 0;
      EXPECT_EQ(script.metrics().define(script.host, name.c_str(), ATLAS_METRIC_COUNTER, "", &out), ATLAS_E_CONFLICT)
          << name;
    }
    return ATLAS_OK;
  };
  EXPECT_EQ(load().size(), names.size());
}

TEST_F(Host, NodeKeysAreReadableAsText) {
  config.network.bootstrap = {"192.0.2.1:4433", "192.0.2.2:4433"};
  std::vector<std::string> seen;
  const auto each = [](void* arg, atlas_text value) {
    static_cast<std::vector<std::string>*>(arg)->emplace_back(view(value));
  };
  start();
  EXPECT_EQ(script.config().node_key(script.host, "network.bootstrap", &seen, each), ATLAS_OK);
  EXPECT_THAT(seen, ElementsAre("192.0.2.1:4433", "192.0.2.2:4433"));
  EXPECT_EQ(script.config().node_key(script.host, "network.nothing", &seen, each), ATLAS_E_GONE);
}

}  // namespace
}  // namespace atlas::host::test
