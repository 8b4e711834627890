#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

constexpr auto kMs = base::kMillisecond;

class Timers : public HostTest {
 protected:
  static void count(void* arg) { ++*static_cast<int*>(arg); }
  atlas_timer begin(std::uint64_t delay_ms, std::uint64_t period_ms, int& counter) {
    atlas_timer out = 0;
    EXPECT_EQ(script.timers().start(script.host, delay_ms, period_ms, count, &counter, &out), ATLAS_OK);
    EXPECT_NE(out, 0u);
    settle();
    return out;
  }
};

TEST_F(Timers, OneShotRunsOnceAndItsHandleEnds) {
  start();
  int ran = 0;
  const atlas_timer timer = begin(100, 0, ran);
  pass(99 * kMs);
  EXPECT_EQ(ran, 0);
  pass(1 * kMs);
  EXPECT_EQ(ran, 1);
  pass(10 * base::kSecond);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(script.timers().cancel(script.host, timer), ATLAS_E_GONE);
}

TEST_F(Timers, PeriodicKeepsRunningUntilCancelled) {
  start();
  int ran = 0;
  const atlas_timer timer = begin(50, 100, ran);
  pass(50 * kMs);
  EXPECT_EQ(ran, 1);
  for (int i = 0; i < 5; ++i) pass(100 * kMs);
  EXPECT_EQ(ran, 6);
  EXPECT_EQ(script.timers().cancel(script.host, timer), ATLAS_OK);
  pass(base::kSecond);
  EXPECT_EQ(ran, 6);
  EXPECT_EQ(loop.next_timer(), base::kNever);
}

TEST_F(Timers, BusyStrandGetsOneTickNotMany) {
  start();
  int ran = 0;
  begin(10, 10, ran);
  for (int i = 0; i < 20; ++i) {  // the loop runs, the strand does not
    clock.advance(10 * kMs);
    loop.run_once();
  }
  EXPECT_EQ(ran, 0);
  settle();
  EXPECT_EQ(ran, 1);
}

TEST_F(Timers, CancelBeatsATickThatWaits) {
  start();
  int ran = 0;
  const atlas_timer timer = begin(10, 0, ran);
  clock.advance(10 * kMs);
  loop.run_once();  // expired, and queued for the strand
  EXPECT_EQ(script.timers().cancel(script.host, timer), ATLAS_OK);
  settle();
  EXPECT_EQ(ran, 0);
}

TEST_F(Timers, RunInOrderOfTheirDeadlines) {
  start();
  std::vector<int> order;
  struct Entry {
    std::vector<int>* order;
    int number;
  };
  Entry entries[3] = {{&order, 30}, {&order, 10}, {&order, 20}};
  for (Entry& entry : entries) {
    script.timers().start(
        script.host, static_cast<std::uint64_t>(entry.number), 0,
        [](void* arg) {
          const auto* mine = static_cast<Entry*>(arg);
          mine->order->push_back(mine->number);
        },
        &entry, nullptr);
  }
  settle();
  pass(100 * kMs);
  EXPECT_THAT(order, ::testing::ElementsAre(10, 20, 30));
}

TEST_F(Timers, MayBeStartedAndCancelledInACallback) {
  start();
  struct Chain {
    Script* script;
    int left = 5;
    static void step(void* arg) {
      auto& chain = *static_cast<Chain*>(arg);
      if (--chain.left > 0) chain.script->timers().start(chain.script->host, 10, 0, step, arg, nullptr);
    }
  } chain{&script};
  script.timers().start(script.host, 0, 0, Chain::step, &chain, nullptr);
  settle();
  for (int i = 0; i < 10; ++i) pass(10 * kMs);
  EXPECT_EQ(chain.left, 0);
}

TEST_F(Timers, HugeDelaysDoNotWrap) {
  start();
  int ran = 0;
  begin(UINT64_MAX, UINT64_MAX, ran);
  pass(1000 * base::kSecond);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(script.timers().start(script.host, 1, 0, nullptr, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(script.timers().cancel(script.host, 4711), ATLAS_E_GONE);
}

}  // namespace
}  // namespace atlas::host::test
