// A callback that does not return: on real threads, with time made by hand.
#include "host/stuck_watch.h"

#include <future>

#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::HasSubstr;

class StuckTest : public HostTest {
 protected:
  StuckTest() {
    for (int i = 0; i < 2; ++i) {
      scripts[i].init = [this, i] {
        return scripts[i].messages().handle(scripts[i].host, static_cast<std::uint8_t>(0x90 + i), ATLAS_HANDLE_ANSWERS,
                                            handle_message);
      };
    }
    script.handler = [this](const atlas_message&) {
      entered.set_value();
      leave.get_future().wait();
      return ATLAS_OK;
    };
    scripts[1].handler = [this](const atlas_message& message) {
      const auto status = scripts[1].messages().reply(scripts[1].host, message.reply_to, 0x91, {});
      answered.set_value();
      return status;
    };
  }
  ~StuckTest() override {
    host.reset();
    pool.reset();
  }

  void start_on_threads() {
    HostSetup with = setup();
    with.executor = pool.get();
    with.watch_strands = true;
    with.on_fault = [this](const std::string& id, const std::string& reason, bool) {
      const std::lock_guard lock(mutex);
      told.push_back(id + ": " + reason);
    };
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(scripts[0]);
    descriptors[1] = Scripted<1>::descriptor(scripts[1]);
    for (int i = 0; i < 2; ++i) host->add_linked(&descriptors[i]);
    ASSERT_TRUE(host->load({}).empty());
    host->start();
    run_loop();
  }
  void run_loop() {
    while (loop.run_once()) {
    }
  }
  void pass_time(base::MonoNs span) {
    clock.advance(span);
    run_loop();
  }
  static const atlas_ext_bus& bus_of(const Script& of) { return *of.table<atlas_ext_bus>(ATLAS_EXT_BUS); }
  static atlas_status serve(void*, const atlas_bus_request*) { return ATLAS_OK; }
  std::size_t told_so_far() {
    const std::lock_guard lock(mutex);
    return told.size();
  }

  std::unique_ptr<ThreadPool> pool = std::make_unique<ThreadPool>(1);  // one: a thread that is kept is missed
  std::promise<void> entered, leave, answered;
  std::mutex mutex;
  std::vector<std::string> told;
};

TEST_F(StuckTest, ItsPeersGetErrorsAndOthersGoOn) {
  start_on_threads();
  EXPECT_EQ(deliver(0x90, 1), Delivered::kQueued);
  entered.get_future().wait();
  EXPECT_EQ(deliver(0x90, 2), Delivered::kQueued);  // waits behind it
  EXPECT_EQ(deliver(0x91, 3), Delivered::kQueued);  // has no thread
  pass_time(500 * base::kMillisecond);
  EXPECT_EQ(told_so_far(), 0u);
  pass_time(base::kSecond);
  EXPECT_EQ(told_so_far(), 1u);
  EXPECT_THAT(told.at(0), HasSubstr("plugin0: a callback has been running for 1500 ms and does not return"));
  EXPECT_EQ(row("plugin0").state, "stuck");
  EXPECT_EQ(deliver(0x90, 4), Delivered::kNoOwner);
  answered.get_future().wait();  // on the thread that took the other's place
  while (host->unstopped() != std::vector<std::string>{"plugin0"}) std::this_thread::yield();  // it has returned, too
  {
    const auto replies = network.all_replies();
    const auto refused = std::ranges::find(replies, 2u, &FakeNetwork::Reply::to);
    ASSERT_NE(refused, replies.end());
    EXPECT_EQ(refused->error_code(), 5001u);
  }
  pass_time(5 * base::kSecond);
  EXPECT_EQ(told_so_far(), 1u);

  leave.set_value();
  while (row("plugin0").state != "faulted") std::this_thread::yield();
  EXPECT_EQ(told_so_far(), 1u);
  EXPECT_EQ(metric("atlas_plugin0_faults"), 1);
  EXPECT_THAT(row("plugin0").reason, HasSubstr("message handler 0x90 took"));
  while (!pool->idle()) std::this_thread::yield();
}

