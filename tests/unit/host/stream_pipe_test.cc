// Both halves of a raw stream, in every order that they can meet.
#include "host/stream_pipe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace atlas::host {
namespace {

using Outcome = StreamPipe::Outcome;

class StreamPipeTest : public testing::Test {
 protected:
  static base::ByteView text(std::string_view words) { return base::as_bytes(words); }
  static std::string words(const base::Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

  StreamPipe::Setup setup(bool reads = true, bool writes = true) {
    return {.tag = 7,
            .reads = reads,
            .writes = writes,
            .wake_strand = [this] { ++strand_woken; },
            .wake_network = [this] { ++network_woken; },
            .held = held};
  }

  int strand_woken = 0, network_woken = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> held = std::make_shared<std::atomic<std::uint64_t>>(0);
  StreamPipe pipe{setup()};
};

TEST_F(StreamPipeTest, WhatGathersIsOneEventAndOneTurn) {
  pipe.on_data(text("ab"), false);
  pipe.on_data(text("cd"), false);
  pipe.on_data(text("e"), true);
  EXPECT_EQ(strand_woken, 1);
  EXPECT_EQ(*held, 5u);
  const auto event = pipe.take();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->what, static_cast<std::uint32_t>(ATLAS_STREAM_DATA));
  EXPECT_EQ(words(event->data), "abcde");
  EXPECT_TRUE(event->fin);
  EXPECT_EQ(*held, 0u);
  EXPECT_FALSE(pipe.take());
  EXPECT_EQ(strand_woken, 1);
}

TEST_F(StreamPipeTest, LargeDataComesInPiecesAndATurnEach) {
  const base::Bytes much(StreamPipe::kMostPiece + 10, 'x');
  pipe.on_data(much, true);
  const auto first = pipe.take();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data.size(), StreamPipe::kMostPiece);
  EXPECT_FALSE(first->fin);
  EXPECT_EQ(strand_woken, 2);
  const auto second = pipe.take();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->data.size(), 10u);
  EXPECT_TRUE(second->fin);
  EXPECT_EQ(strand_woken, 2);
}

TEST_F(StreamPipeTest, FinAloneIsAnEvent) {
  pipe.on_data({}, true);
  const auto event = pipe.take();
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->fin);
  EXPECT_TRUE(event->data.empty());
  EXPECT_FALSE(pipe.take());
}

TEST_F(StreamPipeTest, WritesGatherIntoOneOrder) {
  EXPECT_EQ(pipe.write(text("one ")), Outcome::kDone);
  EXPECT_EQ(pipe.write(text("two")), Outcome::kDone);
  EXPECT_EQ(pipe.finish(), Outcome::kDone);
  EXPECT_EQ(network_woken, 1);
  const auto orders = pipe.take_orders();
  EXPECT_EQ(words(orders.data), "one two");
  EXPECT_TRUE(orders.fin);
  EXPECT_EQ(pipe.write(text("x")), Outcome::kEnded);
  EXPECT_EQ(pipe.finish(), Outcome::kEnded);
  EXPECT_TRUE(pipe.take_orders().data.empty());
}

TEST_F(StreamPipeTest, UnacknowledgedBytesAreBounded) {
  const base::Bytes half(StreamPipe::kSendBudget / 2, 'x');
  EXPECT_EQ(pipe.write(half), Outcome::kDone);
  EXPECT_EQ(pipe.write(half), Outcome::kDone);
  EXPECT_EQ(pipe.write(text("y")), Outcome::kFull);
  pipe.take_orders();  // on their way is not there
  EXPECT_EQ(pipe.write(text("y")), Outcome::kFull);
  pipe.on_acknowledged(1000);
  EXPECT_EQ(strand_woken, 0) << "a quarter of it is waited for";
  pipe.on_acknowledged(StreamPipe::kSendBudget / 4);
  EXPECT_EQ(strand_woken, 1);
  EXPECT_EQ(pipe.take()->what, static_cast<std::uint32_t>(ATLAS_STREAM_WRITABLE));
  EXPECT_EQ(pipe.write(text("y")), Outcome::kDone);
}

