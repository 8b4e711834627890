// Streams: order, FIN, backpressure, resets, and what arrives over bad links.
#include <numeric>

#include <algorithm>

#include "party.h"

namespace atlas::quic {
namespace {

std::string pattern(std::size_t length) {
  std::string out(length, '\0');
  std::uint32_t value = 12345;
  for (char& c : out) c = static_cast<char>((value = value * 1664525 + 1013904223) >> 24);
  return out;
}

class EndpointStreamsTest : public PairTest {};

TEST_F(EndpointStreamsTest, ManyStreamsFinishBothWays) {
  start();
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
    connection.write(stream, data, fin);
  };
  connect();
  std::size_t opened = 0;
  while (opened < 500) {  // ten times the limit of those open at once
    const auto stream = here->open_stream();
    if (stream) {
      ASSERT_TRUE(here->write(*stream, bytes("request " + std::to_string(opened++)), true));
      continue;
    }
    ASSERT_EQ(stream.error().fault, base::Fault::kFull);
    ASSERT_LT(world.now(), 60 * base::kSecond) << opened;
    world.run_for(base::kMillisecond);  // until the peer allows more
  }
  ASSERT_TRUE(run_until([&] { return alice->events.streams_closed == 500 && bob->events.streams_closed == 500; }));
  std::size_t number = 0;
  for (const auto& [id, log] : alice->events.streams) {
    EXPECT_EQ(log.data, "request " + std::to_string(number++));
    EXPECT_TRUE(log.fin && log.written && log.closed);
  }
  EXPECT_EQ(here->unacknowledged(), 0u);
}

TEST_F(EndpointStreamsTest, EightMebibytesEachWayWithAReaderThatTakesItsTime) {
  start();
  connect();
  world.set_default_link({.latency = 2 * base::kMillisecond});
  alice->events.consume_at_once = bob->events.consume_at_once = false;
  const std::string there_data = pattern(8 << 20), back_data = pattern((8 << 20) + 1);
  const StreamId stream = here->open_stream().value();
  here->write(stream, base::as_bytes(there_data), true);
  ASSERT_TRUE(run_until([&] { return bob->events.streams.size() == 1; }));
  there->write(stream, base::as_bytes(back_data), true);

  // Nobody consumes: no more than the stream's first window arrives.
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(bob->events.log(*there, stream).data.size(), 64u << 10);
  EXPECT_EQ(alice->events.log(*here, stream).data.size(), 64u << 10);

  const auto consume_some = [&](Party& party, Connection& connection) {
    auto& log = party.events.log(connection, stream);
    const std::size_t step = std::min<std::size_t>(log.unconsumed, 48 << 10);
    log.unconsumed -= step;
    connection.consume(stream, step);
  };
  for (int i = 0; i < 4000 && !(alice->events.log(*here, stream).closed && bob->events.log(*there, stream).closed);
       ++i) {
    consume_some(*alice, *here);
    consume_some(*bob, *there);
    world.run_for(5 * base::kMillisecond);
  }
  EXPECT_EQ(bob->events.log(*there, stream).data, there_data);
  EXPECT_EQ(alice->events.log(*here, stream).data, back_data);
  EXPECT_TRUE(alice->events.log(*here, stream).written);
  EXPECT_TRUE(bob->events.log(*there, stream).written);
  EXPECT_EQ(here->unacknowledged(), 0u);
}

TEST_F(EndpointStreamsTest, StreamsShareTheConnectionWindow) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.stream_window = 64 << 10;
  bob->protocol.connection_window = 96 << 10;
  start();
  connect();
  bob->events.consume_at_once = false;
  std::vector<StreamId> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(here->open_stream().value());
    here->write(streams.back(), base::as_bytes(pattern(60 << 10)), true);
  }
  const auto received = [&] {
    std::size_t sum = 0;
    for (const auto& [id, log] : bob->events.streams) sum += log.data.size();
    return sum;
  };
  world.run_for(2 * base::kSecond);
  EXPECT_EQ(received(), 96u << 10);
  // A stream that is open and has nothing but a FIN to send does not wait for the window.
  const StreamId empty = here->open_stream().value();
  here->write(empty, {}, true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, empty).fin; }, base::kSecond));
  for (int i = 0; i < 100 && received() < 240u << 10; ++i) {
    for (StreamId stream : streams)
      there->consume(stream, std::exchange(bob->events.log(*there, stream).unconsumed, 0));
    world.run_for(50 * base::kMillisecond);
  }
  EXPECT_EQ(received(), 240u << 10);
  for (StreamId stream : streams) EXPECT_TRUE(bob->events.log(*there, stream).fin);
}

