// Plugins in C, from their files, through the whole life of a host.
#include <thread>

#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kNode = "atlas_" + std::string(64, 'a');

class PluginFiles : public HostTest {
 protected:
  std::vector<config::Problem> load_files(const std::vector<std::string>& ids) {
    HostSetup with = setup();
    with.search = {ABI_PLUGIN_DIR};
    host = std::make_unique<host::Host>(std::move(with));
    return host->load(ids);
  }
  void run_files(const std::vector<std::string>& ids) {
    const auto problems = load_files(ids);
    ASSERT_THAT(problems, IsEmpty()) << problems.front().to_string();
    host->begin_start();
    settle();
  }
};

TEST_F(PluginFiles, EchoAnswersStoresTicksAndCounts) {
  run_files({"echo"});
  deliver(0x90, 1, "hello");
  deliver(0x90, 2, "");
  settle();
  ASSERT_EQ(network.replies.size(), 2u);
  EXPECT_EQ(network.replies[0].type, 0x91);
  EXPECT_EQ(string_of(network.replies[0].payload), "hello");
  EXPECT_EQ(network.replies[1].error_code(), 2003u);
  EXPECT_EQ(string_of(store.rows.at("echo/last")), "hello");
  EXPECT_EQ(metric("atlas_echo_durable"), 0);
  store.commit();
  settle();
  EXPECT_EQ(metric("atlas_echo_durable"), 1);
  EXPECT_EQ(metric("atlas_echo_echoed"), 1);
  for (int i = 0; i < 3; ++i) pass(base::kSecond);
  EXPECT_EQ(metric("atlas_echo_ticks"), 3);
  host->peer_event({ATLAS_PEER_UP, 7, kNode, 0, false});
  host->peer_event({ATLAS_PEER_UP, 8, kNode, 0, false});
  host->peer_event({ATLAS_PEER_DOWN, 7, kNode, 0, false});
  host->peer_event({77, 7, kNode, 0, false});  // an event of a later host
  settle();
  EXPECT_EQ(metric("atlas_echo_sessions"), 1);
  stop();
  EXPECT_EQ(row("echo").state, "stopped");
}

TEST_F(PluginFiles, CommandAsksAPeer) {
  network.add_peer(7, kNode);
  run_files({"echo"});
  const auto output = std::make_shared<RecordedOutput>();
  EXPECT_NE(host->run_command("ask", {{"target", kNode}}, output), 0u);
  settle();
  ASSERT_EQ(network.requests.size(), 1u);
  Answer answer;
  answer.ok = true;
  answer.type = 0x91;
  answer.body = {'4', '2'};
  network.requests[0].done(std::move(answer));
  settle();
  EXPECT_THAT(output->results, ElementsAre("42"));
  ASSERT_EQ(output->ended.size(), 1u);
  EXPECT_EQ(output->ended[0].first, ATLAS_OK);
}

TEST_F(PluginFiles, FailedInitLeavesTheRegistriesAsTheyWere) {
  ASSERT_THAT(load_files({"echo"}), IsEmpty());
  const auto before = host->claims();
  EXPECT_EQ(before.size(), 6u);
  const auto problems = load_files({"echo", "fails"});
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].to_string(), std::string(ABI_PLUGIN_DIR) + "/fails.so: init failed: internal error");
  EXPECT_EQ(host->claims(), before);
  EXPECT_EQ(host->commands().size(), 1u);
}

TEST_F(PluginFiles, ConfigurationKeysOfEveryKind) {
  config.file = "config.toml";
  auto& table = config.plugin_tables["keys"];
  table["offer"] = {std::int64_t{1}, 1, 1};
  table["max_sessions"] = {std::int64_t{100'001}, 2, 1};
  table["limits.idle"] = {std::string("5 minutes"), 3, 1};
  table["name"] = {std::string("even"), 4, 1};
  table["regions"] = {true, 5, 1};
  std::vector<std::string> texts;
  for (const auto& problem : load_files({"keys"})) texts.push_back(problem.to_string());
  EXPECT_THAT(texts,
              ElementsAre(HasSubstr("config.toml:1:1: plugins.keys.offer = 1, expected true or false"),
                          HasSubstr("config.toml:2:1: plugins.keys.max_sessions = 100001, expected 1..100000"),
                          HasSubstr("config.toml:3:1: plugins.keys.limits.idle = \"5 minutes\", expected"),
                          HasSubstr("config.toml:5:1: plugins.keys.regions = true, expected an array of strings"),
                          HasSubstr("config.toml:4:1: plugins.keys.name = \"even\": must be odd")));
  std::vector<std::string> keys;
  for (const auto& key : row("keys").keys) keys.push_back(key.key + " " + key.type + " " + key.fallback);
  EXPECT_THAT(keys, ElementsAre("offer boolean true", "max_sessions integer 64", "limits.idle duration \"1m\"",
                                "name text \"north\"", "regions list of text []"));
}

TEST_F(PluginFiles, PromisedAnswerThatNeverComes) {
  run_files({"silent"});
  deliver(0x94, 1);
  settle();
  pass(9 * base::kSecond);
  EXPECT_TRUE(network.replies.empty());
  pass(base::kSecond);
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].error_code(), 5001u);
  EXPECT_EQ(metric("atlas_silent_unanswered"), 1);
}

