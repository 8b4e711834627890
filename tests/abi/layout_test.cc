// The list behind the layout test is complete: every public struct, and every field up to its end.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>

namespace {

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Struct {
  std::size_t size = 0;
  std::size_t end = 0;  // of the last field
};

std::map<std::string, Struct> listed() {
  std::map<std::string, Struct> out;
  std::ifstream in(ABI_LAYOUT);
  std::string name;
  while (in >> name) {
    std::size_t first = 0, second = 0;
    in >> first;
    const auto dot = name.find('.');
    if (dot == std::string::npos) {
      out[name].size = first;
      continue;
    }
    in >> second;
    Struct& owner = out[name.substr(0, dot)];
    owner.end = std::max(owner.end, first + second);
  }
  return out;
}

TEST(AbiLayout, ListsEveryStructOfTheHeaders) {
  const auto known = listed();
  ASSERT_FALSE(known.empty()) << ABI_LAYOUT;
  const std::filesystem::path include = ATLAS_SOURCE_DIR "/sdk/include/atlas";
  std::vector<std::filesystem::path> headers{include / "plugin.h"};
  for (const auto& entry : std::filesystem::directory_iterator(include / "ext")) headers.push_back(entry.path());
  const std::regex defined("struct (atlas_[a-z_]+) \\{");
  for (const auto& header : headers) {
    const std::string text = contents(header);
    for (std::sregex_iterator at(text.begin(), text.end(), defined), end; at != end; ++at) {
      EXPECT_TRUE(known.contains((*at)[1])) << (*at)[1] << " of " << header << " is missing in tests/abi/layout.def";
    }
  }
}

TEST(AbiLayout, ListsEveryFieldToTheEnd) {
  for (const auto& [name, of] : listed()) {
    const std::size_t rounded = (of.end + 7) / 8 * 8;
    EXPECT_EQ(of.size, rounded) << name << " has fields that tests/abi/layout.def does not list";
  }
}

}  // namespace
