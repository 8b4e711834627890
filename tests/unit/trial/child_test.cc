// Every way in which the work of a child can end.
#include "trial/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>

namespace atlas::trial {
namespace {

using testing::HasSubstr;

Outcome run(const std::function<std::string(const Notes&)>& work, base::MonoNs limit = 20 * base::kSecond) {
  return run_in_child(work, limit, base::SystemClock());
}

TEST(Child, WorkThatIsDone) {
  const Outcome out = run([](const Notes& notes) {
    notes.at("something");
    notes.info("{\"a\":1}");
    return std::string();
  });
  EXPECT_TRUE(out.ok) << out.why;
  EXPECT_EQ(out.info, "{\"a\":1}");
  EXPECT_EQ(out.where, "");
}

TEST(Child, WorkThatFoundSomethingWrong) {
  const Outcome out = run([](const Notes& notes) {
    notes.at("the second thing");
    return std::string("it is\nwrong");
  });
  EXPECT_FALSE(out.ok);
  EXPECT_THAT(out.why, HasSubstr("it is"));
  EXPECT_EQ(out.where, "the second thing");
}

TEST(Child, ACrashIsToldWithItsSignalAndItsPlace) {
  const Outcome out = run([](const Notes& notes) {
    notes.at("the last thing");
    ::kill(::getpid(), SIGKILL);
    return std::string();
  });
  EXPECT_FALSE(out.ok);
  EXPECT_EQ(out.why, "crashed with SIGKILL");
  EXPECT_EQ(out.where, "the last thing");
}

TEST(Child, AHangEndsWithTheTime) {
  const Outcome out = run(
      [](const Notes& notes) {
        notes.at("waiting for nothing");
        while (true) ::pause();
        return std::string();
      },
      base::kSecond / 10);
  EXPECT_FALSE(out.ok);
  EXPECT_THAT(out.why, HasSubstr("hung"));
  EXPECT_EQ(out.where, "waiting for nothing");
}

TEST(Child, AnExitIsNoEndOfTheWork) {
  const Outcome out = run([](const Notes&) -> std::string { ::_exit(0); });
  EXPECT_FALSE(out.ok);
  EXPECT_THAT(out.why, HasSubstr("ended the process, with exit code 0"));
}

TEST(Child, AnExceptionIsAReason) {
  const Outcome out = run([](const Notes&) -> std::string { throw std::runtime_error("no good"); });
  EXPECT_FALSE(out.ok);
  EXPECT_THAT(out.why, HasSubstr("no good"));
}

TEST(Child, TheEndOfItsOutputIsKept) {
  const Outcome out = run([](const Notes&) {
    for (int i = 0; i < 5000; ++i) std::fprintf(stderr, "line %d\n", i);
    std::fflush(stderr);
    return std::string();
  });
  EXPECT_THAT(out.log, HasSubstr("line 4999\n"));
  EXPECT_LE(out.log.size(), 8192u);
}

}  // namespace
}  // namespace atlas::trial