TEST_F(PluginFiles, ThrowingPluginFallsAloneAndEverybodyIsAnswered) {
  run_files({"echo", "thrower"});
  deliver(0x93, 1);
  deliver(0x93, 2);
  settle();
  EXPECT_EQ(row("thrower").state, "faulted");
  EXPECT_THAT(row("thrower").reason, HasSubstr("nobody caught me"));
  ASSERT_EQ(network.replies.size(), 2u);
  for (const auto& reply : network.replies) EXPECT_EQ(reply.error_code(), 5001u);
  deliver(0x90, 3, "still here");
  settle();
  EXPECT_EQ(string_of(network.replies[2].payload), "still here");
  EXPECT_EQ(row("echo").state, "running");
}

// A clock on which every look takes a millisecond.
class TickingClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return now_.fetch_add(base::kMillisecond); }
  std::int64_t unix_ms() const override { return 0; }

 private:
  mutable std::atomic<base::MonoNs> now_{base::kSecond};
};

TEST_F(PluginFiles, SlowCallbacksAreCountedAndThenFatal) {
  TickingClock ticking;
  HostSetup with = setup();
  with.search = {ABI_PLUGIN_DIR};
  with.clock = &ticking;
  host = std::make_unique<host::Host>(std::move(with));
  ASSERT_THAT(host->load({"slow"}), IsEmpty());
  host->begin_start();
  settle();
  deliver(0x95, 1, "x");
  settle();
  EXPECT_EQ(metric("atlas_slow_slow_callbacks"), 0);
  deliver(0x95, 1, std::string(50, 'x'));
  settle();
  EXPECT_EQ(metric("atlas_slow_slow_callbacks"), 1);
  EXPECT_EQ(row("slow").state, "running");
  deliver(0x95, 1, std::string(1100, 'x'));
  deliver(0x95, 2, "behind it");
  settle();
  EXPECT_EQ(row("slow").state, "faulted");
  EXPECT_THAT(row("slow").reason, HasSubstr("the hard budget is 1000 ms"));
  EXPECT_EQ(metric("atlas_slow_faults"), 1);
  EXPECT_EQ(deliver(0x95, 3), Delivered::kNoOwner);
}

// Threads of a plugin against every [any] function, with answers, dials and commits coming from other threads, while
// the host runs and stops: what was accepted ends exactly once, and nothing is touched after the end.
TEST_F(PluginFiles, ForeignThreadsHammerEverythingUntilTheEnd) {
  for (int round = 0; round < 3; ++round) {
    base::SystemClock real;
    base::SystemRandom real_random;
    ManualLoop own_loop(real);
    FakeNetwork own_network;
    FakeStore own_store;
    own_network.add_peer(7, kNode);
    own_network.add_peer(8, "atlas_" + std::string(64, 'b'));
    ThreadPool pool(2);
    HostSetup with = setup();
    with.search = {ABI_PLUGIN_DIR};
    with.clock = &real;
    with.random = &real_random;
    with.loop = &own_loop;
    with.network = &own_network;
    with.store = &own_store;
    with.executor = &pool;
    host::Host threaded(std::move(with));
    ASSERT_THAT(threaded.load({"threads"}), IsEmpty());
    const auto count = [&](const char* name) {
      for (const auto& row : threaded.metrics()) {
        if (row.name == name) return row.value;
      }
      return std::int64_t{0};
    };
    std::atomic<bool> over{false};
    std::thread io([&] {
      for (std::uint64_t reach = 1; !over; ++reach) {
        threaded.want_path(reach, kNode, "192.0.2.1:4433");
        if (reach % 3 == 0) threaded.forget_path(reach);
        own_loop.run_once();
        own_network.answer_everything();
        own_store.commit();
        std::this_thread::yield();
      }
    });
    threaded.start();
    while (count("atlas_threads_rounds") < 300 || count("atlas_threads_asked") == 0) std::this_thread::yield();
    std::thread reader([&] {
      while (!over) threaded.plugins();
    });
    threaded.stop();
    over = true;
    io.join();
    reader.join();
    EXPECT_EQ(threaded.plugins()[0].state, "stopped");
    EXPECT_EQ(threaded.plugins()[0].faults, 0u);
    EXPECT_FALSE(own_network.expected_paths.empty());
    EXPECT_GE(count("atlas_threads_begun"), 3 * 300);
    EXPECT_EQ(count("atlas_threads_begun"), count("atlas_threads_ended"));
  }
}

}  // namespace
}  // namespace atlas::host::test
