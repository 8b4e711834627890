// First packets and packets of nobody: tokens, versions, refusals, resets.
#include "party.h"
#include "quic/tombstone.h"
#include "raw_socket.h"

namespace atlas::quic {
namespace {

class EndpointAcceptTest : public PairTest {
 protected:
  // A dialler's first datagram, addressed to nobody in particular.
  base::Bytes first_datagram() {
    if (!alice) alice = std::make_unique<Party>(alice_node, 1);
    RawSocket trap(world.add_node("trap"));
    alice->dial(trap.address());
    EXPECT_TRUE(run_until([&] { return !trap.received.empty(); }));
    return trap.received.at(0).data;
  }
  // Only bob's answers to `datagram`, sent from a node of its own.
  std::vector<base::Bytes> answers(const base::Bytes& datagram) {
    RawSocket socket(world.add_node("stranger"));
    socket.send(bob->address(), datagram);
    world.run_for(200 * base::kMillisecond);
    std::vector<base::Bytes> out;
    for (auto& received : socket.received) out.push_back(received.data);
    return out;
  }
};

TEST_F(EndpointAcceptTest, ARetryTokenIsHonouredWhetherOrNotRetryIsOn) {
  start({.max_connections = 100, .max_half_open = 4});
  Middleman middle(world.add_node("middle"), bob->address());
  base::Bytes held;
  int from_dialler = 0;
  middle.to_listener = [&](base::Bytes& data) {
    if (++from_dialler != 2) return true;
    held = data;  // the Initial with the token
    return false;
  };
  for (int i = 0; i < 3; ++i) alice->dial(*bob);
  world.run_for(base::kSecond);
  ASSERT_EQ(bob->counters().half_open, 3u);
  alice->dial(middle.address());
  ASSERT_TRUE(run_until([&] { return !held.empty(); }));
  EXPECT_EQ(bob->counters().retry_sent, 1u);
  for (Connection* connection : bob->events.connected) connection->mark_verified();
  middle.to_listener = nullptr;
  middle.send_to_listener(held);
  ASSERT_TRUE(run_until([&] { return bob->events.connected.size() == 4; }));
  EXPECT_EQ(bob->counters().retry_sent, 1u);
  EXPECT_EQ(bob->counters().token_refused, 0u);
}

class RetryToken : public EndpointAcceptTest {
 protected:
  // Sends the Initial with the token `after` its Retry. True when it led to a connection.
  bool accepted_after(base::MonoNs after) {
    start({.max_connections = 100, .max_half_open = 4, .retry_always = true});
    Middleman middle(world.add_node("middle"), bob->address());
    base::Bytes held;
    int from_dialler = 0;
    middle.to_listener = [&](base::Bytes& data) {
      if (++from_dialler == 1) return true;
      if (held.empty()) held = data;
      return false;
    };
    alice->dial(middle.address());
    EXPECT_TRUE(run_until([&] { return !held.empty(); }));
    world.run_for(after);
    middle.send_to_listener(held);
    world.run_for(20 * base::kMillisecond);
    return bob->counters().accepted == 1;
  }
};

TEST_F(RetryToken, IsGoodForFifteenSeconds) {
  EXPECT_TRUE(accepted_after(14'500 * base::kMillisecond));
}

TEST_F(RetryToken, IsRefusedAfterThat) {
  EXPECT_FALSE(accepted_after(15'100 * base::kMillisecond));
  EXPECT_EQ(bob->counters().token_refused, 1u);
  EXPECT_EQ(bob->counters().half_open, 0u);
}

TEST_F(RetryToken, BelongsToOneAddress) {
  start({.max_connections = 100, .max_half_open = 4, .retry_always = true});
  Middleman middle(world.add_node("middle"), bob->address());
  base::Bytes held;
  int from_dialler = 0;
  middle.to_listener = [&](base::Bytes& data) {
    if (++from_dialler == 2) held = data;
    return from_dialler == 1;
  };
  alice->dial(middle.address());
  ASSERT_TRUE(run_until([&] { return !held.empty(); }));
  EXPECT_EQ(answers(held).size(), 1u) << "a refusal";
  EXPECT_EQ(bob->counters().token_refused, 1u);
  EXPECT_EQ(bob->counters().accepted, 0u);
}

TEST_F(RetryToken, OfAnotherSecretIsRefused) {
  start({.max_connections = 100, .max_half_open = 4, .retry_always = true});
  sim::SimNode& other_node = world.add_node("other");
  Party other(other_node, 7, {.retry_always = true});
  other.listen();
  base::Bytes held;
  int from_dialler = 0;
  Middleman middle(world.add_node("middle"), other.address());
  middle.to_listener = [&](base::Bytes& data) {
    if (++from_dialler == 2) held = data;
    return from_dialler == 1;
  };
  alice->dial(middle.address());
  ASSERT_TRUE(run_until([&] { return !held.empty(); }));
  answers(held);
  EXPECT_EQ(bob->counters().token_refused, 1u);
}

TEST_F(EndpointAcceptTest, ADuplicateOfTheFirstDatagramMakesOneConnection) {
  start();
  world.set_default_link({.duplicate = 1});
  connect();
  world.run_for(base::kSecond);
  EXPECT_EQ(bob->counters().accepted, 1u);
  EXPECT_EQ(bob->counters().connections, 1u);
}

TEST_F(EndpointAcceptTest, AnotherVersionIsAnsweredWithOurs) {
  start();
  base::Bytes initial = first_datagram();
  const base::Bytes original = initial;
  initial[1] = 0x1a;  // a version nobody speaks
  const auto packets = answers(initial);
  ASSERT_EQ(packets.size(), 1u);
  const base::Bytes& packet = packets[0];
  EXPECT_EQ(bob->counters().version_negotiation_sent, 1u);
  EXPECT_NE(packet[0] & 0x80, 0);
  EXPECT_EQ(base::Bytes(packet.begin() + 1, packet.begin() + 5), base::Bytes(4, 0));
  EXPECT_EQ(base::Bytes(packet.end() - 4, packet.end()), (base::Bytes{0, 0, 0, 1}));
  EXPECT_LT(packet.size(), 100u);
  // Version 2 is one that the library knows and we do not offer.
  initial = original;
  initial[1] = 0x6b, initial[2] = 0x33, initial[3] = 0x43, initial[4] = 0xcf;
  EXPECT_EQ(answers(initial).size(), 1u);
  initial.resize(1199);
  EXPECT_TRUE(answers(initial).empty());
  EXPECT_EQ(bob->counters().connections, 0u);
}

TEST_F(EndpointAcceptTest, AVersionNegotiationEndsADial) {
  alice = std::make_unique<Party>(alice_node, 1);
  RawSocket old_listener(bob_node, 4433);
  old_listener.on_datagram = [&](RawSocket::Received& datagram) {
    const base::Bytes& in = datagram.data;
    const std::size_t dcid = in[5], scid = in[6 + dcid];
    base::Bytes out = {0x80, 0, 0, 0, 0};
    out.insert(out.end(), in.begin() + 6 + dcid, in.begin() + 7 + dcid + scid);
    out.insert(out.end(), in.begin() + 5, in.begin() + 6 + dcid);
    out.insert(out.end(), {0x6b, 0x33, 0x43, 0xcf});
    old_listener.send(datagram.from, out);
  };
  alice->dial(old_listener.address());
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }, base::kSecond));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kTransport);
  EXPECT_EQ(alice->events.closed[0].code, 0x11u);
}

TEST_F(EndpointAcceptTest, SmallInitialsAreDropped) {
  start();
  base::Bytes initial = first_datagram();
  initial.resize(1199);
  EXPECT_TRUE(answers(initial).empty());
  EXPECT_EQ(bob->counters().dropped_small_initial, 1u);
  EXPECT_EQ(bob->counters().connections, 0u);
}

TEST_F(EndpointAcceptTest, TheFilterComesBeforeAnythingThatCosts) {
  alice = std::make_unique<Party>(alice_node, 1);
  bool refuse = true;
  bob = std::make_unique<Party>(bob_node, 2, EndpointLimits{}, [&](const net::SocketAddress& from) {
    return !refuse || from.ip != alice_node.address();
  });
  start();
  alice->dial(*bob);
  world.run_for(base::kSecond);
  EXPECT_GE(bob->counters().refused_by_filter, 1u);
  EXPECT_EQ(bob->counters().accepted, 0u);
  EXPECT_EQ(bob->endpoint->udp_counters().sent_datagrams, 0u);
  refuse = false;
  EXPECT_TRUE(run_until([&] { return !bob->events.connected.empty(); })) << "the dialler has not given up yet";
}

TEST_F(EndpointAcceptTest, RubbishIsCountedAndDropped) {
  start();
  const base::Bytes initial = first_datagram();
  RawSocket stranger(world.add_node("stranger"));
  base::SeededRandom random(99);
  stranger.send(bob->address(), base::Bytes{});
  for (std::size_t size = 1; size < 1400; size += 7) {
    base::Bytes noise(size);
    random.fill(noise);
    stranger.send(bob->address(), noise);
    base::Bytes broken = initial;
    broken[random.below(broken.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
    stranger.send(bob->address(), broken);
    base::Bytes cut = initial;
    cut.resize(size);
    stranger.send(bob->address(), cut);
  }
  world.run_for(20 * base::kSecond);
  EXPECT_GT(bob->counters().dropped_malformed, 0u);
  EXPECT_EQ(bob->counters().connections, 0u) << "half-open ones have timed out";
  EXPECT_EQ(bob->counters().half_open, 0u);
  connect();
}

TEST_F(EndpointAcceptTest, ADialOnlyEndpointAcceptsNobody) {
  alice = std::make_unique<Party>(alice_node, 1);
  alice->dial(bob_node.at(9));
  world.run_for(base::kMillisecond);
  const net::SocketAddress ephemeral{alice_node.address(), 49152};
  Party carol(world.add_node("carol"), 3);
  carol.dial(ephemeral);
  world.run_for(base::kSecond);
  EXPECT_GE(alice->counters().dropped_unknown_id, 1u);
  EXPECT_EQ(alice->counters().accepted, 0u);
}

TEST_F(EndpointAcceptTest, ARestartedListenerTellsItsPeersByReset) {
  start();
  connect();
  world.run_for(base::kSecond);
  bob = std::make_unique<Party>(bob_node, 2);  // the same secret
  bob->listen();
  here->write(here->open_stream().value(), bytes("are you still there?"), true);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }, base::kSecond));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kReset);
  EXPECT_EQ(bob->counters().stateless_reset_sent, 1u);
  EXPECT_EQ(alice->counters().connections, 0u);
}

