// The pace towards one target stays below what an unknown peer is granted (protocol, section 10).
#include "lane.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using atlas::Millis;
using messaging::Lane;

// Sends whenever the lane allows; the times of all.
std::vector<Millis> send_all(Lane& lane, int count, std::size_t bytes) {
  std::vector<Millis> at;
  Millis now{1'000'000};
  for (int i = 0; i < count; ++i) {
    now = std::max(now, lane.ready_at());
    at.push_back(now);
    lane.sent(now, bytes);
  }
  return at;
}
std::ptrdiff_t most_within(const std::vector<Millis>& at, Millis span) {
  std::ptrdiff_t most = 0;
  for (const Millis begin : at) {
    most = std::max(
        most, std::count_if(at.begin(), at.end(), [&](Millis time) { return time >= begin && time < begin + span; }));
  }
  return most;
}

TEST(Lane, StartsReady) {
  EXPECT_LE(Lane().ready_at(), Millis(0));
}

TEST(Lane, SaysWhatHoldsTheNext) {
  using Hold = Lane::Hold;
  const Millis now{1'000'000};
  Lane lane;
  EXPECT_EQ(lane.hold(now), Hold::kNone);
  lane.sent(now, 100);
  EXPECT_EQ(lane.hold(now), Hold::kPaced);
  lane.away(now + Millis(1'000));
  EXPECT_EQ(lane.hold(now), Hold::kAway);
  lane.limited(now);
  EXPECT_EQ(lane.hold(now), Hold::kLimited);
  lane.away(now + 2 * Lane::kAfterLimit);
  EXPECT_EQ(lane.hold(now), Hold::kAway);
  lane.busy = true;
  EXPECT_EQ(lane.hold(now), Hold::kBusy);
}

TEST(Lane, StaysBelowTheRateLimits) {
  Lane lane;
  const auto at = send_all(lane, 300, 100);
  EXPECT_LE(most_within(at, Millis(1'000)), 4);
  EXPECT_LE(most_within(at, Millis(60'000)), 50);
  EXPECT_GE(most_within(at, Millis(60'000)), 45);
}

TEST(Lane, AFewGoQuickly) {
  Lane lane;
  const auto at = send_all(lane, 10, 100);
  EXPECT_EQ(at.back() - at.front(), 9 * Lane::kGap);
}

TEST(Lane, StaysBelowTheBytesAMinute) {
  Lane lane;
  const auto at = send_all(lane, 20, 4'194'304);
  EXPECT_LE(most_within(at, Millis(60'000)), 2);
}

TEST(Lane, ALimitOfTheOtherSideOutlastsHurry) {
  Lane lane;
  lane.limited(Millis(1'000));
  lane.hurry();
  EXPECT_EQ(lane.ready_at(), Millis(1'000) + Lane::kAfterLimit);
}

TEST(Lane, HurryEndsThePauseOfAnAbsentPeer) {
  Lane lane;
  lane.away(Millis(50'000));
  EXPECT_EQ(lane.ready_at(), Millis(50'000));
  lane.hurry();
  EXPECT_LE(lane.ready_at(), Millis(0));
}

}  // namespace
