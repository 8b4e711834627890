#include "host/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>

namespace atlas::host {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(3);
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c) {
      callers.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) pool.run([&] { ++ran; });
      });
    }
    for (auto& caller : callers) caller.join();
  }  // the destructor finishes what is queued
  EXPECT_EQ(ran, 4000);
}

TEST(ThreadPool, BlockedTaskDoesNotHoldUpAnother) {
  ThreadPool pool(2);
  std::latch other(1), both(2);
  pool.run([&] {
    other.wait();
    both.count_down();
  });
  pool.run([&] {
    other.count_down();
    both.count_down();
  });
  both.wait();
}

TEST(ThreadPool, TasksMayQueueTasks) {
  ThreadPool pool(2);
  std::latch done(1);
  std::atomic<int> left{500};
  std::function<void()> step = [&] {
    if (--left == 0) {
      done.count_down();
    } else {
      pool.run(step);
    }
  };
  pool.run(step);
  done.wait();
  EXPECT_EQ(pool.counters().tasks, 500u);
}

// A worker that is between two tasks finds the next one itself: no system call for it.
TEST(ThreadPool, AwakeWorkerIsNotWokenAgain) {
  ThreadPool pool(1);
  std::latch running(1), go(1), done(1);
  pool.run([&] {
    running.count_down();
    go.wait();
  });
  running.wait();
  const auto wakes = pool.counters().wakes;
  for (int i = 0; i < 100; ++i) pool.run([] {});
  pool.run([&] { done.count_down(); });
  go.count_down();
  done.wait();
  EXPECT_EQ(pool.counters().wakes, wakes);
}

TEST(ThreadPool, GatheredTasksWakeOnceAndOnlyWhenReleased) {
  ThreadPool pool(2);
  std::latch ready(2);
  pool.run([&] { ready.arrive_and_wait(); });
  pool.run([&] { ready.arrive_and_wait(); });
  ready.wait();
  while (!pool.idle()) std::this_thread::yield();
  pool.gather(true);
  const auto wakes = pool.counters().wakes;
  std::latch done(1);
  for (int i = 0; i < 100; ++i) pool.run([] {});
  pool.run([&] { done.count_down(); });
  EXPECT_EQ(pool.counters().wakes, wakes);
  EXPECT_FALSE(done.try_wait());
  pool.release();
  done.wait();
  pool.gather(false);
}

TEST(ThreadPool, OtherThreadsDoNotWaitForTheOneThatGathers) {
  ThreadPool pool(1);
  pool.gather(true);
  std::latch done(1);
  std::thread other([&] { pool.run([&] { done.count_down(); }); });
  done.wait();
  other.join();
  pool.gather(false);
}

TEST(ThreadPool, EndOfGatheringReleases) {
  ThreadPool pool(1);
  while (!pool.idle()) std::this_thread::yield();
  pool.gather(true);
  std::latch done(1);
  pool.run([&] { done.count_down(); });
  pool.gather(false);
  done.wait();
}

TEST(ThreadPool, ZeroThreadsMeansOne) {
  ThreadPool pool(0);
  std::latch done(1);
  pool.run([&] { done.count_down(); });
  done.wait();
}

}  // namespace
}  // namespace atlas::host
