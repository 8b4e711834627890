#include "cli/display.h"

#include <gtest/gtest.h>

namespace atlas::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

std::string shown(const char* json, Format format, bool short_ids = false) {
  return shown_value(Json::parse(json), format, {kNow, short_ids});
}

TEST(Display, ReadsASpec) {
  const auto columns = parse_display("node_id:id=Node, last_seen:ago , rtt_ms.avg:ms=round trip,name,,odd:unheard");
  ASSERT_EQ(columns.size(), 5u);
  EXPECT_EQ(columns[0].key, "node_id");
  EXPECT_EQ(columns[0].format, Format::kId);
  EXPECT_EQ(columns[0].header, "Node");
  EXPECT_EQ(columns[1].format, Format::kAgo);
  EXPECT_EQ(columns[1].header, "last seen");
  EXPECT_EQ(columns[2].key, "rtt_ms.avg");
  EXPECT_EQ(columns[2].header, "round trip");
  EXPECT_EQ(columns[3].key, "name");
  EXPECT_EQ(columns[4].format, Format::kText);
  EXPECT_TRUE(parse_display("").empty());
}

TEST(Display, ShortensNodeIdsOnlyWhereAsked) {
  const std::string id = "atlas_" + std::string(64, 'a');
  EXPECT_EQ(shown(('"' + id + '"').c_str(), Format::kId, true), "atlas_aaaaaaaa…");
  EXPECT_EQ(shown(('"' + id + '"').c_str(), Format::kId, false), id);
  EXPECT_EQ(shown("\"msg_0123456789abcdef\"", Format::kId, true), "msg_0123456789abcdef");
}

TEST(Display, TellsTimesBySizeAndDirection) {
  const auto ago = [](std::int64_t s) { return shown_value(Json(kNow - s), Format::kAgo, {kNow, false}); };
  EXPECT_EQ(ago(0), "now");
  EXPECT_EQ(ago(59), "59 s ago");
  EXPECT_EQ(ago(60), "1 min ago");
  EXPECT_EQ(ago(3600), "1 h ago");
  EXPECT_EQ(ago(7500), "2 h 5 min ago");
  EXPECT_EQ(ago(90000), "1 d 1 h ago");
  EXPECT_EQ(ago(-600), "in 10 min");
  EXPECT_EQ(shown("0", Format::kAgo), "-");
  EXPECT_EQ(shown("125", Format::kSpan), "2 min");
}

TEST(Display, AgoTakesAnyTimeAPeerSupplies) {
  EXPECT_TRUE(shown("9223372036854775807", Format::kAgo).starts_with("in "));
  EXPECT_TRUE(shown("-9223372036854775808", Format::kAgo).ends_with(" ago"));
}

TEST(Display, NumbersHaveUnits) {
  EXPECT_EQ(shown("0.1234", Format::kMs), "0.12 ms");
  EXPECT_EQ(shown("12.34", Format::kMs), "12.3 ms");
  EXPECT_EQ(shown("250", Format::kMs), "250 ms");
  EXPECT_EQ(shown("1023", Format::kBytes), "1023 B");
  EXPECT_EQ(shown("1536", Format::kBytes), "1.5 KiB");
  EXPECT_EQ(shown("5368709120", Format::kBytes), "5.0 GiB");
  EXPECT_EQ(shown("18446744073709551615", Format::kText), "18446744073709551615");
}

TEST(Display, EveryKindOfValueHasAText) {
  EXPECT_EQ(shown("null", Format::kText), "-");
  EXPECT_EQ(shown("\"\"", Format::kText), "-");
  EXPECT_EQ(shown("true", Format::kText), "yes");
  EXPECT_EQ(shown("[]", Format::kList), "-");
  EXPECT_EQ(shown("[\"a\",2]", Format::kList), "a, 2");
  EXPECT_EQ(shown("[{\"id\":\"relay\",\"state\":\"up\"},{\"id\":\"discovery\"}]", Format::kList), "relay, discovery");
  EXPECT_EQ(shown("[{\"node_id\":\"bob\",\"path\":\"relay (why)\",\"reason\":\"no_answer\"},"
                  "{\"node_id\":\"carol\",\"path\":\"direct\",\"reason\":null}]",
                  Format::kList),
            "bob relay (why), carol direct");
  EXPECT_EQ(shown("{\"a\":1}", Format::kText), "{\"a\":1}");
}

