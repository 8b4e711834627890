#include "cli/net_commands.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "cli/help.h"
#include "cli/plugin_catalog.h"
#include "control/server.h"
#include "support.h"

namespace atlas::cli {
namespace {

// A root without a node, and one where a stand-in answers on the control socket.
class NetCommands : public test::CommandTest {
 protected:
  void start_node(control::Server::Handler handler) {
    auto server = control::Server::start(layout.socket, std::move(handler));
    ASSERT_TRUE(server) << server.error().text;
    node_ = std::move(*server);
  }
  using Values = std::map<std::string, std::vector<std::string>>;
  int run(const std::string& path, Values values = {}, bool json = false) {
    const Invocation invocation{{}, path, std::move(values)};
    Style style;
    style.json = json;
    const Terminal terminal{style, out, err};
    const Command* command = find_command(fixed_commands(), path);
    if (path == "net listen") return net_listen(layout, invocation, "1.0", terminal);
    if (path == "plugin list") return plugin_list(layout, *command, "1.0", terminal);
    return net_command(layout, *command, invocation, "1.0", terminal);
  }

  std::unique_ptr<control::Server> node_;
  std::thread stopper_;
};

TEST_F(NetCommands, WithoutANodeTheSocketIsNamed) {
  EXPECT_EQ(run("net status"), kNotFound);
  EXPECT_EQ(out.str(), "");
  EXPECT_NE(err.str().find("atlas: net status: "), std::string::npos);
  EXPECT_NE(err.str().find(layout.socket.native()), std::string::npos);
  EXPECT_NE(err.str().find("atlas net listen"), std::string::npos);
}

TEST_F(NetCommands, TheNodeThatRunsIsAsked) {
  control::Request asked;
  start_node([&](const control::Request& request, const std::shared_ptr<control::Call>& call) {
    asked = request;
    call->result("{\"node_id\":\"atlas_x\",\"path\":\"direct\"}");
    call->finish(0, "");
  });
  EXPECT_EQ(run("net connect", {{"target", {"[::1]:4433"}}}, true), kOk);
  EXPECT_EQ(out.str(), "{\"node_id\":\"atlas_x\",\"path\":\"direct\"}\n");
  node_.reset();
  EXPECT_EQ(asked.path, "connect");
  EXPECT_EQ(asked.args, (std::map<std::string, std::string>{{"target", "[::1]:4433"}}));
}

TEST_F(NetCommands, NodeThatStopsMeanwhileIsAFailure) {
  std::shared_ptr<control::Call> kept;
  start_node([&](const control::Request&, std::shared_ptr<control::Call> call) {
    kept = std::move(call);
    stopper_ = std::thread([this] { node_.reset(); });
  });
  EXPECT_EQ(run("net connect", {{"target", {"x"}}}), kFailure);
  stopper_.join();
  EXPECT_NE(err.str().find("shutting down"), std::string::npos) << err.str();
}

TEST_F(NetCommands, PeersMayComeRowByRow) {
  start_node([](const control::Request&, const std::shared_ptr<control::Call>& call) {
    call->row("{\"node_id\":\"atlas_1\"}");
    call->row("{\"node_id\":\"atlas_2\"}");
    call->finish(0, "");
  });
  EXPECT_EQ(run("net peers", {}, true), kOk);
  EXPECT_EQ(out.str(), "[{\"node_id\":\"atlas_1\"},{\"node_id\":\"atlas_2\"}]\n");
}

TEST_F(NetCommands, WhatTheNodeRefusesHasItsExitCode) {
  start_node([](const control::Request&, const std::shared_ptr<control::Call>& call) {
    call->finish(kRefused, "that peer is banned");
  });
  EXPECT_EQ(run("net connect", {{"target", {"x"}}}), kRefused);
  EXPECT_EQ(err.str(), "atlas: net connect: that peer is banned\n");
}

TEST_F(NetCommands, PluginsOfTheNodeThatRuns) {
  start_node([](const control::Request& request, const std::shared_ptr<control::Call>& call) {
    EXPECT_EQ(request.path, "plugins");
    call->result("[{\"id\":\"relay\",\"version\":\"1\",\"state\":\"running\",\"types\":[\"30\",\"31\"]}]");
    call->finish(0, "");
  });
  EXPECT_EQ(run("plugin list"), kOk);
  EXPECT_NE(out.str().find("relay   1        running  30, 31"), std::string::npos) << out.str();
}

TEST_F(NetCommands, WithoutPluginsTheListIsEmpty) {
  write_config("[plugins]\nenabled = []\n");
  EXPECT_EQ(run("plugin list", {}, true), kOk);
  EXPECT_EQ(out.str(), "[]\n");
  EXPECT_EQ(run("plugin list"), kOk);
  EXPECT_NE(err.str().find("no plugins are enabled"), std::string::npos);
}

TEST_F(NetCommands, APluginThatIsNowhereIsAConfigProblem) {
  write_config("[plugins]\nenabled = [\"no-such-role\"]\n");
  EXPECT_EQ(run("plugin list"), kConfig);
  EXPECT_NE(err.str().find("no-such-role"), std::string::npos) << err.str();
  EXPECT_FALSE(find_commands(layout, "1.0").problems.empty());
}

TEST_F(NetCommands, WrongOptionsOfListenAreUsageErrors) {
  const Values wrong{{"--port", {"99999"}}, {"--set", {"novalue", "transport.max_conns=3"}}};
  EXPECT_EQ(run("net listen", wrong, true), kUsage);
  for (const char* part : {"--port", "99999", "novalue", "transport.max_conns"}) {
    EXPECT_NE(err.str().find(part), std::string::npos) << part;
  }
  EXPECT_TRUE(out.str().starts_with("{\"error\":{\"exit_code\":2,\"name\":\"usage\"")) << out.str();
  EXPECT_FALSE(std::filesystem::exists(layout.root));
}

TEST_F(NetCommands, AWrongSettingNamesItsKey) {
  EXPECT_EQ(run("net listen", {{"--set", {"log.level=nope"}}}), kUsage);
  EXPECT_NE(err.str().find("--set: log.level: \"nope\" is not known"), std::string::npos) << err.str();
}

TEST_F(NetCommands, ListenTellsOfTheRolesWhateverElseIsWrong) {
  write_config("[network]\nprot = 1\n[exec]\nenabled = true\n[plugins]\nenabled = [\"no-such-role\"]\n");
  EXPECT_EQ(run("net listen"), kConfig);
  for (const char* part : {"config.toml:2:1: network.prot", "config.toml:4:11: exec.enabled", "no-such-role"}) {
    EXPECT_NE(err.str().find(part), std::string::npos) << part << '\n' << err.str();
  }
}

TEST_F(NetCommands, ABrokenConfigStopsListen) {
  write_config("[transport]\nmax_connections = 0\nmax_conections = 5\n");
  EXPECT_EQ(run("net listen"), kConfig);
  EXPECT_NE(err.str().find("config.toml:2:"), std::string::npos) << err.str();
  EXPECT_NE(err.str().find("config.toml:3:"), std::string::npos) << err.str();
}

TEST_F(NetCommands, RootThatIsTooLongForTheSocketIsAUsageError) {
  write_config("[plugins]\nenabled = []\n");
  layout = layout_of(directory / std::string(120, 'r'));
  for (const char* path : {"net listen", "net status", "net peers", "plugin list"}) {
    EXPECT_EQ(run(path), kUsage) << path;
    EXPECT_NE(err.str().find("choose a shorter root directory"), std::string::npos) << err.str();
    err.str("");
  }
  EXPECT_EQ(find_commands(layout, "1.0").error, "") << "those of the plugins are refused when they run";
  EXPECT_FALSE(std::filesystem::exists(layout.root));
}

TEST_F(NetCommands, FollowNeedsANodeThatRuns) {
  const Command inbox{.path = "net inbox", .summary = "", .where = kWhereDaemon | kWhereClient};
  const Terminal terminal{{}, out, err};
  EXPECT_EQ(net_command(layout, inbox, {{}, "net inbox", {{"--follow", {"true"}}}}, "1.0", terminal), kNotFound);
  EXPECT_NE(err.str().find("net inbox: --follow needs a running node: "), std::string::npos) << err.str();
  EXPECT_NE(err.str().find(layout.socket.native()), std::string::npos) << err.str();
}

TEST_F(NetCommands, TableOfAPluginThatIsNowhereStopsEveryNode) {
  write_config("[plugins]\nenabled = []\n[plugins.relai]\nx = 1\n");
  for (const char* path : {"net listen", "net peers", "plugin list"}) {
    EXPECT_EQ(run(path), kConfig) << path;
    EXPECT_NE(err.str().find("config.toml:3:10: [plugins.relai]: no plugin of this name"), std::string::npos)
        << err.str();
    err.str("");
  }
}

TEST_F(NetCommands, NothingIsMadeBelowARootWithoutAKey) {
  EXPECT_EQ(run("net peers"), kNotFound);
  EXPECT_FALSE(std::filesystem::exists(layout.root));
}

TEST_F(NetCommands, ListenNeedsAKey) {
  write_config("[plugins]\nenabled = []\n");
  EXPECT_EQ(run("net listen", {{"--port", {"0"}}, {"--bind", {"127.0.0.1"}}}), kNotFound);
  EXPECT_NE(err.str().find("atlas id init"), std::string::npos) << err.str();
}

TEST_F(NetCommands, CommandsComeFromTheNodeThatRuns) {
  start_node([](const control::Request& request, const std::shared_ptr<control::Call>& call) {
    EXPECT_EQ(request.path, "commands");
    call->result("[{\"path\":\"relay status\",\"summary\":\"s\",\"where\":1,\"args\":[]}]");
    call->finish(0, "");
  });
  const Catalog catalog = find_commands(layout, "1.0");
  EXPECT_EQ(catalog.error, "");
  ASSERT_EQ(catalog.commands.size(), 1u);
  EXPECT_EQ(catalog.commands.front().path, "net relay status");
}

// docs/reference/cli.md has the commands of every role of this project, as `atlas --print-reference` prints them.
TEST_F(NetCommands, TheReferenceHasTheCommandsOfTheRoles) {
  std::string roles;
  for (const auto& file : std::filesystem::directory_iterator(ATLAS_BUILD_DIR "/plugins")) {
    if (file.path().extension() == ".so") roles += (roles.empty() ? "\"" : ", \"") + file.path().stem().string() + '"';
  }
  ASSERT_NE(roles, "");
  write_config("[plugins]\nsearch = [\"" ATLAS_BUILD_DIR "/plugins\"]\nenabled = [" + roles + "]\n");
  const Catalog catalog = find_commands(layout, "1.0");
  for (const auto& problem : catalog.problems) ADD_FAILURE() << problem.to_string();
  EXPECT_FALSE(catalog.commands.empty());
  std::ifstream file(ATLAS_SOURCE_DIR "/docs/reference/cli.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const Command& command : catalog.commands) {
    EXPECT_NE(text.find(reference_of(command)), std::string::npos)
        << "docs/reference/cli.md lacks, or says otherwise:\n"
        << reference_of(command);
  }
}

TEST_F(NetCommands, ANodeWhoseListCannotBeReadIsAnError) {
  start_node([](const control::Request&, const std::shared_ptr<control::Call>& call) {
    call->result("7");
    call->finish(0, "");
  });
  EXPECT_NE(find_commands(layout, "1.0").error, "");
}

}  // namespace
}  // namespace atlas::cli