TEST_F(StreamPipeTest, WritableComesOnlyWhenWhatDidNotFitDoes) {
  const base::Bytes all(StreamPipe::kSendBudget, 'x');
  EXPECT_EQ(pipe.write(all), Outcome::kDone);
  EXPECT_EQ(pipe.write(all), Outcome::kFull);
  pipe.on_acknowledged(all.size() - 1);
  EXPECT_FALSE(pipe.take());
  pipe.on_acknowledged(1);
  EXPECT_EQ(pipe.take()->what, static_cast<std::uint32_t>(ATLAS_STREAM_WRITABLE));
  EXPECT_EQ(pipe.write(all), Outcome::kDone);
}

TEST_F(StreamPipeTest, NobodyIsToldOfRoomWhoWillNotWriteAgain) {
  const base::Bytes all(StreamPipe::kSendBudget, 'x');
  for (const bool reset : {false, true}) {
    StreamPipe other(setup());
    EXPECT_EQ(other.write(all), Outcome::kDone);
    EXPECT_EQ(other.write(text("y")), Outcome::kFull);
    other.on_acknowledged(all.size());
    EXPECT_EQ(reset ? other.reset(1) : other.finish(), Outcome::kDone);
    EXPECT_FALSE(other.take());
  }
}

TEST_F(StreamPipeTest, WithoutAFullWriteNobodyIsToldOfRoom) {
  pipe.write(text("abc"));
  pipe.on_acknowledged(3);
  EXPECT_EQ(strand_woken, 0);
}

TEST_F(StreamPipeTest, CreditIsForWhatWasDelivered) {
  pipe.on_data(text("abcd"), false);
  EXPECT_EQ(pipe.credit(1), Outcome::kTooMuch) << "it waits, but nobody has seen it";
  pipe.take();
  EXPECT_EQ(pipe.credit(5), Outcome::kTooMuch);
  EXPECT_EQ(pipe.credit(3), Outcome::kDone);
  EXPECT_EQ(pipe.credit(2), Outcome::kTooMuch);
  EXPECT_EQ(pipe.credit(1), Outcome::kDone);
  EXPECT_EQ(network_woken, 1);
  EXPECT_EQ(pipe.take_orders().credit, 4u);
}

TEST_F(StreamPipeTest, ResetTakesBackWhatIsUnsent) {
  pipe.write(text("abc"));
  pipe.finish();
  EXPECT_EQ(pipe.reset(9), Outcome::kDone);
  EXPECT_EQ(pipe.reset(10), Outcome::kEnded);
  const auto orders = pipe.take_orders();
  EXPECT_TRUE(orders.data.empty());
  EXPECT_FALSE(orders.fin);
  EXPECT_EQ(orders.reset, 9u);
}

TEST_F(StreamPipeTest, StopDropsWhatWaitsAndGivesItsCreditBack) {
  pipe.on_data(text("abcdef"), false);
  pipe.take();
  pipe.on_data(text("ghi"), false);
  EXPECT_EQ(pipe.stop(4), Outcome::kDone);
  EXPECT_EQ(*held, 0u);
  pipe.on_data(text("late"), true);
  EXPECT_FALSE(pipe.take());
  const auto orders = pipe.take_orders();
  EXPECT_EQ(orders.stop, 4u);
  EXPECT_EQ(orders.credit, 9u);
  EXPECT_EQ(pipe.stop(4), Outcome::kEnded);
  EXPECT_EQ(pipe.credit(6), Outcome::kDone);
  EXPECT_EQ(pipe.take_orders().credit, 0u);
}

TEST_F(StreamPipeTest, EndsComeInOrderAndClosedIsTheLast) {
  pipe.on_data(text("a"), false);
  pipe.on_reset(1);
  pipe.on_stopped(2);
  pipe.on_closed(ATLAS_E_DENIED, 1);
  pipe.on_closed(ATLAS_E_GONE, 0);
  EXPECT_EQ(pipe.take()->what, static_cast<std::uint32_t>(ATLAS_STREAM_DATA));
  const auto reset = pipe.take(), stopped = pipe.take(), closed = pipe.take();
  EXPECT_EQ(reset->what, static_cast<std::uint32_t>(ATLAS_STREAM_RESET));
  EXPECT_EQ(reset->code, 1u);
  EXPECT_EQ(stopped->what, static_cast<std::uint32_t>(ATLAS_STREAM_STOPPED));
  EXPECT_EQ(stopped->code, 2u);
  EXPECT_EQ(closed->what, static_cast<std::uint32_t>(ATLAS_STREAM_CLOSED));
  EXPECT_EQ(closed->status, ATLAS_E_DENIED);
  EXPECT_FALSE(pipe.take());
  EXPECT_EQ(strand_woken, 4) << "one turn for each";
  EXPECT_EQ(pipe.write(text("x")), Outcome::kEnded);
  EXPECT_EQ(pipe.reset(1), Outcome::kEnded);
  EXPECT_EQ(network_woken, 0);
}

