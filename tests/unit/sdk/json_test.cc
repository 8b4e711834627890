// JSON text: the writer's escapes, and conversion both ways against nlohmann's parser.
#include "atlas/json.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace {

using atlas::json::from_msgpack;
using atlas::json::to_msgpack;
using atlas::msgpack::Writer;
using Blob = std::vector<std::uint8_t>;

TEST(JsonWriter, EscapesWhatMustBe) {
  EXPECT_EQ(atlas::json::quote("a\"b\\c\n\r\t\b\f\x01\x1f\x7f/"), R"("a\"b\\c\n\r\t\b\f\u0001\u001f\u007f/")");
  EXPECT_EQ(atlas::json::quote("h\xc3\xa9 \xf0\x9f\x98\x80"), "\"h\xc3\xa9 \xf0\x9f\x98\x80\"");
  EXPECT_EQ(atlas::json::quote("\xff\xc3x\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(atlas::json::quote(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonWriter, Objects) {
  atlas::json::Object out;
  out.text("t", "x").text("none", std::optional<std::string>()).integer("i", -5).integer("u", ~std::uint64_t{0});
  out.number("n", 0.12349).boolean("b", true).null("z").texts("l", std::vector<std::string>{"a", "b"});
  out.object("o", atlas::json::Object()).array("a", atlas::json::Array().raw("1").text("2"));
  EXPECT_EQ(out.str(),
            R"({"t":"x","none":null,"i":-5,"u":18446744073709551615,"n":0.123,"b":true,"z":null,"l":["a","b"],)"
            R"("o":{},"a":[1,"2"]})");
  EXPECT_TRUE(nlohmann::json::accept(out.str()));
}

TEST(JsonWriter, NumbersThatJsonLacksAreNull) {
  atlas::json::Object out;
  out.number("inf", std::numeric_limits<double>::infinity()).number("nan", std::nan(""));
  EXPECT_EQ(out.str(), R"({"inf":null,"nan":null})");
}

TEST(JsonFromMsgpack, EveryKind) {
  Writer out;
  out.map(9).text("nil").nil().text("yes").boolean(true).text("i").integer(-7);
  out.text("u").integer(~std::uint64_t{0}).text("f").f64(1).text("single").raw(Blob{0xca, 0x3d, 0xcc, 0xcc, 0xcd});
  out.text("bin").bin(Blob{0, 1, 2, 3}).text("list").array(2).array(0).map(0).text("ext").raw(Blob{0xd4, 0xff, 1});
  EXPECT_EQ(from_msgpack(out.bytes()).value(),
            R"({"nil":null,"yes":true,"i":-7,"u":18446744073709551615,"f":1.0,"single":0.1,"bin":"AAECAw==",)"
            R"("list":[[],{}],"ext":{"type":-1,"data":"AQ=="}})");
}

TEST(JsonFromMsgpack, KeysThatAreNoText) {
  Writer out;
  out.map(5).integer(1).nil().boolean(false).nil().nil().nil().bin(Blob{1}).nil().raw(Blob{0xd4, 1, 2}).nil();
  EXPECT_EQ(from_msgpack(out.bytes()).value(), R"({"1":null,"false":null,"null":null,"AQ==":null,"1AEC":null})");
}

TEST(JsonFromMsgpack, RefusesWhatCheckRefuses) {
  EXPECT_FALSE(from_msgpack(Blob{}));
  EXPECT_FALSE(from_msgpack(Blob{0x91}));
  EXPECT_FALSE(from_msgpack(Blob{0xc0, 0xc0}));
  EXPECT_FALSE(from_msgpack(Blob(20, 0x91)));
}

TEST(JsonBase64, Vectors) {  // RFC 4648, section 10
  const std::pair<const char*, const char*> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [in, expected] : cases) {
    std::string out;
    atlas::json::base64(out, {reinterpret_cast<const std::uint8_t*>(in), std::strlen(in)});
    EXPECT_EQ(out, expected);
  }
}

TEST(JsonToMsgpack, AcceptsWhatRfc8259Allows) {
  for (const char* text : {"null",
                           "true",
                           "false",
                           "0",
                           "-0",
                           "1",
                           "-1",
                           "1.5",
                           "-1.5e3",
                           "1E+2",
                           "1e-2",
                           "9223372036854775807",
                           "-9223372036854775808",
                           "18446744073709551615",
                           "18446744073709551616",
                           "\"\"",
                           "\"a\"",
                           "[]",
                           "{}",
                           " [ 1 , 2 ] ",
                           "\t{\r\n\"a\" : [ { } ] }",
                           R"("\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000")",
                           "[[[]]]",
                           R"({"a":1,"b":{"a":1}})",
                           "1e308",
                           "0.1",
                           "[1,[2,[3]],{\"k\":[4]}]"}) {
    const auto packed = to_msgpack(text);
    ASSERT_TRUE(packed) << text;
    EXPECT_EQ(atlas::msgpack::check(*packed), atlas::msgpack::Fault::kNone);
    EXPECT_EQ(nlohmann::json::from_msgpack(*packed), nlohmann::json::parse(text)) << text;
    const auto back = from_msgpack(*packed);
    EXPECT_EQ(nlohmann::json::parse(*back), nlohmann::json::parse(text)) << *back;
  }
}

TEST(JsonToMsgpack, RefusesTheRest) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nulll",
                           "True",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "-",
                           "--1",
                           "0x1",
                           "NaN",
                           "Infinity",
                           "1e309",
                           "[",
                           "]",
                           "[1",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{1:1}",
                           "{\"a\":1 \"b\":2}",
                           "\"",
                           "\"a",
                           "'a'",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\u12g4\"",
                           "\"\\ud83d\"",
                           "\"\\ud83dx\"",
                           "\"\\ud83d\\u0041\"",
                           "\"\\ude00\"",
                           "\"\n\"",
                           "\"\t\"",
                           "\"\xff\"",
                           "1 2",
                           "[]]",
                           "{}{}",
                           "// x\n1",
                           "[1]//",
                           "\"\\u-123\""}) {
    EXPECT_FALSE(to_msgpack(text)) << text;
  }
  EXPECT_FALSE(to_msgpack(std::string_view("1\0", 2)));
  EXPECT_FALSE(to_msgpack(R"({"a":1,"a":2})"));
  EXPECT_FALSE(to_msgpack(R"({"a":1,"\u0061":2})"));
  EXPECT_FALSE(to_msgpack(R"([{"x":{"a":1,"b":2,"a":3}}])"));
}

