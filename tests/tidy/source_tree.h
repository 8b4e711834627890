// The files of the source tree as the rules of tests/tidy see them: read once, in a fixed order, build folders left
// out. One thread.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tidy/code_view.h"

namespace atlas::tidy {

struct SourceFile {
  std::string path;  // from the root of the tree, with '/'
  std::vector<std::string> lines;
  bool binary = false;            // holds a zero byte; it has no lines then
  std::vector<std::string> code;  // C and C++ only: the lines without comments and the contents of literals

  bool is_below(std::string_view folder) const { return path.starts_with(folder); }
  bool is_below_any(std::initializer_list<std::string_view> folders) const;
  bool ends_with_any(std::initializer_list<std::string_view> endings) const;
  bool is_header() const { return ends_with_any({".h", ".hpp"}); }
  bool is_cpp() const { return ends_with_any({".h", ".hpp", ".c", ".cc", ".cpp"}); }
  std::string name() const { return path.substr(path.rfind('/') + 1); }
};

// Every file of the tree, sorted by path. Throws std::runtime_error when the tree is not there.
const std::vector<SourceFile>& source_tree();
const SourceFile* find_file(std::string_view path);

// What a rule found, one line each: "path:line: what is wrong; what to do".
class Findings {
 public:
  void add(const SourceFile& file, std::size_t line, std::string_view text);
  std::string text() const;
  bool none() const { return lines_.empty(); }

 private:
  std::vector<std::string> lines_;
};

}  // namespace atlas::tidy

// Ends a rule: fails with everything that was found.
#define EXPECT_NO_FINDINGS(findings) EXPECT_TRUE((findings).none()) << (findings).text()
