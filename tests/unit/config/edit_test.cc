// set_text and set_texts: the value changes, every other byte stays.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "config/config.h"
#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Edit : public ::testing::Test {
 protected:
  // What becomes of a file when identity.name is set to "new".
  std::string renamed(const std::string& before) {
    spit(file, before);
    const auto set = set_text(file, "identity", "name", "new");
    if (!set) return "error: " + set.error().text;
    EXPECT_THAT(load(file).problems, IsEmpty()) << slurp(file);
    EXPECT_EQ(load(file).config.identity.name, "new") << slurp(file);
    return slurp(file);
  }

  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "config.toml";
};

TEST_F(Edit, CreatesTheFileForItsOwnerOnly) {
  ASSERT_TRUE(set_text(file, "identity", "name", "alice"));
  EXPECT_EQ(slurp(file), "[identity]\nname = \"alice\"\n");
  struct stat status;
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(Edit, ReplacesTheValueAndNothingElse) {
  EXPECT_EQ(renamed("# top\n\n[network]\nport = 1 # p\n[identity]\n  name   =   'old'   # who\nbio = \"x\"\n\n# end"),
            "# top\n\n[network]\nport = 1 # p\n[identity]\n  name   =   \"new\"   # who\nbio = \"x\"\n\n# end");
  EXPECT_EQ(renamed("identity.name = \"\"\"o\nld\"\"\" # c\n"), "identity.name = \"new\" # c\n");
  EXPECT_EQ(renamed("identity = { bio = \"b\", skills = [] }\n"),
            "identity = { bio = \"b\", skills = [], name = \"new\" }\n");
  EXPECT_EQ(renamed("identity = {}\n"), "identity = { name = \"new\" }\n");
  EXPECT_EQ(renamed("\"identity\".'name' = \"old\"\r\n"), "\"identity\".'name' = \"new\"\r\n");
}

TEST_F(Edit, AddsTheKeyToItsTable) {
  EXPECT_EQ(renamed("[identity]\n  bio = \"b\" # c\n\n# about the network\n[network]\nport = 1\n"),
            "[identity]\n  bio = \"b\" # c\n  name = \"new\"\n\n# about the network\n[network]\nport = 1\n");
  EXPECT_EQ(renamed("[identity]"), "[identity]\nname = \"new\"\n");
  EXPECT_EQ(renamed("identity.bio = \"b\"\nnetwork.port = 1\n"),
            "identity.bio = \"b\"\nidentity.name = \"new\"\nnetwork.port = 1\n");
}

TEST_F(Edit, AddsTheTable) {
  EXPECT_EQ(renamed("[network]\r\nport = 1"), "[network]\r\nport = 1\r\n\r\n[identity]\r\nname = \"new\"\r\n");
  EXPECT_EQ(renamed("# only this\n"), "# only this\n\n[identity]\nname = \"new\"\n");
  EXPECT_EQ(renamed("\n"), "\n[identity]\nname = \"new\"\n");
  EXPECT_EQ(renamed("\xef\xbb\xbf"), "\xef\xbb\xbf[identity]\nname = \"new\"\n");
  // What looks like the table is text.
  EXPECT_EQ(renamed("[plugins.x]\na = '''\n[identity]\n'''\n"),
            "[plugins.x]\na = '''\n[identity]\n'''\n\n[identity]\nname = \"new\"\n");
}

TEST_F(Edit, WritesArraysAndEscapes) {
  ASSERT_TRUE(set_texts(file, "identity", "skills", {"a\"b", "c"}));
  EXPECT_EQ(slurp(file), "[identity]\nskills = [\"a\\\"b\", \"c\"]\n");
  spit(file, "[identity]\nskills = [ # all\n  \"x\",\n]\n");
  ASSERT_TRUE(set_texts(file, "identity", "skills", {}));
  EXPECT_EQ(slurp(file), "[identity]\nskills = []\n");
}

TEST_F(Edit, LeavesWhatOnlyAPersonCanChange) {
  const std::string inside = "identity = { name = \"old\", bio = \"b\" }\n";
  EXPECT_THAT(renamed(inside), HasSubstr("only a person can change; set it to \"new\" with an editor"));
  EXPECT_EQ(slurp(file), inside);
  const std::string broken = "[identity]\nname = \n";
  EXPECT_THAT(renamed(broken), HasSubstr("config.toml:2:"));
  EXPECT_EQ(slurp(file), broken);
  EXPECT_THAT(renamed("[[identity]]\nname = \"x\"\n"), HasSubstr("error:"));
}

TEST_F(Edit, RefusesValuesThatBreakTheKeysRule) {
  const auto set = set_text(file, "identity", "name", std::string(65, 'x'));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().fault, base::Fault::kArgument);
  EXPECT_THAT(set.error().text, HasSubstr("has 65 bytes; at most 64 are allowed"));
  EXPECT_FALSE(set_text(file, "identity", "name", "a\nb"));
  EXPECT_FALSE(set_text(file, "identity", "name", "\xff"));
  EXPECT_FALSE(set_text(file, "identity", "skills", "a"));
  EXPECT_FALSE(set_texts(file, "identity", "skills", std::vector<std::string>(2, "same")));
  std::vector<std::string> many;
  for (int i = 0; i < 33; ++i) many.push_back("skill" + std::to_string(i));
  EXPECT_FALSE(set_texts(file, "identity", "skills", many));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Edit, EveryFileOfTheTreeCanBeEdited) {
  for (const char* name : {"tests/unit/config/seeds/bootstrap.toml", "tests/unit/config/seeds/relay.toml"}) {
    const std::string before = slurp(std::filesystem::path(ATLAS_SOURCE_DIR) / name);
    EXPECT_EQ(renamed(before), before + "\n[identity]\nname = \"new\"\n");
  }
}

}  // namespace
}  // namespace atlas::config::test
