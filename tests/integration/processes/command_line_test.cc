// What the program says and returns when something is wrong.
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::NodeProcess;

class CommandLineTest : public testing::Test {
 protected:
  CommandLineTest() : node(home, "node") {}
  // The exit code of a daemon with this config, and what it said; the daemon must refuse.
  Finished listen_with(const std::string& config) {
    node.write_config(config);
    return node.run({"net", "listen", "--port", "0"});
  }

  kit::TemporaryHome home;
  NodeProcess node;
};

TEST_F(CommandLineTest, EveryProblemOfAConfigIsToldAtOnce) {
  const Finished refused = listen_with(
      "[transport]\nmax_conections = 5\nidle_timeout = \"soon\"\noffer_relay = true\n"
      "[network]\nport = 70000\n[plugins.keepalive]\nintervall = 5\n");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("config.toml:2:1"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("max_connections"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("config.toml:3:"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("enable_relay"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("port"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, ConfigThatInitWritesExplainsTheKeysOfTheRolesAndIsGood) {
  ASSERT_EQ(node.run({"config", "init", "--role", "agent"}).exit_code, 0);
  const std::string written = kit::contents(node.root() / "state" / "config.toml");
  EXPECT_NE(written.find("[plugins.keepalive]"), std::string::npos) << written;
  EXPECT_NE(written.find("# misses = 3"), std::string::npos) << written;
  EXPECT_EQ(written.find("[plugins.bootstrap]"), std::string::npos) << "an agent does not enable it";
  const Finished checked = node.run({"config", "check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
}

TEST_F(CommandLineTest, KeyThatNoRoleKnowsIsToldWithItsPlace) {
  const Finished refused = listen_with("[plugins.keepalive]\nintervall = 5\n");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("config.toml:2:1"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("interval"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, ExecWithoutARoleForItIsAnError) {
  const Finished refused = listen_with("[exec]\nenabled = true\n");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("config.toml:2:"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("exec"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, CheckRefusesWhatListenRefusesAllAtOnce) {
  node.write_config("[plugins.keepalive]\nintervall = 5\n[exec]\nenabled = true\n[network]\nprot = 1\n");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"config", "check"}, {"net", "listen"}}) {
    const Finished refused = node.run(words);
    EXPECT_EQ(refused.exit_code, 3);
    std::size_t last = 0;  // in the order of the lines
    for (const char* part : {"config.toml:2:1", "config.toml:4:11", "config.toml:6:1"}) {
      const std::size_t at = refused.err.find(part);
      ASSERT_NE(at, std::string::npos) << part << '\n' << refused.err;
      EXPECT_GE(at, last) << refused.err;
      last = at;
    }
  }
}

TEST_F(CommandLineTest, ChangesOfManyProcessesAllArrive) {
  std::vector<pid_t> children;
  constexpr int kChildren = 10;
  for (int i = 0; i < kChildren; ++i) {
    children.push_back(kit::launch({kit::atlas_program().string(), "--root", node.root().string(), "id", "add-skill",
                                    "skill-" + std::to_string(i)},
                                   home.path() / "children.out", home.path() / "children.err"));
  }
  for (const pid_t child : children) EXPECT_EQ(kit::wait_for(child), 0);
  EXPECT_EQ(node.run({"id", "show", "--json"}).json()["skills"].size(), static_cast<std::size_t>(kChildren));
}

TEST_F(CommandLineTest, HelpOfAnUnknownVerbNamesIt) {
  const Finished refused = node.run({"net", "bogus", "--help"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_EQ(refused.out, "");
  EXPECT_NE(refused.err.find("unknown command \"bogus\""), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, RoleThatIsNotThereIsAnError) {
  const Finished refused = listen_with("[plugins]\nenabled = [\"keepalve\"]\n");
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("keepalve"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, KeyFileThatOthersCanReadIsRefused) {
  std::filesystem::permissions(node.root() / "keys" / "node-key.pem", std::filesystem::perms(0644));
  const Finished refused = node.run({"net", "listen", "--port", "0"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("chmod 600"), std::string::npos) << refused.err;
  EXPECT_EQ(node.run({"id", "show"}).exit_code, 1);
}

TEST_F(CommandLineTest, SecondDaemonIsRefusedWithThePidOfTheFirst) {
  node.start();
  const Finished refused = node.run({"net", "listen", "--port", "0"});
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_NE(refused.err.find(std::to_string(node.pid())), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, DaemonCommandWithoutDaemonNamesTheSocket) {
  const Finished refused = node.run({"net", "status"});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_NE(refused.err.find("control.sock"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, NobodyAtTheTargetIsUnreachable) {
  EXPECT_EQ(node.run({"net", "connect", "127.0.0.1:9"}).exit_code, 4);
}

TEST_F(CommandLineTest, WrongOptionIsAUsageError) {
  EXPECT_EQ(node.run({"net", "ping"}).exit_code, 2);
  EXPECT_EQ(node.run({"net", "ping", "127.0.0.1:9", "--count", "many"}).exit_code, 2);
  EXPECT_EQ(node.run({"nett"}).exit_code, 2);
}

TEST_F(CommandLineTest, StatusHasItsDocumentedKeys) {
  node.start();
  const auto status = node.run({"net", "status", "--json"}).json();
  for (const char* key : {"node_id", "version", "listen", "public_address", "uptime_s", "sessions", "plugins",
                          "connections", "store", "udp", "counters", "metrics"})
    EXPECT_TRUE(status.contains(key)) << key;
  EXPECT_EQ(status["node_id"], node.node_id());
  EXPECT_EQ(status["listen"][0], node.address());
}

}  // namespace
}  // namespace atlas
