// From text to values, and every way in which a file can be wrong, with the exact text that a person reads.
#include <gmock/gmock.h>

#include <algorithm>

#include "base/limits.h"
#include "base/random.h"
#include "config/config.h"
#include "config/scan.h"
#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::filesystem::path kSeeds = std::filesystem::path(ATLAS_SOURCE_DIR) / "tests/unit/config/seeds";

TEST(ConfigLoad, SeedBootstrap) {
  const Loaded loaded = load(kSeeds / "bootstrap.toml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.network.port, 4433);
  EXPECT_THAT(config.network.bootstrap, IsEmpty());
  EXPECT_THAT(config.network.relays, IsEmpty());
  EXPECT_EQ(config.transport.max_connections, 200u);
  EXPECT_EQ(config.transport.max_streams_per_conn, 50u);
  EXPECT_EQ(config.transport.idle_timeout_s, 120u);
  EXPECT_FALSE(config.transport.enable_relay);
  EXPECT_FALSE(config.transport.offer_relay);
  EXPECT_EQ(config.transport.relay_bandwidth_limit, 0u);
  EXPECT_EQ(config.security.ban_duration_s, 3600u);
  EXPECT_EQ(config.security.handshake_limit, 50u);
  EXPECT_EQ(config.security.max_clock_drift_s, 300u);
  EXPECT_EQ(config.rate_limit.per_peer_per_minute, 60u);
  EXPECT_FALSE(config.exec.enabled);
  EXPECT_THAT(config.plugins.enabled, ElementsAre("discovery", "keepalive", "messaging"));
}

TEST(ConfigLoad, SeedRelay) {
  const Loaded loaded = load(kSeeds / "relay.toml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.transport.max_streams_per_conn, 100u);
  EXPECT_EQ(config.transport.idle_timeout_s, 300u);
  EXPECT_TRUE(config.transport.enable_relay);
  EXPECT_TRUE(config.transport.offer_relay);
  EXPECT_EQ(config.transport.relay_bandwidth_limit, 1'048'576u);
  EXPECT_EQ(config.rate_limit.per_peer_per_minute, 120u);
  EXPECT_EQ(config.places.at("transport.offer_relay"), std::pair(11u, 15u));
}

TEST(ConfigLoad, AMissingFileIsAllDefaults) {
  const TemporaryDirectory directory;
  const Loaded loaded = load(directory / "config.toml");
  EXPECT_THAT(loaded.problems, IsEmpty());
  EXPECT_TRUE(loaded.config.file.empty());
  EXPECT_EQ(loaded.config.security.ban_duration_s, std::nullopt);
  EXPECT_THAT(loaded.config.network.bind, ElementsAre("0.0.0.0", "::"));
}

TEST(ConfigLoad, ADirectoryIsNoFile) {
  const TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "config.toml");
  const Loaded loaded = load(directory / "config.toml");
  ASSERT_THAT(loaded.problems, SizeIs(1));
  EXPECT_THAT(loaded.problems[0].to_string(), testing::EndsWith("config.toml: is no regular file"));
}

TEST(ConfigLoad, EveryKindOfValueArrives) {
  const Loaded loaded = parse(R"(
[identity]
name = "Zoë"
skills = ["a", "b c"]
[network]
bind = ["127.0.0.1"]
bootstrap = ["192.0.2.1:4433", "[2001:db8::1]:1"]
[transport]
idle_timeout = "5m"
exchange_timeout = "3000ms"
[security]
ban_duration_secs = "1h"
[log]
level = "debug"
format = "json"
[plugins]
soft_budget = "20ms"
hard_budget = 2
queue_bytes = 8_388_608
search = ["/opt/plugins"]
)",
                              "config.toml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.identity.name, "Zoë");
  EXPECT_THAT(config.identity.skills, ElementsAre("a", "b c"));
  EXPECT_THAT(config.network.bind, ElementsAre("127.0.0.1"));
  EXPECT_THAT(config.network.bootstrap, ElementsAre("192.0.2.1:4433", "[2001:db8::1]:1"));
  EXPECT_EQ(config.transport.idle_timeout_s, 300u);
  EXPECT_EQ(config.transport.exchange_timeout_s, 3u);
  EXPECT_EQ(config.security.ban_duration_s, 3600u);
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(config.log.format, "json");
  EXPECT_EQ(config.plugins.soft_budget_ms, 20u);
  EXPECT_EQ(config.plugins.hard_budget_ms, 2000u);
  EXPECT_EQ(config.plugins.queue_bytes, 8'388'608u);
  EXPECT_THAT(config.plugins.search, ElementsAre("/opt/plugins"));
}

// --- syntax ---

TEST(ConfigLoad, SyntaxHasItsPlace) {
  EXPECT_THAT(problems("[network]\nport = \n"), ElementsAre(testing::StartsWith("config.toml:2:")));
}

TEST(ConfigLoad, RefusesADuplicateKey) {
  const auto found = problems("[network]\nport = 1\nport = 2\n");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], testing::StartsWith("config.toml:3:"));
  EXPECT_THAT(found[0], HasSubstr("port"));
}

