#include "host/open_paths.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "session/dial_plan.h"

namespace atlas::host {
namespace {

using Answered = WantedPaths::Answered;

constexpr base::MonoNs kNow = 100 * base::kSecond;
const auto kSent = [] { return true; };
const auto kFull = [] { return false; };

TEST(WantedPaths, AreAnsweredOnce) {
  WantedPaths paths;
  ASSERT_TRUE(paths.add(5, "five", kNow));
  EXPECT_EQ(paths.answer(6, "five", kNow, kSent), Answered::kGone);
  EXPECT_EQ(paths.answer(5, "six", kNow, kSent), Answered::kOtherNode);
  EXPECT_EQ(paths.answer(5, "five", kNow, kFull), Answered::kRefused);
  EXPECT_EQ(paths.answer(5, "five", kNow, kSent), Answered::kYes) << "what failed left it open";
  EXPECT_EQ(paths.answer(5, "five", kNow, kSent), Answered::kGone);
}

TEST(WantedPaths, NoPathNeedsNoNode) {
  WantedPaths paths;
  paths.add(5, "five", kNow);
  EXPECT_EQ(paths.answer(5, {}, kNow, kSent), Answered::kYes);
}

TEST(WantedPaths, EndAfterTheTimeOfTheCandidate) {
  EXPECT_EQ(kWantedPathLife, session::DialTiming{}.candidate_timeout);
  WantedPaths paths;
  paths.add(5, "five", kNow);
  EXPECT_TRUE(paths.is_open(5, kNow + kWantedPathLife - 1));
  EXPECT_FALSE(paths.is_open(5, kNow + kWantedPathLife));
  EXPECT_EQ(paths.answer(5, "five", kNow + kWantedPathLife, kSent), Answered::kGone);
}

TEST(WantedPaths, EndWithTheirDial) {
  WantedPaths paths;
  paths.add(5, "five", kNow);
  paths.drop(5);
  paths.drop(6);
  EXPECT_EQ(paths.answer(5, "five", kNow, kSent), Answered::kGone);
}

TEST(WantedPaths, AreBoundedAndOverdueOnesMakeRoom) {
  WantedPaths paths(2);
  EXPECT_TRUE(paths.add(1, "one", kNow));
  EXPECT_TRUE(paths.add(2, "two", kNow + 1));
  EXPECT_FALSE(paths.add(3, "three", kNow + 1));
  EXPECT_TRUE(paths.add(3, "three", kNow + kWantedPathLife));
  EXPECT_FALSE(paths.is_open(1, kNow));
  EXPECT_TRUE(paths.is_open(2, kNow + kWantedPathLife)) << "it had not been overdue";
}

TEST(WantedPaths, CloseGivesEverythingAndEndsIt) {
  WantedPaths paths;
  paths.add(1, "one", kNow);
  paths.add(2, "two", kNow);
  auto left = paths.close();
  std::ranges::sort(left);
  EXPECT_EQ(left, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_FALSE(paths.add(3, "three", kNow));
  EXPECT_EQ(paths.answer(1, "one", kNow, kSent), Answered::kGone);
}

TEST(ExpectedPaths, AreBoundedForAsLongAsTheyHold) {
  ExpectedPaths paths(2);
  EXPECT_TRUE(paths.announce(kNow, kSent));
  EXPECT_FALSE(paths.announce(kNow, kFull));
  EXPECT_TRUE(paths.announce(kNow + 1, kSent)) << "what was not announced does not count";
  EXPECT_FALSE(paths.announce(kNow + kExpectedPathLife - 1, kSent));
  EXPECT_TRUE(paths.announce(kNow + kExpectedPathLife, kSent));
  EXPECT_FALSE(paths.announce(kNow + kExpectedPathLife, kSent));
}

}  // namespace
}  // namespace atlas::host
