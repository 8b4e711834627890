// Sessions on a node that cannot forward all that comes. The node is a queue of so many bytes from which so many bytes
// are worked off in each millisecond; time is counted, not measured.
#include "quic/fair_ceiling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <numeric>
#include <vector>

namespace atlas::quic {
namespace {

constexpr std::size_t kDatagram = 1'200;
constexpr std::size_t kHonest = 95, kGreedy = 5, kAll = kHonest + kGreedy;

struct Sender {
  FairCeiling::Lane lane;
  double rate = 0;  // bytes a millisecond
  std::size_t burst = 1;
  double due = 0;
  std::uint64_t sent = 0, passed = 0, unread = 0;
};

class FairCeilingTest : public ::testing::Test {
 protected:
  static constexpr double kWork = 1'200'000;  // bytes a millisecond that it reads and forwards
  static constexpr double kReading = 0.35;    // of the work for a datagram
  static constexpr double kRoom = 4'000'000;
  static constexpr double kFair = kWork / kAll;

  void honest(double part) { set(0, kHonest, part * kFair, 10); }
  void greedy(double times) { set(kHonest, kAll, times * kFair, 50); }
  void set(std::size_t from, std::size_t to, double rate, std::size_t burst) {
    for (std::size_t i = from; i < to; ++i) {
      senders[i].rate = rate;
      senders[i].burst = burst;
      senders[i].due = static_cast<double>(i * burst * kDatagram) / kAll;  // not all at once
    }
  }
  void run(base::MonoNs span) {
    for (const base::MonoNs end = now + span; now < end;) millisecond();
  }
  // Everybody's part of the fair share, over so long.
  void measure(base::MonoNs span) {
    for (Sender& sender : senders) sender.sent = sender.passed = 0;
    run(span);
    const double share = kFair * static_cast<double>(span / base::kMillisecond);
    kept.clear();
    for (const Sender& sender : senders) kept.push_back(static_cast<double>(sender.passed) / share);
  }
  double least_honest() const { return *std::min_element(kept.begin(), kept.begin() + kHonest); }
  double most_greedy() const { return *std::max_element(kept.begin() + kHonest, kept.end()); }
  double least_greedy() const { return *std::min_element(kept.begin() + kHonest, kept.end()); }

  FairCeiling ceiling{[this](FairCeiling::Lane& lane, std::uint64_t datagrams) {
    for (Sender& sender : senders) {
      if (&sender.lane == &lane) sender.unread += datagrams;
    }
  }};
  std::vector<Sender> senders = std::vector<Sender>(kAll);
  std::vector<double> kept;
  base::MonoNs now = base::kSecond;
  std::uint64_t lost = 0, refused = 0, dropped_unread = 0;  // datagrams: no room, over the ceiling, by the kernel
  bool kernel_drops = true;

 private:
  struct Batch {
    Sender* from;
    std::size_t bytes;
  };

  void millisecond() {
    // Large bursts and small ones come mixed, and begin with another sender each time.
    for (std::size_t i = 0; i < kAll; ++i) arrive(senders[(i + turn_) % kAll]);
    turn_ += 7;
    fullest_ = std::max(fullest_, queued_ / kRoom);
    now += base::kMillisecond;
    for (double work = kWork; work > 0 && !queue_.empty();) {
      const Batch batch = queue_.front();
      queue_.pop_front();
      queued_ -= static_cast<double>(batch.bytes);
      const std::size_t granted = ceiling.grant(batch.from->lane, batch.bytes, kDatagram, now);
      EXPECT_EQ(granted % kDatagram, 0u);
      batch.from->passed += granted;
      refused += (batch.bytes - granted) / kDatagram;
      work -= static_cast<double>(batch.bytes) * kReading + static_cast<double>(granted) * (1 - kReading);
    }
    if (!ceiling.window_over(now)) return;
    ceiling.close_window(now, {.fullest = fullest_, .lost = lost != lost_before_});
    fullest_ = 0;
    lost_before_ = lost;
  }