TEST_F(EndpointStreamsTest, WindowsGrowNoFurtherThanTheirLimits) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.max_stream_window = 128 << 10;
  bob->protocol.max_connection_window = 320 << 10;
  start();
  connect();
  std::vector<StreamId> streams;
  for (int i = 0; i < 6; ++i) streams.push_back(here->open_stream().value());
  const auto arrived = [&](StreamId stream) { return bob->events.log(*there, stream).data.size(); };
  for (const StreamId stream : streams) here->write(stream, base::as_bytes(pattern(2 << 20)), false);
  ASSERT_TRUE(run_until(
      [&] { return std::all_of(streams.begin(), streams.end(), [&](StreamId s) { return arrived(s) == 2u << 20; }); }));
  // What was read made the windows grow; now nothing is read any more.
  bob->events.consume_at_once = false;
  std::size_t unread = 0, most = 0;
  for (const StreamId stream : streams) {
    here->write(stream, base::as_bytes(pattern(2 << 20)), false);
    world.run_for(2 * base::kSecond);
    most = std::max(most, arrived(stream) - (2u << 20));
    unread += arrived(stream) - (2u << 20);
  }
  EXPECT_GT(most, bob->protocol.stream_window);
  EXPECT_LE(most, bob->protocol.max_stream_window);
  EXPECT_GT(unread, most) << "more than one stream had its share";
  EXPECT_LE(unread, bob->protocol.max_connection_window);
  EXPECT_EQ(Protocol().max_stream_window, base::limits::quic_stream_window_bytes);
  EXPECT_EQ(Protocol().max_connection_window, base::limits::quic_connection_window_bytes);
}

TEST_F(EndpointStreamsTest, ASlowStreamDoesNotHoldUpAnother) {
  start();
  connect();
  bob->events.consume_at_once = false;
  const StreamId slow = here->open_stream().value(), quick = here->open_stream().value();
  here->write(slow, base::as_bytes(pattern(1 << 20)), true);
  world.run_for(base::kSecond);
  here->write(quick, bytes("quick"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, quick).fin; }, base::kSecond));
  EXPECT_FALSE(bob->events.log(*there, slow).fin);
}

TEST_F(EndpointStreamsTest, ConsumeGivesNoMoreThanWasDelivered) {
  start();
  connect();
  bob->events.consume_at_once = false;
  const StreamId stream = here->open_stream().value();
  here->write(stream, base::as_bytes(pattern(1 << 20)), true);
  ASSERT_TRUE(run_until([&] { return !bob->events.streams.empty(); }));
  for (int i = 0; i < 50; ++i) {
    there->consume(stream, SIZE_MAX);
    there->consume(stream + 4000, 1);
    there->consume(-1, 1);
  }
  ASSERT_TRUE(run_until([&] {
    there->consume(stream, SIZE_MAX);
    return bob->events.log(*there, stream).fin;
  }));
}

TEST_F(EndpointStreamsTest, WrittenMeansAcknowledged) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  world.set_link(bob_node, alice_node, {.latency = 500 * base::kMillisecond});
  here->write(stream, bytes("data"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  EXPECT_FALSE(alice->events.log(*here, stream).written);
  EXPECT_EQ(here->unacknowledged(stream), 4u);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).written; }));
  EXPECT_EQ(here->unacknowledged(stream), 0u);
}

TEST_F(EndpointStreamsTest, AFinOfItsOwnIsAcknowledgedOfItsOwn) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("data"), false);
  ASSERT_TRUE(run_until([&] { return here->unacknowledged(stream) == 0; }));
  EXPECT_FALSE(alice->events.log(*here, stream).written);
  world.set_link(alice_node, bob_node, {.drop = 1});
  here->write(stream, {}, true);
  world.run_for(200 * base::kMillisecond);
  EXPECT_FALSE(alice->events.log(*here, stream).written);
  world.set_link(alice_node, bob_node, {});
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).written; }));
  EXPECT_TRUE(bob->events.log(*there, stream).fin);
}

