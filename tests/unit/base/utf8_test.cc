// Strict UTF-8: the ends of every range of RFC 3629, from both sides.
#include "base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace atlas::base {
namespace {

std::string encoded(std::uint32_t code) {
  std::string out;
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6), put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
  } else {
    put(0xf0 | code >> 18), put(0x80 | (code >> 12 & 63)), put(0x80 | (code >> 6 & 63)), put(0x80 | (code & 63));
  }
  return out;
}

TEST(Utf8, EveryCharacterAndNoSurrogate) {
  for (std::uint32_t code = 0; code <= 0x10ffff; ++code) {
    const std::string text = encoded(code);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    ASSERT_EQ(utf8_length(text), surrogate ? 0 : text.size()) << std::hex << code;
  }
  EXPECT_EQ(utf8_length(encoded(0x110000)), 0u);
}

TEST(Utf8, EveryPairOfBytesThatIsNoCharacter) {
  for (int first = 0x80; first < 0x100; ++first) {
    for (int second = 0; second < 0x100; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const bool good = first >= 0xc2 && first <= 0xdf && second >= 0x80 && second <= 0xbf;
      ASSERT_EQ(is_utf8(text), good) << first << " " << second;
    }
  }
}

TEST(Utf8, OverlongAndCutOffAreRefused) {
  for (const std::string& text :
       {std::string("\xc0\x80"), std::string("\xc1\xbf"), std::string("\xe0\x80\x80"), std::string("\xe0\x9f\xbf"),
        std::string("\xf0\x80\x80\x80"), std::string("\xf0\x8f\xbf\xbf"), std::string("\xf8\x88\x80\x80\x80"),
        std::string("\xe2\x82"), std::string("\xf0\x9f\x98"), std::string("\xff")}) {
    EXPECT_FALSE(is_utf8(text));
    EXPECT_FALSE(is_utf8("ok " + text));
    EXPECT_FALSE(is_utf8(text + "ok"));
  }
}

TEST(Utf8, MixedTextAndEmptyText) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_EQ(utf8_length(""), 0u);
  EXPECT_TRUE(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace atlas::base
