// atlas.streams/1 as a plugin sees it.
#include <gtest/gtest.h>

#include "host/live_streams.h"
#include "unit/host/host_fixture.h"
#include "wire/envelope.h"

namespace atlas::host::test {
namespace {

constexpr std::uint8_t kType = 0x91;

class Streams : public HostTest {
 protected:
  Streams() {
    network.live_peers[7] = {};
    script.init = [this] { return script.streams().accept(script.host, kType, stream_opened, stream_event); };
    script.stream_opened = [this](const atlas_stream_opened& opened) {
      arrived.push_back(opened.stream);
      openings.push_back(string_of(opened.opening));
      return ATLAS_OK;
    };
    script.stream_event = [this](const atlas_stream_event& event) {
      events.push_back(
          {event.what, event.stream, event.arg, string_of(event.data), event.fin != 0, event.status, event.code});
      if (on_event) on_event(event);
    };
  }

  void TearDown() override {
    on_event = nullptr;  // it has what the test had
    host.reset();        // it tells of ends once more
  }

  struct Seen {
    std::uint32_t what;
    atlas_stream stream;
    void* argument;
    std::string data;
    bool fin;
    atlas_status status;
    std::uint64_t code;
  };
  atlas_stream open(std::string_view opening = "map", void* argument = nullptr) {
    atlas_stream out = 0;
    EXPECT_EQ(script.streams().open(script.host, 7, kType, bytes_of(opening), stream_event, argument, &out), ATLAS_OK);
    return out;
  }
  // As if a peer had opened it.
  std::shared_ptr<StreamPipe> arrive(std::string_view opening = "map") {
    return host->deliver_stream(kType, 7, base::as_bytes(opening));
  }
  atlas_status write(atlas_stream stream, std::string_view data) {
    return script.streams().write(script.host, stream, bytes_of(data));
  }

  std::vector<atlas_stream> arrived;
  std::vector<std::string> openings;
  std::vector<Seen> events;
  std::function<void(const atlas_stream_event&)> on_event;
};

TEST_F(Streams, APeersStreamIsToldBeforeItsData) {
  start();
  EXPECT_TRUE(host->takes_streams(kType));
  EXPECT_FALSE(host->owns(kType)) << "it is no type of messages";
  const auto pipe = arrive("hello");
  ASSERT_TRUE(pipe);
  pipe->on_data(base::as_bytes("data"), true);
  settle();
  ASSERT_EQ(arrived.size(), 1u);
  EXPECT_EQ(openings[0], "hello");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].stream, arrived[0]);
  EXPECT_EQ(events[0].data, "data");
  EXPECT_TRUE(events[0].fin);
  EXPECT_EQ(events[0].argument, nullptr);
}

TEST_F(Streams, ARefusedOneIsResetAndSilentFromThenOn) {
  script.stream_opened = [](const atlas_stream_opened&) { return ATLAS_E_DENIED; };
  start();
  const auto pipe = arrive();
  settle();
  const auto orders = pipe->take_orders();
  EXPECT_EQ(orders.reset, 2003u);
  EXPECT_EQ(orders.stop, 2003u);
  EXPECT_TRUE(orders.abandoned);
  pipe->on_data(base::as_bytes("data"), true);
  pipe->on_closed(ATLAS_E_DENIED, 2003);
  settle();
  EXPECT_TRUE(events.empty());
}

TEST_F(Streams, AnOpenedOneCanBeWrittenAtOnce) {
  start();
  int mark = 0;
  const atlas_stream stream = open("opening", &mark);
  EXPECT_EQ(write(stream, "abc"), ATLAS_OK);
  ASSERT_EQ(network.streams.size(), 1u);
  EXPECT_EQ(network.streams[0].to, 7u);
  EXPECT_EQ(network.streams[0].type, kType);
  EXPECT_EQ(string_of(network.streams[0].payload), "opening");
  const auto pipe = network.streams[0].pipe;
  EXPECT_EQ(network.served_streams, std::vector<std::uint64_t>{pipe->tag()});
  EXPECT_EQ(string_of(pipe->take_orders().data), "abc");
  pipe->on_data(base::as_bytes("answer"), false);
  settle();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].argument, &mark);
  int other = 0;
  EXPECT_EQ(script.streams().set_arg(script.host, stream, &other), ATLAS_OK);
  pipe->on_data({}, true);
  settle();
  EXPECT_EQ(events[1].argument, &other);
}

