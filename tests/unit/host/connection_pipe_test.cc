#include "host/connection_pipe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "host/stream_pipe.h"

namespace atlas::host {
namespace {

using What = ConnectionPipe::Event::What;
using Outcome = ConnectionPipe::Outcome;

class ConnectionPipeTest : public testing::Test {
 protected:
  int woken = 0;
  bool room = true;
  ConnectionPipe pipe{
      {.tag = 5,
       .wake_strand = [this] { ++woken; },
       .arrived = [this](bool) { return room ? std::make_shared<StreamPipe>(StreamPipe::Setup{}) : nullptr; }},
      "192.0.2.1:5"};
};

TEST_F(ConnectionPipeTest, VerdictThenUpThenDown) {
  pipe.on_presented({{1, 2}});
  EXPECT_EQ(woken, 1);
  const auto verify = pipe.take();
  ASSERT_TRUE(verify);
  EXPECT_EQ(verify->what, What::kVerify);
  EXPECT_EQ(verify->chain.size(), 1u);
  EXPECT_FALSE(pipe.take());
  pipe.on_up();
  pipe.on_down(ATLAS_CLOSED_PEER, 9, "bye");
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(pipe.take()->what, What::kUp);
  EXPECT_EQ(woken, 3);
  const auto down = pipe.take();
  EXPECT_EQ(down->what, What::kDown);
  EXPECT_EQ(down->why, static_cast<std::uint32_t>(ATLAS_CLOSED_PEER));
  EXPECT_EQ(down->code, 9u);
  EXPECT_EQ(down->reason, "bye");
  EXPECT_FALSE(pipe.take());
  pipe.on_down(ATLAS_CLOSED_LOCAL, 0, "");
  EXPECT_FALSE(pipe.take()) << "once";
}

TEST_F(ConnectionPipeTest, OfOneThatIsOverNothingIsJudged) {
  pipe.on_presented({{1}});
  pipe.on_down(ATLAS_CLOSED_IDLE, 0, "");
  EXPECT_EQ(pipe.take()->what, What::kDown);
  EXPECT_FALSE(pipe.take());
}

TEST_F(ConnectionPipeTest, OfOneThatThePluginClosedNothingIsJudged) {
  EXPECT_TRUE(pipe.close());
  pipe.on_presented({{1}});
  EXPECT_FALSE(pipe.take());
  pipe.on_down(ATLAS_CLOSED_LOCAL, 7, "");
  EXPECT_EQ(pipe.take()->what, What::kDown);
}

TEST_F(ConnectionPipeTest, StreamsAreThoseThatThePeerAllows) {
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kNotUp);
  pipe.on_streams_allowed(false, 2);
  pipe.on_streams_allowed(true, 1);
  pipe.on_up();
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kDone);
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kDone);
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kFull);
  EXPECT_EQ(pipe.reserve_stream(true), Outcome::kDone);
  EXPECT_EQ(pipe.reserve_stream(true), Outcome::kFull);
  pipe.return_stream(true);
  EXPECT_EQ(pipe.reserve_stream(true), Outcome::kDone);
  pipe.on_streams_allowed(false, 3);
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kDone);
  EXPECT_TRUE(pipe.close());
  EXPECT_FALSE(pipe.close());
  EXPECT_EQ(pipe.reserve_stream(false), Outcome::kGone);
}

TEST_F(ConnectionPipeTest, DownWaitsForTheLastStream) {
  pipe.on_streams_allowed(false, 5);
  pipe.on_up();
  pipe.take();
  pipe.reserve_stream(false);
  EXPECT_NE(pipe.arrived_stream(false), nullptr);
  room = false;
  EXPECT_EQ(pipe.arrived_stream(false), nullptr);
  woken = 0;
  pipe.on_down(ATLAS_CLOSED_PEER, 0, "");
  EXPECT_EQ(woken, 0);
  EXPECT_FALSE(pipe.take());
  pipe.stream_over();
  EXPECT_EQ(woken, 0);
  pipe.stream_over();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(pipe.take()->what, What::kDown);
}

TEST_F(ConnectionPipeTest, TheAddressFollowsThePeer) {
  EXPECT_EQ(pipe.remote(), "192.0.2.1:5");
  pipe.on_moved("192.0.2.2:6");
  EXPECT_EQ(pipe.remote(), "192.0.2.2:6");
}

// The network, the strand and a thread of the plugin's own: DOWN is told once, behind the last stream.
TEST(ConnectionPipeThreads, DownIsTheLastWhateverComesTogether) {
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> open{0};
    std::atomic<bool> go{false}, done{false};
    ConnectionPipe pipe({.tag = 1,
                         .wake_strand = [] {},
                         .arrived =
                             [&](bool) {
                               ++open;
                               return std::make_shared<StreamPipe>(StreamPipe::Setup{});
                             }},
                        "192.0.2.1:5");
    const auto when_told = [&go](auto act) {
      return std::thread([&go, act] {
        while (!go) std::this_thread::yield();
        act();
      });
    };
    std::vector<std::thread> threads;
    threads.push_back(when_told([&] {
      pipe.on_presented({{1}});
      pipe.on_streams_allowed(false, 10);
      pipe.on_up();
      for (int i = 0; i < 5; ++i) pipe.arrived_stream(false);
      pipe.on_moved("192.0.2.2:5");
      pipe.on_down(ATLAS_CLOSED_PEER, 1, "bye");
      pipe.on_down(ATLAS_CLOSED_LOCAL, 2, "");
      done = true;
    }));
    threads.push_back(when_told([&] {
      for (int i = 0; i < 5; ++i) {
        if (pipe.reserve_stream(false) == Outcome::kDone) ++open;
      }
      static_cast<void>(pipe.remote());
      if (round % 2 == 0) pipe.close();
    }));
    int downs = 0;
    go = true;
    // The strand: events, and ends of streams.
    while (!done || open > 0 || downs == 0) {
      if (const auto event = pipe.take(); event && event->what == What::kDown) {
        ++downs;
        EXPECT_TRUE(done || event->code == 1);
        EXPECT_EQ(open, 0);
      }
      if (open > 0) {
        --open;
        pipe.stream_over();
      }
    }
    for (auto& thread : threads) thread.join();
    while (open > 0) {
      --open;
      pipe.stream_over();
    }
    EXPECT_FALSE(pipe.take());
    EXPECT_EQ(downs, 1);
  }
}

}  // namespace
}  // namespace atlas::host
