// Raw streams between the roles of two whole nodes, on the simulated network and in virtual time.
#include <gtest/gtest.h>

#include "integration/node_test.h"
#include "kit/stream_role.h"

namespace atlas::node {
namespace {

using kit::StreamRole;

class RawStreams : public testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 600 * base::kSecond;
  static constexpr std::uint64_t kMiB = 1 << 20;

  RawStreams()
      : fleet_(20'250'711), left_(fleet_.add("left", {"keepalive"})), right_(fleet_.add("right", {"keepalive"})) {
    for (sim::FleetNode* node : {&left_, &right_}) {
      node->config().rate_limit.per_peer_per_second = 1000;
      node->config().rate_limit.per_peer_per_minute = 10'000;
    }
    left_.linked = {dialler.plugin<0>()};
    right_.linked = {listener.plugin<1>()};
  }

  sim::SimWorld& world() { return fleet_.world(); }
  void start() {
    left_.start();
    right_.start();
    ASSERT_EQ(left_.run(world(), "connect", {{"target", right_.address().text()}}).exit_code, 0);
    ASSERT_TRUE(run_until([&] { return dialler.peer != 0 && listener.peer != 0; }));
  }
  bool run_until(const std::function<bool()>& done, base::MonoNs most = kLong) { return world().run_until(done, most); }
  bool run_closed(StreamRole& role, atlas_stream stream) {
    return run_until([&] { return role.logs[stream].closed; });
  }
  std::uint64_t counter(sim::FleetNode& node, const std::string& name) {
    return node.run(world(), "status").result["counters"].at(name).get<std::uint64_t>();
  }
  // The one that the other side opened.
  StreamRole::Log& there(std::size_t index = 0) { return listener.logs[listener.arrived.at(index)]; }
  bool run_arrived(std::size_t count = 1) {
    return run_until([&] { return listener.arrived.size() >= count; });
  }

  // They hear of ends until the nodes are gone.
  StreamRole dialler{"left.role"}, listener{"right.role"}, third{"roamer.role"};
  sim::Fleet fleet_;
  sim::FleetNode &left_, &right_;
};

std::string expected(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) out[i] = StreamRole::pattern(i);
  return out;
}

TEST_F(RawStreams, BytesGoBothWaysAndBothEndsAreTold) {
  start();
  listener.echoes = true;
  const atlas_stream stream = dialler.open();
  EXPECT_EQ(dialler.write(stream, "hello, "), ATLAS_OK);
  EXPECT_EQ(dialler.write(stream, "world"), ATLAS_OK);
  ASSERT_TRUE(run_until([&] { return dialler.logs[stream].received == 12; }));
  EXPECT_EQ(dialler.logs[stream].data, "hello, world");
  EXPECT_FALSE(dialler.logs[stream].fin);
  EXPECT_EQ(there().opening, "\x80");
  EXPECT_EQ(dialler.finish(stream), ATLAS_OK);
  ASSERT_TRUE(run_closed(dialler, stream));
  ASSERT_TRUE(run_until([&] { return there().closed; }));
  EXPECT_TRUE(dialler.logs[stream].fin);
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_OK);
  EXPECT_EQ(there().status, ATLAS_OK);
  EXPECT_EQ(counter(left_, "streams_opened"), 1u);
  EXPECT_EQ(counter(right_, "streams_accepted"), 1u);
}

TEST_F(RawStreams, TheListenersSideOpensThemToo) {
  start();
  dialler.echoes = true;
  const atlas_stream stream = listener.open();
  EXPECT_EQ(listener.write(stream, "abc"), ATLAS_OK);
  EXPECT_EQ(listener.finish(stream), ATLAS_OK);
  ASSERT_TRUE(run_closed(listener, stream));
  EXPECT_EQ(listener.logs[stream].data, "abc");
}

TEST_F(RawStreams, HalfAStreamGoesOnWhenTheOtherIsFinished) {
  start();
  const atlas_stream stream = dialler.open();
  EXPECT_EQ(dialler.finish(stream), ATLAS_OK);
  EXPECT_EQ(dialler.write(stream, "x"), ATLAS_E_STATE);
  ASSERT_TRUE(run_arrived());
  ASSERT_TRUE(run_until([&] { return there().fin; }));
  listener.send(listener.arrived[0], kMiB);
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].received, kMiB);
  EXPECT_EQ(dialler.logs[stream].data, expected(dialler.kept));
  EXPECT_TRUE(dialler.logs[stream].fin);
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_OK);
}

