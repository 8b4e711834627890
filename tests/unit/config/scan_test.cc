#include "config/scan.h"

#include <gmock/gmock.h>

namespace atlas::config {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

std::string value_of(std::string_view text, const Statement& statement) {
  return std::string(text.substr(statement.value_begin, statement.value_end - statement.value_begin));
}

TEST(Scan, FindsHeadersKeysAndValues) {
  const std::string_view text =
      "# top\n a.\"b c\" = 1 # one\n\n[ t . u ]\r\nkey='#]\"'   \n[[arr]]\nx = {y = [1, \"]}\"]} \nz=1";
  const auto found = scan(text);
  ASSERT_THAT(found, SizeIs(6));
  EXPECT_THAT(found[0].path, ElementsAre("a", "b c"));
  EXPECT_EQ(value_of(text, found[0]), "1");
  EXPECT_EQ(text.substr(found[0].begin, 1), "a");
  EXPECT_EQ(text.substr(found[0].end, 2), "\n[");
  EXPECT_EQ(found[1].kind, Statement::Kind::kTable);
  EXPECT_THAT(found[1].path, ElementsAre("t", "u"));
  EXPECT_EQ(value_of(text, found[2]), "'#]\"'");
  EXPECT_THAT(found[2].table, ElementsAre("t", "u"));
  EXPECT_EQ(found[3].kind, Statement::Kind::kArrayTable);
  EXPECT_EQ(value_of(text, found[4]), "{y = [1, \"]}\"]}");
  EXPECT_EQ(value_of(text, found[5]), "1");
  EXPECT_EQ(found[5].end, text.size());
}

TEST(Scan, StringsOfEveryKind) {
  const std::string_view text =
      "a = \"\"\"\n[x]\nb = 1 \\\"\"\" \"\"\"\"\"\nc = '''\n[y]\n''''\nd = \"\\\"#\"\ne = [ # ] comment\n  1,\n]\n";
  const auto found = scan(text);
  ASSERT_THAT(found, SizeIs(4));
  EXPECT_EQ(value_of(text, found[0]), "\"\"\"\n[x]\nb = 1 \\\"\"\" \"\"\"\"\"");
  EXPECT_EQ(value_of(text, found[1]), "'''\n[y]\n''''");
  EXPECT_EQ(value_of(text, found[2]), "\"\\\"#\"");
  EXPECT_EQ(value_of(text, found[3]), "[ # ] comment\n  1,\n]");
}

TEST(Scan, GarbageEnds) {
  for (const std::string_view text : {"[", "[[", "a", "a =", "a = \"", "a = \"\"\"", "a = [", "\"", "'''", "= =", "]",
                                      "a = {", "\xef\xbb\xbf", "a = \"\\", "a.b.", "."}) {
    for (const Statement& statement : scan(text)) {
      EXPECT_LE(statement.value_end, text.size()) << text;
      EXPECT_LE(statement.end, text.size()) << text;
    }
    EXPECT_EQ(too_deep(text), std::nullopt) << text;
  }
}

TEST(Scan, PlacesCountCharacters) {
  const std::string_view text =
      "\xef\xbb\xbf"
      "a = \"ë\" # x\nb";
  const Place hash = place_of(text, text.find('#'));
  EXPECT_EQ(hash.line, 1u);
  EXPECT_EQ(hash.column, 9u);
  EXPECT_EQ(place_of(text, text.size()).line, 2u);
  EXPECT_EQ(place_of(text, text.size()).column, 2u);
}

TEST(Scan, DepthDoesNotCountWhatStringsAndCommentsHold) {
  const std::string deep(40, '[');
  EXPECT_EQ(too_deep("a = \"" + deep + "\"\n# " + deep + "\nb = '" + deep + "'\nc = \"\"\"\n" + deep + "\"\"\""),
            std::nullopt);
  EXPECT_EQ(too_deep("a = [" + std::string(15, '[') + std::string(16, ']')), std::nullopt);
  EXPECT_NE(too_deep("a = [" + std::string(16, '[') + std::string(17, ']')), std::nullopt);
  EXPECT_EQ(too_deep("a = [1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5]"),
            std::nullopt);
}

}  // namespace
}  // namespace atlas::config
