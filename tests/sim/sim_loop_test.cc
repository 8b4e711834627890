// One node by itself: the loop, its timers, its sockets towards the node itself.
#include "sim/sim_loop.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "sim/sim_world.h"

namespace atlas::sim {
namespace {

using base::kMillisecond;
using base::kSecond;

class SimLoopTest : public testing::Test {
 protected:
  SimWorld world{1};
  SimNode& node = world.add_node("only");
  net::Loop& loop = node.loop();
};

TEST_F(SimLoopTest, TasksKeepTheirOrderAndTimeStandsStill) {
  std::string order;
  const base::MonoNs start = world.now();
  loop.post([&] {
    order += 'a';
    loop.post([&] { order += 'c'; });
  });
  loop.post([&] { order += 'b'; });
  world.run_for(0);
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.now(), start);
}

TEST_F(SimLoopTest, TimersFireAtTheirTimeInOrder) {
  const base::MonoNs start = world.now();
  std::vector<base::MonoNs> fired;
  std::vector<std::unique_ptr<net::Timer>> timers;
  for (const base::MonoNs span : {7 * kSecond, 1 * kMillisecond, 2 * kSecond, 1 * kMillisecond}) {
    timers.push_back(loop.make_timer([&] { fired.push_back(world.now() - start); }));
    timers.back()->arm(start + span);
  }
  auto disarmed = loop.make_timer([] { FAIL(); });
  disarmed->arm(start + kSecond);
  disarmed->arm(base::kNever);
  world.run_until(start + 3 * kSecond);
  EXPECT_EQ(fired, (std::vector<base::MonoNs>{kMillisecond, kMillisecond, 2 * kSecond}));
  EXPECT_EQ(world.now(), start + 3 * kSecond);
  world.run_for(4 * kSecond);
  EXPECT_EQ(fired.back(), 7 * kSecond);
}

TEST_F(SimLoopTest, TimerInThePastLetsTimePass) {
  int ticks = 0;
  std::unique_ptr<net::Timer> timer;
  timer = loop.make_timer([&] {
    ++ticks;
    timer->arm(0);
  });
  timer->arm(0);
  world.run_for(10 * SimLoop::kTurn);
  EXPECT_EQ(ticks, 10);
}

TEST_F(SimLoopTest, TimerMayDestroyItself) {
  std::unique_ptr<net::Timer> timer;
  timer = loop.make_timer([&] { timer.reset(); });
  timer->arm(world.now());
  world.run_for(kSecond);
  EXPECT_EQ(timer, nullptr);
}

TEST_F(SimLoopTest, WallClockJumpsAndMonotonicTimeDoesNot) {
  const base::MonoNs mono = loop.clock().mono_ns();
  const std::int64_t wall = loop.clock().unix_ms();
  node.clock().jump(-3'600'000);
  EXPECT_EQ(loop.clock().unix_ms(), wall - 3'600'000);
  EXPECT_EQ(loop.clock().mono_ns(), mono);
  world.run_for(2 * kSecond);
  EXPECT_EQ(loop.clock().unix_ms(), wall - 3'600'000 + 2000);
  world.jump_clocks(INT64_MAX);
  EXPECT_EQ(loop.clock().unix_ms(), INT64_MAX);
}

TEST_F(SimLoopTest, SocketsBindAsTheKernelLetsThem) {
  auto first = loop.open_udp({node.address(), 0}, {}, {});
  ASSERT_TRUE(first);
  EXPECT_GE((*first)->local().port, 49152);
  EXPECT_EQ(loop.open_udp((*first)->local(), {}, {}).error().fault, base::Fault::kConflict);
  const net::SocketAddress any{net::IpAddress::v4({}), (*first)->local().port};
  EXPECT_EQ(loop.open_udp(any, {}, {}).error().fault, base::Fault::kConflict);
  EXPECT_EQ(loop.open_udp(*net::SocketAddress::parse("192.0.2.1:1"), {}, {}).error().fault, base::Fault::kArgument);
  first->reset();
  EXPECT_TRUE(loop.open_udp(any, {}, {}));
}

TEST_F(SimLoopTest, ExecutorRunsLaterOnTheSameThread) {
  bool ran = false;
  node.executor().run([&] { ran = true; });
  EXPECT_FALSE(ran);
  world.run_for(0);
  EXPECT_TRUE(ran);

  SimExecutor slow(node.loop(), 20 * kMillisecond);
  base::MonoNs at = 0;
  slow.run([&] { at = world.now(); });
  const base::MonoNs start = world.now();
  world.run_for(kSecond);
  EXPECT_EQ(at, start + 20 * kMillisecond);
}

TEST_F(SimLoopTest, CrashForgetsTasks) {
  loop.post([] { FAIL(); });
  node.executor().run([] { FAIL(); });
  node.crash();
  bool after = false;
  loop.post([&] { after = true; });
  world.run_for(kSecond);
  EXPECT_TRUE(after);
}

TEST_F(SimLoopTest, FullBufferEndsWithOnWritableOnce) {
  int writable = 0, received = 0;
  auto socket = *loop.open_udp(
      {node.address(), 0}, {},
      {.on_datagrams = [&](const auto&) { ++received; }, .on_turn_end = {}, .on_writable = [&] { ++writable; }});
  const std::string text = "x";
  const std::vector<net::SendBatch> batch{
      {.remote = socket->local(), .local = {}, .data = base::as_bytes(text), .segment = 0}};
  node.loop().block_sending(true);
  EXPECT_EQ(socket->send(batch), 0u);
  EXPECT_EQ(socket->send(batch), 0u);
  world.run_for(kSecond);
  EXPECT_EQ(writable, 0);
  node.loop().block_sending(false);
  world.run_for(kSecond);
  EXPECT_EQ(writable, 1);
  EXPECT_EQ(received, 0);
  EXPECT_EQ(socket->send(batch), 1u);
  world.run_for(kSecond);
  EXPECT_EQ(received, 1);
}

TEST_F(SimLoopTest, LoopThatFeedsItselfIsReported) {
  std::function<void()> again = [&] { loop.post([&] { again(); }); };
  again();
  EXPECT_THROW(world.run_for(kSecond), std::runtime_error);
}

}  // namespace
}  // namespace atlas::sim
