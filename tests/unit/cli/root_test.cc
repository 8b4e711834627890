#include "cli/root.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>

#include "cli/exit_codes.h"
#include "support.h"

namespace atlas::cli::test {
namespace {

using Root = CommandTest;

Environment variables(std::map<std::string, std::string> values) {
  return [values](const char* name) {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST_F(Root, OptionThenVariableThenHome) {
  const auto all = variables({{"ATLAS_ROOT", "/b"}, {"HOME", "/c"}});
  EXPECT_EQ(find_layout("/a", all)->root, "/a");
  EXPECT_EQ(find_layout(std::nullopt, all)->root, "/b");
  EXPECT_EQ(find_layout(std::nullopt, variables({{"HOME", "/c"}}))->root, "/c/.atlas");
  EXPECT_TRUE(find_layout(std::nullopt, variables({}))->root.is_absolute());
  EXPECT_EQ(find_layout("a/../b", all)->root, std::filesystem::current_path() / "b");
}

TEST_F(Root, EmptyNamesAreMistakes) {
  EXPECT_EQ(find_layout("", variables({})).error().fault, base::Fault::kArgument);
  EXPECT_EQ(find_layout(std::nullopt, variables({{"ATLAS_ROOT", ""}})).error().fault, base::Fault::kArgument);
}

TEST_F(Root, Layout) {
  const Layout found = layout_of("/r");
  EXPECT_EQ(found.key, "/r/keys/node-key.pem");
  EXPECT_EQ(found.config, "/r/state/config.toml");
  EXPECT_EQ(found.peers, "/r/state/peers.db");
  EXPECT_EQ(found.socket, "/r/run/control.sock");
  EXPECT_EQ(found.lock, "/r/run/node.lock");
}

TEST_F(Root, DirectoriesAreTheOwnersOnly) {
  ASSERT_TRUE(create_directories(layout));
  ASSERT_TRUE(create_directories(layout)) << "a second time changes nothing";
  for (const auto& made : {layout.root, layout.keys, layout.state, layout.run}) {
    struct stat status;
    ASSERT_EQ(::stat(made.c_str(), &status), 0) << made;
    EXPECT_EQ(status.st_mode & 0777, 0700u) << made;
  }
}

TEST_F(Root, AFileInTheWayIsNamed) {
  std::ofstream(directory / "root") << "x";
  const auto made = create_directories(layout);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text, testing::HasSubstr("root: cannot be created: something else has that name"));
}

TEST(ExitCodes, ArePromised) {
  EXPECT_EQ(kOk, 0);
  EXPECT_EQ(kFailure, 1);
  EXPECT_EQ(kUsage, 2);
  EXPECT_EQ(kConfig, 3);
  EXPECT_EQ(kUnreachable, 4);
  EXPECT_EQ(kRefused, 5);
  EXPECT_EQ(kNotFound, 6);
  EXPECT_EQ(kBusy, 7);
  EXPECT_EQ(exit_code_of(base::Fault::kConfig), 3);
  EXPECT_EQ(exit_code_of(base::Fault::kTimeout), 4);
}

}  // namespace
}  // namespace atlas::cli::test
