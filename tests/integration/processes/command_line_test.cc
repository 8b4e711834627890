// What the program says and returns when something is wrong.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

TEST_F(CommandLineTest, ErrorsOfIdAndConfigNameTheCommandAsAllDo) {
  const Finished skill = node.run({"id", "remove-skill", "juggling"});
  EXPECT_EQ(skill.exit_code, 6);
  EXPECT_EQ(skill.err.rfind("atlas: id remove-skill: the node has no skill", 0), 0u) << skill.err;
  const Finished again = node.run({"id", "init", "--json"});
  EXPECT_EQ(again.exit_code, 7);
  EXPECT_EQ(again.err.rfind("atlas: id init: ", 0), 0u) << again.err;
  const std::string text = again.json()["error"]["text"];
  EXPECT_EQ(text.rfind("id init: ", 0), 0u) << text;
  const Finished role = node.run({"config", "init", "--role", "king"});
  EXPECT_EQ(role.exit_code, 2);
  EXPECT_EQ(role.err.rfind("atlas: config init: ", 0), 0u) << role.err;
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

TEST_F(CommandLineTest, FollowingNeedsADaemonAndEndsWithItInOneWay) {
  const Finished refused = node.run({"net", "inbox", "--follow"});
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_NE(refused.err.find("--follow needs a running node"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("control.sock"), std::string::npos) << refused.err;
  const NodeProcess sender(home, "sender");
  for (const bool crash : {false, true}) {
    node.start();
    ASSERT_EQ(sender.run({"net", "send", node.address(), "hello"}).exit_code, 0);
    const auto out = home.path() / (crash ? "second.out" : "first.out"), err = home.path() / "follow.err";
    const pid_t follower = kit::launch(
        {kit::atlas_program().string(), "--root", node.root().string(), "net", "inbox", "--follow", "--json"}, out,
        err);
    // What is there already comes first.
    EXPECT_TRUE(kit::eventually([&] { return kit::contents(out).find("hello") != std::string::npos; }));
    if (crash) {
      node.kill();
    } else {
      EXPECT_EQ(node.stop(), 0);
    }
    EXPECT_EQ(kit::wait_for(follower), 1) << kit::contents(err);
  }
}

TEST_F(CommandLineTest, PortOfAnotherProcessIsBusyAndNamed) {
  NodeProcess other(home, "other");
  other.start();
  const std::string port = other.address().substr(other.address().rfind(':') + 1);
  const Finished refused = node.run({"net", "listen", "--port", port, "--bind", "127.0.0.1"});
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_NE(refused.err.find("net listen: " + other.address() + ": the address is in use by another process"),
            std::string::npos)
      << refused.err;
  EXPECT_NE(refused.err.find("--port"), std::string::npos) << refused.err;
}

// "::" may be missing on a machine, which is a warning; that another process has its port is none.
TEST_F(CommandLineTest, PortThatOnlyIpv6HasTakenIsBusyToo) {
  const int taken = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int only = 1;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t length = sizeof address;
  if (taken < 0 || setsockopt(taken, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0 ||
      bind(taken, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
    GTEST_SKIP() << "no IPv6 here";
  }
  getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length);
  const std::string port = std::to_string(ntohs(address.sin6_port));
  const Finished refused = node.run({"net", "listen", "--port", port});
  close(taken);
  EXPECT_EQ(refused.exit_code, 7);
  EXPECT_NE(refused.err.find("[::]:" + port + ": the address is in use"), std::string::npos) << refused.err;
}

TEST_F(CommandLineTest, ReadyLineThatCannotBeWrittenEndsTheNode) {
  const auto err = home.path() / "full.err";
  const pid_t child = kit::launch({kit::atlas_program().string(), "--root", node.root().string(), "net", "listen",
                                   "--port", "0", "--bind", "127.0.0.1"},
                                  "/dev/full", err);
  EXPECT_EQ(kit::wait_for(child), 1);
  EXPECT_NE(kit::contents(err).find("atlas: net listen: the ready line could not be written to stdout"),
            std::string::npos)
      << kit::contents(err);
}

TEST_F(CommandLineTest, DirectoriesThatOthersCanWriteAreRefused) {
  const auto keys = node.root() / "keys", state = node.root() / "state", run = node.root() / "run";
  for (const auto& [directory, code] : {std::pair(keys, 1), std::pair(state, 3), std::pair(run, 1)}) {
    std::filesystem::permissions(directory, std::filesystem::perms(0777));
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"net", "listen", "--port", "0"}, {"net", "peers"}}) {
      const Finished refused = node.run(words);
      EXPECT_EQ(refused.exit_code, code) << directory << refused.err;
      EXPECT_NE(refused.err.find("run: chmod go-w " + directory.string()), std::string::npos) << refused.err;
    }
    std::filesystem::permissions(directory, std::filesystem::perms(0700));
  }
  EXPECT_EQ(node.run({"net", "peers"}).exit_code, 0);
}

TEST_F(CommandLineTest, ShowHasTheKeysOfTheRolesWithTheirDefaults) {
  node.write_config("[plugins.keepalive]\ninterval = 7\n");
  const auto values = node.run({"config", "show", "--json"}).json()["values"];
  EXPECT_EQ(values["plugins.keepalive.interval"]["value"], 7);
  EXPECT_EQ(values["plugins.keepalive.interval"]["origin"], "file");
  EXPECT_EQ(values["plugins.keepalive.misses"]["origin"], "default");
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
