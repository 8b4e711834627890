// The life of connections: made, used, ended, in both roles.
#include "quic/endpoint.h"

#include "party.h"
#include "raw_socket.h"

namespace atlas::quic {
namespace {

class EndpointTest : public PairTest {};

TEST_F(EndpointTest, ConnectsAndBothSidesKnowEachOther) {
  start();
  connect();
  ASSERT_EQ(alice->events.connected.size(), 1u);
  EXPECT_EQ(here->peer_key(), bob->key.public_key());
  EXPECT_EQ(there->peer_key(), alice->key.public_key());
  EXPECT_EQ(here->side(), Side::kDialler);
  EXPECT_EQ(there->side(), Side::kListener);
  EXPECT_EQ(here->remote(), bob->address());
  EXPECT_EQ(there->remote().ip, alice_node.address());
  EXPECT_EQ(there->local(), bob->address());
  EXPECT_EQ(bob->counters().accepted, 1u);
  EXPECT_EQ(bob->counters().half_open, 1u);
  there->mark_verified();
  there->mark_verified();
  EXPECT_EQ(bob->counters().half_open, 0u);
  EXPECT_EQ(alice->counters().dialled, 1u);
  EXPECT_EQ(alice->counters().half_open, 0u);
}

TEST_F(EndpointTest, EchoesOnAStream) {
  start();
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
    EXPECT_TRUE(connection.write(stream, data, fin));
  };
  connect();
  const StreamId stream = here->open_stream().value();
  EXPECT_TRUE(here->write(stream, bytes("hello"), true));
  EXPECT_FALSE(here->write(stream, bytes("more"), true));
  EXPECT_EQ(here->unacknowledged(stream), 5u);
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).closed; }));
  const auto& log = alice->events.log(*here, stream);
  EXPECT_EQ(log.data, "hello");
  EXPECT_TRUE(log.fin);
  EXPECT_TRUE(log.written);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).closed; }));
  EXPECT_TRUE(bob->events.log(*there, stream).written);
  EXPECT_EQ(here->unacknowledged(), 0u);
  EXPECT_EQ(here->stats().streams, 0u);
  EXPECT_GE(here->stats().smoothed_rtt, 20 * base::kMillisecond);
  EXPECT_GT(here->stats().bytes_sent, 1200u);
  EXPECT_GT(here->stats().bytes_received, 1200u);
}

TEST_F(EndpointTest, EitherSideOpensStreams) {
  start();
  connect();
  const StreamId ours = here->open_stream().value();
  const StreamId theirs = there->open_stream().value();
  EXPECT_NE(ours, theirs);
  here->write(ours, bytes("from the dialler"), true);
  there->write(theirs, bytes("from the listener"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, ours).fin && alice->events.log(*here, theirs).fin; }));
  EXPECT_EQ(bob->events.log(*there, ours).data, "from the dialler");
  EXPECT_EQ(alice->events.log(*here, theirs).data, "from the listener");
}

TEST_F(EndpointTest, OneEndpointDialsAndListensOnOneSocket) {
  start();
  alice->listen();
  connect();
  EXPECT_EQ(there->remote(), alice->address());
  Connection* back = bob->dial(*alice);
  ASSERT_TRUE(run_until([&] { return alice->events.connected.size() == 2; }));
  EXPECT_EQ(back->peer_key(), alice->key.public_key());
  EXPECT_EQ(alice->counters().connections, 2u);
}

TEST_F(EndpointTest, AskedInsideACallbackItHappensAfterIt) {
  start();
  alice = std::make_unique<Party>(alice_node, 1);
  alice->events.connect_hook = [](Connection& connection) {
    const StreamId stream = connection.open_stream().value();
    EXPECT_TRUE(connection.write(stream, bytes("hello"), false));
    EXPECT_EQ(connection.unacknowledged(), 5u);
  };
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView, bool) {
    connection.write(stream, bytes("last words"), true);
    connection.close(7, "enough");
    EXPECT_FALSE(connection.write(stream, bytes("after the end"), true));
    EXPECT_FALSE(connection.open_stream().has_value());
  };
  connect();
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty() && !bob->events.closed.empty(); }));
  EXPECT_EQ(bob->events.closed[0].by, CloseInfo::By::kLocal);
  EXPECT_EQ(bob->events.closed[0].code, 7u);
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kPeer);
  EXPECT_EQ(alice->events.closed[0].code, 7u);
  EXPECT_EQ(alice->events.closed[0].reason, "enough");
}

