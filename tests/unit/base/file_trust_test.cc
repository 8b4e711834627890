// What others than its owner can change is told, with the command that mends it.
#include "base/file_trust.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>

namespace atlas::base {
namespace {

class FileTrust : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/atlas-trust.XXXXXX";
    folder = mkdtemp(pattern);
    file = folder / "file";
    std::ofstream(file) << "x";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string said(const std::filesystem::path& path, mode_t mode) {
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return writable_by_others(path);
  }
  std::filesystem::path folder, file;
};

TEST_F(FileTrust, ReadingIsNotWriting) {
  EXPECT_EQ(said(file, 0644), "");
  EXPECT_EQ(said(folder, 0755), "");
  EXPECT_EQ(writable_by_others(folder / "nothing"), "");
}

TEST_F(FileTrust, GroupAndAllOthersCount) {
  EXPECT_EQ(said(file, 0666), "can be written by others (mode 0666); run: chmod go-w " + file.string());
  EXPECT_EQ(said(file, 0620), "can be written by others (mode 0620); run: chmod go-w " + file.string());
  EXPECT_EQ(said(folder, 01777), "can be written by others (mode 1777); run: chmod go-w " + folder.string());
}

TEST_F(FileTrust, LinkIsFollowed) {
  std::filesystem::create_symlink(file, folder / "link");
  EXPECT_NE(said(file, 0602), "");
  EXPECT_NE(writable_by_others(folder / "link"), "");
}

TEST_F(FileTrust, DirectoryOfAnotherUserIsNamed) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else for a moment";
  ASSERT_EQ(seteuid(65534), 0);
  EXPECT_EQ(writable_by_others("/"), "") << "root's are fine";
  struct stat found {};
  found.st_mode = S_IFDIR | 0700;
  found.st_uid = 4711;
  const std::string text = writable_by_others(found, folder);
  EXPECT_EQ(seteuid(0), 0);
  EXPECT_TRUE(text.starts_with("belongs to user 4711, not to 65534")) << text;
  EXPECT_EQ(writable_by_others(found, folder), "") << "root may look after another's";
}

}  // namespace
}  // namespace atlas::base