TEST_F(Streams, AfterClosedTheHandleIsStale) {
  start();
  const atlas_stream stream = open();
  network.streams[0].pipe->on_closed(ATLAS_OK, 0);
  EXPECT_EQ(write(stream, "late"), ATLAS_E_STATE) << "the end is not told yet";
  atlas_status inside = ATLAS_OK;
  on_event = [&](const atlas_stream_event&) { inside = write(stream, "x"); };
  settle();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].what, static_cast<std::uint32_t>(ATLAS_STREAM_CLOSED));
  EXPECT_EQ(inside, ATLAS_E_GONE);
  const atlas_ext_streams& table = script.streams();
  EXPECT_EQ(write(stream, "x"), ATLAS_E_GONE);
  EXPECT_EQ(table.finish(script.host, stream), ATLAS_E_GONE);
  EXPECT_EQ(table.reset(script.host, stream, 1), ATLAS_E_GONE);
  EXPECT_EQ(table.stop(script.host, stream, 1), ATLAS_E_GONE);
  EXPECT_EQ(table.credit(script.host, stream, 1), ATLAS_E_GONE);
  EXPECT_EQ(table.set_arg(script.host, stream, nullptr), ATLAS_E_GONE);
  EXPECT_EQ(write(0, "x"), ATLAS_E_GONE);
  EXPECT_NE(open(), stream);
}

