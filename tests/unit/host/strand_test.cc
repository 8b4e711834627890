// Strand: order, one at a time, bounds, budgets, and its end.
#include "host/strand.h"

#include <thread>

#include "host/thread_pool.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

class StrandBase : public ::testing::Test, public StrandSink {
 protected:
  StrandBase() { rebuild({}); }
  void rebuild(const StrandLimits& limits) {
    strand = std::make_unique<host::Strand>(&executor, &clock, limits, *this);
    strand->attach(alive);
  }
  void run(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs) override {
    if (item.kind == ItemKind::kTask) return strand->task_of(item)(false);
    EXPECT_EQ(host::Strand::in_turn(), item.budgeted);
    seen.push_back(std::string(base::as_text(first)) + "|" + std::string(base::as_text(second)));
    if (before_callback != 0) {
      clock.advance(before_callback);
      strand->begin_callback();
    }
    clock.advance(cost);
    if (close_after == seen.size()) {
      strand->close();
      strand->discard_leftovers();
    }
  }
  void discard(const Item& item) override {
    ++discarded;
    if (item.kind == ItemKind::kTask) strand->task_of(item)(true);
  }
  void settle() override {
    settled_at.push_back(seen.size());
    EXPECT_FALSE(host::Strand::in_turn());
  }
  void overrun(const Item&, base::MonoNs took, bool hard) override { overruns.emplace_back(took, hard); }

  Appended append(std::string_view first, std::string_view second = {}, Admission admission = Admission::kCounted,
                  ItemKind kind = ItemKind::kMessage) {
    Item item;
    item.kind = kind;
    return strand->append(item, base::as_bytes(first), base::as_bytes(second), admission);
  }

  ManualClock clock;
  ManualExecutor executor;
  std::shared_ptr<int> alive = std::make_shared<int>(1);
  std::unique_ptr<host::Strand> strand;
  std::vector<std::string> seen;
  std::vector<std::size_t> settled_at;  // how many had run
  std::vector<std::pair<base::MonoNs, bool>> overruns;
  base::MonoNs before_callback = 0, cost = 0;
  std::size_t close_after = 0;
  int discarded = 0;
};

// The name that docs and limits.def know these tests by.
class Strand : public StrandBase {};

TEST_F(Strand, RunsInOrderWithItsBytes) {
  append("one", "1");
  append("two");
  append("", "3");
  EXPECT_TRUE(seen.empty());  // not on the producer's thread
  executor.run_all();
  EXPECT_THAT(seen, ::testing::ElementsAre("one|1", "two|", "|3"));
}

TEST_F(Strand, OneTurnCarriesEverythingThatGathered) {
  for (int i = 0; i < 100; ++i) append("x");
  EXPECT_EQ(executor.scheduled, 1u);
  executor.run_all();
  EXPECT_EQ(seen.size(), 100u);
  append("again");
  EXPECT_EQ(executor.scheduled, 2u);
}

TEST_F(Strand, LongQueueLetsOthersRunInBetween) {
  for (int i = 0; i < 1000; ++i) append("x");
  EXPECT_TRUE(executor.run_one());
  EXPECT_LT(seen.size(), 1000u);
  executor.run_all();
  EXPECT_EQ(seen.size(), 1000u);
}

TEST_F(Strand, ClosedInTheMiddleRunsNothingMore) {
  bool told = false;
  for (int i = 0; i < 4; ++i) append("x");
  strand->append_task([&](bool dropped) { told = dropped; }, true);
  close_after = 2;
  executor.run_all();
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(discarded, 3);
  EXPECT_TRUE(told);
  EXPECT_EQ(append("late"), Appended::kClosed);
  EXPECT_FALSE(strand->append_task([](bool) {}, true));
  EXPECT_EQ(strand->counters().queue_messages, 0u);
}

TEST_F(Strand, SeizedStrandRunsNoTurn) {
  append("x");
  strand->seize();
  executor.run_all();
  EXPECT_TRUE(seen.empty());
  strand->close();
  strand->discard_leftovers();
  EXPECT_EQ(discarded, 1);
}