TEST_F(RawStreams, AMebibyteEachWayOnALossyPath) {
  sim::LinkPolicy lossy;
  lossy.drop = 0.01;
  lossy.reorder = 0.02;
  world().set_default_link(lossy);
  dialler.kept = listener.kept = kMiB;
  start();
  const atlas_stream stream = dialler.open();
  dialler.send(stream, kMiB);
  ASSERT_TRUE(run_arrived());
  listener.send(listener.arrived[0], kMiB);
  ASSERT_TRUE(run_closed(dialler, stream));
  ASSERT_TRUE(run_until([&] { return there().closed; }));
  EXPECT_EQ(dialler.logs[stream].data, expected(kMiB));
  EXPECT_EQ(there().data, expected(kMiB));
}

TEST_F(RawStreams, SixtyFourMebibytes) {
  sim::LinkPolicy quick;
  quick.latency = base::kMillisecond;
  world().set_default_link(quick);
  start();
  const atlas_stream stream = dialler.open();
  dialler.send(stream, 64 * kMiB);
  ASSERT_TRUE(run_arrived());
  ASSERT_TRUE(run_until([&] { return there().fin; }));
  EXPECT_EQ(there().received, 64 * kMiB);
  EXPECT_EQ(there().data, expected(listener.kept));
}

TEST_F(RawStreams, AResetIsToldAndEndsOneDirection) {
  start();
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived());
  const atlas_stream other = listener.arrived[0];
  EXPECT_EQ(dialler.reset(stream, 77), ATLAS_OK);
  EXPECT_EQ(dialler.write(stream, "x"), ATLAS_E_STATE);
  EXPECT_EQ(dialler.reset(stream, 78), ATLAS_E_STATE);
  ASSERT_TRUE(run_until([&] { return there().reset == 77; }));
  EXPECT_FALSE(there().closed);
  EXPECT_EQ(listener.write(other, "still open"), ATLAS_OK);
  EXPECT_EQ(listener.finish(other), ATLAS_OK);
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].data, "still open");
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_DENIED);
  EXPECT_EQ(dialler.logs[stream].code, 77u);
  ASSERT_TRUE(run_until([&] { return there().closed; }));
  EXPECT_EQ(there().status, ATLAS_E_DENIED);
  EXPECT_EQ(there().code, 77u);
}

TEST_F(RawStreams, AStopIsToldAndEndsTheOtherDirection) {
  start();
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived());
  const atlas_stream other = listener.arrived[0];
  listener.send(other, 16 * kMiB);
  ASSERT_TRUE(run_until([&] { return dialler.logs[stream].received > 100'000; }));
  EXPECT_EQ(dialler.stop(stream, 55), ATLAS_OK);
  const std::uint64_t before = dialler.logs[stream].received;
  ASSERT_TRUE(run_until([&] { return there().stopped == 55; }));
  EXPECT_EQ(listener.write(other, "x"), ATLAS_E_STATE);
  EXPECT_EQ(dialler.write(stream, "ours goes on"), ATLAS_OK);
  EXPECT_EQ(dialler.finish(stream), ATLAS_OK);
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].received, before) << "what still came was dropped";
  ASSERT_TRUE(run_until([&] { return there().closed; }));
  EXPECT_EQ(there().data, "ours goes on");
  EXPECT_EQ(there().status, ATLAS_E_DENIED);
}

TEST_F(RawStreams, ASlowReaderStopsItsWriterAndNothingPilesUp) {
  start();
  listener.credits = false;
  const atlas_stream stream = dialler.open();
  dialler.send(stream, 4 * kMiB);
  ASSERT_TRUE(run_arrived());
  world().run_for(20 * base::kSecond);
  EXPECT_LE(there().received, 64u << 10) << "the first window";
  EXPECT_GE(there().received, (64u << 10) - 64) << "but for the envelope";
  EXPECT_EQ(dialler.write(stream, std::string(64 << 10, 'x')), ATLAS_E_FULL);
  // One window more for each that is dealt with, however long it takes.
  const atlas_stream other = listener.arrived[0];
  std::uint64_t credited = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t before = there().received;
    EXPECT_EQ(listener.credit(other, before - credited), ATLAS_OK);
    credited = before;
    world().run_for(10 * base::kSecond);
    EXPECT_GE(there().received, before + (60 << 10));
    EXPECT_LE(there().received, before + (512 << 10));
  }
  listener.credits = true;
  EXPECT_EQ(listener.credit(other, there().received - credited), ATLAS_OK);
  ASSERT_TRUE(run_until([&] { return there().fin; }));
  EXPECT_EQ(there().received, 4 * kMiB);
  EXPECT_GT(dialler.logs[stream].writable, 0);
}

