#include "control/protocol.h"

#include <gtest/gtest.h>

namespace atlas::control {
namespace {

TEST(ControlProtocol, ARequestSurvivesTheWay) {
  const Request sent{"relay status", {{"target", "a\nb"}, {"--count", "4"}}, 12};
  const std::string line = to_line(sent);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto got = parse_request(line);
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->path, sent.path);
  EXPECT_EQ(got->args, sent.args);
  EXPECT_EQ(got->id, 12u);
}

TEST(ControlProtocol, BytesThatAreNoTextDoNotBreakARequest) {
  const auto got = parse_request(to_line(Request{"send", {{"body", "\xff\xfe"}}}));
  ASSERT_TRUE(got) << got.error().text;
  EXPECT_EQ(got->args.at("body"), "\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ControlProtocol, AnAnswerSurvivesTheWay) {
  const auto row = parse_answer(*json_line(1, AnswerKind::kRow, " { \"a b\" : [ 1 , \"\\\" x\" ] } "));
  ASSERT_TRUE(row);
  EXPECT_EQ(row->kind, AnswerKind::kRow);
  EXPECT_EQ(row->text, "{\"a b\":[1,\"\\\" x\"]}");
  const auto progress = parse_answer(progress_line(1, "50 %\n"));
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->kind, AnswerKind::kProgress);
  EXPECT_EQ(progress->text, "50 %\n");
  const auto done = parse_answer(done_line(1, 6, "no such peer"));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->kind, AnswerKind::kDone);
  EXPECT_EQ(done->exit_code, 6);
  EXPECT_EQ(done->text, "no such peer");
}

TEST(ControlProtocol, CompactKeepsWhatIsInsideStrings) {
  EXPECT_EQ(*compact_json("{\n \"k\\\\\" : \"a \\\" b\" ,\t\"n\": -1.5e3 }"), "{\"k\\\\\":\"a \\\" b\",\"n\":-1.5e3}");
  EXPECT_EQ(*compact_json("18446744073709551615"), "18446744073709551615");
}

TEST(ControlProtocol, CompactRefusesWhatIsNotOneValue) {
  for (const char* text : {"", "1 2", "{", "{\"a\":1}}", "nul", "\"a\nb\"", "\"\xff\"", "[1,]"}) {
    EXPECT_FALSE(compact_json(text)) << text;
  }
}

TEST(ControlProtocol, NestingIsBounded) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(compact_json(nested(kMaxDepth)));
  EXPECT_FALSE(compact_json(nested(kMaxDepth + 1)));
  EXPECT_TRUE(compact_json('"' + nested(kMaxDepth + 1) + '"'));
  EXPECT_FALSE(parse_answer("{\"id\":1,\"row\":" + nested(100'000) + "}"));
}

TEST(ControlProtocol, ALineThatIsNoAnswerIsRefused) {
  for (const char* line : {"", "[]", "{\"id\":1}", "{\"done\":\"x\"}", "{\"progress\":1}"}) {
    EXPECT_FALSE(parse_answer(line)) << line;
  }
}

}  // namespace
}  // namespace atlas::control