TEST_F(Strand, QueueIsBoundedByMessages) {
  rebuild({.messages = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(append("x"), Appended::kQueued);
  EXPECT_EQ(append("x"), Appended::kFull);
  EXPECT_EQ(append("", "", Admission::kCounted, ItemKind::kPost), Appended::kFull);
  EXPECT_EQ(append("x", "", Admission::kCompletion, ItemKind::kAnswer), Appended::kQueued);  // was asked for
  EXPECT_EQ(strand->counters().dropped, 2u);
  executor.run_all();
  EXPECT_EQ(append("x"), Appended::kQueued);
}

TEST_F(Strand, QueueIsBoundedByBytes) {
  rebuild({.bytes = 10});
  EXPECT_EQ(append("12345678901234567890"), Appended::kQueued);  // one always fits
  EXPECT_EQ(append("1"), Appended::kFull);
  EXPECT_EQ(append("1", "", Admission::kCompletion, ItemKind::kAnswer), Appended::kFull);
  EXPECT_EQ(append("", "", Admission::kCompletion, ItemKind::kAnswer), Appended::kQueued);
  executor.run_all();
  EXPECT_EQ(append("12345"), Appended::kQueued);
  EXPECT_EQ(append("12345"), Appended::kQueued);
  EXPECT_EQ(append("1"), Appended::kFull);
}

TEST_F(Strand, PeerEventsHaveTheirOwnBound) {
  rebuild({.messages = 1, .events = 2});
  EXPECT_EQ(append("x"), Appended::kQueued);
  EXPECT_EQ(append("", "", Admission::kEvent, ItemKind::kPeerEvent), Appended::kQueued);
  EXPECT_EQ(append("", "", Admission::kEvent, ItemKind::kPeerEvent), Appended::kQueued);
  EXPECT_EQ(append("", "", Admission::kEvent, ItemKind::kPeerEvent), Appended::kFull);
}

TEST_F(Strand, SoftBudgetCounts) {
  rebuild({.soft_budget = 5, .hard_budget = 100});
  cost = 5;
  append("in time");
  executor.run_all();
  EXPECT_EQ(strand->counters().slow, 0u);
  cost = 6;
  append("late");
  executor.run_all();
  EXPECT_EQ(strand->counters().slow, 1u);
  EXPECT_EQ(strand->counters().callback_ns, 11u);
  ASSERT_EQ(overruns.size(), 1u);
  EXPECT_EQ(overruns[0], (std::pair<base::MonoNs, bool>(6, false)));
}

TEST_F(Strand, HardBudgetFaults) {
  rebuild({.soft_budget = 5, .hard_budget = 100});
  cost = 101;
  append("far too late");
  executor.run_all();
  ASSERT_EQ(overruns.size(), 1u);
  EXPECT_TRUE(overruns[0].second);
}

TEST_F(Strand, SettlesOnceForABatch) {
  for (int i = 0; i < 100; ++i) append("x");
  executor.run_all();
  EXPECT_EQ(settled_at, std::vector<std::size_t>{100});
}

TEST_F(Strand, SettlesInBetweenWhenTheBatchTakesLong) {
  cost = 150 * base::kMicrosecond;
  for (int i = 0; i < 5; ++i) append("x");
  executor.run_all();
  EXPECT_EQ(settled_at, (std::vector<std::size_t>{2, 4, 5})) << "nothing waits for more than a moment";
}

TEST_F(Strand, SettlesWhenItIsClosedInTheMiddle) {
  for (int i = 0; i < 4; ++i) append("x");
  close_after = 2;
  executor.run_all();
  EXPECT_EQ(settled_at, std::vector<std::size_t>{2});
}

TEST_F(Strand, WhatTakesItsTimeIsNoTurn) {
  bool in_turn = true, budgeted_in_turn = false;
  strand->append_task([&](bool) { in_turn = host::Strand::in_turn(); }, false);
  strand->append_task([&](bool) { budgeted_in_turn = host::Strand::in_turn(); }, true);
  executor.run_all();
  EXPECT_FALSE(in_turn);
  EXPECT_TRUE(budgeted_in_turn);
}

TEST_F(Strand, WorkOfTheHostBeforeACallbackIsNotInItsBudget) {
  rebuild({.soft_budget = 5, .hard_budget = 100});
  before_callback = 1000;
  cost = 5;
  append("a large payload that had to be checked first");
  executor.run_all();
  EXPECT_TRUE(overruns.empty());
  EXPECT_EQ(strand->counters().callback_ns, 5u);
}

TEST_F(Strand, UnbudgetedTaskMayTakeItsTime) {
  rebuild({.soft_budget = 5, .hard_budget = 100});
  strand->append_task([&](bool) { clock.advance(1000); }, false);
  strand->append_task([&](bool) { clock.advance(50); }, true);
  executor.run_all();
  ASSERT_EQ(overruns.size(), 1u);
  EXPECT_FALSE(overruns[0].second);
}

// Four producers, three workers: every item runs, each producer's in its order, never two at a time.
TEST(StrandThreads, NeverOverlapsAndKeepsEachProducersOrder) {
  struct Sink final : StrandSink {
    void run(const Item& item, base::ByteView, base::ByteView, base::MonoNs) override {
      if (inside.exchange(true)) ++overlaps;
      if (item.a != next[item.b]++) ++disorder;
      ++ran;
      inside = false;
    }
    void discard(const Item&) override {}
    void settle() override {}
    void overrun(const Item&, base::MonoNs, bool) override {}
    std::atomic<bool> inside{false};
    std::uint64_t next[4] = {};
    int overlaps = 0, disorder = 0;
    std::atomic<int> ran{0};
  } sink;
  constexpr int kEach = 5000;
  base::SystemClock clock;
  const auto alive = std::make_shared<int>(1);
  StrandLimits limits;
  limits.messages = 4 * kEach;
  host::Strand* strand = nullptr;
  {
    ThreadPool pool(3);
    auto owned = std::make_unique<host::Strand>(&pool, &clock, limits, sink);
    strand = owned.get();
    strand->attach(alive);
    std::vector<std::thread> producers;
    for (std::uint64_t p = 0; p < 4; ++p) {
      producers.emplace_back([&, p] {
        for (std::uint64_t i = 0; i < kEach; ++i) {
          Item item;
          item.kind = ItemKind::kMessage;
          item.a = i;
          item.b = p;
          strand->append(item, base::as_bytes("payload"), {}, Admission::kCounted);
        }
      });
    }
    for (auto& producer : producers) producer.join();
    while (sink.ran < 4 * kEach) std::this_thread::yield();
    strand->seize();
  }
  EXPECT_EQ(sink.overlaps, 0);
  EXPECT_EQ(sink.disorder, 0);
}

}  // namespace
}  // namespace atlas::host::test