TEST(ConfigLoad, RefusesADuplicateTable) {
  EXPECT_THAT(problems("[network]\nport = 1\n[network]\nbind = []\n"),
              ElementsAre(testing::StartsWith("config.toml:3:")));
}

// What toml++ takes for granted and a file can break.
TEST(ConfigLoad, RefusesWhatTheParserAsserts) {
  for (const char* text : {"[.a]", "[=]", "[#]", "[,]", "[\\]", "[[.a]]", "[ .a]"}) {
    EXPECT_THAT(problems("x.y = 1\n" + std::string(text)),
                ElementsAre("config.toml:2:1: expected a table's name behind [, such as [network]"))
        << text;
  }
  EXPECT_THAT(problems("x.y = 1\nb =  07:32:x\nc = 2\n"), ElementsAre(testing::StartsWith("config.toml:2:")));
  EXPECT_THAT(problems("[]"), ElementsAre(testing::StartsWith("config.toml:1:2: ")));
  EXPECT_THAT(problems("a = \"open\n[.a]\n"), ElementsAre(testing::StartsWith("config.toml:1:")));
}

TEST(ConfigLoad, RefusesDeepNesting) {
  const std::string brackets(17, '[');
  EXPECT_THAT(problems("[plugins.x]\na = " + brackets),
              ElementsAre("config.toml:2:21: is nested more than 16 levels deep"));
  // Half a million parts of one key would take the stack with them.
  std::string dotted = "a";
  for (int i = 0; i < 500'000; ++i) dotted += ".a";
  EXPECT_THAT(problems(dotted + " = 1"), ElementsAre("config.toml:1:32: is nested more than 16 levels deep"));
  EXPECT_THAT(problems('[' + dotted + "]"), ElementsAre("config.toml:1:33: is nested more than 16 levels deep"));
}

TEST(ConfigLoad, RefusesABigFile) {
  const TemporaryDirectory directory;
  const auto file = directory / "config.toml";
  spit(file, std::string(base::limits::config_file_bytes, '\n'));
  EXPECT_THAT(load(file).problems, IsEmpty());
  spit(file, std::string(base::limits::config_file_bytes + 1, '\n'));
  ASSERT_THAT(load(file).problems, SizeIs(1));
  EXPECT_THAT(load(file).problems[0].text, HasSubstr("at most 1048576 bytes"));
}

TEST(ConfigLoad, RefusesBytesThatAreNoText) {
  EXPECT_THAT(problems(std::string_view("[network]\nport = 1\0\n", 19)), ElementsAre(HasSubstr("config.toml:2:")));
  EXPECT_THAT(problems("[identity]\nname = \"\xff\"\n"), ElementsAre(HasSubstr("config.toml:2:")));
  EXPECT_THAT(problems("[identity]\nname = \"\xc0\xaf\"\n"), ElementsAre(HasSubstr("config.toml:2:")));
}

// --- names ---

TEST(ConfigLoad, UnknownKeyWithTheNearestName) {
  EXPECT_THAT(problems("[transport]\n  max_conections = 5\n"),
              ElementsAre("config.toml:2:3: transport.max_conections: unknown key; did you mean "
                          "transport.max_connections?"));
  EXPECT_THAT(problems("[network]\nPort = 5\n"),
              ElementsAre("config.toml:2:1: network.Port: unknown key; did you mean network.port?"));
  EXPECT_THAT(problems("[network]\nzzz = 5\n"), ElementsAre("config.toml:2:1: network.zzz: unknown key"));
}

TEST(ConfigLoad, UnknownKeyOfAnotherTable) {
  EXPECT_THAT(problems("[security]\nmax_connections = 5\n"),
              ElementsAre("config.toml:2:1: security.max_connections: unknown key; did you mean "
                          "transport.max_connections?"));
  EXPECT_THAT(problems("port = 4433\n"), ElementsAre("config.toml:1:1: port: unknown key; it belongs under [network]"));
  EXPECT_THAT(problems("zzz = 4433\n"),
              ElementsAre("config.toml:1:1: zzz: unknown key; every key stands in a table such as [network]"));
}

TEST(ConfigLoad, UnknownTable) {
  EXPECT_THAT(problems("[netwrok]\nport = 5\n"),
              ElementsAre("config.toml:1:2: [netwrok]: unknown table; did you mean [network]?"));
  EXPECT_THAT(problems("[wallet]\nkey = 5\n"), ElementsAre("config.toml:1:2: [wallet]: unknown table"));
  EXPECT_THAT(problems("network = 5\n"),
              ElementsAre("config.toml:1:11: network: expected a table [network], found the integer 5"));
}

// --- types and bounds ---

TEST(ConfigLoad, WrongTypes) {
  EXPECT_THAT(
      problems("[network]\nport = \"4433\"\n"),
      ElementsAre("config.toml:2:8: network.port: expected an integer from 0 to 65535, found the text \"4433\""));
  EXPECT_THAT(problems("[exec]\nenabled = 1\n"),
              ElementsAre("config.toml:2:11: exec.enabled: expected true or false, found the integer 1"));
  EXPECT_THAT(
      problems("[log]\nlevel = true\n"),
      ElementsAre("config.toml:2:9: log.level: expected one of \"debug\", \"info\", \"warn\", \"error\", \"off\", "
                  "found true"));
  EXPECT_THAT(
      problems("[network]\nbootstrap = \"192.0.2.1:1\"\n"),
      ElementsAre("config.toml:2:13: network.bootstrap: expected an array of at most 64 texts of at most 64 bytes, "
                  "found the text \"192.0.2.1:1\""));
  EXPECT_THAT(
      problems("[network]\nbootstrap = [1]\n"),
      ElementsAre("config.toml:2:14: network.bootstrap: expected an array of at most 64 texts of at most 64 bytes, "
                  "found the integer 1 in it"));
  EXPECT_THAT(
      problems("[transport]\nidle_timeout = 1.5\n"),
      ElementsAre("config.toml:2:16: transport.idle_timeout: expected a duration in whole seconds from 1s to 1d "
                  "(seconds as an integer, or text such as \"5ms\", \"90s\", \"5m\", \"1h\"), found a number with a "
                  "decimal point"));
  EXPECT_THAT(problems("[network]\nport = 2024-01-01\n"), ElementsAre(HasSubstr("found a date or time")));
  EXPECT_THAT(problems("[network.port]\n"), ElementsAre(HasSubstr("found a table")));
  EXPECT_THAT(problems("[[network]]\nport = 1\n"),
              ElementsAre(HasSubstr("expected a table [network], found an array")));
}

TEST(ConfigLoad, OutOfRange) {
  EXPECT_THAT(problems("[network]\nport = 65536\n"),
              ElementsAre("config.toml:2:8: network.port: 65536 is out of range; expected an integer from 0 to 65535"));
  EXPECT_THAT(problems("[network]\nport = -1\n"), ElementsAre(HasSubstr("-1 is out of range")));
  EXPECT_THAT(problems("[transport]\nmax_connections = 0\n"), ElementsAre(HasSubstr("0 is out of range")));
  EXPECT_THAT(problems("[log]\nlevel = \"loud\"\n"), ElementsAre(HasSubstr("\"loud\" is not known; expected one of")));
  EXPECT_THAT(problems("[log]\nlevel = \"debug|info\"\n"), ElementsAre(HasSubstr("is not known")));
}

TEST(ConfigLoad, Durations) {
  EXPECT_THAT(problems("[transport]\nidle_timeout = 0\n"), ElementsAre(HasSubstr("0 is out of range")));
  EXPECT_THAT(problems("[transport]\nidle_timeout = 9223372036854775807\n"), ElementsAre(HasSubstr("is out of range")));
  EXPECT_THAT(problems("[transport]\nidle_timeout = \"1500ms\"\n"),
              ElementsAre(HasSubstr("\"1500ms\" is not whole; expected a duration in whole seconds")));
  EXPECT_THAT(problems("[transport]\nidle_timeout = \"5 minutes\"\n"),
              ElementsAre(HasSubstr("found the text \"5 minutes\"")));
  EXPECT_THAT(problems("[plugins]\nsoft_budget = \"0ms\"\n"), ElementsAre(HasSubstr("\"0ms\" is out of range")));
}

TEST(ConfigLoad, Addresses) {
  EXPECT_THAT(problems("[network]\nbootstrap = [\"192.0.2.1:1\",\n  \"node.example:4433\"]\n"),
              ElementsAre("config.toml:3:3: network.bootstrap: \"node.example:4433\" is no address, and names are not "
                          "looked up; write ip:port, for example \"192.0.2.1:4433\" or \"[2001:db8::1]:4433\""));
  EXPECT_THAT(problems("[network]\nrelays = [\"192.0.2.1\"]\n"), ElementsAre(HasSubstr("has no port")));
  EXPECT_THAT(problems("[network]\nrelays = [\"2001:db8::1\"]\n"), ElementsAre(HasSubstr("has no port")));
  EXPECT_THAT(problems("[network]\nrelays = [\"192.0.2.1:0\"]\n"),
              ElementsAre(HasSubstr("has a port that is not from 1 to 65535")));
  EXPECT_THAT(problems("[network]\nbind = [\"0.0.0.0:4433\"]\n"),
              ElementsAre(HasSubstr("has a port; the port belongs into network.port")));
}

TEST(ConfigLoad, RefusesTooManyAddresses) {
  std::string list;
  for (int i = 1; i <= 65; ++i) list += "\"192.0.2." + std::to_string(i) + ":1\",";
  EXPECT_THAT(problems("[network]\nrelays = [" + list + "]\n"),
              ElementsAre("config.toml:2:10: network.relays: has 65 entries; at most 64 are allowed"));
}

TEST(ConfigLoad, RefusesTooManyPlugins) {
  constexpr std::size_t kMost = base::limits::config_plugins;
  std::string list;
  for (std::size_t i = 0; i < kMost; ++i) list += "\"p" + std::to_string(i) + "\",";
  EXPECT_THAT(problems("[plugins]\nenabled = [" + list + "]\n"), IsEmpty());
  EXPECT_THAT(problems("[plugins]\nenabled = [" + list + "\"one-more\"]\n"),
              ElementsAre("config.toml:2:11: plugins.enabled: has " + std::to_string(kMost + 1) + " entries; at most " +
                          std::to_string(kMost) + " are allowed"));
}

TEST(ConfigLoad, IdentityLimits) {
  EXPECT_THAT(problems("[identity]\nname = \"" + std::string(64, 'x') + "\"\n"), IsEmpty());
  EXPECT_THAT(problems("[identity]\nname = \"" + std::string(65, 'x') + "\"\n"),
              ElementsAre(HasSubstr("has 65 bytes; at most 64 are allowed")));
  EXPECT_THAT(problems("[identity]\nname = \"a\\u001bb\"\n"),
              ElementsAre("config.toml:2:8: identity.name: \"a\\x1bb\" has control characters in it"));
  EXPECT_THAT(problems("[identity]\nskills = [\"\"]\n"), ElementsAre(HasSubstr("\"\" is empty")));
}

// --- contradictions ---

TEST(ConfigLoad, OfferRelayNeedsEnableRelay) {
  EXPECT_THAT(
      problems("[transport]\noffer_relay = true\n"),
      ElementsAre("config.toml:2:15: transport.offer_relay: needs transport.enable_relay = true; set both, or take "
                  "offer_relay out"));
  EXPECT_THAT(problems("[transport]\noffer_relay = true\nenable_relay = true\n"), IsEmpty());
  // One mistake, one problem.
  EXPECT_THAT(problems("[transport]\noffer_relay = true\nenable_relay = \"yes\"\n"),
              ElementsAre(HasSubstr("transport.enable_relay: expected true or false")));
}

TEST(ConfigLoad, EntriesThatStandTwice) {
  EXPECT_THAT(problems("[network]\nbootstrap = [\"192.0.2.1:1\", \"192.0.2.1:1\"]\n"),
              ElementsAre("config.toml:2:29: network.bootstrap: \"192.0.2.1:1\" stands here twice"));
  EXPECT_THAT(problems("[plugins]\nenabled = [\"a\", \"b\", \"a\"]\n"),
              ElementsAre(HasSubstr("\"a\" stands here twice")));
}

TEST(ConfigLoad, BindTakesOneAddressOfAKind) {
  EXPECT_THAT(problems("[network]\nbind = [\"0.0.0.0\", \"127.0.0.1\"]\n"),
              ElementsAre(HasSubstr("\"0.0.0.0\" and \"127.0.0.1\" are both IPv4")));
  EXPECT_THAT(problems("[network]\nbind = []\n"), ElementsAre(HasSubstr("network.bind: is empty")));
}

TEST(ConfigLoad, SoftBudgetComesFirst) {
  EXPECT_THAT(
      problems("[plugins]\nsoft_budget = \"2s\"\n"),
      ElementsAre("config.toml:2:15: plugins.soft_budget: is longer than plugins.hard_budget (1s); the soft budget "
                  "comes first"));
}

// --- plugins ---

TEST(ConfigLoad, PluginTablesAreFlattened) {
  const Loaded loaded = parse(R"([plugins.bootstrap]
capacity = 10
allow = true
[plugins.bootstrap.pages]
size = 1.5
names = ["a", "b"]
[plugins."org.example.thing"]
mode = "x"
)",
                              "config.toml");
  ASSERT_THAT(loaded.problems, IsEmpty());
  const auto& bootstrap = loaded.config.plugin_tables.at("bootstrap");
  EXPECT_EQ(std::get<std::int64_t>(bootstrap.at("capacity").value), 10);
  EXPECT_EQ(bootstrap.at("capacity").line, 2u);
  EXPECT_EQ(bootstrap.at("capacity").column, 12u);
  EXPECT_EQ(std::get<bool>(bootstrap.at("allow").value), true);
  EXPECT_EQ(std::get<double>(bootstrap.at("pages.size").value), 1.5);
  EXPECT_THAT(std::get<std::vector<std::string>>(bootstrap.at("pages.names").value), ElementsAre("a", "b"));
  EXPECT_EQ(std::get<std::string>(loaded.config.plugin_tables.at("org.example.thing").at("mode").value), "x");
  EXPECT_EQ(loaded.config.places.at("plugins.bootstrap"), std::pair(1u, 10u));
}

