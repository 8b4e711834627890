// One direction of a stream by itself: reset, stop, acknowledgements, and credit of the connection given ahead.
#include "quic/compat.h"
#include "unit/quic/party.h"

namespace atlas::quic {
namespace {

// Tells the two directions apart.
class Halves : public Recorder {
 public:
  void on_acknowledged(Connection& connection, StreamId stream, std::size_t bytes) override {
    acknowledged[{connection.number(), stream}] += bytes;
    ++acknowledgements;
  }
  bool on_stopped(Connection&, StreamId, std::uint64_t code) override {
    if (!apart) return false;
    stopped.push_back(code);
    return true;
  }
  std::map<std::pair<std::uint64_t, StreamId>, std::size_t> acknowledged;
  std::vector<std::uint64_t> stopped;
  int acknowledgements = 0;
  bool apart = true;
};

class EndpointHalvesTest : public PairTest {
 protected:
  EndpointHalvesTest() {
    alice = std::make_unique<Party>(alice_node, 1);
    bob = std::make_unique<Party>(bob_node, 2);
    alice->protocol.events = &mine;
    bob->protocol.events = &theirs;
  }
  // A stream that both sides know.
  StreamId open() {
    bob->listen();
    here = alice->dial(*bob);
    EXPECT_TRUE(run_until([&] { return !theirs.connected.empty(); }));
    there = theirs.connected.back();
    const StreamId stream = here->open_stream().value();
    here->write(stream, bytes("hi"), false);
    EXPECT_TRUE(run_until([&] { return theirs.log(*there, stream).data == "hi"; }));
    return stream;
  }
  Halves mine, theirs;
};

TEST_F(EndpointHalvesTest, ResettingOursLeavesTheirsOpen) {
  const StreamId stream = open();
  here->reset_sending(stream, 7);
  EXPECT_FALSE(here->write(stream, bytes("x"), false));
  EXPECT_TRUE(run_until([&] { return theirs.log(*there, stream).reset == 7; }));
  EXPECT_TRUE(there->write(stream, bytes("answer"), true));
  EXPECT_TRUE(run_until([&] { return mine.log(*here, stream).fin && mine.log(*here, stream).closed; }));
  EXPECT_EQ(mine.log(*here, stream).data, "answer");
  EXPECT_TRUE(mine.stopped.empty());
  EXPECT_TRUE(theirs.stopped.empty());
  EXPECT_TRUE(run_until([&] { return theirs.log(*there, stream).closed; }));
}

TEST_F(EndpointHalvesTest, StoppingTheirsLeavesOursOpen) {
  const StreamId stream = open();
  here->stop_receiving(stream, 8);
  EXPECT_TRUE(run_until([&] { return !theirs.stopped.empty(); }));
  EXPECT_EQ(theirs.stopped, std::vector<std::uint64_t>{8});
  EXPECT_FALSE(there->write(stream, bytes("x"), false));
  EXPECT_FALSE(theirs.log(*there, stream).reset);
  EXPECT_TRUE(here->write(stream, bytes(" there"), true));
  EXPECT_TRUE(run_until([&] { return theirs.log(*there, stream).fin; }));
  EXPECT_EQ(theirs.log(*there, stream).data, "hi there");
  EXPECT_TRUE(run_until([&] { return mine.log(*here, stream).closed && theirs.log(*there, stream).closed; }));
  EXPECT_TRUE(mine.log(*here, stream).data.empty());
}

TEST_F(EndpointHalvesTest, BothDirectionsByThemselvesAreTheEnd) {
  const StreamId stream = open();
  here->stop_receiving(stream, 8);
  here->reset_sending(stream, 9);
  EXPECT_TRUE(run_until([&] { return mine.log(*here, stream).closed && theirs.log(*there, stream).closed; }));
  EXPECT_EQ(theirs.log(*there, stream).reset, 9u);
  EXPECT_EQ(theirs.stopped, std::vector<std::uint64_t>{8});
  EXPECT_EQ(here->stats().streams, 0u);
}

TEST_F(EndpointHalvesTest, WhoDoesNotTellThemApartHearsOfOneReset) {
  theirs.apart = false;
  const StreamId stream = open();
  here->reset(stream, 5);
  EXPECT_TRUE(run_until([&] { return theirs.log(*there, stream).closed; }));
  EXPECT_EQ(theirs.log(*there, stream).reset, 5u);
}

TEST_F(EndpointHalvesTest, AcknowledgementsOfAWatchedStreamAreTold) {
  const StreamId stream = open();
  EXPECT_TRUE(mine.acknowledged.empty()) << "nobody asked";
  here->watch(stream);
  here->write(stream, base::Bytes(20'000, 'x'), true);
  EXPECT_TRUE(run_until([&] { return mine.log(*here, stream).written; }));
  const std::size_t told = mine.acknowledged[{here->number(), stream}];
  EXPECT_GE(told, 20'000u);
  EXPECT_LE(told, 20'002u) << "with the two bytes from before at most";
  EXPECT_GT(mine.acknowledgements, 1);
}

TEST_F(EndpointHalvesTest, ReleasedBytesLetOtherStreamsGoOn) {
#if ATLAS_NGTCP2_0
  GTEST_SKIP() << "ngtcp2 0.12 gives credit of this kind back later";
#endif
  bob->protocol.connection_window = 100'000;
  bob->protocol.max_connection_window = 100'000;
  bob->protocol.stream_window = 100'000;
  bob->protocol.max_stream_window = 100'000;
  const StreamId stream = open();
  theirs.consume_at_once = false;
  here->write(stream, base::Bytes(200'000, 'x'), false);
  world.run_for(5 * base::kSecond);
  const std::size_t arrived = theirs.log(*there, stream).data.size();
  EXPECT_GE(arrived, 99'000u);
  const StreamId other = here->open_stream().value();
  here->write(other, base::Bytes(50'000, 'y'), true);
  world.run_for(5 * base::kSecond);
  EXPECT_LT(theirs.log(*there, other).data.size(), 1000u) << "the connection's window is used up";

  there->release(stream, arrived - 2);
  EXPECT_TRUE(run_until([&] { return theirs.log(*there, other).fin; }));
  EXPECT_EQ(theirs.log(*there, stream).data.size(), arrived) << "its own window is as it was";

  // The credit of the stream comes with consumption, and the connection's is not given twice.
  there->consume(other, 50'000);
  there->release(stream, 1'000'000);
  there->consume(stream, arrived);
  world.run_for(5 * base::kSecond);
  EXPECT_LE(theirs.log(*there, stream).data.size(), arrived + 100'002);
  EXPECT_GE(theirs.log(*there, stream).data.size(), arrived + 90'000);
}

}  // namespace
}  // namespace atlas::quic