TEST_F(EndpointAcceptTest, AResetOfAnotherSecretIsNotBelieved) {
  start();
  connect();
  world.run_for(base::kSecond);
  bob = std::make_unique<Party>(bob_node, 3);
  bob->listen();
  here->write(here->open_stream().value(), bytes("are you still there?"), true);
  world.run_for(5 * base::kSecond);
  EXPECT_GT(bob->counters().stateless_reset_sent, 0u);
  EXPECT_TRUE(alice->events.closed.empty());
}

TEST_F(EndpointAcceptTest, ARestartedListenerTellsThoseItRemembersUnasked) {
  start();
  connect();
  world.run_for(base::kSecond);
  const auto token = there->loss_token();
  ASSERT_TRUE(token.has_value());
  EXPECT_FALSE(here->loss_token().has_value());
  const net::SocketAddress remote = there->remote();
  bob = std::make_unique<Party>(bob_node, 2);
  bob->listen();
  base::ByteArray<16> wrong = *token;
  wrong[0] ^= 1;
  bob->endpoint->announce_loss(remote, wrong);
  world.run_for(base::kSecond);
  EXPECT_TRUE(alice->events.closed.empty());
  bob->endpoint->announce_loss(remote, *token);
  ASSERT_TRUE(run_until([&] { return !alice->events.closed.empty(); }, base::kSecond));
  EXPECT_EQ(alice->events.closed[0].by, CloseInfo::By::kReset);
}