TEST_F(RawStreams, BothDirectionsStandStillEachByItself) {
  start();
  dialler.credits = false;
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived());
  listener.send(listener.arrived[0], 4 * kMiB);
  dialler.send(stream, 4 * kMiB);
  ASSERT_TRUE(run_until([&] { return there().fin; }));
  EXPECT_EQ(there().received, 4 * kMiB);
  EXPECT_EQ(dialler.logs[stream].received, 64u << 10);
  dialler.credits = true;
  EXPECT_EQ(dialler.credit(stream, 64 << 10), ATLAS_OK);
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].received, 4 * kMiB);
}

TEST_F(RawStreams, SlowReaderDoesNotHoldMessagesBack) {
  start();
  listener.credits = false;
  for (int i = 0; i < 20; ++i) dialler.send(dialler.open(), kMiB);
  ASSERT_TRUE(run_arrived(20));
  world().run_for(20 * base::kSecond);
  std::uint64_t unread = 0;
  for (const auto& [stream, log] : listener.logs) unread += log.received;
  EXPECT_GE(unread, 20u * ((64 << 10) - 64)) << "much more than the connection's first window of 256 KiB";
  const auto answered = left_.run(world(), "ping", {{"target", right_.node_id()}});
  EXPECT_EQ(answered.exit_code, 0) << answered.error;
}

TEST_F(RawStreams, ManyStreamsAtOnceAndThoseOverTheLimitAreFull) {
  start();
  listener.echoes = true;
  std::vector<atlas_stream> streams;
  for (int i = 0; i < 60; ++i) streams.push_back(dialler.open());
  world().run_for(base::kSecond);
  const auto full = std::ranges::partition(streams, [&](auto stream) { return !dialler.logs[stream].closed; });
  for (const atlas_stream stream : full) EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_FULL);
  streams.erase(full.begin(), full.end());
  EXPECT_GE(streams.size(), 40u);
  EXPECT_LE(streams.size(), base::limits::transport_max_streams_per_conn);
  const auto all_closed = [&](const auto& which) {
    return std::ranges::all_of(which, [&](auto stream) { return dialler.logs[stream].closed; });
  };
  for (const atlas_stream stream : streams) {
    dialler.write(stream, "x");
    dialler.finish(stream);
  }
  ASSERT_TRUE(run_until([&] { return all_closed(streams); }));
  for (const atlas_stream stream : streams) {
    EXPECT_EQ(dialler.logs[stream].data, "x");
    EXPECT_EQ(dialler.logs[stream].status, ATLAS_OK);
  }
  // Their places are free again, many times over.
  for (int round = 0; round < 20; ++round) {
    std::vector<atlas_stream> more;
    for (int i = 0; i < 20; ++i) more.push_back(dialler.open());
    for (const atlas_stream stream : more) dialler.finish(stream);
    ASSERT_TRUE(run_until([&] { return all_closed(more); }));
    for (const atlas_stream stream : more) EXPECT_EQ(dialler.logs[stream].status, ATLAS_OK) << round;
  }
}

TEST_F(RawStreams, ATypeThatNobodyTakesIsDenied) {
  start();
  const atlas_stream waits = dialler.open(0x9f, "\x80");  // says nothing more
  const atlas_stream asks = dialler.open(0x9f, "\x80");
  EXPECT_EQ(dialler.finish(asks), ATLAS_OK);
  const atlas_stream writes = dialler.open(0x9f, "\x80");
  EXPECT_EQ(dialler.write(writes, "more"), ATLAS_OK);
  for (const atlas_stream stream : {waits, asks, writes}) {
    ASSERT_TRUE(run_closed(dialler, stream));
    EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_DENIED);
    EXPECT_EQ(dialler.logs[stream].code, 2003u);
    EXPECT_EQ(dialler.logs[stream].received, 0u) << "the Error is no data";
  }
  EXPECT_TRUE(listener.logs.empty());
}

TEST_F(RawStreams, OneThatTheRoleRefusesIsDenied) {
  listener.opened = [](const atlas_stream_opened&) { return ATLAS_E_DENIED; };
  start();
  const atlas_stream stream = dialler.open();
  dialler.write(stream, "unwanted");
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_DENIED);
  EXPECT_EQ(dialler.logs[stream].code, 2003u);
  EXPECT_EQ(there().received, 0u);
  EXPECT_FALSE(there().closed);
}

TEST_F(RawStreams, OpeningsCountAgainstTheRateLimit) {
  right_.config().rate_limit.per_peer_per_second = 5;
  start();
  std::vector<atlas_stream> streams;
  for (int i = 0; i < 12; ++i) streams.push_back(dialler.open());
  ASSERT_TRUE(run_closed(dialler, streams.back()));
  EXPECT_EQ(dialler.logs[streams.back()].status, ATLAS_E_DENIED);
  EXPECT_EQ(dialler.logs[streams.back()].code, 4001u);
  EXPECT_GT(counter(right_, "refused_per_second"), 0u);
  EXPECT_FALSE(dialler.logs[streams.front()].closed);
}

