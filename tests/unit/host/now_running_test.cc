#include "host/now_running.h"

#include <gtest/gtest.h>

#include <thread>

#include "unit/host/host_fixture.h"

namespace atlas::host {
namespace {

TEST(NowRunningTest, EntriesNestAndEachThreadHasItsOwn) {
  EXPECT_EQ(now_running().plugin, nullptr);
  {
    const RunningEntry outer("relay", "message handler", 0x30);
    EXPECT_STREQ(now_running().plugin, "relay");
    {
      const RunningEntry inner("keepalive", "timer", -1);
      EXPECT_STREQ(now_running().plugin, "keepalive");
      EXPECT_EQ(now_running().type, -1);
    }
    EXPECT_STREQ(now_running().plugin, "relay");
    EXPECT_STREQ(now_running().entry, "message handler");
    EXPECT_EQ(now_running().type, 0x30);
    std::thread([] { EXPECT_EQ(now_running().plugin, nullptr); }).join();
  }
  EXPECT_EQ(now_running().plugin, nullptr);
}

class NowRunningInHost : public test::HostTest {
 protected:
  ~NowRunningInHost() override { host.reset(); }
};

TEST_F(NowRunningInHost, EveryEntryIsNamed) {
  std::vector<std::string> seen;
  const auto note = [&seen](const char*) {
    const NowRunning now = now_running();
    seen.push_back(std::string(now.plugin) + " " + now.entry + (now.type < 0 ? "" : " " + std::to_string(now.type)));
  };
  script.init = [&] {
    note("init");
    return script.messages().handle(script.host, 0x90, 0, test::handle_message);
  };
  script.start = [&] {
    note("start");
    return ATLAS_OK;
  };
  script.handler = [&](const atlas_message&) {
    note("message");
    return ATLAS_OK;
  };
  script.stop = [&] { note("stop"); };
  start();
  deliver(0x90, 0);
  settle();
  stop();
  EXPECT_THAT(seen,
              testing::ElementsAre("plugin0 init", "plugin0 start", "plugin0 message handler 144", "plugin0 stop"));
  EXPECT_EQ(now_running().plugin, nullptr);
}

}  // namespace
}  // namespace atlas::host
