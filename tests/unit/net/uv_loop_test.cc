#include "net/uv_loop.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace atlas::net {
namespace {

using base::kMicrosecond;
using base::kMillisecond;

class UvLoopTest : public testing::Test {
 protected:
  base::SystemClock clock;
  UvLoop loop{clock};
};

TEST_F(UvLoopTest, RunsWhatWasPostedBeforeStop) {
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) loop.post([&ran, i] { ran.push_back(i); });
  loop.stop();
  loop.run();
  EXPECT_EQ(ran, (std::vector<int>{0, 1, 2}));
}

TEST_F(UvLoopTest, RunsAgainAfterStop) {
  for (int i = 0; i < 3; ++i) {
    bool ran = false;
    loop.post([&] {
      ran = true;
      loop.stop();
    });
    loop.run();
    EXPECT_TRUE(ran);
  }
}

TEST_F(UvLoopTest, TasksOfOneCallerKeepTheirOrderFromBeforeRunAndWithin) {
  std::string order;
  loop.post([&] {
    order += 'a';
    loop.post([&] {
      order += 'c';
      loop.post([&] { loop.stop(); });
    });
  });
  loop.post([&] { order += 'b'; });
  loop.run();
  EXPECT_EQ(order, "abc");
}

// Turns are counted, for that is what staying awake means: a loop that sleeps makes one for each event.
TEST_F(UvLoopTest, LooksForEventsWithoutSleepingForAsLongAsItIsAsked) {
  int turns = 0, at_wish_end = 0;
  loop.before_sleep([&] { ++turns; });
  const base::MonoNs start = clock.mono_ns();
  loop.post([&] { loop.stay_awake(start + 20 * kMillisecond); });
  const auto wish_over = loop.make_timer([&] { at_wish_end = turns; });
  wish_over->arm(start + 30 * kMillisecond);
  const auto end = loop.make_timer([&] { loop.stop(); });
  end->arm(start + 60 * kMillisecond);
  loop.run();
  loop.before_sleep(nullptr);
  EXPECT_GT(at_wish_end, 100);
  EXPECT_LT(turns - at_wish_end, 10);
}

TEST_F(UvLoopTest, PostsFromManyThreadsArriveOnceAndInOrder) {
  constexpr int kThreads = 4, kEach = 2000;
  std::vector<std::vector<int>> seen(kThreads);
  int left = kThreads * kEach;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (--left == 0) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  for (const auto& of_thread : seen) {
    ASSERT_EQ(of_thread.size(), static_cast<std::size_t>(kEach));
    for (int i = 0; i < kEach; ++i) ASSERT_EQ(of_thread[static_cast<std::size_t>(i)], i);
  }
}

TEST_F(UvLoopTest, StopFromAnotherThread) {
  std::thread other;
  loop.post([&] { other = std::thread([&] { loop.stop(); }); });
  loop.run();
  other.join();
}

TEST_F(UvLoopTest, TasksThatNeverRanAreDestroyed) {
  auto token = std::make_shared<int>();
  {
    UvLoop short_lived(clock);
    short_lived.post([token] { FAIL(); });
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST_F(UvLoopTest, DestroyingATaskMayPostAnother) {
  struct PostsOnExit {
    UvLoop& loop;
    std::shared_ptr<int> token;
    ~PostsOnExit() {
      loop.post([token = token] { FAIL(); });
    }
  };
  auto token = std::make_shared<int>();
  {
    UvLoop short_lived(clock);
    short_lived.post([last = std::make_unique<PostsOnExit>(short_lived, token)] { FAIL(); });
  }
  EXPECT_EQ(token.use_count(), 1);
}

// Near deadlines go through the timerfd, far ones through libuv's timer; together they still come in order, none early.
TEST_F(UvLoopTest, TimersFireInOrderAndNeverEarly) {
  const base::MonoNs start = clock.mono_ns();
  const std::vector<base::MonoNs> spans = {5 * kMillisecond,    150 * kMicrosecond, 0,
                                           1 * kMillisecond,    3 * kMillisecond,   900 * kMicrosecond,
                                           2500 * kMicrosecond, 20 * kMillisecond,  1999 * kMicrosecond};
  std::vector<base::MonoNs> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  for (const base::MonoNs span : spans) {
    timers.push_back(loop.make_timer([&, span] {
      EXPECT_GE(clock.mono_ns(), start + span);
      fired.push_back(span);
      if (fired.size() == spans.size()) loop.stop();
    }));
    timers.back()->arm(start + span);
  }
  loop.run();
  EXPECT_EQ(fired.size(), spans.size());
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end()));
}

