// Alarms: they ring in time however their orders reach the loop, and far ones do not wake it.
#include "host/timer_driver.h"

#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

constexpr auto kMs = base::kMillisecond;

class NotedAlarm final : public Alarm {
 public:
  explicit NotedAlarm(std::function<base::MonoNs(base::MonoNs)> ring = {}) : ring_(std::move(ring)) {}
  std::vector<base::MonoNs> rung;

 private:
  base::MonoNs ring(base::MonoNs now) override {
    rung.push_back(now);
    return ring_ ? ring_(now) : base::kNever;
  }
  const std::function<base::MonoNs(base::MonoNs)> ring_;
};

class TimerDriverTest : public ::testing::Test {
 protected:
  ~TimerDriverTest() override { driver->close(); }
  base::MonoNs in(std::uint64_t ms) const { return clock.mono_ns() + ms * kMs; }
  void pass(std::uint64_t ms) {
    for (std::uint64_t i = 0; i < ms; ++i) {
      clock.advance(kMs);
      while (loop.run_once()) {
      }
    }
  }

  ManualClock clock;
  ManualLoop loop{clock};
  std::shared_ptr<TimerDriver> driver = std::make_shared<TimerDriver>(&loop);
};

TEST_F(TimerDriverTest, OrdersThatChangeNothingSoonWakeNobody) {
  const auto first = std::make_shared<NotedAlarm>(), later = std::make_shared<NotedAlarm>();
  driver->arm(first, in(10));
  pass(1);
  const std::size_t posts = loop.posts;
  driver->arm(later, in(20));
  EXPECT_EQ(loop.posts, posts);
  pass(40);
  EXPECT_EQ(first->rung.size(), 1u);
  ASSERT_EQ(later->rung.size(), 1u);
  EXPECT_EQ(later->rung[0], base::kSecond + 21 * kMs);
}

TEST_F(TimerDriverTest, EarlierOneWakesTheLoop) {
  const auto far = std::make_shared<NotedAlarm>(), near = std::make_shared<NotedAlarm>();
  driver->arm(far, in(1000));
  pass(1);
  driver->arm(near, in(5));
  pass(6);
  EXPECT_EQ(near->rung.size(), 1u);
  EXPECT_TRUE(far->rung.empty());
}

TEST_F(TimerDriverTest, ArmedWhileTheLastOneRings) {
  const auto next = std::make_shared<NotedAlarm>();
  const auto first = std::make_shared<NotedAlarm>([&](base::MonoNs now) {
    driver->arm(next, now + 5 * kMs);
    return base::kNever;
  });
  driver->arm(first, in(10));
  pass(20);
  EXPECT_EQ(first->rung.size(), 1u);
  EXPECT_EQ(next->rung.size(), 1u);
}

TEST_F(TimerDriverTest, DisarmedBeforeItsOrderWasReadDoesNotRing) {
  const auto first = std::make_shared<NotedAlarm>(), taken_back = std::make_shared<NotedAlarm>();
  driver->arm(first, in(10));
  pass(1);
  driver->arm(taken_back, in(15));
  driver->disarm(taken_back);
  pass(40);
  EXPECT_TRUE(taken_back->rung.empty());
}

TEST_F(TimerDriverTest, WaitingOrdersAreBounded) {
  driver->arm(std::make_shared<NotedAlarm>(), in(1));
  pass(0);
  while (loop.run_once()) {
  }
  const std::size_t posts = loop.posts;
  const auto far = std::make_shared<NotedAlarm>();
  for (int i = 0; i < 1000; ++i) driver->arm(far, in(1000));
  EXPECT_EQ(loop.posts, posts + 1) << "so many are carried out before their time";
  pass(1100);
  EXPECT_EQ(far->rung.size(), 1u);
}

}  // namespace
}  // namespace atlas::host::test
