#include "cli/config_commands.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/id_commands.h"
#include "cli/plugin_catalog.h"
#include "config/reference.h"
#include "support.h"

namespace atlas::cli::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class ConfigCommands : public CommandTest {
 protected:
  std::string backup_text() const {
    std::ifstream in(layout.config.string() + ".bak");
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

TEST_F(ConfigCommands, CheckListsEveryProblemAndExitsWith3) {
  write_config("[network]\nprot = 1\nport = \"x\"\n[transport]\noffer_relay = true\n");
  EXPECT_EQ(config_check(layout, false, {}, out, err), 3);
  EXPECT_THAT(take(out), IsEmpty());
  const std::string shown = take(err), file = layout.config.string();
  EXPECT_THAT(shown, HasSubstr(file + ":2:1: network.prot: unknown key; did you mean network.port?\n"));
  EXPECT_THAT(shown, HasSubstr(file + ":3:8: network.port: expected an integer"));
  EXPECT_THAT(shown, HasSubstr(file + ":5:15: transport.offer_relay: needs"));
}

TEST_F(ConfigCommands, CheckOfAGoodFile) {
  EXPECT_EQ(config_check(layout, false, {}, out, err), kOk);
  EXPECT_THAT(take(out), HasSubstr("does not exist; every key has its default"));
  write_config("[network]\nport = 1\n");
  EXPECT_EQ(config_check(layout, false, {}, out, err), kOk);
  EXPECT_THAT(take(out), HasSubstr("no problem found"));
  EXPECT_THAT(take(err), IsEmpty());
}

TEST_F(ConfigCommands, CheckAsksThePlugins) {
  write_config("[exec]\nenabled = true\n");
  const PluginCheck plugins = [](const config::Config& config) {
    return std::vector{config::problem_at(config, "exec.enabled", "no plugin provides it")};
  };
  EXPECT_EQ(config_check(layout, false, plugins, out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr(":2:11: exec.enabled: no plugin provides it\n"));
}

TEST_F(ConfigCommands, CheckAsksThePluginsWhateverElseIsWrong) {
  write_config("[exec]\nenabled = true\n[network]\nprot = 1\n[plugins.messaging]\nodd = 1\n");
  const PluginCheck plugins = [](const config::Config& config) {
    return std::vector<config::Problem>{{{}, 0, 0, "not installed"},
                                        config::problem_at(config, "plugins.messaging.odd", "unknown key"),
                                        config::problem_at(config, "exec.enabled", "no plugin provides it")};
  };
  EXPECT_EQ(config_check(layout, false, plugins, out, err), kConfig);
  const std::string file = layout.config.string();
  EXPECT_EQ(take(err), file + ":2:11: exec.enabled: no plugin provides it\n" + file +
                           ":4:1: network.prot: unknown key; did you mean network.port?\n" + file +
                           ":6:7: plugins.messaging.odd: unknown key\nnot installed\n");
}

TEST_F(ConfigCommands, CheckDoesNotAskPluginsThatAreNotKnown) {
  const PluginCheck plugins = [](const config::Config&) { return std::vector<config::Problem>{{{}, 0, 0, "made up"}}; };
  for (const char* text : {"[network\n", "[plugins]\nenabled = 7\n", "[plugins]\nsearch = [\"here\"]\n"}) {
    write_config(text);
    EXPECT_EQ(config_check(layout, false, plugins, out, err), kConfig);
    EXPECT_THAT(take(err), testing::Not(HasSubstr("made up"))) << text;
  }
}

TEST_F(ConfigCommands, CheckRefusesExecWithoutARoleForIt) {
  write_config("[plugins]\nenabled = []\n[exec]\nenabled = true\n");
  const PluginCheck plugins = [](const config::Config& config) { return check_plugins(config, "1.0"); };
  EXPECT_EQ(config_check(layout, false, plugins, out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr(":4:11: exec.enabled: is true, but no enabled role provides exec"));
}

TEST_F(ConfigCommands, WhatTheFileSaysDoesNotSteerTheTerminal) {
  write_config("[identity]\nname = \"a\u202eb\"\n");
  EXPECT_EQ(config_show(layout, false, {}, out, err), kOk) << err.str();
  EXPECT_THAT(take(out), HasSubstr("identity.name = \"a\\u202eb\""));
  write_config("[log]\nlevel = \"a\u202eb\"\n");
  EXPECT_EQ(config_check(layout, false, {}, out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr("\"a\\u202eb\" is not known"));
}

TEST_F(ConfigCommands, CheckAsJson) {
  write_config("[network]\nprot = 1\n");
  EXPECT_EQ(config_check(layout, true, {}, out, err), kConfig);
  EXPECT_EQ(
      json::parse(take(out)),
      (json{{"file", layout.config.string()},
            {"problems",
             {{{"line", 2}, {"column", 1}, {"text", "network.prot: unknown key; did you mean network.port?"}}}}}));
  write_config("");
  EXPECT_EQ(config_check(layout, true, {}, out, err), kOk);
  EXPECT_EQ(json::parse(take(out))["problems"], json::array());
}

TEST_F(ConfigCommands, ShowNamesTheOriginOfEveryValue) {
  write_config("[network]\nport = 1\nbootstrap = [\"192.0.2.1:1\"]\n[plugins.x]\na = \"b\"\n");
  EXPECT_EQ(config_show(layout, false, {}, out, err), kOk) << err.str();
  const std::string text = take(out);
  EXPECT_THAT(text, testing::ContainsRegex("network.port = 1 +# config.toml:2\n"));
  EXPECT_THAT(text, testing::ContainsRegex("network.bootstrap = ..192.0.2.1:1.. +# config.toml:3\n"));
  EXPECT_THAT(text, testing::ContainsRegex("transport.idle_timeout = 120 +# default\n"));
  EXPECT_THAT(text, testing::ContainsRegex("plugins.x.a = .b. +# config.toml:5\n"));
}

TEST_F(ConfigCommands, ShowAsJson) {
  write_config("[plugins]\nsoft_budget = 1\n[exec]\nenabled = false\n");
  EXPECT_EQ(config_show(layout, true, {}, out, err), kOk);
  const json document = json::parse(take(out));
  EXPECT_EQ(document["file"], layout.config.string());
  EXPECT_EQ(document["values"]["plugins.soft_budget"], (json{{"value", "1000ms"}, {"origin", "file"}, {"line", 2}}));
  EXPECT_EQ(document["values"]["exec.enabled"], (json{{"value", false}, {"origin", "file"}, {"line", 4}}));
  EXPECT_EQ(document["values"]["transport.idle_timeout"], (json{{"value", 120}, {"origin", "default"}}));
  EXPECT_EQ(document["values"]["network.bind"]["value"], (json{"0.0.0.0", "::"}));
}

TEST_F(ConfigCommands, ShowHasTheKeysOfThePlugins) {
  write_config("[plugins.keepalive]\nmisses = 5\nother = 1\n");
  const PluginKeysOf keys = [](const config::Config&, std::vector<config::Problem>& problems) {
    problems.push_back({"", 0, 0, "plugin gone: no gone.so"});
    return std::vector<config::PluginKeys>{{"keepalive",
                                            "",
                                            {{"interval", "duration", "\"30s\"", "", ""},
                                             {"misses", "integer", "3", "", ""},
                                             {"names", "array of strings", "[]", "", ""}}}};
  };
  EXPECT_EQ(config_show(layout, false, keys, out, err), kOk);
  const std::string text = take(out);
  EXPECT_THAT(text, testing::ContainsRegex("plugins.keepalive.interval = .30s. +# default\n"));
  EXPECT_THAT(text, testing::ContainsRegex("plugins.keepalive.misses = 5 +# config.toml:2\n"));
  EXPECT_THAT(text, testing::ContainsRegex("plugins.keepalive.other = 1 +# config.toml:3\n"));
  EXPECT_THAT(take(err), HasSubstr("plugin gone: no gone.so"));
  EXPECT_EQ(config_show(layout, true, keys, out, err), kOk);
  const json values = json::parse(take(out))["values"];
  EXPECT_EQ(values["plugins.keepalive.interval"], (json{{"value", "30s"}, {"origin", "default"}}));
  EXPECT_EQ(values["plugins.keepalive.misses"], (json{{"value", 5}, {"origin", "file"}, {"line", 2}}));
  EXPECT_EQ(values["plugins.keepalive.names"], (json{{"value", json::array()}, {"origin", "default"}}));
}

TEST_F(ConfigCommands, ShowAsksTheRolesThemselves) {
  write_config("[plugins]\nsearch = [\"" ATLAS_BUILD_DIR "/plugins\"]\nenabled = [\"keepalive\"]\n");
  const PluginKeysOf keys = [](const config::Config& config, std::vector<config::Problem>& problems) {
    return enabled_plugin_keys(config, "1.0", problems);
  };
  EXPECT_EQ(config_show(layout, false, keys, out, err), kOk);
  EXPECT_THAT(take(out), testing::ContainsRegex("plugins.keepalive.misses = 3 +# default\n"));
  EXPECT_THAT(take(err), IsEmpty());
}

TEST_F(ConfigCommands, TableOfAPluginThatIsNowhereIsAProblem) {
  const std::string plugins = "[plugins]\nsearch = [\"" ATLAS_BUILD_DIR "/plugins\"]\nenabled = [\"keepalive\"]\n";
  const PluginCheck check = [](const config::Config& config) { return check_plugins(config, "1.0"); };
  write_config(plugins + "[plugins.bootstrp]\n[plugins.zzz]\na = 1\n");
  EXPECT_EQ(config_check(layout, false, check, out, err), kConfig);
  const std::string said = take(err);
  EXPECT_THAT(said, HasSubstr(":4:10: [plugins.bootstrp]: no plugin of this name is enabled or installed; did you mean "
                              "[plugins.bootstrap]?\n"));
  EXPECT_THAT(said,
              HasSubstr(":5:10: [plugins.zzz]: no plugin of this name is enabled or installed; install it, or take "
                        "the table out\n"));
  write_config(plugins + "[plugins.bootstrap]\n[plugins.keepalive]\nmisses = 4\n");
  EXPECT_EQ(config_check(layout, false, check, out, err), kOk) << "installed and not enabled: " << take(err);
}

TEST_F(ConfigCommands, TableThatIsNearlyAnEnabledOneIsToldOnce) {
  write_config("[plugins]\nsearch = [\"" ATLAS_BUILD_DIR
               "/plugins\"]\nenabled = [\"keepalive\"]\n[plugins.keepalve]\n");
  const PluginCheck check = [](const config::Config& config) { return check_plugins(config, "1.0"); };
  EXPECT_EQ(config_check(layout, false, check, out, err), kConfig);
  const std::string said = take(err);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST_F(ConfigCommands, FilesThatOthersCanWriteAreRefused) {
  write_config("[network]\nport = 1\n");
  std::filesystem::permissions(layout.config, std::filesystem::perms(0666));
  EXPECT_EQ(config_check(layout, false, {}, out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr("can be written by others (mode 0666); run: chmod go-w " + layout.config.string()));
  EXPECT_EQ(config_init(layout, "agent", true, out, err), kConfig);
  EXPECT_THAT(take(err), HasSubstr("run: chmod go-w"));
  EXPECT_EQ(config_text(), "[network]\nport = 1\n");
  EXPECT_EQ(id_set_name(layout, "x", out, err), kConfig);
  take(err);
  std::filesystem::remove(layout.config);
  std::filesystem::permissions(layout.state, std::filesystem::perms(0777));
  EXPECT_EQ(config_check(layout, false, {}, out, err), kConfig) << "anybody could put a file there";
  EXPECT_THAT(take(err), HasSubstr("its directory can be written by others (mode 0777); run: chmod go-w " +
                                   layout.state.string()));
}

TEST_F(ConfigCommands, ShowOfABadFileExitsWith3) {
  write_config("[network]\nport = x\n");
  EXPECT_EQ(config_show(layout, false, {}, out, err), 3);
  EXPECT_THAT(take(err), StartsWith(layout.config.string() + ":2:"));
}

TEST_F(ConfigCommands, InitWritesTheSampleOfTheRole) {
  for (const config::Role role : config::kRoles) {
    const std::string name(config::to_text(role));
    ASSERT_EQ(config_init(layout, name, true, out, err), kOk) << err.str();
    EXPECT_EQ(take(out), layout.config.string() + '\n');
    EXPECT_EQ(config_text(), config::sample_toml(role));
    EXPECT_EQ(config_check(layout, false, {}, out, err), kOk) << err.str();
    take(out);
  }
  EXPECT_EQ(config_init(layout, "wizard", true, out, err), kUsage);
  EXPECT_THAT(take(err), HasSubstr("choose bootstrap, relay or agent"));
}

TEST_F(ConfigCommands, InitKeepsAnExistingFile) {
  write_config("[network]\nport = 1\n");
  EXPECT_EQ(config_init(layout, "agent", false, out, err), kBusy);
  EXPECT_THAT(take(err), HasSubstr("replace it with --force"));
  EXPECT_EQ(config_text(), "[network]\nport = 1\n");
  EXPECT_EQ(config_init(layout, "agent", true, out, err), kOk);
  EXPECT_EQ(config_text(), config::sample_toml(config::Role::kAgent));
}

TEST_F(ConfigCommands, InitKeepsTheNodesName) {
  ASSERT_EQ(id_set_name(layout, "relay-01", out, err), kOk);
  ASSERT_EQ(id_add_skill(layout, "forward", out, err), kOk);
  ASSERT_EQ(config_init(layout, "relay", false, out, err), kOk) << err.str();
  config::Config config;
  ASSERT_EQ(load_config(layout, config, err), kOk) << err.str();
  EXPECT_EQ(config.identity.name, "relay-01");
  EXPECT_THAT(config.identity.skills, testing::ElementsAre("forward"));
  EXPECT_TRUE(config.transport.offer_relay);
}

TEST_F(ConfigCommands, InitByForceKeepsWhatParsesAndTheOldFile) {
  const std::string old = "[identity]\nname = \"alice\"\nbio = 7\nskills = [\"x\"]\n[network]\nprot = 1\n";
  write_config(old);
  ASSERT_EQ(config_init(layout, "agent", true, out, err), kOk) << err.str();
  EXPECT_EQ(backup_text(), old);
  const std::string said = take(err);
  EXPECT_THAT(said, HasSubstr("the old file is now " + layout.config.string() + ".bak\n"));
  EXPECT_THAT(said, HasSubstr("it had mistakes"));
  config::Config config;
  ASSERT_EQ(load_config(layout, config, err), kOk) << err.str();
  EXPECT_EQ(config.identity.name, "alice");
  EXPECT_THAT(config.identity.skills, testing::ElementsAre("x"));
}

TEST_F(ConfigCommands, InitByForceKeepsAFileThatIsNoToml) {
  write_config("[identity\nname = \"alice\"\n");
  ASSERT_EQ(config_init(layout, "agent", true, out, err), kOk) << err.str();
  EXPECT_EQ(backup_text(), "[identity\nname = \"alice\"\n");
  EXPECT_THAT(take(err), HasSubstr("it had mistakes"));
}

TEST_F(ConfigCommands, InitThatCannotKeepTheOldFileChangesNothing) {
  write_config("[network]\nport = 1\n");
  std::filesystem::create_directory(layout.config.string() + ".bak");
  EXPECT_EQ(config_init(layout, "agent", true, out, err), kFailure);
  EXPECT_THAT(take(err), HasSubstr("config.toml.bak: cannot be written"));
  EXPECT_EQ(config_text(), "[network]\nport = 1\n");
}

TEST_F(ConfigCommands, InitDoesNotLoseComments) {
  write_config("# do not touch\n[identity]\nname = \"x\"\n");
  EXPECT_EQ(config_init(layout, "agent", false, out, err), kBusy);
}

}  // namespace
}  // namespace atlas::cli::test
