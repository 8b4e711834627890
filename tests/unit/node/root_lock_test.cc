// One node for one root: the second is refused with the pid of the first, and waits only for what will let go.
#include "node/root_lock.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "unit/node/manual_loop.h"

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

  base::Result<RootLock> wait_as(LockUse use) {
    return take_patiently(file, use,
                          {clock,
                           [this](base::MonoNs span) {
                             clock.now += span;
                             ++pauses;
                             if (on_pause) on_pause();
                           },
                           [this](std::string_view text) { notes.emplace_back(text); }});
  }
  std::string pid() const { return std::to_string(getpid()); }

  std::filesystem::path root, file;
  ManualClock clock;
  int pauses = 0;
  std::function<void()> on_pause;
  std::vector<std::string> notes;
};

TEST_F(RootLockTest, SecondIsRefusedWithThePidOfTheFirst) {
  const auto first = RootLock::take(file, LockUse::kDaemon);
  ASSERT_TRUE(first.has_value()) << first.error().text;
  LockHolder holder;
  const auto second = RootLock::take(file, LockUse::kDaemon, &holder);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_EQ(second.error().text, "a node runs on " + root.string() + " already (pid " + pid() + ")");
  EXPECT_EQ(holder.pid, getpid());
  EXPECT_EQ(holder.use, LockUse::kDaemon);
  EXPECT_EQ(RootLock::holder(file)->pid, getpid());
}

TEST_F(RootLockTest, CommandIsNotTakenForANode) {
  const auto command = RootLock::take(file, LockUse::kCommand);
  ASSERT_TRUE(command.has_value()) << command.error().text;
  const auto node = RootLock::take(file, LockUse::kDaemon);
  ASSERT_FALSE(node.has_value());
  EXPECT_EQ(node.error().text,
            "a command uses " + root.string() + " (pid " + pid() + "); wait until it has ended, or stop it");
  EXPECT_EQ(RootLock::holder(file)->use, LockUse::kCommand);
}

TEST_F(RootLockTest, GoesWithItsHolder) {
  { const auto first = RootLock::take(file, LockUse::kDaemon); }
  EXPECT_FALSE(RootLock::holder(file).has_value());
  EXPECT_TRUE(RootLock::take(file, LockUse::kCommand).has_value());
}

// A node that was killed left its line; the one that took the lock since has not written its own yet.
TEST_F(RootLockTest, LineOfADeadProcessSaysNothing) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  const auto lock = RootLock::take(file, LockUse::kCommand);
  ASSERT_TRUE(lock.has_value());
  std::ofstream(file) << child << " daemon\n";
  EXPECT_EQ(RootLock::holder(file)->use, std::nullopt);
}

TEST_F(RootLockTest, FilesAreTheOwnersAlone) {
  const auto lock = RootLock::take(file, LockUse::kDaemon);
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(file).permissions(), perms::owner_read | perms::owner_write);
  EXPECT_EQ(std::filesystem::status(file.parent_path()).permissions(), perms::owner_all);
}

TEST_F(RootLockTest, DirectoryThatIsThereIsClosedToReadersToo) {
  std::filesystem::create_directory(file.parent_path());
  ASSERT_EQ(chmod(file.parent_path().c_str(), 0755), 0);
  ASSERT_TRUE(RootLock::take(file, LockUse::kDaemon).has_value());
  EXPECT_EQ(std::filesystem::status(file.parent_path()).permissions(), std::filesystem::perms::owner_all);
}

TEST_F(RootLockTest, DirectoryThatOthersCanWriteIsRefused) {
  std::filesystem::create_directory(file.parent_path());
  ASSERT_EQ(chmod(file.parent_path().c_str(), 0777), 0);
  const auto lock = RootLock::take(file, LockUse::kDaemon);
  ASSERT_FALSE(lock.has_value());
  EXPECT_NE(lock.error().text.find("run: chmod go-w " + file.parent_path().string()), std::string::npos)
      << lock.error().text;
}

TEST_F(RootLockTest, LinkInItsPlaceIsRefused) {
  std::filesystem::create_directories(file.parent_path());
  std::filesystem::create_symlink(root / "elsewhere", file);
  const auto lock = RootLock::take(file, LockUse::kDaemon);
  ASSERT_FALSE(lock.has_value());
  EXPECT_FALSE(std::filesystem::exists(root / "elsewhere"));
}

TEST_F(RootLockTest, NodeWaitsForACommandAndSaysSoOnce) {
  std::optional<RootLock> command(std::move(*RootLock::take(file, LockUse::kCommand)));
  on_pause = [&] {
    if (pauses == 3) command.reset();
  };
  const auto node = wait_as(LockUse::kDaemon);
  ASSERT_TRUE(node.has_value()) << node.error().text;
  EXPECT_EQ(pauses, 3);
  EXPECT_EQ(notes, (std::vector<std::string>{"waiting for a command (pid " + pid() + ") that uses this root"}));
  EXPECT_EQ(RootLock::holder(file)->use, LockUse::kDaemon);
}

TEST_F(RootLockTest, NodeDoesNotWaitForANode) {
  const auto first = RootLock::take(file, LockUse::kDaemon);
  const auto second = wait_as(LockUse::kDaemon);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().text.find("a node runs on"), std::string::npos) << second.error().text;
  EXPECT_EQ(pauses, 0);
}

TEST_F(RootLockTest, CommandWaitsForANodeThatIsStillThere) {
  std::optional<RootLock> node(std::move(*RootLock::take(file, LockUse::kDaemon)));
  on_pause = [&] { node.reset(); };
  EXPECT_TRUE(wait_as(LockUse::kCommand).has_value());
  EXPECT_EQ(notes,
            (std::vector<std::string>{"waiting for the node (pid " + pid() + ") that starts or stops on this root"}));
}

TEST_F(RootLockTest, PatienceEndsWithTheNameOfTheHolder) {
  const auto command = RootLock::take(file, LockUse::kCommand);
  const base::MonoNs before = clock.now;
  const auto node = wait_as(LockUse::kDaemon);
  ASSERT_FALSE(node.has_value());
  EXPECT_EQ(node.error().fault, base::Fault::kConflict);
  EXPECT_NE(node.error().text.find("a command uses"), std::string::npos) << node.error().text;
  EXPECT_EQ(clock.now - before, kLockPatience);
  EXPECT_EQ(notes.size(), 1u);
}

}  // namespace
}  // namespace atlas::node
