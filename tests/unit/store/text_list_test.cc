// Lists of texts as JSON: what goes in comes out, and a row that a person broke reads as nothing.
#include "store/text_list.h"

#include <gtest/gtest.h>

namespace atlas::store {
namespace {

using Texts = std::vector<std::string>;

TEST(TextList, WritesPlainJson) {
  EXPECT_EQ(to_json({}), "[]");
  EXPECT_EQ(to_json({"summarise", "übersetzen"}), "[\"summarise\",\"übersetzen\"]");
  EXPECT_EQ(to_json({"a\"b\\c\n\x7f"}), "[\"a\\\"b\\\\c\\n\\u007f\"]");
}

TEST(TextList, EverythingComesBack) {
  std::string every_byte;
  for (int c = 1; c < 128; ++c) every_byte += static_cast<char>(c);
  for (const Texts& texts :
       {Texts{}, Texts{""}, Texts{"", ""}, Texts{every_byte, "\xf0\x9f\x8c\x8d", std::string(1, '\0')}}) {
    EXPECT_EQ(from_json(to_json(texts)), texts);
  }
}

TEST(TextList, ReadsWhatPeopleWrite) {
  EXPECT_EQ(from_json(" [ \"a\" ,\n\t\"b\" ] "), (Texts{"a", "b"}));
  EXPECT_EQ(from_json(R"(["\u00fc\/\b\f\n\r\t"])"), (Texts{"ü/\b\f\n\r\t"}));
  EXPECT_EQ(from_json(R"(["\ud83c\udf0d\uFFFD"])"), (Texts{"\xf0\x9f\x8c\x8d\xef\xbf\xbd"}));
}

TEST(TextList, RefusesWhatIsNoListOfTexts) {
  for (const char* json : {"",
                           "[",
                           "]",
                           "{}",
                           "null",
                           "\"a\"",
                           "[1]",
                           "[\"a\"",
                           "[\"a\",]",
                           "[,\"a\"]",
                           "[\"a\"]x",
                           "[\"a]",
                           "[\"\\x\"]",
                           "[\"\\u12\"]",
                           "[\"\\ud800\"]",
                           "[\"\\ud800\\u0041\"]",
                           "[\"\\udc00\"]",
                           "[\"\n\"]",
                           "[\"\xff\"]",
                           "[[\"a\"]]"}) {
    EXPECT_EQ(from_json(json), std::nullopt) << json;
  }
}

TEST(TextList, ReadsNoMoreThanItsBound) {
  EXPECT_EQ(from_json(to_json(Texts(1000, "x")))->size(), kMaxListItems);
}

}  // namespace
}  // namespace atlas::store