TEST_F(StreamPipeTest, AfterTheirStopNothingCanBeWritten) {
  pipe.write(text("abc"));
  pipe.on_stopped(5);
  EXPECT_EQ(pipe.write(text("x")), Outcome::kEnded);
  EXPECT_EQ(pipe.finish(), Outcome::kEnded);
  EXPECT_EQ(pipe.reset(1), Outcome::kEnded);
  EXPECT_TRUE(pipe.take_orders().data.empty());
  pipe.on_data(text("still readable"), true);
  EXPECT_EQ(pipe.take()->what, static_cast<std::uint32_t>(ATLAS_STREAM_DATA));
}

TEST_F(StreamPipeTest, AbandonedItTellsNothingAndGivesUpWhatIsOpen) {
  pipe.write(text("abc"));
  pipe.on_data(text("def"), false);
  pipe.abandon(5001);
  EXPECT_FALSE(pipe.take());
  pipe.on_closed(ATLAS_OK, 0);
  EXPECT_FALSE(pipe.take());
  EXPECT_EQ(strand_woken, 1) << "of the data, before";
  EXPECT_EQ(*held, 0u);
}

TEST_F(StreamPipeTest, AbandonedAfterFinishWhatWasWrittenStillGoesOut) {
  pipe.write(text("abc"));
  pipe.finish();
  pipe.abandon(5001);
  const auto orders = pipe.take_orders();
  EXPECT_TRUE(orders.abandoned);
  EXPECT_EQ(words(orders.data), "abc");
  EXPECT_TRUE(orders.fin);
  EXPECT_FALSE(orders.reset);
  EXPECT_EQ(orders.stop, 5001u);
}

TEST_F(StreamPipeTest, ADirectionThatIsNotThereCannotBeUsed) {
  StreamPipe theirs(setup(true, false)), ours(setup(false, true));
  EXPECT_EQ(theirs.write(text("x")), Outcome::kEnded);
  EXPECT_EQ(theirs.finish(), Outcome::kEnded);
  EXPECT_EQ(theirs.reset(1), Outcome::kEnded);
  EXPECT_EQ(theirs.stop(1), Outcome::kDone);
  EXPECT_EQ(ours.stop(1), Outcome::kEnded);
  EXPECT_EQ(ours.credit(0), Outcome::kEnded);
  EXPECT_EQ(ours.finish(), Outcome::kDone);
}

TEST_F(StreamPipeTest, WhatWaitsIsNotCountedAnyMoreWhenItGoes) {
  {
    StreamPipe other(setup());
    other.on_data(text("abc"), false);
    EXPECT_EQ(*held, 3u);
  }
  EXPECT_EQ(*held, 0u);
}

// A latch that either half wakes the other's thread with.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    ++rung_;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rung_ > heard_; });
    heard_ = rung_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t rung_ = 0, heard_ = 0;
};