TEST_F(EndpointStreamsTest, DataAndFinLostTogetherAreStillToldAsWritten) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  world.set_link(alice_node, bob_node, {.drop = 1});
  here->write(stream, bytes("data"), false);
  world.run_for(5 * base::kMillisecond);
  here->write(stream, {}, true);
  world.run_for(300 * base::kMillisecond);
  world.set_link(alice_node, bob_node, {});
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  there->write(stream, {}, true);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).closed; }));
  EXPECT_TRUE(alice->events.log(*here, stream).written);
}

TEST_F(EndpointStreamsTest, AResetCarriesItsCodeToTheOtherSide) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("the beginning"), false);
  ASSERT_TRUE(run_until([&] { return !bob->events.log(*there, stream).data.empty(); }));
  there->write(stream, base::as_bytes(pattern(100)), false);
  there->reset(stream, 2003);
  there->reset(stream, 5);
  EXPECT_FALSE(there->write(stream, bytes("x"), false));
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).reset.has_value(); }));
  EXPECT_EQ(alice->events.log(*here, stream).reset, 2003u);
  EXPECT_TRUE(run_until([&] { return !here->write(stream, bytes("refused"), false); }, base::kSecond))
      << "the peer refused our side too";
  ASSERT_TRUE(
      run_until([&] { return bob->events.log(*there, stream).closed && alice->events.log(*here, stream).closed; }));
  EXPECT_FALSE(alice->events.log(*here, stream).written);
  EXPECT_EQ(here->unacknowledged(), 0u);
  EXPECT_EQ(there->unacknowledged(), 0u);
}

TEST_F(EndpointStreamsTest, NothingIsDeliveredAfterOurReset) {
  start();
  connect();
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView, bool) {
    connection.reset(stream, 1);
  };
  const StreamId stream = here->open_stream().value();
  const std::string data = pattern(1 << 20);  // far more than every window
  here->write(stream, base::as_bytes(data), true);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).closed; }));
  EXPECT_LT(bob->events.log(*there, stream).data.size(), 2000u);
  // What nobody read is not charged to the connection: its window is whole for the next streams.
  bob->events.data_hook = nullptr;
  for (int i = 0; i < 20; ++i) {
    const StreamId next = here->open_stream().value();
    here->write(next, base::as_bytes(pattern(60 << 10)), true);
    ASSERT_TRUE(run_until([&] { return bob->events.log(*there, next).fin; })) << i;
  }
}

TEST_F(EndpointStreamsTest, UnreadStreamsGiveTheirWindowBackWhenTheyEnd) {
  start();
  connect();
  bob->events.consume_at_once = false;
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView, bool fin) {
    if (fin) connection.write(stream, {}, true);
  };
  for (int i = 0; i < 40; ++i) {  // ten times the connection's first window
    const StreamId stream = here->open_stream().value();
    here->write(stream, base::as_bytes(pattern(60 << 10)), true);
    ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).closed; })) << i;
  }
}

TEST_F(EndpointStreamsTest, LossReorderAndDuplicatesDoNotShow) {
  start();
  world.set_default_link({.latency = 5 * base::kMillisecond,
                          .jitter = 3 * base::kMillisecond,
                          .drop = 0.05,
                          .duplicate = 0.05,
                          .corrupt = 0.02,
                          .reorder = 0.1});
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
    connection.write(stream, data, fin);
  };
  connect();
  const std::string data = pattern(300'000);
  std::vector<StreamId> streams;
  for (int i = 0; i < 8; ++i) {
    streams.push_back(here->open_stream().value());
    here->write(streams.back(), base::as_bytes(data), true);
  }
  ASSERT_TRUE(run_until([&] { return alice->events.streams_closed == 8; }, 120 * base::kSecond));
  for (StreamId stream : streams) {
    EXPECT_EQ(alice->events.log(*here, stream).data, data);
    EXPECT_TRUE(alice->events.log(*here, stream).written);
  }
  EXPECT_TRUE(alice->events.closed.empty());
  EXPECT_TRUE(bob->events.closed.empty());
}

TEST_F(EndpointStreamsTest, ManySmallWritesAreOneFlow) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  std::string expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    expected += piece;
    ASSERT_TRUE(here->write(stream, base::as_bytes(piece), false));
    if (i % 100 == 0) world.run_for(base::kMillisecond);
  }
  here->write(stream, {}, true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  EXPECT_EQ(bob->events.log(*there, stream).data, expected);
}

}  // namespace
}  // namespace atlas::quic