TEST(Display, ColumnsThatShowNothingAreLeftOut) {
  const auto columns = parse_display("id, outcome, reason, rtt.avg");
  const auto used = [&](const char* rows) {
    std::string out;
    for (const Column& column : columns_in_use(columns, Json::parse(rows).get<std::vector<Json>>())) {
      out += column.key + ' ';
    }
    return out;
  };
  EXPECT_EQ(used(R"([{"id":"a","reason":""},{"id":"b","reason":null}])"), "id ");
  EXPECT_EQ(used(R"([{"id":"a"},{"id":"b","reason":"c","rtt":{"avg":0}}])"), "id reason rtt.avg ");
  EXPECT_EQ(used(R"([{"other":1}])"), "id outcome reason rtt.avg ");
  EXPECT_EQ(used(R"(["scalar"])"), "id outcome reason rtt.avg ");
}

TEST(Display, FindsKeysInsideObjects) {
  const Json row = Json::parse(R"({"rtt_ms":{"avg":1.5},"a.b":7})");
  EXPECT_EQ(cell(row, {"rtt_ms.avg", Format::kMs, ""}, {}), "1.50 ms");
  EXPECT_EQ(cell(row, {"a.b", Format::kText, ""}, {}), "7");
  EXPECT_EQ(cell(row, {"rtt_ms.max", Format::kMs, ""}, {}), "-");
  EXPECT_EQ(cell(row, {"a.b.c", Format::kText, ""}, {}), "-");
}

TEST(Display, NothingAPeerSaysSteersTheTerminal) {
  EXPECT_EQ(terminal_safe("a\x1b[2Jb\r\n"), "a\\x1b[2Jb\\x0d\\x0a");
  EXPECT_EQ(terminal_safe("\xc2\x9b"
                          "31m"),
            "\\xc2\\x9b31m");  // C1 CSI
  EXPECT_EQ(terminal_safe("a\xe2\x80\xae"
                          "b"),
            "a\\u202eb");                               // right-to-left override
  EXPECT_EQ(terminal_safe("\xe2\x80\xa8"), "\\u2028");  // line separator
  EXPECT_EQ(terminal_safe("\xff"), "\\xff");
  EXPECT_EQ(terminal_safe("größe 中"), "größe 中");
}

TEST(Display, NothingInvisibleIsShownAsItIs) {
  const auto shown_as = [](std::string_view text, std::string_view expected) {
    EXPECT_EQ(terminal_safe(std::string("a") + std::string(text) + "b"), "a" + std::string(expected) + "b");
  };
  shown_as("\u00ad", "\\u00ad");
  shown_as("\u061c", "\\u061c");
  shown_as("\u180e", "\\u180e");
  shown_as("\u200b", "\\u200b");
  shown_as("\u200f", "\\u200f");
  shown_as("\u202e", "\\u202e");
  shown_as("\u2060", "\\u2060");
  shown_as("\u2064", "\\u2064");
  shown_as("\u2066", "\\u2066");
  shown_as("\u206f", "\\u206f");
  shown_as("\u3164", "\\u3164");
  shown_as("\ufeff", "\\ufeff");
  shown_as("\U000e0000", "\\U000e0000");
  shown_as("\U000e0041", "\\U000e0041");
  shown_as("\U000e007f", "\\U000e007f");
  // Neighbours that can be seen.
  for (const char* text : {"\u00ae", "\u2010", "\u2027", "\u2030", "\u3163", "\u3165"}) shown_as(text, text);
}

TEST(Display, LinesStayLines) {
  EXPECT_EQ(safe_lines("a\u202e\nb\x1b\n"), "a\\u202e\nb\\x1b");
}

TEST(Display, WidthIsInColumns) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("größe"), 5u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);
  EXPECT_EQ(display_width("中文"), 4u);
  EXPECT_EQ(cut_to_width("größer", 4), "grö…");
  EXPECT_EQ(cut_to_width("中文字", 4), "中…");
  EXPECT_EQ(cut_to_width("short", 5), "short");
}

}  // namespace
}  // namespace atlas::cli
