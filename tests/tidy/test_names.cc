#include "tidy/test_names.h"

#include "tidy/source_tree.h"

namespace atlas::tidy {

std::set<std::string> test_names() {
  std::set<std::string> names;
  for (const SourceFile& file : source_tree()) {
    if (!file.is_below("tests/") || !file.is_cpp()) continue;
    for (std::size_t i = 0; i < file.code.size(); ++i) {
      std::string text = file.code[i];
      const std::size_t open = text.find('(');
      if (open == std::string::npos) continue;
      const std::string macro = text.substr(0, open);
      if (macro != "TEST" && macro != "TEST_F" && macro != "TEST_P" && macro != "RC_GTEST_PROP") continue;
      if (text.find(')', open) == std::string::npos && i + 1 < file.code.size()) text += file.code[i + 1];
      std::string name;
      for (const char c : text.substr(open + 1, text.find(')', open) - open - 1)) {
        if (c == ',' && name.find('.') != std::string::npos) break;
        if (c == ',') name.push_back('.');
        if (c != ',' && c != ' ') name.push_back(c);
      }
      names.insert(name);
    }
  }
  return names;
}

}  // namespace atlas::tidy