TEST_F(EndpointTest, AReasonIsEscapedAndBounded) {
  start();
  connect();
  here->close(1, "line\nbreak " + std::string(5000, 'x'));
  ASSERT_TRUE(run_until([&] { return !bob->events.closed.empty(); }));
  EXPECT_EQ(bob->events.closed[0].reason.substr(0, 14), "line\\x0abreak ");
  EXPECT_LE(bob->events.closed[0].reason.size(), base::limits::quic_reason_bytes + std::string_view("...").size());
  EXPECT_EQ(alice->events.closed.at(0).reason.size(), base::limits::quic_reason_bytes);
}

TEST_F(EndpointTest, NothingIsToldAfterClose) {
  start();
  connect();
  const StreamId stream = there->open_stream().value();
  there->write(stream, bytes("on its way"), true);
  world.run_for(base::kMillisecond);
  here->close(0, "");
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty() && !bob->events.closed.empty(); }));
  EXPECT_TRUE(alice->events.streams.empty());
  EXPECT_EQ(alice->events.closed.size(), 1u);
}

TEST_F(EndpointTest, ALostCloseIsSaidAgainToWhoeverStillTalks) {
  start();
  connect();
  world.run_for(base::kSecond);
  world.set_link(bob_node, alice_node, {.drop = 1});
  there->close(3, "gone");
  world.run_for(50 * base::kMillisecond);
  world.set_link(bob_node, alice_node, {});
  ASSERT_TRUE(alice->events.closed.empty());
  here->write(here->open_stream().value(), bytes("are you there?"), true);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }, 2 * base::kSecond));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kPeer);
  EXPECT_EQ(alice->events.closed[0].code, 3u);
}

TEST_F(EndpointTest, CloseAllTellsEverybody) {
  start();
  for (int i = 0; i < 5; ++i) connect();
  bob->endpoint->close_all(0, "shutdown");
  EXPECT_EQ(bob->events.closed.size(), 5u);
  EXPECT_EQ(bob->counters().connections, 0u);
  ASSERT_TRUE(run_until([&] { return alice->events.closed.size() == 5; }));
  for (const CloseInfo& info : alice->events.closed) EXPECT_EQ(info.reason, "shutdown");
}

TEST_F(EndpointTest, ClosingBeforeTheHandshakeEnds) {
  start();
  here = alice->dial(*bob);
  here->close(0, "changed my mind");
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kLocal);
  EXPECT_EQ(alice->counters().connections, 0u);
  here = alice->dial(*bob);
  world.run_for(11 * base::kMillisecond);
  here->close(0, "half-way");
  ASSERT_TRUE(run_until([&] { return alice->events.closed.size() == 2; }));
  world.run_for(20 * base::kSecond);
  EXPECT_TRUE(bob->events.connected.empty());
  EXPECT_TRUE(bob->events.closed.empty()) << "a connection that never was is not reported";
  EXPECT_EQ(bob->counters().connections, 0u);
  EXPECT_EQ(bob->counters().half_open, 0u);
}

TEST_F(EndpointTest, DiallingADeadPortTimesOut) {
  alice = std::make_unique<Party>(alice_node, 1);
  alice->protocol.handshake_timeout = 5 * base::kSecond;
  alice->dial(bob_node.at(9));
  const base::MonoNs began = world.now();
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kHandshakeTimeout);
  EXPECT_NEAR(static_cast<double>(world.now() - began), 5e9, 1e7);
  EXPECT_TRUE(alice->events.connected.empty());
  EXPECT_EQ(alice->counters().connections, 0u);
}

TEST_F(EndpointTest, AHalfOpenConnectionTimesOut) {
  start();
  bob->protocol.handshake_timeout = 10 * base::kSecond;
  world.set_link(bob_node, alice_node, {.drop = 1});
  alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return bob->counters().half_open == 1; }));
  ASSERT_TRUE(run_until([&] { return bob->counters().half_open == 0; }, 11 * base::kSecond));
  EXPECT_EQ(bob->counters().connections, 0u);
}

TEST_F(EndpointTest, KeepAliveOutlivesTheIdleTimeout) {
  start();
  connect();
  here->keep_alive(30 * base::kSecond);
  world.run_for(600 * base::kSecond);
  EXPECT_TRUE(alice->events.closed.empty());
  EXPECT_TRUE(bob->events.closed.empty());
  here->keep_alive(0);
  world.run_for(300 * base::kSecond);
  ASSERT_EQ(alice->events.closed.size(), 1u);
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kIdle);
}

