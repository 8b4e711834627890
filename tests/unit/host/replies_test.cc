#include "host/replies.h"

#include <gtest/gtest.h>

namespace atlas::host {
namespace {

using Taken = OpenReplies::Taken;

TEST(OpenReplies, SecondReplyIsToldFromAGonePeer) {
  OpenReplies replies;
  ReplyHandle network = 0;
  const auto answered = replies.open(100, 1, true, 10);
  const auto left = replies.open(101, 2, true, 10);
  EXPECT_EQ(replies.take(answered, &network), Taken::kYes);
  EXPECT_EQ(network, 100u);
  EXPECT_EQ(replies.take(answered, &network), Taken::kAnswered);
  replies.peer_gone(2);
  EXPECT_EQ(replies.take(left, &network), Taken::kGone);
}

TEST(OpenReplies, MadeUpAndOldHandlesAreGone) {
  OpenReplies replies;
  ReplyHandle network = 0;
  EXPECT_EQ(replies.take(0, &network), Taken::kGone);
  EXPECT_EQ(replies.take(42, &network), Taken::kGone);
  EXPECT_EQ(replies.take(UINT64_MAX, &network), Taken::kGone);
  const auto first = replies.open(1, 1, false, 10);
  replies.take(first, &network);
  const auto second = replies.open(2, 1, false, 10);  // the same slot
  replies.take(second, &network);
  EXPECT_EQ(replies.take(first, &network), Taken::kGone);
  EXPECT_EQ(replies.take(second, &network), Taken::kAnswered);
}

TEST(OpenReplies, ExpireInOrderOfAge) {
  OpenReplies replies;
  replies.open(1, 1, true, 10);
  const auto second = replies.open(2, 1, true, 20);
  replies.open(3, 1, false, 30);
  ReplyHandle network = 0;
  replies.take(second, &network);
  std::vector<OpenReplies::Overdue> due;
  EXPECT_EQ(replies.next_deadline(), 10u);
  EXPECT_EQ(replies.expire(9, due), 10u);
  EXPECT_TRUE(due.empty());
  EXPECT_EQ(replies.expire(10, due), 30u);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].network, 1u);
  EXPECT_TRUE(due[0].promised);
  EXPECT_EQ(replies.expire(30, due), base::kNever);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_FALSE(due[1].promised);
}

TEST(OpenReplies, AreBounded) {
  OpenReplies replies(2);
  EXPECT_NE(replies.open(1, 1, true, 10), 0u);
  const auto second = replies.open(2, 1, true, 10);
  EXPECT_EQ(replies.open(3, 1, true, 10), 0u);
  ReplyHandle network = 0;
  replies.take(second, &network);
  EXPECT_NE(replies.open(3, 1, true, 10), 0u);
}

TEST(OpenReplies, CloseAllGivesWhatIsOpen) {
  OpenReplies replies;
  replies.open(5, 1, true, 10);
  replies.open(6, 1, true, 10);
  EXPECT_EQ(replies.close_all(), (std::vector<ReplyHandle>{5, 6}));
  EXPECT_EQ(replies.next_deadline(), base::kNever);
}

}  // namespace
}  // namespace atlas::host
