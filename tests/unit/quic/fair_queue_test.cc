#include "quic/fair_queue.h"

#include <gtest/gtest.h>

#include <map>

namespace atlas::quic {
namespace {

class FairQueueTest : public ::testing::Test {
 protected:
  // A socket that takes `room` bytes.
  bool drain(std::size_t room) {
    return queue.drain([&](FairQueue::Lane& lane, const FairQueue::Run& run) {
      if (run.data.size() > room) return false;
      room -= run.data.size();
      sent[&lane] += run.data.size();
      order.push_back(run);
      return true;
    });
  }
  std::size_t put(FairQueue::Lane& lane, std::size_t size, std::size_t segment = 1200) {
    return queue.put(lane, base::Bytes(size, 7), segment, 0);
  }

  FairQueue queue;
  FairQueue::Lane greedy, modest;
  std::map<FairQueue::Lane*, std::size_t> sent;
  std::vector<FairQueue::Run> order;
};

TEST_F(FairQueueTest, KeepsOrderAndSizesOfARoute) {
  EXPECT_EQ(put(greedy, 3000), 3000u);
  EXPECT_EQ(put(greedy, 400, 500), 400u);
  EXPECT_TRUE(drain(SIZE_MAX));
  ASSERT_EQ(order.size(), 2u);
  EXPECT_EQ(order[0].data.size(), 3000u);
  EXPECT_EQ(order[0].segment, 1200u);
  EXPECT_EQ(order[1].data.size(), 400u);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(FairQueueTest, LongRunsAreCutBetweenDatagrams) {
  EXPECT_EQ(put(greedy, 60'000), 60'000u);
  EXPECT_TRUE(drain(SIZE_MAX));
  EXPECT_GT(order.size(), 1u);
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    EXPECT_LE(order[i].data.size(), FairQueue::kQuantum);
    EXPECT_EQ(order[i].data.size() % 1200, 0u);
  }
}

TEST_F(FairQueueTest, AGreedyRouteGetsNoMoreThanAModestOne) {
  while (put(greedy, 12'000) == 12'000) continue;
  while (put(modest, 1200) == 1200 && modest.bytes() < 100'000) continue;
  EXPECT_FALSE(drain(100'000));
  EXPECT_NEAR(static_cast<double>(sent[&greedy]), static_cast<double>(sent[&modest]), 2.0 * FairQueue::kQuantum);
}

TEST_F(FairQueueTest, AFullSocketDoesNotChangeWhoseTurnItIs) {
  put(greedy, 120'000);
  put(modest, 120'000);
  for (int i = 0; i < 100 && !drain(2400); ++i) continue;
  EXPECT_NEAR(static_cast<double>(sent[&greedy]), static_cast<double>(sent[&modest]), 2.0 * FairQueue::kQuantum);
}

TEST_F(FairQueueTest, OneLaneHasItsShareOfIt) {
  const std::size_t whole = FairQueue::kMostLaneBytes / 1200 * 1200;
  EXPECT_EQ(put(greedy, 2 * FairQueue::kMostLaneBytes), whole);
  EXPECT_EQ(put(greedy, 1200), 0u);
  EXPECT_EQ(put(modest, 1200), 1200u);
}

TEST_F(FairQueueTest, MemoryIsBounded) {
  std::vector<FairQueue::Lane> lanes(2 * FairQueue::kMostBytes / FairQueue::kMostLaneBytes);
  std::size_t taken = 0;
  for (auto& lane : lanes) taken += put(lane, FairQueue::kMostLaneBytes, 1024);
  EXPECT_EQ(taken, FairQueue::kMostBytes);
  EXPECT_EQ(queue.bytes(), FairQueue::kMostBytes);
  for (auto& lane : lanes) queue.clear(lane);
  EXPECT_EQ(queue.bytes(), 0u);
}

TEST_F(FairQueueTest, ARouteThatEndsTakesItsDatagramsAlong) {
  put(greedy, 12'000);
  put(modest, 1200);
  queue.clear(greedy);
  EXPECT_TRUE(drain(SIZE_MAX));
  EXPECT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[&modest], 1200u);
  queue.clear(modest);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace atlas::quic
