// Sizes that keep the code readable: lines that fit a window, functions that fit a screen, files that fit an evening.
#include <gtest/gtest.h>

#include <string>

#include "tidy/source_tree.h"

namespace atlas::tidy {
namespace {

constexpr std::size_t kMaxColumns = 120;
constexpr std::size_t kMaxFileLines = 700;
constexpr std::size_t kMaxTestFileLines = 1200;
constexpr std::size_t kMaxFunctionLines = 70;

// Characters, not bytes.
std::size_t columns(const std::string& line) {
  std::size_t count = 0;
  for (const char c : line) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

bool is_script(const SourceFile& file) {
  return !file.lines.empty() && file.lines[0].starts_with("#!");
}

bool is_code(const SourceFile& file) {
  return file.is_cpp() || is_script(file) || file.name() == "CMakeLists.txt" ||
         file.ends_with_any({".cmake", ".def", ".rs", ".sh", ".py"});
}

TEST(Sizes, LinesFitAWindow) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!is_code(file)) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::size_t width = columns(file.lines[i]);
      if (width <= kMaxColumns) continue;
      findings.add(file, i + 1,
                   std::to_string(width) + " columns; 120 at most: run clang-format, wrap comments by hand");
    }
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Sizes, FilesFitAnEvening) {
  Findings findings;
  for (const SourceFile& file : source_tree()) {
    if (!is_code(file)) continue;
    const std::size_t most = file.is_below("tests/") ? kMaxTestFileLines : kMaxFileLines;
    if (file.lines.size() <= most) continue;
    findings.add(file, file.lines.size(),
                 "longer than " + std::to_string(most) + " lines; a file does one thing: split it by what it does");
  }
  EXPECT_NO_FINDINGS(findings);
}

TEST(Sizes, FunctionsFitAScreen) {
  Findings findings;
  std::size_t seen = 0;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    const Functions found = functions(file.code);
    if (!found.balanced) {
      findings.add(file, 1, "braces that do not match (in both branches of an #if?); lengths cannot be checked");
      continue;
    }
    seen += found.all.size();
    for (const Function& function : found.all) {
      if (function.length() <= kMaxFunctionLines) continue;
      findings.add(file, function.first_line,
                   std::to_string(function.length()) + " lines in " + function.head.substr(0, 70) +
                       "; 70 at most: give its parts names of their own");
    }
  }
  EXPECT_NO_FINDINGS(findings);
  EXPECT_GT(seen, 1000u) << "so few functions in this tree: the finder has gone blind";
}

}  // namespace
}  // namespace atlas::tidy
