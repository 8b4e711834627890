#include "node/crash_record.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "host/now_running.h"

namespace atlas::node {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CrashRecordTest : public testing::Test {
 protected:
  CrashRecordTest() {
    char name[] = "/tmp/atlas-crash-XXXXXX";
    directory = mkdtemp(name);
    file = directory / "crashes";
  }
  ~CrashRecordTest() override { std::filesystem::remove_all(directory); }

  void write(const std::string& text) { std::ofstream(file, std::ios::binary) << text; }
  // Runs `crash` in a child that records; how it ended.
  template <class F>
  int run(F crash) {
    const pid_t child = fork();
    if (child == 0) {
      if (!arm_crash_record(file)) _exit(99);
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, STDERR_FILENO);
      crash();
      _exit(98);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
  }

  std::filesystem::path directory, file;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIP_UNDER_SANITIZERS() GTEST_SKIP() << "a sanitizer handles these signals itself"
#else
#define SKIP_UNDER_SANITIZERS() static_cast<void>(0)
#endif

TEST_F(CrashRecordTest, TheHandlerNamesPluginEntryAndType) {
  SKIP_UNDER_SANITIZERS();
  const int status = run([] {
    const host::RunningEntry running("org.example.bad", "message handler", 0x91);
    volatile int* nowhere = nullptr;
    *nowhere = 1;
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  const auto crashes = read_crashes(file);
  ASSERT_THAT(crashes, SizeIs(1));
  EXPECT_EQ(crashes[0].plugin, "org.example.bad");
  EXPECT_EQ(crashes[0].entry, "message handler 0x91");
  EXPECT_EQ(crashes[0].signal, SIGSEGV);
  EXPECT_GT(crashes[0].at, 1'700'000'000);
}

TEST_F(CrashRecordTest, ACrashOutsideOfPluginsNamesNone) {
  SKIP_UNDER_SANITIZERS();
  const int status = run([] { std::abort(); });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGABRT);
  const auto crashes = read_crashes(file);
  ASSERT_THAT(crashes, SizeIs(1));
  EXPECT_EQ(crashes[0].plugin, "");
  EXPECT_THAT(crash_loops({crashes[0], crashes[0]}, crashes[0].at, file), IsEmpty());
}

// Each call needs the room of the one above, so no optimiser makes a loop of it.
int overflow(const volatile bool& go_on, const volatile char* above) {
  volatile char room[4096];
  room[0] = above[0];
  return go_on ? overflow(go_on, room) + room[0] : room[0];
}

TEST_F(CrashRecordTest, AnOverflowOfTheStackIsRecorded) {
  SKIP_UNDER_SANITIZERS();
  const int status = run([] {
    const host::RunningEntry running("deep", "timer", -1);
    const volatile bool for_ever = true;
    const volatile char first = 1;
    _exit(overflow(for_ever, &first));
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  const auto crashes = read_crashes(file);
  ASSERT_THAT(crashes, SizeIs(1));
  EXPECT_EQ(crashes[0].entry, "timer");
}

TEST_F(CrashRecordTest, TwoThreadsThatCrashTogetherAreOneCrash) {
  SKIP_UNDER_SANITIZERS();
  const int status = run([] {
    std::barrier together(2);
    const auto crash = [&together](const char* plugin) {
      use_signal_stack();
      const host::RunningEntry running(plugin, "timer", -1);
      together.arrive_and_wait();
      volatile int* nowhere = nullptr;
      *nowhere = 1;
    };
    std::thread one(crash, "one"), other(crash, "other");
    one.join();
  });
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
  EXPECT_THAT(read_crashes(file), SizeIs(1));
}

TEST_F(CrashRecordTest, StderrThatNobodyReadsKeepsNobodyAlive) {
  SKIP_UNDER_SANITIZERS();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int status = run([&] {
    dup2(ends[1], STDERR_FILENO);
    fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    const char filler[4096] = {};
    while (::write(STDERR_FILENO, filler, sizeof filler) > 0) {
    }
    fcntl(STDERR_FILENO, F_SETFL, 0);
    std::abort();
  });
  close(ends[0]);
  close(ends[1]);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_THAT(read_crashes(file), SizeIs(1));
}

TEST_F(CrashRecordTest, FileIsClosedToOthers) {
  write("1700000000 SIGABRT\n");
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  ASSERT_EQ(run([] { _exit(0); }), 0);
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  EXPECT_THAT(read_crashes(file), SizeIs(1));
  write("garbage\n");  // now it is written anew
  ASSERT_EQ(run([] { _exit(0); }), 0);
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
}

TEST_F(CrashRecordTest, LinesThatAreNoneAreSkipped) {
  EXPECT_THAT(read_crashes(file), IsEmpty());
  write(
      "1700000000 SIGSEGV relay message handler 0x30\n\nx SIGSEGV relay y\n-5 SIGSEGV relay y\n"
      "1700000001 SIGWHAT relay y\n1700000002 SIGABRT\n99999999999999999999999 SIGBUS relay y\n"
      "1700000003 SIGBUS ../relay y\n1700000004 SIGB");
  const std::vector<Crash> expected = {{1'700'000'000, SIGSEGV, "relay", "message handler 0x30"},
                                       {1'700'000'002, SIGABRT, "", ""}};
  EXPECT_EQ(read_crashes(file), expected);
  ASSERT_EQ(run([] { _exit(0); }), 0);
  std::ifstream in(file);
  std::ostringstream now;
  now << in.rdbuf();
  EXPECT_EQ(now.str(), "1700000000 SIGSEGV relay message handler 0x30\n1700000002 SIGABRT\n")
      << "the next line stands alone";
}

TEST_F(CrashRecordTest, OfALongFileTheEndCounts) {
  write(std::string(200'000, 'x') + "\n1700000000 SIGABRT\n");
  EXPECT_THAT(read_crashes(file), SizeIs(1));
  ASSERT_EQ(run([] { _exit(0); }), 0);
  EXPECT_LT(std::filesystem::file_size(file), 100u);
}

TEST_F(CrashRecordTest, TwoCrashesInTenMinutesLeaveThePluginOut) {
  const std::vector<Crash> once = {{1'000, SIGSEGV, "bad", "timer"}, {1'100, SIGBUS, "other", "timer"}};
  EXPECT_THAT(crash_loops(once, 1'200, file), IsEmpty());
  auto twice = once;
  twice.push_back({1'200, SIGABRT, "bad", "message handler 0x91"});
  const auto out = crash_loops(twice, 1'201, file);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].plugin, "bad");
  EXPECT_THAT(out[0].reason, HasSubstr("crashed the node 2 times within 10 minutes, last with SIGABRT in its message "
                                       "handler 0x91"));
  EXPECT_THAT(out[0].reason, HasSubstr("remove " + file.string() + " and restart the node"));
}

TEST_F(CrashRecordTest, OldCrashesAndThoseOfTheFutureDoNotCount) {
  const std::vector<Crash> twice = {{1'000, SIGSEGV, "bad", "timer"}, {1'200, SIGSEGV, "bad", "timer"}};
  EXPECT_THAT(crash_loops(twice, 1'599, file), SizeIs(1));
  EXPECT_THAT(crash_loops(twice, 1'600, file), IsEmpty());
  EXPECT_THAT(crash_loops(twice, 1'100, file), IsEmpty());
}

TEST_F(CrashRecordTest, OnlyTheNewestLinesAreKept) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += std::to_string(1'000 + i) + " SIGSEGV bad timer\n";
  write(text);
  ASSERT_EQ(run([] { _exit(0); }), 0);
  const auto crashes = read_crashes(file);
  ASSERT_THAT(crashes, SizeIs(base::limits::plugins_crash_lines));
  EXPECT_EQ(crashes.front().at, 1'024);
  EXPECT_EQ(crashes.back().at, 1'039);
}

TEST_F(CrashRecordTest, AFileThatCannotBeOpenedIsSaid) {
  std::filesystem::create_directories(file);
  const auto armed = arm_crash_record(file);
  ASSERT_FALSE(armed);
  EXPECT_THAT(armed.error().text, HasSubstr("the record of crashes cannot be opened"));
}

TEST_F(CrashRecordTest, APipeInItsPlaceKeepsNobodyWaiting) {
  ASSERT_EQ(mkfifo(file.c_str(), 0600), 0);
  EXPECT_FALSE(arm_crash_record(file));
}

}  // namespace
}  // namespace atlas::node
