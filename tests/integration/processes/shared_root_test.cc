// One process at a time works on a root; who finds a command there waits for it and says so.
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::NodeProcess;

class SharedRootTest : public testing::Test {
 protected:
  SharedRootTest() : node(home, "node"), peer(home, "peer") { peer.start(); }
  ~SharedRootTest() override {
    for (const pid_t child : {command, listener}) {
      if (child <= 0) continue;
      ::kill(child, SIGKILL);
      kit::wait_for(child);
    }
  }

  pid_t launch(const std::string& name, std::vector<std::string> words) {
    words.insert(words.begin(), {kit::atlas_program().string(), "--root", node.root().string()});
    return kit::launch(words, file(name + ".out"), file(name + ".err"));
  }
  std::filesystem::path file(const std::string& name) const { return home.path() / name; }
  bool says(const std::string& name, const std::string& text) const {
    return kit::eventually([&] { return kit::contents(file(name)).find(text) != std::string::npos; });
  }
  // A command without a daemon that goes on until it is told to stop.
  void start_command() {
    command = launch("command", {"net", "ping", peer.address(), "--count", "1000", "--interval", "1s"});
    ASSERT_TRUE(kit::eventually([&] {
      return peer.run({"net", "status", "--json"}).json()["sessions"] == 1;
    })) << kit::contents(file("command.err"));
  }
  void start_listener() { listener = launch("listen", {"net", "listen", "--port", "0", "--bind", "127.0.0.1"}); }
  int end(pid_t& child, int signal_number) {
    ::kill(child, signal_number);
    return kit::wait_for(std::exchange(child, -1));
  }

  kit::TemporaryHome home;
  NodeProcess node, peer;
  pid_t command = -1, listener = -1;
};

TEST_F(SharedRootTest, DaemonWaitsForACommandAndSaysForWhich) {
  start_command();
  start_listener();
  const std::string note = "atlas: net listen: waiting for a command (pid " + std::to_string(command) + ")";
  ASSERT_TRUE(says("listen.err", note)) << kit::contents(file("listen.err"));
  EXPECT_EQ(end(command, SIGTERM), 128 + SIGTERM);
  EXPECT_TRUE(says("listen.out", "ready 127.0.0.1:")) << kit::contents(file("listen.err"));
  EXPECT_EQ(kit::contents(node.root() / "run" / "node.lock"), std::to_string(listener) + " daemon\n");
  EXPECT_EQ(end(listener, SIGTERM), 0);
}

TEST_F(SharedRootTest, PatienceEndsWithWhoHasIt) {
  start_command();
  listener = launch("listen", {"net", "listen", "--port", "0", "--quiet"});
  const std::string refusal = "atlas: net listen: a command uses " + node.root().string() + " (pid " +
                              std::to_string(command) + "); wait until it has ended, or stop it\n";
  ASSERT_TRUE(says("listen.err", "\n"));
  EXPECT_EQ(kit::contents(file("listen.err")), refusal);
  EXPECT_EQ(kit::wait_for(std::exchange(listener, -1)), 7);
}

TEST_F(SharedRootTest, CommandWaitsForACommand) {
  start_command();
  listener = launch("second", {"net", "peers", "--json"});
  ASSERT_TRUE(says("second.err", "atlas: net peers: waiting for a command (pid " + std::to_string(command) + ")"));
  EXPECT_EQ(end(command, SIGHUP), 128 + SIGHUP);
  EXPECT_EQ(kit::wait_for(std::exchange(listener, -1)), 0) << kit::contents(file("second.err"));
}

TEST_F(SharedRootTest, InterruptedCommandSaysGoodbye) {
  start_command();
  EXPECT_EQ(end(command, SIGINT), 128 + SIGINT);
  // Sooner than the 120 s after which a silent session ends.
  EXPECT_TRUE(kit::eventually([&] { return peer.run({"net", "status", "--json"}).json()["sessions"] == 0; }));
}

}  // namespace
}  // namespace atlas
