#include "host/plugin_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atlas::host {
namespace {

class PluginConfigTest : public ::testing::Test {
 protected:
  PluginConfigTest() { config.file = "config.toml"; }
  template <class T>
  void write(const std::string& key, T value, std::uint32_t line = 41, std::uint32_t column = 9) {
    config.plugin_tables["relay"][key] = {std::move(value), line, column};
  }
  std::vector<std::string> problems(const PluginConfig& reader) {
    std::vector<std::string> out;
    for (const auto& problem : reader.problems()) out.push_back(problem.to_string());
    return out;
  }
  config::Config config;
};

using Texts = std::vector<std::string>;

TEST_F(PluginConfigTest, ValuesAndDefaults) {
  write("offer", true);
  write("max_sessions", std::int64_t{64});
  write("idle", std::string("1500ms"));
  write("name", std::string("north"));
  write("regions", Texts{"a", "b"});
  PluginConfig reader(&config, "relay");
  EXPECT_TRUE(reader.boolean("offer", false, ""));
  EXPECT_FALSE(reader.boolean("absent", false, ""));
  EXPECT_EQ(reader.integer("max_sessions", 10, 1, 100, ""), 64);
  EXPECT_EQ(reader.integer("absent.too", 10, 1, 100, ""), 10);
  EXPECT_EQ(reader.millis("idle", 60'000, 1, 3'600'000, ""), 1'500u);
  EXPECT_EQ(reader.text("name", "south", ""), "north");
  ASSERT_NE(reader.texts("regions", ""), nullptr);
  EXPECT_THAT(*reader.texts("regions", ""), ::testing::ElementsAre("a", "b"));
  EXPECT_EQ(reader.texts("none", ""), nullptr);
  reader.report_unknown();
  EXPECT_TRUE(reader.problems().empty());
}

TEST_F(PluginConfigTest, APinIsSixtyFourDigits) {
  const std::string pin = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
  write("sha256", pin);
  PluginConfig reader(&config, "relay");
  EXPECT_EQ(reader.pin(), pin);
  reader.report_unknown();
  EXPECT_TRUE(reader.problems().empty());
  for (const std::string& bad : {pin.substr(1), pin + "0", "F" + pin.substr(1), std::string()}) {
    write("sha256", bad);
    PluginConfig wrong(&config, "relay");
    EXPECT_EQ(wrong.pin(), "");
    EXPECT_THAT(problems(wrong), ::testing::ElementsAre(::testing::HasSubstr("config.toml:41:9: plugins.relay.sha256")))
        << bad;
  }
}

TEST_F(PluginConfigTest, EveryBadValueIsReportedWithItsPlace) {
  write("max_sessions", std::int64_t{0});
  write("offer", std::string("yes"), 42, 1);
  write("idle", std::string("fast"), 43, 1);
  write("short", std::int64_t{0}, 44, 1);
  write("name", 1.5, 45, 1);
  write("regions", std::string("a"), 46, 1);
  PluginConfig reader(&config, "relay");
  EXPECT_EQ(reader.integer("max_sessions", 10, 1, 100'000, ""), 10);
  reader.boolean("offer", false, "");
  EXPECT_EQ(reader.millis("idle", 60'000, 1'000, 3'600'000, ""), 60'000u);
  reader.millis("short", 60'000, 1'000, 3'600'000, "");
  reader.text("name", "", "");
  reader.texts("regions", "");
  EXPECT_THAT(problems(reader),
              ::testing::ElementsAre(
                  "config.toml:41:9: plugins.relay.max_sessions = 0, expected 1..100000",
                  "config.toml:42:1: plugins.relay.offer = \"yes\", expected true or false",
                  "config.toml:43:1: plugins.relay.idle = \"fast\", expected seconds, or text such as \"1500ms\", "
                  "\"90s\", \"5m\", \"1h\"; 1s..1h",
                  "config.toml:44:1: plugins.relay.short = 0, expected 1s..1h",
                  "config.toml:45:1: plugins.relay.name = 1.5, expected a string",
                  "config.toml:46:1: plugins.relay.regions = \"a\", expected an array of strings"));
}

TEST_F(PluginConfigTest, UnknownKeysNameTheNearestOne) {
  write("max_sesions", std::int64_t{5}, 7, 3);
  write("zzz", true, 8, 3);
  PluginConfig reader(&config, "relay");
  reader.integer("max_sessions", 10, 1, 100, "");
  reader.report_unknown();
  EXPECT_THAT(problems(reader),
              ::testing::ElementsAre("config.toml:7:3: plugins.relay.max_sesions: unknown key; did you mean "
                                     "plugins.relay.max_sessions?",
                                     "config.toml:8:3: plugins.relay.zzz: unknown key"));
}

TEST_F(PluginConfigTest, RejectPointsAtTheValue) {
  write("low", std::int64_t{9}, 5, 2);
  PluginConfig reader(&config, "relay");
  reader.reject("low", "must be below high");
  reader.reject("absent", "is required");
  EXPECT_THAT(problems(reader), ::testing::ElementsAre("config.toml:5:2: plugins.relay.low = 9: must be below high",
                                                       "config.toml: plugins.relay.absent: is required"));
}

TEST_F(PluginConfigTest, KeysOfTheOperator) {
  write("replaces", std::string("bootstrap"));
  write("on_fault", std::string("stop-node"));
  PluginConfig reader(&config, "relay");
  EXPECT_THAT(reader.replaces(), ::testing::ElementsAre("bootstrap"));
  EXPECT_TRUE(reader.stop_node_on_fault());
  reader.report_unknown();
  EXPECT_TRUE(reader.problems().empty());
  EXPECT_TRUE(reader.keys().empty());  // they are not the plugin's
  write("replaces", Texts{"bootstrap", "king"});
  write("on_fault", std::string("explode"));
  PluginConfig wrong(&config, "relay");
  wrong.replaces();
  EXPECT_FALSE(wrong.stop_node_on_fault());
  EXPECT_EQ(wrong.problems().size(), 2u);
}

TEST_F(PluginConfigTest, KeysDescribeThemselves) {
  PluginConfig reader(nullptr, "relay");
  reader.integer("max_sessions", 10, 1, 100, "Sessions at once.");
  reader.millis("idle", 90'000, 1'000, 3'600'000, "");
  reader.text("name", "north", "");
  reader.integer("any", 1, INT64_MIN, INT64_MAX, "");
  ASSERT_EQ(reader.keys().size(), 4u);
  EXPECT_EQ(reader.keys()[0].key, "max_sessions");
  EXPECT_EQ(reader.keys()[0].type, "integer");
  EXPECT_EQ(reader.keys()[0].fallback, "10");
  EXPECT_EQ(reader.keys()[0].bounds, "1..100");
  EXPECT_EQ(reader.keys()[0].doc, "Sessions at once.");
  EXPECT_EQ(reader.keys()[1].fallback, "\"90s\"");
  EXPECT_EQ(reader.keys()[1].bounds, "1s..1h");
  EXPECT_EQ(reader.keys()[2].fallback, "\"north\"");
}

TEST(Durations, TextForms) {
  EXPECT_EQ(parse_millis("1500ms"), 1'500u);
  EXPECT_EQ(parse_millis("90s"), 90'000u);
  EXPECT_EQ(parse_millis("5m"), 300'000u);
  EXPECT_EQ(parse_millis("1h"), 3'600'000u);
  for (const char* bad :
       {"", "s", "5", "-5s", "5 s", "1.5s", "5d", "5ss", "18446744073709551615h", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_millis(bad)) << bad;
  }
  EXPECT_EQ(millis_text(0), "0s");
  EXPECT_EQ(millis_text(60'000), "1m");
  EXPECT_EQ(millis_text(61'000), "61s");
  EXPECT_EQ(millis_text(1'500), "1500ms");
}

}  // namespace
}  // namespace atlas::host
