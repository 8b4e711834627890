// Durations, addresses, ids, and how values are written in TOML.
#include "config/values.h"

#include <gtest/gtest.h>

#include "config/schema.h"

namespace atlas::config {
namespace {

TEST(Durations, Parse) {
  EXPECT_EQ(parse_duration("1500ms"), 1500);
  EXPECT_EQ(parse_duration("90s"), 90'000);
  EXPECT_EQ(parse_duration("5m"), 300'000);
  EXPECT_EQ(parse_duration("1h"), 3'600'000);
  EXPECT_EQ(parse_duration("2d"), 172'800'000);
  EXPECT_EQ(parse_duration("0s"), 0);
  for (const char* bad : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5S", "5sec", "1h30m", "1.5h", "0x5s",
                          "9223372036854775807h", "99999999999999999999s"}) {
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
  }
}

TEST(Durations, TextIsTheShortestAndParsesBack) {
  EXPECT_EQ(duration_text(0), "0ms");
  EXPECT_EQ(duration_text(5), "5ms");
  EXPECT_EQ(duration_text(1000), "1s");
  EXPECT_EQ(duration_text(90'000), "90s");
  EXPECT_EQ(duration_text(600'000), "10m");
  EXPECT_EQ(duration_text(86'400'000), "1d");
  for (const std::int64_t span : {0L, 1L, 999L, 1000L, 61'000L, 3'600'001L, 7'200'000L}) {
    EXPECT_EQ(parse_duration(duration_text(span)), span);
  }
}

TEST(Addresses, IpAndPortOnly) {
  for (const char* good : {"192.0.2.1:4433", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:65535", "0.0.0.0:1"}) {
    EXPECT_EQ(address_fault(good), "") << good;
  }
  for (const char* bad : {"",
                          ":",
                          "192.0.2.1",
                          "192.0.2.1:",
                          "192.0.2.1:0",
                          "192.0.2.1:65536",
                          "192.0.2.1:+1",
                          "192.0.2.1: 1",
                          "192.0.2.1:1x",
                          "192.0.2.1:000001",
                          "192.0.2:1",
                          "192.0.2.256:1",
                          "0192.0.2.1:1",
                          "[192.0.2.1]:1",
                          "2001:db8::1:4433",
                          "2001:db8::1",
                          "[2001:db8::1]",
                          "[2001:db8::1",
                          "[fe80::1%eth0]:1",
                          "localhost:1",
                          "[]:1",
                          "a:1",
                          " 192.0.2.1:1",
                          "192.0.2.1:1 "}) {
    EXPECT_NE(address_fault(bad), "") << bad;
  }
}

TEST(Addresses, Version) {
  EXPECT_EQ(ip_version("127.0.0.1"), 4);
  EXPECT_EQ(ip_version("::"), 6);
  EXPECT_EQ(ip_version("[::]"), 0);
  EXPECT_EQ(ip_version(std::string_view("127.0.0.1\0x", 11)), 0);
}

TEST(PluginIds, Characters) {
  EXPECT_EQ(plugin_id_fault("org.example.thing-2_x"), "");
  EXPECT_EQ(plugin_id_fault(std::string(64, 'a')), "");
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("A"), std::string("a/b"),
                                 std::string("a b"), std::string("ä")}) {
    EXPECT_NE(plugin_id_fault(bad), "") << bad;
  }
}

TEST(Toml, Quoting) {
  EXPECT_EQ(toml_quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(toml_quoted("a\nb\tc\x1b\x7f"), R"("a\nb\tc\u001B\u007F")");
  EXPECT_EQ(toml_quoted("Zoë"), "\"Zoë\"");
  EXPECT_EQ(toml_array({}), "[]");
  EXPECT_EQ(toml_array({"a", "b\""}), R"(["a", "b\""])");
}

}  // namespace
}  // namespace atlas::config