TEST_F(RawStreams, IdleStreamIsReset) {
  start();
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived());
  world().run_for(500 * base::kSecond);
  EXPECT_EQ(dialler.write(stream, "a sign of life"), ATLAS_OK);
  world().run_for(500 * base::kSecond);
  EXPECT_FALSE(dialler.logs[stream].closed);
  world().run_for(200 * base::kSecond);
  EXPECT_TRUE(dialler.logs[stream].closed);
  EXPECT_TRUE(there().closed);
  EXPECT_TRUE(dialler.logs[stream].status == ATLAS_E_TIMEOUT || there().status == ATLAS_E_TIMEOUT);
  EXPECT_EQ(counter(left_, "streams_timed_out") + counter(right_, "streams_timed_out") > 0, true);
}

TEST_F(RawStreams, EverythingEndsWithTheSession) {
  start();
  const atlas_stream stream = dialler.open();
  dialler.send(stream, 16 * kMiB);
  const atlas_stream quiet = dialler.open();
  ASSERT_TRUE(run_arrived(2));
  ASSERT_EQ(right_.run(world(), "disconnect", {{"target", left_.node_id()}}).exit_code, 0);
  ASSERT_TRUE(run_closed(dialler, stream));
  ASSERT_TRUE(run_closed(dialler, quiet));
  ASSERT_TRUE(run_until([&] { return there(0).closed && there(1).closed; }));
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_GONE);
  EXPECT_EQ(dialler.logs[quiet].status, ATLAS_E_GONE);
  EXPECT_EQ(there(0).status, ATLAS_E_GONE);
  EXPECT_EQ(dialler.open(), 0u);
  EXPECT_EQ(dialler.open_status, ATLAS_E_GONE);
}

TEST_F(RawStreams, APeerThatDiesEndsThemWhenItsSilenceIsNoticed) {
  start();
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived());
  right_.kill();
  dialler.write(stream, "into the void");
  ASSERT_TRUE(run_closed(dialler, stream));
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_GONE);
  EXPECT_EQ(dialler.peers_down, 1);
}

TEST_F(RawStreams, ARoleThatFaultsInTheMiddleResetsThem) {
  listener.event = [](const atlas_stream_event& event) {
    if (event.what == ATLAS_STREAM_DATA) throw std::runtime_error("a bug");
  };
  start();
  const atlas_stream quiet = dialler.open();
  const atlas_stream stream = dialler.open();
  ASSERT_TRUE(run_arrived(2));
  dialler.send(stream, kMiB);
  ASSERT_TRUE(run_closed(dialler, stream));
  ASSERT_TRUE(run_closed(dialler, quiet));
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_DENIED);
  EXPECT_EQ(dialler.logs[stream].code, 5001u);
  EXPECT_TRUE(listener.stopped);
  EXPECT_TRUE(there(0).closed && there(1).closed);
  EXPECT_EQ(there(0).status, ATLAS_E_STOPPING);
  const auto answered = left_.run(world(), "ping", {{"target", right_.node_id()}});
  EXPECT_EQ(answered.exit_code, 0) << "the session lives: " << answered.error;
}

TEST_F(RawStreams, AStopOfTheNodeTellsEveryOne) {
  start();
  const atlas_stream stream = dialler.open();
  dialler.send(stream, 16 * kMiB);
  ASSERT_TRUE(run_arrived());
  left_.stop(world());
  EXPECT_TRUE(dialler.stopped);
  EXPECT_TRUE(dialler.logs[stream].closed);
  EXPECT_EQ(dialler.logs[stream].status, ATLAS_E_STOPPING);
  ASSERT_TRUE(run_until([&] { return there().closed; }));
}

TEST_F(RawStreams, StreamsGoOnWhenThePeersAddressChanges) {
  sim::Nat& nat = world().add_nat(net::IpAddress::v4({203, 0, 113, 9}));
  sim::FleetNode& roamer = fleet_.add_behind(nat, "roamer", {"keepalive"});
  StreamRole& role = third;
  roamer.linked = {role.plugin<2>()};
  roamer.start();
  right_.start();
  ASSERT_EQ(roamer.run(world(), "connect", {{"target", right_.address().text()}}).exit_code, 0);
  ASSERT_TRUE(run_until([&] { return role.peer != 0 && listener.peer != 0; }));
  const atlas_stream stream = role.open();
  role.send(stream, 4 * kMiB);
  ASSERT_TRUE(run_arrived());
  ASSERT_TRUE(run_until([&] { return there().received > 100'000; }));
  nat.rebind();
  ASSERT_TRUE(run_until([&] { return there().fin; }));
  EXPECT_EQ(there().received, 4 * kMiB);
}

}  // namespace
}  // namespace atlas::node
