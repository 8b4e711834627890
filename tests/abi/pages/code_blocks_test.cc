// Every code block that an author of plugins reads is compiled, parsed or run. This test looks at all of them, parses
// TOML and JSON, and sees that a fragment stands in the file that it says it is from;
// tests/integration/sdk/pages_test.sh compiles and runs the rest against an installed SDK.
#include "abi/pages/code_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "config/config.h"

namespace atlas::pages {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
const fs::path kSource = ATLAS_SOURCE_DIR;

std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The same as in tests/integration/sdk/CMakeLists.txt.
std::vector<std::string> pages() {
  std::vector<std::string> out = {"README.md", "docs/abi.md", "docs/message-types.md"};
  for (const char* folder : {"docs/write-a-plugin", "sdk"}) {
    for (const auto& entry : fs::recursive_directory_iterator(kSource / folder)) {
      if (entry.path().extension() == ".md") out.push_back(fs::relative(entry.path(), kSource).generic_string());
    }
  }
  std::ranges::sort(out);
  return out;
}

// Nothing if the fragment is what it says that it is.
std::string wrong_with_fragment(const CodeBlock& block) {
  const fs::path file = kSource / block.cut_from;
  if (!fs::is_regular_file(file)) return "is cut from " + block.cut_from + ", which is not there";
  if (!stands_in(block.text, slurp(file))) return "does not stand in " + block.cut_from;
  return "";
}

std::string wrong_with_commands(const CodeBlock& block) {
  std::string scripts;
  for (const std::string& name : block.run_by) {
    if (!fs::is_regular_file(kSource / name)) return "is run by " + name + ", which is not there";
    scripts += "./" + name + '\n' + slurp(kSource / name);
  }
  std::istringstream in(block.text);
  for (std::string line; std::getline(in, line);) {
    const auto words = command_words(line);
    if (words.empty()) continue;
    // "net listen" for `atlas net listen ...`, "./config/quickstart" for itself.
    std::string wanted = words[0];
    if (words.size() > 1) wanted = words[1];
    if (words.size() > 2) wanted += ' ' + words[2];
    if (scripts.find(wanted) == std::string::npos)
      return "says \"" + line + "\", which " + block.run_by[0] + " does not";
  }
  return "";
}

std::string wrong_with_frame(const CodeBlock& block) {
  const fs::path file = kSource / block.inside;
  if (!fs::is_regular_file(file)) return "is inside " + block.inside + ", which is not there";
  return slurp(file).find("\n@block@\n") == std::string::npos ? "finds no line @block@ in " + block.inside : "";
}

std::string wrong_with_words(const CodeBlock& block) {
  std::istringstream in(block.text);
  for (std::string line; std::getline(in, line);) {
    if (!is_said(line, slurp(kSource / block.said_by)))
      return "says \"" + line + "\", which nothing in " + block.said_by;
  }
  return "";
}

// In a template the name of the role is still to come.
std::string wrong_with_toml(const CodeBlock& block) {
  const auto loaded = config::parse(std::regex_replace(block.text, std::regex("@id@"), "org.example.thing"), "block");
  return loaded.problems.empty() ? "" : loaded.problems.front().to_string();
}

std::string wrong_with(const CodeBlock& block) {
  static const std::vector<std::string> kPerformed = {"c", "cpp", "rust", "sh", "cmake", "yaml"};
  const std::string& language = block.language;
  if (!block.cut_from.empty()) return wrong_with_fragment(block);
  if (!block.inside.empty()) return wrong_with_frame(block);
  if (!block.said_by.empty()) return wrong_with_words(block);
  if (!block.run_by.empty()) return language == "sh" ? wrong_with_commands(block) : "only commands are run";
  if (std::ranges::find(kPerformed, language) != kPerformed.end()) return "";
  if (language == "toml") return wrong_with_toml(block);
  if (language == "json") return nlohmann::json::accept(block.text) ? "" : "is no JSON";
  if (language == "text")
    return block.behind_commands ? "" : "is what no command has printed; a drawing has no language";
  if (!language.empty()) return "is in \"" + language + "\", which no test of code blocks knows";
  const bool drawn = std::ranges::any_of(std::vector<std::string>{"─", "│", "▶", "▼", "◀"},
                                         [&](const auto& line) { return block.text.find(line) != std::string::npos; });
  return drawn ? "" : "is no drawing; name its language";
}

TEST(CodeBlocks, AreEachCompiledParsedOrRun) {
  std::size_t seen = 0;
  for (const std::string& page : pages()) {
    for (const CodeBlock& block : code_blocks(slurp(kSource / page))) {
      ++seen;
      const std::string why = wrong_with(block);
      EXPECT_EQ(why, "") << page << ':' << block.line << ": this block " << why;
    }
  }
  EXPECT_GT(seen, 100u) << "so few blocks in all pages: the search has gone blind";
}

TEST(CodeBlocks, AreReadWithTheirMarks) {
  const auto blocks = code_blocks(
      "# A page\n```sh\nmake\n```\n\n```text\nok\n```\n<!-- cut from a/b.c -->\n```c\nint x;\n```\n"
      "```cpp hello.cc\n```\n<!-- run by x.sh, y -->\n```sh\n./y\n```\n");
  ASSERT_EQ(blocks.size(), 5u);
  EXPECT_EQ(blocks[0].language, "sh");
  EXPECT_FALSE(blocks[0].behind_commands);
  EXPECT_EQ(blocks[1].text, "ok\n");
  EXPECT_TRUE(blocks[1].behind_commands);
  EXPECT_EQ(blocks[2].cut_from, "a/b.c");
  EXPECT_EQ(blocks[3].file, "hello.cc");
  EXPECT_EQ(blocks[3].cut_from, "");
  EXPECT_THAT(blocks[4].run_by, ElementsAre("x.sh", "y"));
  EXPECT_THROW(code_blocks("```sh\n"), std::runtime_error);
}

TEST(CodeBlocks, WhatIsWrongIsFound) {
  const auto first = [](const std::string& page) { return wrong_with(code_blocks(page).at(0)); };
  EXPECT_EQ(first("```cobol\n```\n"), "is in \"cobol\", which no test of code blocks knows");
  EXPECT_EQ(first("```\nx\n```\n"), "is no drawing; name its language");
  EXPECT_EQ(first("```\na ─▶ b\n```\n"), "");
  EXPECT_NE(first("```text\nx\n```\n"), "");
  EXPECT_NE(first("```toml\n[plugins]\nenable = []\n```\n"), "");
  EXPECT_EQ(first("```toml\n[plugins]\nenabled = []\n```\n"), "");
  EXPECT_EQ(first("```json\n{\"a\":}\n```\n"), "is no JSON");
  EXPECT_EQ(first("<!-- cut from README.md -->\n```c\nint nowhere;\n```\n"), "does not stand in README.md");
  EXPECT_EQ(first("<!-- cut from nowhere.c -->\n```c\n```\n"), "is cut from nowhere.c, which is not there");
  EXPECT_NE(first("<!-- run by tests/run -->\n```sh\natlas net nothing --now\n```\n"), "");
  EXPECT_EQ(first("<!-- run by tests/run -->\n```sh\n./tests/run\n```\n"), "");
}

TEST(CodeBlocks, WhatTheProgramSaysIsComparedWithoutItsNumbers) {
  const std::string source = "f(\"needs plugin ABI {}.{}, this \"\n   \"atlas has {}.{}; needs {} \", x)";
  EXPECT_TRUE(is_said("relay.so: needs plugin ABI 1.3, this atlas has 1.1; needs atlas.x/2 ", source));
  EXPECT_FALSE(is_said("relay.so: needs plugin ABI 1.3, this host has 1.1", source));
}

TEST(CodeBlocks, FragmentsMayBeIndentedOtherwise) {
  EXPECT_TRUE(stands_in("a {\n  b\n}\n", "x\n  a {\n    b\n  }\ny\n"));
  EXPECT_TRUE(stands_in("a\nb\n", "a\n/* end of page */\nc\n// page\na\n// page\nb\n"));
  EXPECT_FALSE(stands_in("a\nb\n", "a\nc\nb\n"));
  EXPECT_FALSE(stands_in("", "a\n"));
  EXPECT_THAT(command_words("atlas --root node net listen --port 0  # go"), ElementsAre("atlas", "net", "listen"));
  EXPECT_THAT(command_words("./tests/run   # all"), ElementsAre("./tests/run"));
}

}  // namespace
}  // namespace atlas::pages
