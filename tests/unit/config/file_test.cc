#include "config/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "support.h"

namespace atlas::config::test {
namespace {

using ::testing::HasSubstr;

std::size_t entries(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST(ConfigFile, KeepsModeAndLeavesNothingBehind) {
  const TemporaryDirectory directory;
  const auto file = directory / "a";
  spit(file, "old");
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  ASSERT_TRUE(write_file(file, "new"));
  EXPECT_EQ(slurp(file), "new");
  struct stat status;
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_EQ(entries(file.parent_path()), 1u);
}

TEST(ConfigFile, FollowsASymbolicLink) {
  const TemporaryDirectory directory;
  spit(directory / "real", "old");
  std::filesystem::create_symlink("real", directory / "link");
  ASSERT_TRUE(write_file(directory / "link", "new"));
  EXPECT_TRUE(std::filesystem::is_symlink(directory / "link"));
  EXPECT_EQ(slurp(directory / "real"), "new");
}

TEST(ConfigFile, AFailureNamesFileAndCauseAndKeepsTheOldText) {
  const TemporaryDirectory directory;
  const auto written = write_file(directory / "missing" / "a", "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().fault, base::Fault::kInternal);
  EXPECT_THAT(written.error().text, HasSubstr("missing/a: cannot be written: No such file or directory"));
  std::filesystem::create_directory(directory / "d");
  EXPECT_FALSE(write_file(directory / "d", "text"));
  EXPECT_EQ(entries((directory / "d").parent_path()), 1u);
}

TEST(ConfigFile, ReadsRegularFilesOfABoundedSize) {
  const TemporaryDirectory directory;
  EXPECT_EQ(read_file(directory / "a", 10).error().fault, base::Fault::kGone);
  spit(directory / "a", "0123456789");
  EXPECT_EQ(read_file(directory / "a", 10).value(), "0123456789");
  EXPECT_EQ(read_file(directory / "a", 9).error().fault, base::Fault::kArgument);
  ASSERT_EQ(::mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(directory / "pipe", 10).error().text, "is no regular file");
}

TEST(ConfigFile, WhatOthersCanWriteIsNotRead) {
  const TemporaryDirectory directory;
  const auto file = directory / "a";
  spit(file, "x");
  ASSERT_EQ(::chmod(file.c_str(), 0664), 0);
  EXPECT_EQ(read_file(file, 10).error().fault, base::Fault::kConfig);
  EXPECT_EQ(read_file(file, 10).error().text, "can be written by others (mode 0664); run: chmod go-w " + file.string());
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_TRUE(read_file(file, 10));
  ASSERT_EQ(::chmod(file.parent_path().c_str(), 0777), 0);
  EXPECT_EQ(read_file(file, 10).error().fault, base::Fault::kConfig);
  EXPECT_EQ(read_file(directory / "none", 10).error().fault, base::Fault::kConfig) << "it may come any time";
}

TEST(ConfigFile, ALockIsPrivateAndHeldByOne) {
  const TemporaryDirectory directory;
  const auto file = directory / "config.toml", lock = directory / "config.lock";
  const int other = ::open((directory / "config.lock").c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_GE(other, 0);
  {
    auto held = EditLock::take(file);
    ASSERT_TRUE(held) << held.error().text;
    const EditLock moved = std::move(*held);
    EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0);
  }
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  ::close(other);
  std::filesystem::remove(lock);
  ASSERT_TRUE(EditLock::take(file));
  struct stat status;
  ASSERT_EQ(::stat(lock.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST(ConfigFile, ALockThatCannotBeMadeNamesItsFile) {
  const TemporaryDirectory directory;
  const auto nowhere = EditLock::take(directory / "missing" / "config.toml");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().text, HasSubstr("missing/config.lock: cannot be locked: No such file or directory"));
  std::filesystem::create_symlink("elsewhere", directory / "config.lock");
  EXPECT_FALSE(EditLock::take(directory / "config.toml")) << "it follows no link";
}

}  // namespace
}  // namespace atlas::config::test