TEST_F(EndpointAcceptTest, LatePacketsOfAClosedConnectionAreNotStrangers) {
  start();
  connect();
  world.run_for(base::kSecond);
  here->write(here->open_stream().value(), bytes("crosses the close"), true);
  there->close(1, "");
  world.run_for(100 * base::kMillisecond);
  EXPECT_EQ(bob->counters().dropped_unknown_id, 0u);
  EXPECT_EQ(bob->counters().stateless_reset_sent, 0u);
}

TEST_F(EndpointAcceptTest, AClosedConnectionIsForgottenHoweverSlowItsPath) {
  constexpr base::MonoNs kOneWay = base::kSecond;
  world.set_default_link({.latency = kOneWay});
  start();
  Middleman middle(world.add_node("middle"), bob->address());
  base::Bytes late;
  middle.to_listener = [&](base::Bytes& data) {
    if ((data[0] & 0x80) == 0) late = data;
    return true;
  };
  here = alice->dial(middle.address());
  ASSERT_TRUE(run_until([&] { return !bob->events.connected.empty(); }));
  there = bob->events.connected.back();
  here->write(here->open_stream().value(), bytes("makes a packet that comes again"), true);
  world.run_for(8 * base::kSecond);
  ASSERT_FALSE(late.empty());
  ASSERT_GT(there->stats().smoothed_rtt * 3, Graveyard::kLongestStay) << "by its path it would be awaited for longer";
  there->close(1, "");
  const auto arrives_after = [&, closed = bob_node.clock().mono_ns()](base::MonoNs after) {
    world.run_for(closed + after - kOneWay - bob_node.clock().mono_ns());
    middle.send_to_listener(late);
    world.run_for(kOneWay);
    return bob->counters().dropped_unknown_id;
  };
  EXPECT_EQ(arrives_after(Graveyard::kLongestStay - base::kMillisecond), 0u);
  EXPECT_EQ(arrives_after(Graveyard::kLongestStay + kOneWay), 1u);
}