  void arrive(Sender& sender) {
    const std::size_t bytes = sender.burst * kDatagram;
    for (sender.due += sender.rate; sender.due >= static_cast<double>(bytes);
         sender.due -= static_cast<double>(bytes)) {
      sender.sent += bytes;
      // The kernel picks by chance; here it picks evenly.
      pick_ += 0.618034;
      if (kernel_drops && pick_ - std::floor(pick_) > sender.lane.keep()) {
        dropped_unread += sender.burst;
      } else if (queued_ >= kRoom) {
        lost += sender.burst;
      } else {
        queue_.push_back({&sender, bytes});
        queued_ += static_cast<double>(bytes);
      }
    }
  }

  std::deque<Batch> queue_;
  double queued_ = 0, fullest_ = 0, pick_ = 0;
  std::size_t turn_ = 0;
  std::uint64_t lost_before_ = 0;
};

TEST_F(FairCeilingTest, HonestSessionsKeepTheirShareBesideGreedyOnes) {
  honest(0.95);
  greedy(20);  // with the honest ones nearly twice what the node can do
  run(2 * base::kSecond);
  measure(5 * base::kSecond);
  EXPECT_TRUE(ceiling.active());
  EXPECT_GE(least_honest(), 0.9 * 0.95);
  EXPECT_GE(least_greedy(), 0.6);
  EXPECT_LE(most_greedy(), 2.0);
}

// Without the ceiling everybody loses alike, by what is sent: what the test above would show of it.
TEST_F(FairCeilingTest, OneThatReadsNothingOfItsLoadLosesByWhatIsSent) {
  honest(0.95);
  greedy(20);
  for (int i = 0; i < 400; ++i) {
    run(5 * base::kMillisecond);
    ceiling.stop();
  }
  measure(5 * base::kMillisecond);
  std::uint64_t passed = 0;
  double sum = 0;
  for (std::size_t i = 0; i < kHonest; ++i) sum += kept[i], passed += senders[i].passed;
  EXPECT_GT(passed, 0u);
  EXPECT_LT(sum / kHonest, 0.75);
  EXPECT_GT(most_greedy(), 5.0);
}

TEST_F(FairCeilingTest, HoldsAtFourTimesWhatTheNodeCanDo) {
  honest(0.95);
  greedy(60);
  run(2 * base::kSecond);
  measure(5 * base::kSecond);
  EXPECT_GE(least_honest(), 0.85 * 0.95);
  EXPECT_LE(most_greedy(), 2.5);
  EXPECT_GT(dropped_unread, refused);  // most of it cost no reading
}

// Without the kernel's help all that comes is read, which leaves less to forward; but that is shared alike.
TEST_F(FairCeilingTest, IsFairAlsoWhereTheKernelDropsNothing) {
  kernel_drops = false;
  ceiling.read_all();
  honest(0.95);
  greedy(8);
  run(2 * base::kSecond);
  measure(5 * base::kSecond);
  EXPECT_EQ(dropped_unread, 0u);
  EXPECT_GE(least_honest(), 0.8 * 0.95);
  EXPECT_LE(most_greedy(), 2.0);
}

TEST_F(FairCeilingTest, DropsNothingWithoutOverload) {
  honest(0.5);
  greedy(9);  // 92 % of what the node can do
  run(5 * base::kSecond);
  EXPECT_FALSE(ceiling.active());
  EXPECT_EQ(refused + dropped_unread + lost, 0u);
}

// Shares are not equal parts: who wants little has it, and the rest is for those who want more.
TEST_F(FairCeilingTest, WhatSomeLeaveOthersMayHave) {
  honest(0.4);
  greedy(20);
  run(3 * base::kSecond);
  measure(5 * base::kSecond);
  EXPECT_GE(least_honest(), 0.9 * 0.4);
  EXPECT_GE(least_greedy(), 7.0);  // of (100 - 95 * 0.4) / 5 = 12.4
}

TEST_F(FairCeilingTest, GoesWhenTheOverloadIsOver) {
  honest(0.95);
  greedy(20);
  run(2 * base::kSecond);
  ASSERT_TRUE(ceiling.active());
  greedy(0.9);
  run(3 * base::kSecond);
  EXPECT_FALSE(ceiling.active());
  EXPECT_TRUE(ceiling.shed().empty());
  const std::uint64_t before = refused + dropped_unread + lost;
  run(2 * base::kSecond);
  EXPECT_EQ(refused + dropped_unread + lost, before);
}

// A full buffer after a pause (a program that did not run for a moment) is no overload.
TEST_F(FairCeilingTest, OneBurstThatFindsNoRoomIsNoOverload) {
  honest(0.5);
  greedy(1);
  run(base::kSecond);
  set(kHonest, kAll, 4 * kRoom, 50);
  run(base::kMillisecond);
  greedy(1);
  run(base::kSecond);
  EXPECT_GT(lost, 0u);
  EXPECT_FALSE(ceiling.active());
  EXPECT_EQ(refused, 0u);
}

// A buffer that is full of something else would not be emptier for less forwarding.
TEST_F(FairCeilingTest, OtherTrafficSetsNoCeiling) {
  FairCeiling::Lane lane;
  for (int i = 0; i < 100; ++i, now += FairCeiling::kWindow) {
    EXPECT_EQ(ceiling.grant(lane, 12'000, kDatagram, now), 12'000u);
    ceiling.close_window(now, {.fullest = 1, .lost = true, .ours = false});
  }
  EXPECT_FALSE(ceiling.active());
}

// However long the buffer stays full, nobody gets less than the mean of all.
TEST_F(FairCeilingTest, DoesNotSinkBelowTheMean) {
  std::vector<FairCeiling::Lane> lanes(10);
  const std::size_t each = 1'200'000;  // in each window
  for (int i = 0; i < 300; ++i, now += FairCeiling::kWindow) {
    for (FairCeiling::Lane& lane : lanes) ceiling.grant(lane, each, kDatagram, now);
    ceiling.close_window(now, {.fullest = 1, .lost = true});
  }
  EXPECT_TRUE(ceiling.active());
  EXPECT_GE(ceiling.ceiling(), 0.5 * each * 100);
}

TEST_F(FairCeilingTest, TellsWhatTheKernelDropped) {
  honest(0.95);
  greedy(40);
  run(5 * base::kSecond);
  const std::uint64_t told = std::accumulate(senders.begin(), senders.end(), std::uint64_t{0},
                                             [](std::uint64_t sum, const Sender& it) { return sum + it.unread; });
  ASSERT_GT(dropped_unread, 10'000u);
  EXPECT_NEAR(static_cast<double>(told), static_cast<double>(dropped_unread),
              0.3 * static_cast<double>(dropped_unread));
  for (std::size_t i = 0; i < kHonest; ++i) EXPECT_EQ(senders[i].unread, 0u);
}

TEST_F(FairCeilingTest, NoMoreAreShedThanTheLimit) {
  std::vector<FairCeiling::Lane> lanes(FairCeiling::kMostShed + 100);
  std::vector<FairCeiling::Lane> small(10 * lanes.size());
  const auto window = [&] {
    for (FairCeiling::Lane& lane : small) ceiling.grant(lane, kDatagram, kDatagram, now);
    for (FairCeiling::Lane& lane : lanes) ceiling.grant(lane, 100 * kDatagram, kDatagram, now);
    now += FairCeiling::kWindow;
    ceiling.close_window(now, {.fullest = 1, .lost = true});
  };
  for (int i = 0; i < 200; ++i) window();
  EXPECT_EQ(ceiling.shed().size(), base::limits::quic_shed_routes);
  for (const FairCeiling::Lane* lane : ceiling.shed()) EXPECT_LT(lane->keep(), 0.5);
  for (const FairCeiling::Lane& lane : small) EXPECT_EQ(lane.keep(), 1.0);
}

TEST_F(FairCeilingTest, ARouteThatEndsIsForgotten) {
  honest(0.95);
  greedy(20);
  run(2 * base::kSecond);
  ASSERT_FALSE(ceiling.shed().empty());
  for (std::size_t i = kHonest; i < kAll; ++i) ceiling.forget(senders[i].lane);
  EXPECT_TRUE(ceiling.shed().empty());
  for (std::size_t i = kHonest; i < kAll; ++i) EXPECT_EQ(senders[i].lane.keep(), 1.0);
}

}  // namespace
}  // namespace atlas::quic
