#include "net/timer_heap.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"

namespace atlas::net {
namespace {

struct Alarm : TimerHeap::Entry {
  explicit Alarm(std::function<void(Alarm&, base::MonoNs)> then) : then(std::move(then)) {}
  void on_expire(base::MonoNs now) override { then(*this, now); }
  std::function<void(Alarm&, base::MonoNs)> then;
};

TEST(TimerHeap, ExpiresInOrderOfDeadline) {
  TimerHeap heap;
  std::vector<base::MonoNs> expired;
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (const base::MonoNs at : {50, 10, 40, 20, 30, 60}) {
    alarms.push_back(std::make_unique<Alarm>([&expired, at](Alarm& alarm, base::MonoNs now) {
      EXPECT_FALSE(alarm.armed());
      EXPECT_LE(at, now);
      expired.push_back(at);
    }));
    heap.set(*alarms.back(), at);
    EXPECT_EQ(alarms.back()->deadline(), at);
  }
  EXPECT_EQ(heap.next(), 10u);
  heap.run(9);
  EXPECT_TRUE(expired.empty());
  heap.run(50);
  EXPECT_EQ(expired, (std::vector<base::MonoNs>{10, 20, 30, 40, 50}));
  EXPECT_EQ(heap.size(), 1u);
  EXPECT_EQ(heap.next(), 60u);
  heap.remove(*alarms.back());
  EXPECT_EQ(heap.next(), base::kNever);
}

TEST(TimerHeap, NeverTakesTheEntryOut) {
  TimerHeap heap;
  Alarm alarm([](Alarm&, base::MonoNs) { FAIL(); });
  heap.set(alarm, 5);
  heap.set(alarm, base::kNever);
  EXPECT_FALSE(alarm.armed());
  EXPECT_EQ(alarm.deadline(), base::kNever);
  EXPECT_EQ(heap.size(), 0u);
  heap.set(alarm, base::kNever);
  heap.remove(alarm);
  heap.run(base::kNever - 1);
}

TEST(TimerHeap, SetAgainForThePastWaitsForTheNextRun) {
  TimerHeap heap;
  int runs = 0;
  Alarm alarm([&](Alarm& self, base::MonoNs now) {
    ++runs;
    heap.set(self, now);
  });
  heap.set(alarm, 1);
  heap.run(10);
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(heap.next(), 10u);
  heap.run(10);
  EXPECT_EQ(runs, 2);
  heap.remove(alarm);
}

TEST(TimerHeap, CallbackMayMoveRemoveAndDestroyOthersThatAreDue) {
  TimerHeap heap;
  std::vector<std::string> expired;
  const auto note = [&expired](const char* name) {
    return [&expired, name](Alarm&, base::MonoNs) { expired.push_back(name); };
  };
  Alarm moved(note("moved")), removed(note("removed")), last(note("last"));
  auto destroyed = std::make_unique<Alarm>(note("destroyed"));
  Alarm first([&](Alarm&, base::MonoNs now) {
    expired.push_back("first");
    EXPECT_EQ(heap.size(), 4u);
    heap.set(moved, now + 5);
    heap.remove(removed);
    heap.remove(*destroyed);
    destroyed.reset();
    EXPECT_EQ(heap.size(), 2u);
    EXPECT_TRUE(last.armed());
  });
  heap.set(first, 1);
  heap.set(moved, 2);
  heap.set(removed, 3);
  heap.set(*destroyed, 4);
  heap.set(last, 5);
  heap.run(10);
  EXPECT_EQ(expired, (std::vector<std::string>{"first", "last"}));
  EXPECT_EQ(heap.next(), 15u);
  heap.run(15);
  EXPECT_EQ(expired.back(), "moved");
}

TEST(TimerHeap, RunInsideRunDoesNothing) {
  TimerHeap heap;
  int expired = 0;
  Alarm inner([&](Alarm&, base::MonoNs) { ++expired; });
  Alarm outer([&](Alarm&, base::MonoNs now) {
    heap.run(now);
    EXPECT_EQ(expired, 0);
  });
  heap.set(outer, 1);
  heap.set(inner, 2);
  heap.run(3);
  EXPECT_EQ(expired, 1);
}

// Any sequence of set, move, remove and run agrees with an ordered map.
TEST(TimerHeap, AgreesWithAnOrderedMap) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::SeededRandom random(seed);
    TimerHeap heap;
    std::multimap<base::MonoNs, Alarm*> model;
    const auto forget = [&model](Alarm* alarm) {
      std::erase_if(model, [alarm](const auto& row) { return row.second == alarm; });
    };
    std::vector<base::MonoNs> expired;
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 0; i < 60; ++i) {
      alarms.push_back(std::make_unique<Alarm>([&](Alarm& self, base::MonoNs) {
        for (const auto& [deadline, alarm] : model) {
          if (alarm == &self) expired.push_back(deadline);
        }
        forget(&self);
      }));
    }
    base::MonoNs now = 0;
    for (int step = 0; step < 1500; ++step) {
      Alarm& alarm = *alarms[random.below(alarms.size())];
      const std::uint64_t action = random.below(10);
      if (action < 6) {
        const base::MonoNs deadline = now + random.below(200);
        forget(&alarm);
        model.emplace(deadline, &alarm);
        heap.set(alarm, deadline);
      } else if (action < 8) {
        forget(&alarm);
        heap.remove(alarm);
      } else {
        now += random.below(60);
        std::vector<base::MonoNs> due;
        for (const auto& [deadline, _] : model) {
          if (deadline <= now) due.push_back(deadline);
        }
        expired.clear();
        heap.run(now);
        ASSERT_EQ(expired, due);
      }
      ASSERT_EQ(heap.size(), model.size());
      ASSERT_EQ(heap.next(), model.empty() ? base::kNever : model.begin()->first);
    }
    for (const auto& alarm : alarms) heap.remove(*alarm);
  }
}

}  // namespace
}  // namespace atlas::net