// Three machines with IPv6, a listener and two that dial it.
class LinkLocal : public ::testing::Test {
 protected:
  sim::SimNode& add(const std::string& name, const char* address) {
    return world.add_node(name, {net::IpAddress::parse(address).value()});
  }

  sim::SimWorld world{4711};
  Party bob{add("bob", "2001:db8::b"), 2};
  Party neighbour{add("neighbour", "fe80::1"), 1};
  Party far{add("far", "2001:db8::a"), 3};
};

TEST_F(LinkLocal, AnIPv6RemoteThatCannotBeAnsweredTakesNoPlace) {
  bob.listen();
  neighbour.dial(bob);
  world.run_for(base::kSecond);
  EXPECT_GE(bob.counters().refused_by_filter, 1u);
  EXPECT_EQ(bob.counters().accepted, 0u);
  EXPECT_EQ(bob.counters().half_open, 0u);
  far.dial(bob);
  EXPECT_TRUE(world.run_until([&] { return bob.events.connected.size() == 1; }, base::kSecond));
}

// Its network is the socket's own: no scope id is needed.
TEST_F(LinkLocal, AnIPv4RemoteIsAccepted) {
  Party listener(add("listener", "169.254.0.1"), 4), dialler(add("dialler", "169.254.0.2"), 5);
  listener.listen();
  dialler.dial(listener);
  EXPECT_TRUE(world.run_until([&] { return listener.events.connected.size() == 1; }, base::kSecond));
}

}  // namespace
}  // namespace atlas::quic
