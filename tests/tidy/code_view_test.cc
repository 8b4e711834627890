// The eyes of the other rules: a rule that sees nothing would pass for ever.
#include "tidy/code_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace atlas::tidy {
namespace {

using Lines = std::vector<std::string>;

TEST(CodeOnly, BlanksCommentsAndKeepsTheLines) {
  EXPECT_EQ(code_only({"int a;  // b", "/* c", "d */ int e;"}), (Lines{"int a;      ", "    ", "     int e;"}));
}

TEST(CodeOnly, BlanksLiteralsButNotTheirQuotes) {
  EXPECT_EQ(code_only({R"(f("x // y", '"', "\"z");)"}), (Lines{R"(f("      ", ' ', "   ");)"}));
}

TEST(CodeOnly, KnowsRawStringsAndDigitSeparators) {
  EXPECT_EQ(code_only({"auto s = R\"x(sleep(1); \" )\" \n {)x\"; int n = 1'000'000;"})[0].find("sleep"),
            std::string::npos);
  EXPECT_EQ(code_only({"auto s = R\"(a", "b {", ")\"; f();"}), (Lines{"auto s = R\"  ", "   ", " \"; f();"}));
  EXPECT_EQ(code_only({"n = 1'000'000; // x"}), (Lines{"n = 1'000'000;     "}));
}

TEST(Calls, FindsFreeCallsInEverySpelling) {
  EXPECT_TRUE(calls("  sleep(1);", "sleep", true));
  EXPECT_TRUE(calls("  return ::sleep (1);", "sleep", true));
  EXPECT_TRUE(calls("  std::this_thread::sleep_for(x);", "sleep_for", true));
  EXPECT_TRUE(calls("  x = std::memcmp(a, b, n);", "memcmp", true));
  EXPECT_TRUE(calls("if (time(nullptr)) {", "time", true));
}

TEST(Calls, LeavesMembersAndDeclarationsAlone) {
  EXPECT_FALSE(calls("  world.sleep(1);", "sleep", true));
  EXPECT_FALSE(calls("  world->sleep(1);", "sleep", true));
  EXPECT_FALSE(calls("void Keys::sleep(Key& key) {", "sleep", true));
  EXPECT_FALSE(calls("  void sleep(Key& key);", "sleep", true));
  EXPECT_FALSE(calls("  SimTime& time() { return time_; }", "time", true));
  EXPECT_FALSE(calls("  oversleep(1);", "sleep", true));
  EXPECT_FALSE(calls("  sleep = 1;", "sleep", true));
}

TEST(HasWord, WantsTheWholeWord) {
  EXPECT_TRUE(has_word("// ABC: later", "ABC"));
  EXPECT_FALSE(has_word("mkdtemp(ABCABC)", "ABC"));
}

TEST(FunctionLengths, CountsFromTheHeadToTheLastBrace) {
  const Functions found = functions({"namespace a {", "int f(int x,", "      int y) {", "  return x;", "}", "}"});
  ASSERT_TRUE(found.balanced);
  ASSERT_EQ(found.all.size(), 1u);
  EXPECT_EQ(found.all[0].first_line, 2u);
  EXPECT_EQ(found.all[0].length(), 4u);
}

TEST(FunctionLengths, SeesMembersConstructorsAndOperators) {
  const Functions found =
      functions({"class A : public B {", " public:", "  explicit A(int x)", "      : b_{x}, c_{x} {", "    go();",
                 "  }", "  int get() const { return b_; }", "  bool operator==(const A& o) const {", "    return true;",
                 "  }", "  int b_{0};", "};"});
  ASSERT_TRUE(found.balanced);
  ASSERT_EQ(found.all.size(), 3u);
  EXPECT_EQ(found.all[0].length(), 4u);
  EXPECT_EQ(found.all[1].length(), 1u);
  EXPECT_EQ(found.all[2].length(), 3u);
}

TEST(FunctionLengths, IgnoresTablesAndTypesAndCountsLambdasWithTheirFunction) {
  const Functions found = functions({"constexpr int kTable[] = {", "  1,", "};", "enum class E { a };",
                                     "template <class T = int>", "struct S final : Base<T> {", "  int x = 0;", "};",
                                     "void f() {", "  g([&] {", "    if (x) {", "    }", "  });", "}"});
  ASSERT_TRUE(found.balanced);
  ASSERT_EQ(found.all.size(), 1u);
  EXPECT_EQ(found.all[0].first_line, 9u);
  EXPECT_EQ(found.all[0].length(), 6u);
}

TEST(FunctionLengths, ReadsOneBranchOfAnIfAtATime) {
  const Functions found = functions({"#if A", "void f(int x) {", "#else", "void f() {", "#endif", "  go();", "}",
                                     "#if B", "void g() {}", "#endif", "#if C", "#else", "void h() {", "}", "#endif"});
  ASSERT_TRUE(found.balanced);
  ASSERT_EQ(found.all.size(), 4u);
  EXPECT_EQ(found.all[0].length(), 6u);
  EXPECT_EQ(found.all[1].length(), 1u);
}

TEST(FunctionLengths, SaysSoWhenBracesDoNotMatch) {
  EXPECT_FALSE(functions({"void f() {", "  if (x) {", "}"}).balanced);
  EXPECT_FALSE(functions({"}"}).balanced);
}

}  // namespace
}  // namespace atlas::tidy
