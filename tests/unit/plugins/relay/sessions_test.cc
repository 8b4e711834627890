// The tables of the server half: nothing is left when nothing is forwarded.
#include "sessions.h"

#include <gtest/gtest.h>

#include "announcements.h"
#include "kit/fake_values.h"

namespace {

using atlas::Millis;
using atlas::kit::node_id;
using relay::Announcements;
using relay::NoticeBudget;
using relay::Prefix;
using relay::Session;
using relay::Sessions;

Prefix prefix_of(const char* host) {
  return Prefix(*atlas::HostAddress::parse(host));
}

TEST(RelaySessions, ManyThatCameAndWentLeaveNothing) {
  Sessions sessions({});
  for (std::uint64_t i = 1; i <= 100'000; ++i) {
    sessions.add({.route = i, .source = node_id(i), .target = node_id(i + 1), .prefix = prefix_of("192.0.2.1")});
    if (i > 3) sessions.remove(i - 3);
    ASSERT_LE(sessions.entries(), 20u);
  }
  for (std::uint64_t i = 99'990; i <= 100'000; ++i) sessions.remove(i);
  EXPECT_EQ(sessions.entries(), 0u);
}

TEST(RelaySessions, TheOtherDirectionIsAnotherSession) {
  Sessions sessions({});
  EXPECT_EQ(sessions.add({.route = 1, .source = node_id(1), .target = node_id(2)}), 0u);
  EXPECT_EQ(sessions.add({.route = 2, .source = node_id(2), .target = node_id(1)}), 0u);
  EXPECT_EQ(sessions.add({.route = 3, .source = node_id(1), .target = node_id(2)}), 1u);
  EXPECT_EQ(sessions.size(), 2u);
  sessions.remove(1);  // of the one that was replaced: it changes nothing
  EXPECT_EQ(sessions.size(), 2u);
}

TEST(RelaySessions, PrefixesAreOfTheirFamily) {
  EXPECT_EQ(prefix_of("192.0.2.1"), prefix_of("192.0.2.254"));
  EXPECT_EQ(prefix_of("192.0.2.1"), prefix_of("::ffff:192.0.2.254"));
  EXPECT_NE(prefix_of("192.0.2.1"), prefix_of("192.0.3.1"));
  EXPECT_EQ(prefix_of("2001:db8:1::1"), prefix_of("2001:db8:1:ffff::1"));
  EXPECT_NE(prefix_of("2001:db8:1::1"), prefix_of("2001:db8:2::1"));
}

TEST(RelayAnnouncements, ManyThatCameAndWentLeaveNothing) {
  Announcements all(10, 40);
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    EXPECT_TRUE(all.put(node_id(i), i, Millis(0)));
    all.drop(i);
  }
  EXPECT_EQ(all.size(), 0u);
  all.drop(5);
}

bool taken(NoticeBudget& budget, Millis now) {
  static std::uint64_t number = 0;
  return budget.take(node_id(++number), now) == NoticeBudget::Taken::kYes;
}

TEST(RelayAnnouncements, ANoticeBudgetSurvivesAClockThatStandsOrJumps) {
  NoticeBudget budget(60, Millis(1'000));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(taken(budget, Millis(1'000)));
  EXPECT_FALSE(taken(budget, Millis(1'000)));
  EXPECT_FALSE(taken(budget, Millis(0)));
  EXPECT_TRUE(taken(budget, Millis(1'000)));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(taken(budget, Millis::max() / 2));
  EXPECT_FALSE(taken(budget, Millis::max() / 2));
}

TEST(RelayAnnouncements, SourcesThatABudgetRemembersAreBounded) {
  NoticeBudget budget(relay::kMostNoticesPerMinute, Millis(0));
  for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(taken(budget, Millis(1 + i)));
  EXPECT_EQ(budget.remembered(), relay::kRememberedSources);
  EXPECT_TRUE(taken(budget, Millis(70'000)));
  EXPECT_EQ(budget.remembered(), 1u);
}

}  // namespace