TEST_F(UvLoopTest, ArmingAgainReplacesAndNeverDisarms) {
  int moved = 0;
  auto disarmed = loop.make_timer([] { FAIL(); });
  auto earlier = loop.make_timer([&] { ++moved; });
  auto later = loop.make_timer([&] {
    ++moved;
    loop.stop();
  });
  const base::MonoNs now = clock.mono_ns();
  disarmed->arm(now);
  disarmed->arm(base::kNever);
  earlier->arm(now + 3600 * base::kSecond);
  earlier->arm(now + 100 * kMicrosecond);
  later->arm(now);
  later->arm(now + 4 * kMillisecond);
  loop.run();
  EXPECT_EQ(moved, 2);
}

// Moving a deadline later must not lose it, though the wake-up for the old one is left standing.
TEST_F(UvLoopTest, DeadlineThatKeepsMovingLaterStillComes) {
  int moves = 0;
  base::MonoNs deadline = clock.mono_ns() + 500 * kMicrosecond;
  auto target = loop.make_timer([&] {
    EXPECT_GE(clock.mono_ns(), deadline);
    EXPECT_EQ(moves, 50);
    loop.stop();
  });
  std::unique_ptr<Timer> mover;
  mover = loop.make_timer([&] {
    if (++moves == 50) return;
    deadline = clock.mono_ns() + kMillisecond;
    target->arm(deadline);
    mover->arm(clock.mono_ns() + 20 * kMicrosecond);
  });
  deadline = clock.mono_ns() + base::kSecond;
  target->arm(deadline);
  mover->arm(0);
  loop.run();
}

TEST_F(UvLoopTest, TimerInThePastGivesWayToOtherWork) {
  int ticks = 0;
  std::unique_ptr<Timer> busy;
  busy = loop.make_timer([&] {
    ++ticks;
    busy->arm(0);
  });
  busy->arm(0);
  std::thread other([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
  other.join();
  busy.reset();
}

TEST_F(UvLoopTest, TimerMayDestroyItselfInItsCallback) {
  std::unique_ptr<Timer> timer;
  std::string witness = "still here";
  timer = loop.make_timer([&, copy = witness] {
    timer.reset();
    EXPECT_EQ(copy, "still here");
    loop.stop();
  });
  timer->arm(0);
  loop.run();
  EXPECT_EQ(timer, nullptr);
}

TEST_F(UvLoopTest, CallsBackAtTheEndOfEveryTurn) {
  std::string order;
  loop.before_sleep([&] { order += '|'; });
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'b'; });
  });
  loop.post([&] { order += 'c'; });
  const auto timer = loop.make_timer([&] {
    order += 'd';
    loop.stop();
  });
  timer->arm(clock.mono_ns() + 20 * kMillisecond);
  loop.run();
  std::string shown;  // turns without work do not matter
  for (const char c : order) {
    if (c != '|' || (!shown.empty() && shown.back() != '|')) shown += c;
  }
  EXPECT_TRUE(shown.starts_with("ac|b|d") || shown.starts_with("acb|d")) << shown;
  loop.before_sleep(nullptr);
  order.clear();
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(order, "");
}

TEST_F(UvLoopTest, SignalsArriveOnTheLoop) {
  std::vector<int> seen;
  loop.on_signal(SIGHUP, [&] { seen.push_back(SIGHUP); });
  loop.on_signal(SIGTERM, [&] {
    seen.push_back(SIGTERM);
    loop.stop();
  });
  loop.post([&] { std::raise(SIGHUP); });
  loop.post([&] { loop.post([] { std::raise(SIGTERM); }); });
  loop.run();
  EXPECT_EQ(seen, (std::vector<int>{SIGHUP, SIGTERM}));
}

TEST_F(UvLoopTest, ClockIsTheOneGiven) {
  EXPECT_EQ(&loop.clock(), &clock);
}

}  // namespace
}  // namespace atlas::net
