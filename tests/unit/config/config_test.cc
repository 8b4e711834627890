// Values of a loaded config from above: as text, overridden by the command line, and complained about later.
#include "config/config.h"

#include <gmock/gmock.h>

#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ConfigRoles, RelayComesWithItsSwitchUnlessRolesAreNamed) {
  EXPECT_THAT(Config().roles(), ElementsAre("discovery", "keepalive", "messaging"));
  const std::string on = "[transport]\nenable_relay = true\n";
  EXPECT_THAT(parse(on, "c").config.roles(), ElementsAre("discovery", "keepalive", "messaging", "relay"));
  EXPECT_THAT(parse(on + "[plugins]\nenabled = [\"keepalive\"]\n", "c").config.roles(), ElementsAre("keepalive"));
  // Written as the default is, it is meant so.
  const std::string three = "[plugins]\nenabled = [\"discovery\", \"keepalive\", \"messaging\"]\n";
  EXPECT_THAT(parse(on + three, "c").config.roles(), ElementsAre("discovery", "keepalive", "messaging"));
}

TEST(Config, AsText) {
  Config config;
  config.network.bootstrap = {"192.0.2.1:1", "192.0.2.2:2"};
  EXPECT_THAT(config.as_text("network.port").value(), ElementsAre("4433"));
  EXPECT_THAT(config.as_text("network.bootstrap").value(), ElementsAre("192.0.2.1:1", "192.0.2.2:2"));
  EXPECT_THAT(config.as_text("network.relays").value(), IsEmpty());
  EXPECT_THAT(config.as_text("transport.idle_timeout").value(), ElementsAre("120"));
  EXPECT_THAT(config.as_text("plugins.soft_budget").value(), ElementsAre("5ms"));
  EXPECT_THAT(config.as_text("security.ban_duration_secs").value(), ElementsAre("600"));
  EXPECT_THAT(config.as_text("exec.enabled").value(), ElementsAre("false"));
  EXPECT_EQ(config.as_text("network.nothing"), std::nullopt);
}

TEST(Config, ProblemAtTheKeysPlace) {
  const Config config = parse("[exec]\nenabled = true\n[plugins.\"a.b\"]\nc.d = 1\n", "config.toml").config;
  EXPECT_EQ(problem_at(config, "exec.enabled", "no plugin provides it").to_string(),
            "config.toml:2:11: exec.enabled: no plugin provides it");
  EXPECT_EQ(problem_at(config, "plugins.a.b.c.d", "is odd").to_string(), "config.toml:4:7: plugins.a.b.c.d: is odd");
  EXPECT_EQ(problem_at(config, "network.port", "is in use").to_string(), "config.toml: network.port: is in use");
  EXPECT_EQ(problem_at(Config{}, "network.port", "is in use").to_string(), "network.port: is in use");
}

TEST(Config, OverrideKey) {
  Config config = parse("[network]\nport = 1\n", "config.toml").config;
  EXPECT_THAT(override_key(config, "network.port", {"0"}, "--port"), IsEmpty());
  EXPECT_EQ(config.network.port, 0);
  EXPECT_FALSE(config.places.contains("network.port"));
  EXPECT_THAT(override_key(config, "network.bootstrap", {"192.0.2.1:1", "[::1]:2"}, "--bootstrap"), IsEmpty());
  EXPECT_THAT(config.network.bootstrap, ElementsAre("192.0.2.1:1", "[::1]:2"));
  EXPECT_THAT(override_key(config, "transport.idle_timeout", {"2m"}, "--x"), IsEmpty());
  EXPECT_EQ(config.transport.idle_timeout_s, 120u);
  EXPECT_THAT(override_key(config, "transport.idle_timeout", {"30"}, "--x"), IsEmpty());
  EXPECT_EQ(config.transport.idle_timeout_s, 30u);
}

TEST(Config, OverrideKeyRefusesWhatTheFileMayNotHave) {
  Config config;
  const auto one = [&](const char* key, std::vector<std::string> values) {
    const auto found = override_key(config, key, values, "--option");
    return found.size() == 1 ? found[0].to_string() : std::to_string(found.size()) + " problems";
  };
  EXPECT_EQ(one("network.port", {"65536"}),
            "--option: network.port: 65536 is out of range; expected an integer from 0 to 65535");
  EXPECT_EQ(one("network.port", {"4433x"}),
            "--option: network.port: expected an integer from 0 to 65535, found \"4433x\"");
  EXPECT_EQ(one("network.port", {}), "--option: network.port: expected one value, found 0");
  EXPECT_THAT(one("network.bootstrap", {"example.org:1"}), HasSubstr("names are not looked up"));
  EXPECT_THAT(one("network.bind", {"127.0.0.1", "0.0.0.0"}), HasSubstr("are both IPv4"));
  EXPECT_THAT(one("exec.enabled", {"yes"}), HasSubstr("expected true or false"));
  EXPECT_THAT(one("log.level", {"loud"}), HasSubstr("--option: log.level: \"loud\" is not known"));
  EXPECT_EQ(one("no.key", {"1"}), "--option: no.key: unknown key");
  EXPECT_EQ(config.network.port, 4433);
  EXPECT_THAT(config.network.bind, SizeIs(2));
}

TEST(Config, OverrideKeyNamesWhatWasMeant) {
  const auto said = [](std::string_view key) {
    Config config;
    const auto found = override_key(config, key, {"1"}, "--set");
    return found.size() == 1 ? found[0].to_string() : std::to_string(found.size()) + " problems";
  };
  EXPECT_EQ(said("transport.max_conections"),
            "--set: transport.max_conections: unknown key; did you mean transport.max_connections?");
  EXPECT_EQ(said("Network.Port"), "--set: Network.Port: unknown key; did you mean network.port?");
  EXPECT_EQ(said("netwrok.prot"), "--set: netwrok.prot: unknown key; did you mean network.port?");
  EXPECT_EQ(said("security.max_connections"),
            "--set: security.max_connections: unknown key; did you mean transport.max_connections?");
  EXPECT_EQ(said("port"), "--set: port: unknown key; did you mean network.port?");
  EXPECT_EQ(said("plugins.keepalive.enabled"),
            "--set: plugins.keepalive.enabled: unknown key; what belongs to a role is set in config.toml only");
  EXPECT_EQ(said("wallet"), "--set: wallet: unknown key");
}

TEST(Config, ExecNeedsARoleThatProvidesIt) {
  EXPECT_THAT(role_problems(Config{}), IsEmpty());
  const auto alone = parse("[exec]\nenabled = true\n", "c");
  ASSERT_THAT(role_problems(alone.config), SizeIs(1));
  EXPECT_THAT(role_problems(alone.config)[0].to_string(), HasSubstr("c:2:11: exec.enabled: "));
  const auto both = parse("[exec]\nenabled = true\n[plugins]\nenabled = [\"exec\"]\n", "c");
  EXPECT_THAT(role_problems(both.config), IsEmpty());
}

TEST(Config, RolesAreKnownUnlessTheirOwnKeysAreWrong) {
  EXPECT_TRUE(parse("[network]\nprot = 1\n", "c").roles_known);
  EXPECT_FALSE(parse("[network\n", "c").roles_known);
  EXPECT_FALSE(parse("[plugins]\nenabled = 1\n", "c").roles_known);
  EXPECT_FALSE(parse("[plugins]\nsearch = [\"here\"]\n", "c").roles_known);
}

}  // namespace
}  // namespace atlas::config::test
