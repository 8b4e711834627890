// `atlas plugin new` and the files of roles: what is written, and what is refused with which exit code. What is built,
// checked and run is in tests/integration/sdk.
#include "cli/plugin_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <sstream>

#include "cli/exit_codes.h"

namespace atlas::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class PluginNew : public testing::Test {
 protected:
  PluginNew() {
    std::string pattern = (fs::temp_directory_path() / "atlas-new.XXXXXX").string();
    home_ = mkdtemp(pattern.data());
  }
  ~PluginNew() override { fs::remove_all(home_); }
  int make(const std::string& name, const std::string& directory, std::vector<std::string> words = {}) {
    words.insert(words.begin(), {"plugin", "new", name, "--dir", (home_ / directory).string()});
    const Parsed parsed = parse_arguments(words, fixed_commands(), "0");
    out_.str("");
    err_.str("");
    return plugin_new(*find_command(fixed_commands(), "plugin new"), std::get<Invocation>(parsed),
                      {{.json = true}, out_, err_});
  }
  fs::path home_;
  std::ostringstream out_, err_;
};

TEST_F(PluginNew, ANameThatIsNoIdIsAUsageError) {
  for (const char* name : {"Thing", "a/b", "a b", "", "\xc3\xa4"}) {
    EXPECT_EQ(make(name, "x"), kUsage) << name;
    EXPECT_THAT(err_.str(), HasSubstr("is no id of a role"));
  }
  EXPECT_EQ(make(std::string(65, 'a'), "x"), kUsage);
  EXPECT_FALSE(fs::exists(home_ / "x"));
}

TEST_F(PluginNew, ALanguageWithoutTemplatesIsAUsageError) {
  EXPECT_EQ(make("thing", "x", {"--lang", "cobol"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("none of c, cpp and rust"));
}

TEST_F(PluginNew, WhatIsThereIsNotWrittenOver) {
  fs::create_directory(home_ / "full");
  std::ofstream(home_ / "full" / "file") << "mine";
  EXPECT_EQ(make("thing", "full"), kBusy);
  EXPECT_THAT(err_.str(), HasSubstr("exists already"));
  std::ofstream(home_ / "plain") << "mine";
  EXPECT_EQ(make("thing", "plain"), kBusy);
}

TEST_F(PluginNew, AFileOfARoleIsCalledLikeIt) {
  std::ofstream(home_ / "org.example.thing.so") << "x";
  std::ofstream(home_ / "Thing.so") << "x";
  std::ofstream(home_ / "thing.txt") << "x";
  const auto found = find_role_file((home_ / "." / "org.example.thing.so").string());
  ASSERT_TRUE(found) << found.error().text;
  EXPECT_EQ(found->id, "org.example.thing");
  EXPECT_EQ(found->path, home_ / "org.example.thing.so");
  EXPECT_EQ(exit_code_of(find_role_file((home_ / "Thing.so").string()).error().fault), kUsage);
  EXPECT_EQ(exit_code_of(find_role_file((home_ / "thing.txt").string()).error().fault), kUsage);
  EXPECT_EQ(exit_code_of(find_role_file((home_ / "none.so").string()).error().fault), kNotFound);
}

}  // namespace
}  // namespace atlas::cli
