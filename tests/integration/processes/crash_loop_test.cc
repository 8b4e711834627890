// A role that takes the node down with it: what is on record, and what the next starts make of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::NodeProcess;
using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizerTakesSignals = true;
#else
constexpr bool kSanitizerTakesSignals = false;
#endif

class CrashLoop : public testing::Test {
 protected:
  CrashLoop() : node(home, "node"), other(home, "other") {}
  void SetUp() override {
    if (kSanitizerTakesSignals) GTEST_SKIP() << "a sanitizer handles these signals itself";
    configure(other, "");
  }

  static void configure(const NodeProcess& which, const std::string& lines) {
    which.write_config(
        "[plugins]\nenabled = [\"keepalive\", \"ill\"]\nsearch = [\"" ATLAS_TEST_ROLES "\"]\n[plugins.ill]\n" + lines);
  }
  void crash_once() {
    node.start();
    // A node of its own each time, so that no session of before is in the way. Nobody answers it any more.
    const pid_t asking = kit::launch(
        {kit::atlas_program().string(), "--root", other.root().string(), "net", "ill", "ask", node.address()},
        "/dev/null", "/dev/null");
    EXPECT_EQ(node.wait(), 128 + SIGSEGV) << node.log();
    kill(asking, SIGKILL);
    kit::wait_for(asking);
  }
  std::string record() const { return kit::contents(node.root() / "state" / "crashes"); }
  nlohmann::json row(const std::string& role) const {
    for (const auto& one : node.run({"plugin", "list", "--json"}).json()) {
      if (one.at("id") == role) return one;
    }
    return {{"state", "none"}, {"reason", ""}};
  }

  kit::TemporaryHome home;
  NodeProcess node, other;
};

TEST_F(CrashLoop, IsLeftOutAtTheThirdStart) {
  configure(node, "where = \"message\"\nwhat = \"null\"\n");
  crash_once();
  EXPECT_THAT(record(), HasSubstr(" SIGSEGV ill message handler 0x90\n"));
  EXPECT_THAT(node.log(), HasSubstr("atlas: crashed with SIGSEGV in the plugin ill, message handler 0x90"));
  crash_once();
  node.start();
  const std::string why =
      "it crashed the node 2 times within 10 minutes, last with SIGSEGV in its message handler 0x90";
  const std::string remedy = "remove " + (node.root() / "state" / "crashes").string() + " and restart the node";
  EXPECT_THAT(node.log(), HasSubstr("left out: " + why));
  EXPECT_EQ(row("ill").at("state"), "left out");
  EXPECT_THAT(row("ill").at("reason"), HasSubstr(why));
  EXPECT_THAT(row("ill").at("reason"), HasSubstr(remedy));
  EXPECT_EQ(row("keepalive").at("state"), "running");
  EXPECT_THAT(node.run({"net", "status"}).out, HasSubstr("ill (left out: it crashed the node"));
  EXPECT_EQ(node.run({"plugin", "info", "ill", "--json"}).json().at("state"), "left out");
  EXPECT_EQ(other.run({"net", "ping", node.address(), "--count", "1"}).exit_code, 0);
  EXPECT_EQ(other.run({"net", "ill", "ask", node.address(), "--json"}).json().at("error_code"), 2003);
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(row("ill").at("state"), "left out") << "also where nothing runs";

  // As the text says.
  std::filesystem::remove(node.root() / "state" / "crashes");
  configure(node, "");
  node.start();
  EXPECT_EQ(row("ill").at("state"), "running");
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(CrashLoop, InEveryEntryTheEntryIsNamed) {
  const std::pair<const char*, const char*> entries[] = {
      {"start", "start"}, {"timer", "timer"}, {"bus request", "bus request"}, {"command", "command"}};
  for (const auto& [where, shown] : entries) {
    std::filesystem::remove(node.root() / "state" / "crashes");
    configure(node, "what = \"null\"\nwhere = \"" + std::string(where) + "\"\n");
    if (std::string_view(where) == "start") {
      EXPECT_EQ(node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"}).exit_code, 128 + SIGSEGV);
    } else {
      node.start();
      node.run({"net", "ill", "go"});
      EXPECT_EQ(node.wait(), 128 + SIGSEGV);
    }
    EXPECT_THAT(record(), HasSubstr(" SIGSEGV ill " + std::string(shown) + "\n")) << where;
  }
}

TEST_F(CrashLoop, InInitKeepsNoCommandFromWorking) {
  configure(node, "where = \"init\"\nwhat = \"null\"\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"}).exit_code, 128 + SIGSEGV);
  }
  EXPECT_THAT(record(), HasSubstr(" SIGSEGV ill init\n"));
  EXPECT_EQ(row("ill").at("state"), "left out") << "its init is not run to list it either";
  other.start();
  const Finished ping = node.run({"net", "ping", other.address(), "--count", "1"});
  EXPECT_EQ(ping.exit_code, 0) << ping.err;
  node.start();
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(CrashLoop, RefusesToStartWhereTheOperatorCannotDoWithoutTheRole) {
  configure(node, "where = \"message\"\nwhat = \"null\"\non_fault = \"stop-node\"\n");
  crash_once();
  crash_once();
  const Finished refused = node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(refused.exit_code, 3) << refused.err;
  EXPECT_THAT(refused.err,
              HasSubstr("the plugin ill is left out, and its on_fault = \"stop-node\": it crashed the node"));
}

TEST_F(CrashLoop, SafeModeStartsWhatCameWithAtlas) {
  configure(node, "where = \"start\"\nwhat = \"null\"\non_fault = \"stop-node\"\n");
  node.start({"--safe-mode"});
  EXPECT_EQ(row("ill").at("state"), "left out");
  EXPECT_EQ(row("ill").at("reason"), "safe mode starts the roles that come with atlas only");
  EXPECT_EQ(row("keepalive").at("state"), "running");
  EXPECT_EQ(other.run({"net", "ping", node.address(), "--count", "1"}).exit_code, 0);
  EXPECT_EQ(node.stop(), 0);
}

}  // namespace
}  // namespace atlas
