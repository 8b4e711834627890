// The ban list: bans end when they say, the longer one wins, and capacity never drops a ban for a shorter one.
#include "session/bans.h"

#include <gtest/gtest.h>

#include <limits>

namespace atlas::session {
namespace {

constexpr std::int64_t kNow = 1'700'000'000;

class BanListTest : public testing::Test {
 protected:
  base::SeededRandom random{1};
  BanList bans{random, 3};
};

TEST_F(BanListTest, BanHoldsUntilItsSecond) {
  ASSERT_TRUE(bans.add("a", kNow + 600, "3 violations", kNow));
  EXPECT_EQ(bans.check("a", kNow), "3 violations");
  EXPECT_EQ(bans.check("a", kNow + 599), "3 violations");
  EXPECT_EQ(bans.check("a", kNow + 600), std::nullopt);
  EXPECT_EQ(bans.check("b", kNow), std::nullopt);
}

TEST_F(BanListTest, LongerBanWinsWhicheverComesFirst) {
  bans.add("a", kNow + 100, "short", kNow);
  EXPECT_EQ(bans.add("a", kNow + 600, "long", kNow)->until, kNow + 600);
  EXPECT_EQ(bans.check("a", kNow + 300), "long");
  const auto in_force = bans.add("a", kNow + 200, "shorter", kNow);
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->until, kNow + 600);
  EXPECT_EQ(in_force->reason, "long");
  EXPECT_EQ(bans.size(), 1u);
}

TEST_F(BanListTest, BanThatIsOverGivesWayToAnyNewOne) {
  bans.add("a", kNow + 600, "old", kNow);
  bans.add("a", kNow + 610, "new", kNow + 605);
  EXPECT_EQ(bans.check("a", kNow + 606), "new");
}

TEST_F(BanListTest, BanInThePastIsNone) {
  EXPECT_FALSE(bans.add("a", kNow, "late", kNow));
  EXPECT_FALSE(bans.add("a", std::numeric_limits<std::int64_t>::min(), "late", kNow));
  EXPECT_EQ(bans.size(), 0u);
}

TEST_F(BanListTest, LiftAndExpire) {
  bans.add("a", kNow + 10, "x", kNow);
  bans.add("b", kNow + 20, "x", kNow);
  bans.add("c", std::numeric_limits<std::int64_t>::max(), "x", kNow);
  EXPECT_TRUE(bans.lift("b"));
  EXPECT_FALSE(bans.lift("b"));
  EXPECT_EQ(bans.check("b", kNow), std::nullopt);
  EXPECT_EQ(bans.expire(kNow + 9), 0u);
  EXPECT_EQ(bans.expire(kNow + 10), 1u);
  EXPECT_EQ(bans.size(), 1u);
  EXPECT_TRUE(bans.check("c", kNow + 1'000'000'000));
}

TEST_F(BanListTest, CapacityMakesRoomFromThoseThatAreOver) {
  bans.add("a", kNow + 10, "x", kNow);
  bans.add("b", kNow + 500, "x", kNow);
  bans.add("c", kNow + 600, "x", kNow);
  EXPECT_TRUE(bans.add("d", kNow + 100, "x", kNow + 20));
  EXPECT_EQ(bans.size(), 3u);
  EXPECT_EQ(bans.displaced(), 0u);
}

TEST_F(BanListTest, CapacityDisplacesOnlyTheSoonestToEnd) {
  bans.add("a", kNow + 300, "x", kNow);
  bans.add("b", kNow + 500, "x", kNow);
  bans.add("c", kNow + 600, "x", kNow);
  EXPECT_FALSE(bans.add("d", kNow + 200, "x", kNow));
  EXPECT_TRUE(bans.add("e", kNow + 400, "x", kNow));
  EXPECT_EQ(bans.check("a", kNow), std::nullopt);
  EXPECT_TRUE(bans.check("e", kNow));
  EXPECT_EQ(bans.size(), 3u);
  EXPECT_EQ(bans.displaced(), 1u);
}

TEST_F(BanListTest, LoadsRowsThatStillCount) {
  wire::PeerRecord banned;
  banned.node_id = "a";
  banned.ban_until = kNow + 5;
  banned.ban_reason = "kept";
  wire::PeerRecord over = banned;
  over.node_id = "b";
  over.ban_until = kNow - 5;
  wire::PeerRecord without;
  without.node_id = "c";
  bans.load({banned, over, without}, kNow);
  EXPECT_EQ(bans.size(), 1u);
  EXPECT_EQ(bans.check("a", kNow), "kept");
}

TEST_F(BanListTest, ReasonIsCut) {
  bans.add("a", kNow + 5, std::string(10'000, 'r'), kNow);
  EXPECT_EQ(bans.check("a", kNow)->size(), BanList::kMaxBanReason);
}

TEST(BanList, DefaultCapacityHolds) {
  base::SeededRandom random(1);
  BanList bans(random);
  for (int i = 0; i < 100'500; ++i) bans.add("peer" + std::to_string(i), kNow + 1000 + i, "x", kNow);
  EXPECT_EQ(bans.size(), BanList::kDefaultMost);
  EXPECT_EQ(bans.displaced(), 500u);
}

}  // namespace
}  // namespace atlas::session