// The strand, the network and a thread of the plugin's own at once: every byte arrives once and in order, both ways,
// and CLOSED is the last that is told.
TEST(StreamPipeThreads, BothHalvesAndAForeignThreadAtOnce) {
  constexpr std::size_t kBytes = 4 << 20, kPiece = 10'000;
  Bell strand, network;
  auto held = std::make_shared<std::atomic<std::uint64_t>>(0);
  StreamPipe pipe(
      {.tag = 1, .wake_strand = [&] { strand.ring(); }, .wake_network = [&] { network.ring(); }, .held = held});
  std::atomic<std::size_t> writables{0};
  std::size_t written = 0, read = 0, arrived = 0, closed = 0;

  std::thread writer([&] {
    base::Bytes piece(kPiece);
    while (written < kBytes) {
      const std::size_t size = std::min(kPiece, kBytes - written);
      for (std::size_t i = 0; i < size; ++i) piece[i] = static_cast<std::uint8_t>((written + i) * 31);
      switch (pipe.write(base::ByteView(piece).first(size))) {
        case Outcome::kDone:
          written += size;
          break;
        case Outcome::kFull:  // WRITABLE is owed; the strand counts it
          while (writables.exchange(0) == 0) std::this_thread::yield();
          break;
        default:
          ADD_FAILURE() << "it ended too early";
          return;
      }
    }
    EXPECT_EQ(pipe.finish(), Outcome::kDone);
  });
  std::thread plugin([&] {
    while (closed == 0) {
      strand.wait();
      while (const auto event = pipe.take()) {
        ASSERT_EQ(closed, 0u) << "nothing comes after CLOSED";
        if (event->what == ATLAS_STREAM_WRITABLE) ++writables;
        if (event->what == ATLAS_STREAM_CLOSED) ++closed;
        if (event->what != ATLAS_STREAM_DATA) continue;
        for (const std::uint8_t byte : event->data) ASSERT_EQ(byte, static_cast<std::uint8_t>(arrived++ * 17));
        EXPECT_EQ(pipe.credit(event->data.size()), Outcome::kDone);
      }
    }
  });
  // The network: as much on its way as it was given credit for.
  std::size_t sent = 0, window = 64 << 10;
  bool finished = false;
  while (!finished || sent < kBytes) {
    while (sent < kBytes && window > 0) {
      base::Bytes piece(std::min({std::size_t{3000}, window, kBytes - sent}));
      for (std::uint8_t& byte : piece) byte = static_cast<std::uint8_t>(sent++ * 17);
      window -= piece.size();
      pipe.on_data(piece, sent == kBytes);
    }
    network.wait();
    const StreamPipe::Orders orders = pipe.take_orders();
    for (const std::uint8_t byte : orders.data) ASSERT_EQ(byte, static_cast<std::uint8_t>(read++ * 31));
    pipe.on_acknowledged(orders.data.size());
    window += orders.credit;
    finished = finished || orders.fin;
  }
  pipe.on_closed(ATLAS_OK, 0);
  pipe.on_closed(ATLAS_E_GONE, 0);
  writer.join();
  plugin.join();
  EXPECT_EQ(read, kBytes);
  EXPECT_EQ(arrived, kBytes);
  EXPECT_EQ(closed, 1u);
  EXPECT_EQ(*held, 0u);
}

// Ends from every side at once: whichever comes first, one CLOSED is told, or none when the plugin went before.
TEST(StreamPipeThreads, EndsFromEverySideAtOnce) {
  for (int round = 0; round < 300; ++round) {
    Bell strand;
    StreamPipe pipe({.tag = 1, .wake_strand = [&] { strand.ring(); }, .wake_network = [] {}, .held = nullptr});
    std::atomic<bool> go{false};
    const auto when_told = [&go](auto act) {
      return std::thread([&go, act] {
        while (!go) std::this_thread::yield();
        act();
      });
    };
    const bool abandons = round % 3 == 0;
    std::vector<std::thread> threads;
    threads.push_back(when_told([&] {
      pipe.on_data(base::Bytes(100, 'x'), false);
      pipe.on_reset(1);
      pipe.on_stopped(2);
      pipe.on_closed(ATLAS_E_DENIED, 1);
    }));
    threads.push_back(when_told([&] {
      pipe.write(base::Bytes(100, 'y'));
      pipe.finish();
      pipe.reset(3);
      pipe.stop(4);
      if (abandons) pipe.abandon(5);
    }));
    threads.push_back(when_told([&] { static_cast<void>(pipe.take_orders()); }));
    std::size_t closed = 0;
    go = true;
    // The turns that were asked for, and one at the end for what came between.
    for (auto& thread : threads) thread.join();
    while (const auto event = pipe.take()) {
      EXPECT_EQ(closed, 0u);
      if (event->what == ATLAS_STREAM_CLOSED) ++closed;
    }
    EXPECT_EQ(closed, abandons ? 0u : 1u);
    EXPECT_EQ(pipe.write(base::Bytes(1, 'z')), Outcome::kEnded);
  }
}

}  // namespace
}  // namespace atlas::host
