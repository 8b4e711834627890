// Hex both ways, comparison and wiping.
#include "base/bytes.h"

#include <gtest/gtest.h>

namespace atlas::base {
namespace {

TEST(Hex, EveryByteReadsBack) {
  Bytes all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<std::uint8_t>(i));
  const std::string text = to_hex(all);
  EXPECT_EQ(text.size(), 512u);
  EXPECT_EQ(text.substr(0, 8), "00010203");
  EXPECT_EQ(text.substr(504), "fcfdfeff");
  EXPECT_EQ(from_hex(text), all);
}

TEST(Hex, UpperCaseIsReadAndLowerCaseWritten) {
  EXPECT_EQ(from_hex("DEADbeef"), (Bytes{0xde, 0xad, 0xbe, 0xef}));
  EXPECT_EQ(to_hex(Bytes{0xde, 0xad}), "dead");
  EXPECT_EQ(from_hex(""), Bytes{});
  EXPECT_EQ(to_hex({}), "");
}

TEST(Hex, AnythingElseGivesNothing) {
  for (const std::string_view text : {"a", "abc", "0g", "g0", " 0", "0x", "/0", ":0", "@0", "G0", "`0"}) {
    EXPECT_FALSE(from_hex(text)) << text;
  }
  EXPECT_FALSE(from_hex(std::string_view("0\0", 2)));
}

TEST(ConstantTime, ComparesContentsAndLength) {
  const Bytes one = {1, 2, 3};
  EXPECT_TRUE(equal_constant_time(one, Bytes{1, 2, 3}));
  EXPECT_FALSE(equal_constant_time(one, Bytes{1, 2, 4}));
  EXPECT_FALSE(equal_constant_time(one, Bytes{0, 2, 3}));
  EXPECT_FALSE(equal_constant_time(one, Bytes{1, 2}));
  EXPECT_FALSE(equal_constant_time(one, Bytes{1, 2, 3, 0}));
  EXPECT_TRUE(equal_constant_time({}, {}));
}

TEST(Wipe, LeavesZeros) {
  Bytes secret(100, 0x5a);
  wipe(MutableBytes(secret).first(99));
  EXPECT_EQ(secret[0], 0);
  EXPECT_EQ(secret[98], 0);
  EXPECT_EQ(secret[99], 0x5a) << "and touches nothing else";
}

TEST(Views, TextAndBytesAreTheSameMemory) {
  const std::string_view text = "h\xc3\xa9";
  const ByteView view = as_bytes(text);
  EXPECT_EQ(view.size(), 3u);
  EXPECT_EQ(view[1], 0xc3);
  EXPECT_EQ(as_text(view).data(), text.data());
}

}  // namespace
}  // namespace atlas::base