TEST(ConfigLoad, PluginTablesThatCannotBeRead) {
  EXPECT_THAT(problems("[plugins.Relay]\n"), ElementsAre(HasSubstr("is no plugin id: only a-z")));
  EXPECT_THAT(problems("[plugins.x]\na = [1, 2]\n"),
              ElementsAre("config.toml:2:6: plugins.x.a: expected an array of texts, found the integer 1 in it"));
  EXPECT_THAT(problems("[plugins.x]\na = 2024-01-01\n"), ElementsAre(HasSubstr("found a date or time")));
  EXPECT_THAT(problems("[plugins.x]\n\"a.b\" = 1\n"), ElementsAre(HasSubstr("must not be empty or have a dot in it")));
  EXPECT_THAT(problems("[plugins]\nqueue_mesages = 5\n"),
              ElementsAre("config.toml:2:1: plugins.queue_mesages: unknown key; did you mean plugins.queue_messages?"));
  EXPECT_THAT(problems("[plugins]\nsearch = [\"plugins\"]\n"), ElementsAre(HasSubstr("is a relative path")));
  EXPECT_THAT(problems("[plugins]\nenabled = [\"Re lay\"]\n"), ElementsAre(HasSubstr("is no plugin id")));
}

TEST(ConfigLoad, PluginTablesThatNobodyReads) {
  EXPECT_THAT(problems("[plugins.discovry]\n"),
              ElementsAre("config.toml:1:10: [plugins.discovry]: no plugin of this name is enabled; did you mean "
                          "[plugins.discovery]?"));
  EXPECT_THAT(problems("[plugins]\nenabled = [\"org.example.thing\"]\n[plugins.org.example.thing]\nx = 1\n"),
              ElementsAre(HasSubstr("write [plugins.\"org.example.thing\"]")));
  // The table of a plugin that is switched off may stay.
  EXPECT_THAT(problems("[plugins.relay]\nmax_sessions = 1\n"), IsEmpty());
}