TEST_F(Streams, WrongArgumentsAreRefused) {
  start();
  const atlas_ext_streams& table = script.streams();
  atlas_stream out = 1;
  EXPECT_EQ(table.accept(script.host, kType, stream_opened, stream_event), ATLAS_E_STATE);
  EXPECT_EQ(table.open(script.host, 7, kType, {}, nullptr, nullptr, &out), ATLAS_E_ARG);
  EXPECT_EQ(out, 0u);
  EXPECT_EQ(table.open(script.host, 7, kType, {}, stream_event, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(table.open(script.host, 7, 0xe0, {}, stream_event, nullptr, &out), ATLAS_E_DENIED);
  EXPECT_EQ(table.open(script.host, 8, kType, {}, stream_event, nullptr, &out), ATLAS_E_GONE);
  const std::string longer(wire::kMaxOpening + 1, 'x');
  EXPECT_EQ(table.open(script.host, 7, kType, bytes_of(longer), stream_event, nullptr, &out), ATLAS_E_ARG);
  const atlas_stream stream = open();
  const std::string much(StreamPipe::kSendBudget + 1, 'x');
  EXPECT_EQ(write(stream, much), ATLAS_E_ARG);
  EXPECT_EQ(table.write(script.host, stream, {nullptr, 3}), ATLAS_E_ARG);
  EXPECT_EQ(table.reset(script.host, stream, std::uint64_t{1} << 62), ATLAS_E_ARG);
  EXPECT_EQ(table.stop(script.host, stream, std::uint64_t{1} << 62), ATLAS_E_ARG);
  EXPECT_EQ(table.credit(script.host, stream, 1), ATLAS_E_ARG);
  EXPECT_TRUE(network.streams.size() == 1);
}

TEST_F(Streams, AByteIsForMessagesOrForStreams) {
  script.init = [this] {
    EXPECT_EQ(script.streams().accept(script.host, kType, stream_opened, stream_event), ATLAS_OK);
    EXPECT_EQ(script.messages().handle(script.host, kType, 0, handle_message), ATLAS_E_CONFLICT);
    EXPECT_EQ(script.messages().handle(script.host, kType + 1, 0, handle_message), ATLAS_OK);
    EXPECT_EQ(script.streams().accept(script.host, kType + 1, stream_opened, stream_event), ATLAS_E_CONFLICT);
    EXPECT_EQ(script.streams().accept(script.host, 0x05, stream_opened, stream_event), ATLAS_E_DENIED);
    EXPECT_EQ(script.streams().accept(script.host, 0x92, nullptr, stream_event), ATLAS_E_ARG);
    return ATLAS_E_STATE;  // nothing stays
  };
  EXPECT_FALSE(load().empty());
  EXPECT_TRUE(host->claims().empty());
  EXPECT_FALSE(host->takes_streams(kType));
}

TEST_F(Streams, StopTellsEveryOpenOneOnce) {
  start();
  const atlas_stream mine = open();
  const auto theirs = arrive();
  settle();
  const auto unheard = arrive();  // its turn does not come any more
  int closed = 0;
  on_event = [&](const atlas_stream_event& event) {
    ++closed;
    EXPECT_EQ(event.what, static_cast<std::uint32_t>(ATLAS_STREAM_CLOSED));
    EXPECT_EQ(event.status, ATLAS_E_STOPPING);
    EXPECT_EQ(write(event.stream, "x"), ATLAS_E_GONE);
  };
  const auto pipe = network.streams[0].pipe;
  host.reset();
  EXPECT_EQ(closed, 2);
  EXPECT_EQ(pipe->take_orders().reset, 5001u);
  EXPECT_EQ(theirs->take_orders().stop, 5001u);
  EXPECT_TRUE(unheard->take_orders().abandoned);
  theirs->on_data(base::as_bytes("late"), true);  // nobody is there any more
  theirs->on_closed(ATLAS_OK, 0);
  static_cast<void>(mine);
}

TEST_F(Streams, AFaultInTheMiddleEndsThemAll) {
  start();
  const atlas_stream mine = open();
  const auto theirs = arrive();
  settle();
  on_event = [&](const atlas_stream_event& event) {
    if (event.what == ATLAS_STREAM_DATA) throw std::runtime_error("a bug");
  };
  theirs->on_data(base::as_bytes("data"), false);
  theirs->on_data(base::as_bytes("more"), true);
  settle();
  EXPECT_EQ(row().state, "faulted");
  ASSERT_EQ(events.size(), 3u);  // the data, and both ends
  EXPECT_EQ(events[1].status, ATLAS_E_STOPPING);
  EXPECT_EQ(events[2].status, ATLAS_E_STOPPING);
  EXPECT_EQ(write(mine, "x"), ATLAS_E_GONE);
  EXPECT_FALSE(host->takes_streams(kType));
  EXPECT_EQ(arrive(), nullptr);
}

TEST_F(Streams, AFullNetworkBeginsNothing) {
  start();
  network.full = true;
  atlas_stream out = 1;
  EXPECT_EQ(script.streams().open(script.host, 7, kType, {}, stream_event, nullptr, &out), ATLAS_E_FULL);
  EXPECT_EQ(out, 0u);
  EXPECT_EQ(metric("atlas_plugin0_streams"), 0);
}

TEST_F(Streams, StreamsOfAPluginAreBounded) {
  start();
  for (std::size_t i = 0; i < kMaxLiveStreams; ++i) open();
  atlas_stream out = 1;
  EXPECT_EQ(script.streams().open(script.host, 7, kType, {}, stream_event, nullptr, &out), ATLAS_E_FULL);
  EXPECT_EQ(arrive(), nullptr);
  network.streams.front().pipe->on_closed(ATLAS_OK, 0);
  EXPECT_EQ(script.streams().open(script.host, 7, kType, {}, stream_event, nullptr, &out), ATLAS_E_FULL)
      << "it counts until its end was told";
  settle();
  EXPECT_EQ(script.streams().open(script.host, 7, kType, {}, stream_event, nullptr, &out), ATLAS_OK);
}

TEST_F(Streams, NoNewStreamsWhileTooMuchWaits) {
  start();
  const auto first = arrive();
  const base::Bytes much(kMaxHeldBytes, 'x');
  first->on_data(much, false);
  EXPECT_EQ(metric("atlas_plugin0_stream_bytes"), static_cast<std::int64_t>(kMaxHeldBytes));
  EXPECT_EQ(arrive(), nullptr);
  settle();
  EXPECT_EQ(metric("atlas_plugin0_stream_bytes"), 0);
  EXPECT_NE(arrive(), nullptr);
}

TEST_F(Streams, DataWaitsOutsideTheQueueAndNothingIsDropped) {
  config.plugins.queue_bytes = 1024;
  config.plugins.queue_messages = 2;
  start();
  std::vector<std::shared_ptr<StreamPipe>> pipes;
  for (int i = 0; i < 8; ++i) pipes.push_back(arrive());
  const base::Bytes piece(10'000, 'x');
  for (int round = 0; round < 5; ++round) {
    for (const auto& pipe : pipes) pipe->on_data(piece, round == 4);
  }
  EXPECT_EQ(row().queue_messages, 0u);
  settle();
  std::size_t total = 0, fins = 0;
  for (const auto& event : events) {
    total += event.data.size();
    fins += event.fin ? 1 : 0;
  }
  EXPECT_EQ(total, 8u * 5u * piece.size());
  EXPECT_EQ(fins, 8u);
  EXPECT_EQ(row().dropped, 0u);
}

}  // namespace
}  // namespace atlas::host::test