// Everything that one callback keeps from being dealt with.
TEST_F(StuckTest, WhoeverWaitsForItHearsSo) {
  std::promise<void> busy, go;
  scripts[1].handler = [&](const atlas_message&) {
    busy.set_value();
    go.get_future().wait();
    return ATLAS_OK;
  };
  script.init = [this] {
    atlas_cli_command command{};
    command.struct_size = sizeof command;
    command.path = "wait";
    command.where = ATLAS_CLI_DAEMON;
    EXPECT_EQ(script.cli().command(script.host, &command, run_command, nullptr), ATLAS_OK);
    EXPECT_EQ(bus_of(script).offer(script.host, text_of("plugin0/ask"), serve), ATLAS_OK);
    EXPECT_EQ(script.streams().accept(script.host, 0x98, stream_opened, stream_event), ATLAS_OK);
    return script.messages().handle(script.host, 0x90, ATLAS_HANDLE_ANSWERS, handle_message);
  };
  start_on_threads();
  // The only thread is kept, so that what comes now is one batch later.
  EXPECT_EQ(deliver(0x91, 1), Delivered::kQueued);
  busy.get_future().wait();
  for (ReplyHandle reply = 2; reply < 6; ++reply) EXPECT_EQ(deliver(0x90, reply), Delivered::kQueued);
  auto output = std::make_shared<RecordedOutput>();
  EXPECT_NE(host->run_command("wait", {}, output), 0u);
  static std::promise<atlas_status> asked;
  asked = {};
  EXPECT_EQ(bus_of(scripts[1])
                .request(
                    scripts[1].host, text_of("plugin0/ask"), {}, 600'000,
                    [](void*, const atlas_bus_answer* answer) { asked.set_value(answer->status); }, nullptr),
            ATLAS_OK);
  const auto stream = host->deliver_stream(0x98, 7, {});
  ASSERT_NE(stream, nullptr);
  go.set_value();
  entered.get_future().wait();
  pass_time(2 * base::kSecond);

  EXPECT_EQ(asked.get_future().get(), ATLAS_E_GONE);
  ASSERT_EQ(output->ended.size(), 1u);
  EXPECT_EQ(output->ended[0].second, "plugin plugin0 does not return from a callback");
  for (ReplyHandle reply = 2; reply < 6; ++reply) {
    const auto replies = network.all_replies();
    const auto refused = std::ranges::find(replies, reply, &FakeNetwork::Reply::to);
    ASSERT_NE(refused, replies.end()) << reply;
    EXPECT_EQ(refused->error_code(), 5001u);
  }
  EXPECT_TRUE(stream->take_orders().abandoned);
  EXPECT_EQ(host->deliver_stream(0x98, 7, {}), nullptr);
  auto late = std::make_shared<RecordedOutput>();
  host->run_command("wait", {}, late);
  ASSERT_EQ(late->ended.size(), 1u);
  EXPECT_EQ(late->ended[0].first, ATLAS_E_INTERNAL);

  leave.set_value();
  while (!pool->idle()) std::this_thread::yield();
  EXPECT_EQ(row("plugin0").state, "faulted");
  EXPECT_EQ(network.all_replies().size(), 4u) << "nobody is answered twice";
}

TEST_F(StuckTest, OthersAreStoppedAllTheSame) {
  start_on_threads();
  deliver(0x90, 1);
  entered.get_future().wait();
  pass_time(2 * base::kSecond);
  std::atomic<bool> stopped = false;
  host->begin_stop([&] { stopped = true; });
  const auto others_stopped = [&] {
    return row("plugin1").state == "stopped" && host->unstopped() == std::vector<std::string>{"plugin0"};
  };
  while (!others_stopped()) std::this_thread::yield();
  run_loop();
  EXPECT_FALSE(stopped) << "plugin0 has not returned";
  leave.set_value();
  while (!stopped) run_loop();
  EXPECT_THAT(script.calls, testing::ElementsAre("init", "start", "stop"));
}

// It is found stuck while its stop waits behind the callback already; the plugin before it in the order has its turn.
TEST_F(StuckTest, OneThatGetsStuckDuringTheStopKeepsNobody) {
  std::swap(scripts[0].handler, scripts[1].handler);  // now plugin1, which is stopped first
  start_on_threads();
  deliver(0x91, 1);
  entered.get_future().wait();
  std::atomic<bool> stopped = false;
  host->begin_stop([&] { stopped = true; });
  EXPECT_EQ(row("plugin0").state, "running");
  pass_time(2 * base::kSecond);
  while (row("plugin0").state != "stopped") std::this_thread::yield();
  leave.set_value();
  while (!stopped) run_loop();
  EXPECT_THAT(scripts[1].calls, testing::ElementsAre("init", "start", "stop"));
}

TEST_F(StuckTest, StartMayTakeItsTime) {
  script.start = [this] {
    entered.set_value();
    leave.get_future().wait();
    return ATLAS_OK;
  };
  HostSetup with = setup();
  with.executor = pool.get();
  with.watch_strands = true;
  with.on_fault = [this](const std::string&, const std::string&, bool) { told.emplace_back(); };
  host = std::make_unique<Host>(std::move(with));
  descriptors[0] = Scripted<0>::descriptor(scripts[0]);
  host->add_linked(&descriptors[0]);
  ASSERT_TRUE(host->load({}).empty());
  host->begin_start();
  run_loop();
  entered.get_future().wait();
  pass_time(5 * base::kSecond);
  EXPECT_EQ(told_so_far(), 0u);
  leave.set_value();
  while (!pool->idle()) std::this_thread::yield();
}

}  // namespace
}  // namespace atlas::host::test