TEST(JsonToMsgpack, Depth) {
  for (std::uint32_t depth = 1; depth < 30; ++depth) {
    const std::string text = std::string(depth, '[') + std::string(depth, ']');
    EXPECT_EQ(to_msgpack(text).has_value(), depth <= 16) << depth;
    EXPECT_EQ(to_msgpack(text, 15).has_value(), depth <= 15) << depth;
  }
  EXPECT_FALSE(to_msgpack(std::string(4'000'000, '[')));
  EXPECT_FALSE(to_msgpack(std::string(4'000'000, '['), 1'000'000));
}

TEST(JsonToMsgpack, ContainersOfEverySize) {
  for (const std::size_t size : {1u, 15u, 16u, 300u, 65'535u, 65'536u, 70'000u}) {
    std::string list = "[0", map = "{\"k\":[]";
    for (std::size_t i = 1; i < size; ++i) {
      list += ",1";
      map += ",\"" + std::to_string(i) + "\":{}";
    }
    const auto packed = to_msgpack(list + "]");
    ASSERT_TRUE(packed);
    EXPECT_EQ(atlas::msgpack::View(*packed).array().size(), size);
    const auto packed_map = to_msgpack(map + "}");
    ASSERT_TRUE(packed_map);
    EXPECT_EQ(atlas::msgpack::View(*packed_map).map().size(), size);
  }
}

}  // namespace