TEST_F(EndpointTest, ADeadPeerIsNoticedByTheIdleTimeout) {
  start();
  connect();
  here->keep_alive(30 * base::kSecond);
  world.run_for(base::kSecond);
  bob_node.set_up(false);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }, 180 * base::kSecond));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kIdle);
}

TEST_F(EndpointTest, AnIdleConnectionCostsNoTurns) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("hello"), true);
  world.run_for(10 * base::kSecond);
  const std::uint64_t before = world.time().steps();
  world.run_for(100 * base::kSecond);
  EXPECT_LT(world.time().steps() - before, 20u);
}

TEST_F(EndpointTest, ATransferWaitsForPacingWithoutSpinning) {
  start();
  world.set_default_link({.latency = 50 * base::kMillisecond, .bytes_per_second = 500'000});
  connect();
  const std::uint64_t before = world.time().steps();
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes(std::string(1 << 20, 'x')), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }, 120 * base::kSecond));
  // A thousand datagrams there, their acknowledgements, and timers in proportion.
  EXPECT_LT(world.time().steps() - before, 20'000u);
}

TEST_F(EndpointTest, ThousandConnectionsLeaveNothing) {
  alice = std::make_unique<Party>(alice_node, 1, EndpointLimits{.max_connections = 2000});
  start({.max_connections = 2000, .max_half_open = 2000});
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
    connection.write(stream, data, fin);
  };
  for (int round = 0; round < 10; ++round) {
    std::vector<Connection*> dialled;
    for (int i = 0; i < 100; ++i) dialled.push_back(alice->dial(*bob));
    const std::size_t expected = static_cast<std::size_t>(round + 1) * 100;
    ASSERT_TRUE(run_until([&] { return bob->events.connected.size() == expected; }));
    ASSERT_TRUE(run_until([&] { return alice->events.connected.size() == expected; }));
    for (Connection* connection : dialled) connection->write(connection->open_stream().value(), bytes("x"), true);
    ASSERT_TRUE(run_until([&] { return alice->events.streams_closed == expected; }));
    for (Connection* connection : dialled) connection->close(0, "");
    ASSERT_TRUE(run_until([&] { return bob->events.closed.size() == expected; }));
  }
  world.run_for(30 * base::kSecond);
  for (const Party* party : {alice.get(), bob.get()}) {
    EXPECT_EQ(party->counters().connections, 0u);
    EXPECT_EQ(party->counters().half_open, 0u);
    EXPECT_EQ(party->counters().closed, 1000u);
    EXPECT_EQ(party->events.closed.size(), 1000u);
  }
}

TEST_F(EndpointTest, TheEndpointGoesWithConnectionsOpen) {
  start();
  connect();
  here->write(here->open_stream().value(), bytes("never acknowledged"), false);
  alice.reset();  // with a flush already posted
  world.run_for(base::kSecond);
  bob.reset();
  world.run_for(base::kSecond);
}

TEST_F(EndpointTest, RefusesWhatMakesNoSense) {
  alice = std::make_unique<Party>(alice_node, 1);
  EXPECT_EQ(alice->endpoint->listen(alice->address()).error().fault, base::Fault::kState) << "no protocol yet";
  Protocol bad = alice->protocol;
  bad.alpn = "";
  EXPECT_EQ(alice->endpoint->add_protocol(bad).error().fault, base::Fault::kArgument);
  alice->open();
  EXPECT_EQ(alice->endpoint->add_protocol(alice->protocol).error().fault, base::Fault::kConflict);
  EXPECT_EQ(alice->endpoint->dial({.remote = {bob_node.address(), 0}}).error().fault, base::Fault::kArgument);
  EXPECT_EQ(alice->endpoint->dial({.remote = {}}).error().fault, base::Fault::kArgument);
  EXPECT_EQ(alice->endpoint->dial({.remote = bob_node.at(1), .alpn = "other/1"}).error().fault, base::Fault::kArgument);
  EXPECT_TRUE(alice->endpoint->listen(alice->address()).has_value());
  EXPECT_EQ(alice->endpoint->listen(alice->address()).error().fault, base::Fault::kConflict);
  EXPECT_EQ(alice->endpoint->add_protocol(alice->protocol).error().fault, base::Fault::kState);
  EXPECT_EQ(Endpoint::make({}).error().fault, base::Fault::kArgument);
}

TEST_F(EndpointTest, StopAcceptingRefusesOnlyTheNew) {
  start();
  connect();
  bob->endpoint->stop_accepting();
  alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(alice->events.closed[0].code, 2u);  // CONNECTION_REFUSED
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("still open"), true);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
}

