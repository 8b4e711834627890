// Addresses that change, both families at once, path MTU, and ECN.
#include <set>

#include "party.h"
#include "raw_socket.h"

namespace atlas::quic {
namespace {

class EndpointPathsTest : public PairTest {};

TEST_F(EndpointPathsTest, ARebindingIsFollowed) {
  start();
  connect();
  const net::SocketAddress before = there->remote();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("before "), false);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).data == "before "; }));
  world.rebind(alice_node, net::IpAddress::v4({203, 0, 113, 7}));
  here->write(stream, bytes("after"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  EXPECT_EQ(bob->events.log(*there, stream).data, "before after");
  ASSERT_TRUE(run_until([&] { return !bob->events.paths.empty(); }));
  EXPECT_EQ(there->remote().ip, net::IpAddress::v4({203, 0, 113, 7}));
  EXPECT_NE(there->remote(), before);
  EXPECT_EQ(bob->events.paths.size(), 1u);
  there->write(stream, bytes("back"), true);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).fin; }));
  EXPECT_TRUE(alice->events.closed.empty());
}

TEST_F(EndpointPathsTest, ManyRebindingsInARowAreSurvived) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  for (int i = 0; i < 12; ++i) {
    world.rebind(alice_node, net::IpAddress::v4({203, 0, 113, static_cast<std::uint8_t>(i + 1)}));
    here->write(stream, bytes("x"), false);
    ASSERT_TRUE(run_until([&] {
      return bob->events.log(*there, stream).data.size() == static_cast<std::size_t>(i) + 1 &&
             bob->events.paths.size() == static_cast<std::size_t>(i) + 1;
    })) << i;
    world.run_for(base::kSecond);
  }
  EXPECT_TRUE(bob->events.closed.empty());
}

TEST_F(EndpointPathsTest, ACopyFromElsewhereDoesNotMoveTheConnection) {
  start();
  Middleman middle(world.add_node("middle"), bob->address());
  RawSocket thief(world.add_node("thief"));
  here = alice->dial(middle.address());
  ASSERT_TRUE(run_until([&] { return !bob->events.connected.empty(); }));
  there = bob->events.connected[0];
  world.run_for(base::kSecond);
  middle.to_listener = [&](base::Bytes& data) {
    thief.send(bob->address(), data);  // and the thief's copy may come first
    return true;
  };
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("hello"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  middle.to_listener = nullptr;
  there->write(stream, bytes("answer"), true);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).fin; }));
  world.run_for(5 * base::kSecond);
  EXPECT_NE(there->remote(), thief.address());
  EXPECT_TRUE(bob->events.closed.empty());
}

TEST_F(EndpointPathsTest, BothFamiliesAtOnce) {
  const auto v6 = [](std::uint8_t last) { return *net::IpAddress::parse("2001:db8::" + std::to_string(last)); };
  sim::SimNode& carol = world.add_node("carol", {net::IpAddress::v4({192, 0, 2, 1}), v6(1)});
  sim::SimNode& dave = world.add_node("dave", {net::IpAddress::v4({192, 0, 2, 2}), v6(2)});
  Party caller(carol, 3), callee(dave, 4);
  callee.open();
  ASSERT_TRUE(callee.endpoint->listen({net::IpAddress::v4({}), 4433}).has_value());
  ASSERT_TRUE(callee.endpoint->listen({net::IpAddress::v6({}), 4433}).has_value());
  Connection* over4 = caller.dial(net::SocketAddress{net::IpAddress::v4({192, 0, 2, 2}), 4433});
  Connection* over6 = caller.dial(net::SocketAddress{v6(2), 4433});
  ASSERT_TRUE(run_until([&] { return callee.events.connected.size() == 2; }));
  ASSERT_TRUE(run_until([&] { return caller.events.connected.size() == 2; }));
  for (Connection* connection : {over4, over6}) {
    const StreamId stream = connection->open_stream().value();
    connection->write(stream, bytes("hello"), true);
  }
  ASSERT_TRUE(run_until([&] { return callee.events.streams.size() == 2; }));
  std::set<net::Family> families;
  for (Connection* connection : callee.events.connected) {
    families.insert(connection->remote().ip.family());
    EXPECT_EQ(connection->local().ip.family(), connection->remote().ip.family());
    EXPECT_NE(connection->local().ip.scope(), net::Scope::kUnspecified);
  }
  EXPECT_EQ(families.size(), 2u);
  EXPECT_GT(callee.endpoint->udp_counters().received_datagrams, 0u);
}

TEST_F(EndpointPathsTest, FindsALargerDatagramSizeAndNoMoreThanThePathCarries) {
  std::size_t largest = 0;
  world.on_passage([&](const sim::Passage& passage) {
    if (passage.fate == sim::Fate::kDelivered) largest = std::max(largest, passage.bytes);
  });
  world.set_default_link({.latency = base::kMillisecond, .largest = 1420});
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes(std::string(2 << 20, 'x')), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  EXPECT_GT(largest, 1350u);
  EXPECT_LE(largest, 1420u);
}

TEST_F(EndpointPathsTest, MarksDatagramsForEcn) {
  RawSocket trap(bob_node, 4433);
  alice = std::make_unique<Party>(alice_node, 1);
  std::set<int> marks;
  net::UdpEvents events;
  events.on_datagrams = [&](const net::ReceivedBatch& batch) { marks.insert(batch.ecn); };
  const auto socket = bob_node.loop().open_udp(bob_node.at(9), {}, std::move(events)).value();
  alice->dial(socket->local());
  world.run_for(base::kSecond);
  EXPECT_TRUE(marks.contains(2)) << "ECT(0)";
}

}  // namespace
}  // namespace atlas::quic