// --- all at once ---

TEST(ConfigLoad, AllProblemsInTheOrderOfTheFile) {
  const auto found =
      problems("[transport]\noffer_relay = true\nmax_connections = 0\n[network]\nprot = 1\nport = true\n");
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_THAT(found[0], HasSubstr(":2:15: transport.offer_relay"));
  EXPECT_THAT(found[1], HasSubstr(":3:19: transport.max_connections"));
  EXPECT_THAT(found[2], HasSubstr(":5:1: network.prot: unknown key; did you mean network.port?"));
  EXPECT_THAT(found[3], HasSubstr(":6:8: network.port"));
}

TEST(ConfigLoad, ShowsAtMost100Problems) {
  std::string text = "[network]\n";
  for (int i = 0; i < 150; ++i) text += "key" + std::to_string(i) + " = 1\n";
  const auto found = problems(text);
  ASSERT_THAT(found, SizeIs(101));
  EXPECT_EQ(found.back(), "config.toml: and 50 more problems");
}

TEST(ConfigLoad, DamagedFilesGiveProblemsInsideTheFile) {
  const std::string good =
      slurp(kSeeds / "relay.toml") + "[plugins.\"a.b\"]\nx = [\"\"\"y\"\"\", 'z']\nt = { u = 1.5 }\n";
  ASSERT_THAT(problems(good), IsEmpty());
  const auto lines = static_cast<std::uint32_t>(std::count(good.begin(), good.end(), '\n'));
  base::SeededRandom random(7);
  std::size_t refused = 0;
  for (int round = 0; round < 3'000; ++round) {
    std::string text = good;
    for (std::uint64_t change = random.below(4) + 1; change > 0; --change) {
      const std::size_t at = random.below(text.size());
      if (random.below(3) == 0) {
        text.erase(at, random.below(8));
      } else {
        text[at] = "[]{}\"'.,=#\n\\\0\xff a1"[random.below(18)];
      }
      if (text.empty()) text = "\n";
    }
    const Loaded loaded = parse(text, "config.toml");
    refused += !loaded.problems.empty();
    for (const Problem& problem : loaded.problems) {
      ASSERT_LE(problem.line, lines + 6) << text;
      ASSERT_FALSE(problem.text.empty()) << text;
    }
    for (const Statement& statement : scan(text)) ASSERT_LE(statement.end, text.size()) << text;
  }
  EXPECT_GT(refused, 2'000u);
  EXPECT_LT(refused, 3'000u);
}

TEST(ConfigLoad, WhatAFileSaysIsEscaped) {
  EXPECT_THAT(problems("[\"a\\u001b[2Jb\"]\n"), ElementsAre(HasSubstr("[a\\x1b[2Jb]: unknown table")));
}

}  // namespace
}  // namespace atlas::config::test