TEST_F(EndpointTest, ProtocolsAreTakenApart) {
  start();
  alice = std::make_unique<Party>(alice_node, 1);
  bob = nullptr;
  bob = std::make_unique<Party>(bob_node, 2);
  Recorder other_events;
  const identity::NodeKey other_key = key_of(9);
  Protocol other{.alpn = "other/1", .key = &other_key, .events = &other_events, .max_streams = 1};
  bob->open();
  ASSERT_TRUE(bob->endpoint->add_protocol(other).has_value());
  bob->listen();
  alice->protocol.alpn = "other/1";
  here = alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return other_events.connected.size() == 1 && alice->events.connected.size() == 1; }));
  EXPECT_TRUE(bob->events.connected.empty());
  EXPECT_EQ(here->peer_key(), other_key.public_key());
  EXPECT_TRUE(here->open_stream().has_value());
  EXPECT_EQ(here->open_stream().error().fault, base::Fault::kFull) << "limits are those of the protocol";
}

TEST_F(EndpointTest, AProtocolThatIsNotOfferedIsRefused) {
  start();
  alice->protocol.alpn = "other/1";
  alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(alice->events.closed[0].code, 0x178u);  // no_application_protocol
  EXPECT_TRUE(bob->events.connected.empty());
  world.run_for(base::kSecond);
  EXPECT_EQ(bob->counters().connections, 0u);
}

TEST_F(EndpointTest, AnotherNodeThanExpectedIsNotConnected) {
  start();
  alice->dial(*bob, alice->key.node_id());
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kIdentity);
  EXPECT_NE(alice->events.closed[0].reason.find(bob->key.node_id()), std::string::npos);
  EXPECT_TRUE(alice->events.connected.empty());
  world.run_for(base::kSecond);
  EXPECT_TRUE(bob->events.connected.empty());
  EXPECT_EQ(bob->counters().connections, 0u);
  alice->dial(*bob, bob->key.node_id());
  EXPECT_TRUE(run_until([&] { return alice->events.connected.size() == 1; }));
}

TEST_F(EndpointTest, ADialMayShowAnotherIdentity) {
  start();
  const identity::NodeKey other = key_of(33);
  alice->open();
  DialOptions options;
  options.remote = bob->address();
  options.key = &other;
  ASSERT_TRUE(alice->endpoint->dial(options).has_value());
  alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return bob->events.connected.size() == 2; }));
  EXPECT_EQ(bob->events.connected[0]->peer_key(), other.public_key());
  EXPECT_EQ(bob->events.connected[1]->peer_key(), alice->key.public_key());
}

TEST_F(EndpointTest, AFullSocketHoldsEverythingBack) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  alice_node.loop().block_sending(true);
  here->write(stream, bytes(std::string(100'000, 'x')), true);
  world.run_for(base::kSecond);
  EXPECT_TRUE(bob->events.streams.empty());
  EXPECT_EQ(here->unacknowledged(stream), 100'000u);
  alice_node.loop().block_sending(false);
  ASSERT_TRUE(run_until([&] { return bob->events.log(*there, stream).fin; }));
  EXPECT_EQ(bob->events.log(*there, stream).data.size(), 100'000u);
}

TEST_F(EndpointTest, AConnectionMayEndWhileTheSocketIsFull) {
  start();
  connect();
  const StreamId stream = here->open_stream().value();
  alice_node.loop().block_sending(true);
  here->write(stream, bytes(std::string(100'000, 'x')), true);
  world.run_for(10 * base::kMillisecond);
  here->close(1, "while blocked");
  there->close(2, "too");
  world.run_for(base::kSecond);
  alice_node.loop().block_sending(false);
  ASSERT_TRUE(run_until([&] { return alice->events.closed.size() == 1 && bob->events.closed.size() == 1; }));
  world.run_for(30 * base::kSecond);
  EXPECT_EQ(alice->counters().connections, 0u);
}

TEST_F(EndpointTest, LinkLocalIPv6IsNotDialled) {
  start();
  alice->open();
  DialOptions options;
  options.alpn = "atlas/1";
  options.remote = net::SocketAddress::parse("[fe80::1]:4433").value();
  const auto made = alice->endpoint->dial(options);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().fault, base::Fault::kArgument);
  EXPECT_NE(made.error().text.find("link-local"), std::string::npos);
}

}  // namespace
}  // namespace atlas::quic
