// One node for one root: the second is refused with the pid of the first.
#include "node/root_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace atlas::node {
namespace {

class RootLockTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/atlas-lock.XXXXXX";
    root = mkdtemp(pattern);
    file = root / "run" / "node.lock";
  }
  void TearDown() override { std::filesystem::remove_all(root); }
  std::filesystem::path root, file;
};

TEST_F(RootLockTest, SecondIsRefusedWithThePidOfTheFirst) {
  const auto first = RootLock::take(file);
  ASSERT_TRUE(first.has_value()) << first.error().text;
  const auto second = RootLock::take(file);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_NE(second.error().text.find(std::to_string(getpid())), std::string::npos) << second.error().text;
  EXPECT_EQ(RootLock::holder(file), getpid());
}

TEST_F(RootLockTest, GoesWithItsHolder) {
  { const auto first = RootLock::take(file); }
  EXPECT_EQ(RootLock::holder(file), std::nullopt);
  EXPECT_TRUE(RootLock::take(file).has_value());
}

TEST_F(RootLockTest, FilesAreTheOwnersAlone) {
  const auto lock = RootLock::take(file);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(file).permissions(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(std::filesystem::status(file.parent_path()).permissions(), perms::owner_all);
}

TEST_F(RootLockTest, LinkInItsPlaceIsRefused) {
  std::filesystem::create_directories(file.parent_path());
  std::filesystem::create_symlink(root / "elsewhere", file);
  const auto lock = RootLock::take(file);
  ASSERT_FALSE(lock.has_value());
  EXPECT_FALSE(std::filesystem::exists(root / "elsewhere"));
}

}  // namespace
}  // namespace atlas::node
