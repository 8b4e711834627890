// Every bound of the endpoint, biting.
#include "party.h"
#include "raw_socket.h"

namespace atlas::quic {
namespace {

class EndpointLimits : public PairTest {
 protected:
  // Connections that bob takes for half-open until verify() is called on them.
  void dial_all(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) alice->dial(*bob);
    world.run_for(base::kSecond);
  }
};

TEST_F(EndpointLimits, RefusesConnectionsOverTheMaximum) {
  start({.max_connections = 3, .max_half_open = 50});
  dial_all(5);
  EXPECT_EQ(bob->events.connected.size(), 3u);
  EXPECT_EQ(bob->counters().connections, 3u);
  EXPECT_EQ(bob->counters().refused_full, 2u);
  ASSERT_EQ(alice->events.closed.size(), 2u);
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(alice->events.closed[0].code, 2u);  // CONNECTION_REFUSED
  // Dialled ones count as well.
  DialOptions options;
  options.remote = alice_node.at(1);
  EXPECT_EQ(bob->endpoint->dial(options).error().fault, base::Fault::kFull);
  // A place that becomes free is given away again.
  bob->events.connected[0]->close(0, "");
  world.run_for(base::kSecond);
  dial_all(1);
  EXPECT_EQ(bob->events.connected.size(), 4u);
}

TEST_F(EndpointLimits, HalfOpenConnectionsAreCapped) {
  start({.max_connections = 100, .max_half_open = 10});
  dial_all(14);
  EXPECT_EQ(bob->events.connected.size(), 10u);
  EXPECT_EQ(bob->counters().half_open, 10u);
  EXPECT_EQ(bob->counters().refused_half_open, 4u);
  EXPECT_EQ(alice->events.closed.size(), 4u);
  for (Connection* connection : bob->events.connected) connection->mark_verified();
  EXPECT_EQ(bob->counters().half_open, 0u);
  dial_all(5);
  EXPECT_EQ(bob->events.connected.size(), 15u);
}

TEST_F(EndpointLimits, RetryEngagesAboveHalfOfTheHalfOpenLimit) {
  start({.max_connections = 100, .max_half_open = 10});
  dial_all(6);
  EXPECT_EQ(bob->counters().retry_sent, 0u);
  EXPECT_EQ(bob->counters().half_open, 6u);
  dial_all(2);
  EXPECT_EQ(bob->counters().retry_sent, 2u);
  EXPECT_EQ(bob->events.connected.size(), 8u) << "who answers the Retry is let in";
  for (Connection* connection : bob->events.connected) connection->mark_verified();
  dial_all(1);
  EXPECT_EQ(bob->counters().retry_sent, 2u);
  EXPECT_TRUE(alice->events.closed.empty());
}

TEST_F(EndpointLimits, NothingIsKeptOfAnAddressThatDoesNotAnswerTheRetry) {
  start({.max_connections = 100, .max_half_open = 10, .retry_always = true});
  RawSocket trap(world.add_node("trap"));
  alice->dial(trap.address());
  ASSERT_TRUE(run_until([&] { return !trap.received.empty(); }));
  const base::Bytes initial = trap.received[0].data;
  for (int i = 0; i < 1000; ++i) trap.send(bob->address(), initial);
  world.run_for(base::kSecond);
  EXPECT_EQ(bob->counters().retry_sent, 1000u);
  EXPECT_EQ(bob->counters().connections, 0u);
  EXPECT_EQ(bob->counters().accepted, 0u);
  EXPECT_EQ(bob->counters().half_open, 0u);
  std::size_t bytes_back = 0;
  for (const auto& datagram : trap.received) {
    if (datagram.from == bob->address()) bytes_back += datagram.data.size();
  }
  EXPECT_LT(bytes_back, 1000 * initial.size() / 4);
}

TEST_F(EndpointLimits, PeerCannotOpenMoreStreams) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.max_streams = 4;
  start();
  connect();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(here->open_stream().has_value());
  EXPECT_EQ(here->open_stream().error().fault, base::Fault::kFull);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(there->open_stream().has_value()) << "alice's own limit is 50";
  EXPECT_EQ(there->open_stream().error().fault, base::Fault::kFull);
}

TEST_F(EndpointLimits, IdleConnectionEnds) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.idle_timeout = 20 * base::kSecond;
  start();
  connect();
  world.run_for(19 * base::kSecond);
  EXPECT_TRUE(bob->events.closed.empty());
  world.run_for(3 * base::kSecond);
  ASSERT_EQ(bob->events.closed.size(), 1u);
  ASSERT_EQ(alice->events.closed.size(), 1u) << "the smaller of both sides' timeouts counts";
  EXPECT_EQ(bob->events.closed[0].by, CloseInfo::By::kIdle);
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kIdle);
  EXPECT_EQ(bob->counters().connections, 0u);
}

TEST_F(EndpointLimits, StatelessResetsAreLimitedInRate) {
  start();
  RawSocket stranger(world.add_node("stranger"));
  base::Bytes packet(100, 0x5c);
  packet[0] = 0x41;  // a short header
  for (int i = 0; i < 1000; ++i) {
    packet[3] = static_cast<std::uint8_t>(i);
    packet[4] = static_cast<std::uint8_t>(i >> 8);
    stranger.send(bob->address(), packet);
  }
  world.run_for(100 * base::kMillisecond);
  EXPECT_EQ(bob->counters().dropped_unknown_id, 1000u);
  EXPECT_EQ(bob->counters().stateless_reset_sent, 100u);
  EXPECT_EQ(stranger.received.size(), 100u);
  world.run_for(base::kSecond);
  stranger.send(bob->address(), packet);
  world.run_for(100 * base::kMillisecond);
  EXPECT_EQ(bob->counters().stateless_reset_sent, 101u);
}

TEST_F(EndpointLimits, AResetIsSmallerThanItsCause) {
  start();
  RawSocket stranger(world.add_node("stranger"));
  for (std::size_t size = 1; size < 60; ++size) {
    stranger.received.clear();
    base::Bytes packet(size, 0x7c);
    packet[0] = 0x41;
    stranger.send(bob->address(), packet);
    world.run_for(50 * base::kMillisecond);
    if (size <= 21) {
      EXPECT_TRUE(stranger.received.empty()) << size;
    } else {
      ASSERT_EQ(stranger.received.size(), 1u) << size;
      EXPECT_LT(stranger.received[0].data.size(), size);
      EXPECT_GE(stranger.received[0].data.size(), 21u);
      EXPECT_EQ(stranger.received[0].data[0] & 0xc0, 0x40);
    }
  }
}

}  // namespace
}  // namespace atlas::quic
