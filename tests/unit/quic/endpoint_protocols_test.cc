// Another ALPN beside the nodes' own: other certificates, other limits, and peers that somebody else judges.
#include "attack/quic_hostile/certificates.h"
#include "quic/compat.h"
#include "unit/quic/party.h"

namespace atlas::quic {
namespace {

using hostile::Certificate;
using Kind = Certificate::Kind;

CredentialsPtr credentials_of(const Certificate& certificate) {
  const base::Bytes der = certificate.der();
  const base::ByteView chain[] = {der};
  auto made = make_credentials(chain, certificate.pkcs8());
  EXPECT_TRUE(made.has_value()) << made.error().text;
  return made.has_value() ? *made : nullptr;
}

// Keeps what peers showed, and counts what they allow.
class Others : public Recorder {
 public:
  Others() {
    connect_hook = [this](Connection& connection) {
      chains.push_back(connection.take_peer_chain());
      if (accept) connection.mark_verified();
    };
  }
  void on_streams_allowed(Connection&, bool unidirectional, std::uint64_t total) override {
    allowed[unidirectional ? 1 : 0] = total;
  }
  std::vector<std::vector<base::Bytes>> chains;
  std::uint64_t allowed[2] = {};
  bool accept = true;
};

class EndpointProtocolsTest : public PairTest {
 protected:
  EndpointProtocolsTest() {
    alice = std::make_unique<Party>(alice_node, 1);
    bob = std::make_unique<Party>(bob_node, 2);
    for (Protocol* protocol : {&dials, &accepts}) {
      protocol->alpn = "test/1";
      protocol->max_streams = 3;
      protocol->max_unidirectional = 2;
      protocol->stream_window = 10'000;
      protocol->connection_window = 20'000;
    }
    dials.accepts = false;
    dials.events = &mine;
    accepts.events = &theirs;
  }
  void begin() {
    alice->open();
    bob->open();
    EXPECT_TRUE(alice->endpoint->add_protocol(dials).has_value());
    EXPECT_TRUE(bob->endpoint->add_protocol(accepts).has_value());
    alice->endpoint->set_credentials("test/1", credentials_of(client));
    bob->endpoint->set_credentials("test/1", credentials_of(server));
    bob->listen();
  }
  Connection* dial() {
    const auto made = alice->endpoint->dial({.remote = bob->address(), .alpn = "test/1"});
    EXPECT_TRUE(made.has_value()) << made.error().text;
    here = made.value_or(nullptr);
    return here;
  }
  // A connection of the other protocol that both sides know.
  void connect() {
    dial();
    ASSERT_TRUE(run_until([&] { return !theirs.connected.empty() && !mine.connected.empty(); }));
    there = theirs.connected.back();
  }

  const Certificate client{Kind::kEcdsaP256}, server{Kind::kEcdsaP256};
  Others mine, theirs;
  Protocol dials, accepts;
};

TEST_F(EndpointProtocolsTest, BothSidesSeeTheOthersChain) {
  begin();
  connect();
  ASSERT_EQ(mine.chains.size(), 1u);
  ASSERT_EQ(theirs.chains.size(), 1u);
  EXPECT_EQ(mine.chains[0], std::vector<base::Bytes>{server.der()});
  EXPECT_EQ(theirs.chains[0], std::vector<base::Bytes>{client.der()});
  EXPECT_TRUE(here->take_peer_chain().empty()) << "once";
}

TEST_F(EndpointProtocolsTest, EveryAllowedKindOfKeyWorks) {
  begin();
  for (const auto kind : {Kind::kEd25519, Kind::kEcdsaP256, Kind::kRsa2048}) {
    const Certificate other(kind);
    bob->endpoint->set_credentials("test/1", credentials_of(other));
    alice->endpoint->set_credentials("test/1", credentials_of(other));
    const std::size_t before = theirs.connected.size();
    dial();
    ASSERT_TRUE(run_until([&] { return theirs.connected.size() > before; })) << static_cast<int>(kind);
    EXPECT_EQ(mine.chains.back(), std::vector<base::Bytes>{other.der()});
  }
}

TEST_F(EndpointProtocolsTest, OtherKeysAndStrangersToTheirCertificateAreRefused) {
  for (const auto kind : {Kind::kEd448, Kind::kRsa1024, Kind::kEcdsaP384}) {
    const Certificate other(kind);
    const base::Bytes der = other.der();
    const base::ByteView chain[] = {der};
    EXPECT_EQ(make_credentials(chain, other.pkcs8()).error().fault, base::Fault::kArgument);
  }
  const base::Bytes der = server.der();
  const base::ByteView chain[] = {der};
  EXPECT_NE(make_credentials(chain, client.pkcs8()).error().text.find("not the first certificate's"),
            std::string::npos);
  EXPECT_FALSE(make_credentials(chain, base::as_bytes("rubbish")).has_value());
  EXPECT_FALSE(make_credentials({}, server.pkcs8()).has_value());
  const base::ByteView rubbish[] = {base::as_bytes("rubbish")};
  EXPECT_FALSE(make_credentials(rubbish, server.pkcs8()).has_value());
  const std::vector<base::ByteView> nine(9, der);
  EXPECT_FALSE(make_credentials(nine, server.pkcs8()).has_value());
}

TEST_F(EndpointProtocolsTest, ChainsOfEightAreShown) {
  begin();
  const base::Bytes der = server.der();
  const std::vector<base::ByteView> eight(8, der);
  auto made = make_credentials(eight, server.pkcs8());
  ASSERT_TRUE(made.has_value()) << made.error().text;
  bob->endpoint->set_credentials("test/1", *made);
  connect();
  EXPECT_EQ(mine.chains.back().size(), 8u);
}

TEST_F(EndpointProtocolsTest, WithoutCredentialsNobodyIsAcceptedOrDialled) {
  begin();
  bob->endpoint->set_credentials("test/1", nullptr);
  dial();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty(); }));
  EXPECT_EQ(mine.closed[0].code, 0x100u + 120u) << "no_application_protocol";
  alice->endpoint->set_credentials("test/1", nullptr);
  EXPECT_EQ(alice->endpoint->dial({.remote = bob->address(), .alpn = "test/1"}).error().fault, base::Fault::kState);
}

TEST_F(EndpointProtocolsTest, OneThatOnlyDialsAcceptsNobody) {
  accepts.accepts = false;
  begin();
  dial();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty(); }));
  EXPECT_EQ(mine.closed[0].code, 0x100u + 120u);
}

TEST_F(EndpointProtocolsTest, NodesGoOnBesideIt) {
  begin();
  connect();
  Connection* nodes = alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return bob->events.connected.size() == 1; }));
  EXPECT_EQ(nodes->peer_key(), bob->key.public_key());
  const StreamId stream = nodes->open_stream().value();
  nodes->write(stream, bytes("node"), true);
  const StreamId other = here->open_stream().value();
  here->write(other, bytes("other"), true);
  EXPECT_TRUE(run_until(
      [&] { return bob->events.log(*bob->events.connected[0], stream).fin && theirs.log(*there, other).fin; }));
  EXPECT_EQ(bob->events.log(*bob->events.connected[0], stream).data, "node");
  EXPECT_EQ(theirs.log(*there, other).data, "other");
}

TEST_F(EndpointProtocolsTest, LimitsAreTheProtocolsOwn) {
  begin();
  connect();
  EXPECT_EQ(mine.allowed[0], 3u);
  EXPECT_EQ(mine.allowed[1], 2u);
  EXPECT_EQ(here->streams_left(false), 3u);
  EXPECT_EQ(here->streams_left(true), 2u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(here->open_stream().has_value());
  EXPECT_EQ(here->open_stream().error().fault, base::Fault::kFull);
  theirs.consume_at_once = false;
  here->write(0, base::Bytes(50'000, 'x'), false);
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(theirs.log(*there, 0).data.size(), 10'000u);
  // However fast it is read, the window stays what it is.
  for (int i = 0; i < 4; ++i) {
    there->consume(0, 10'000);
    world.run_for(100 * base::kMillisecond);
    EXPECT_EQ(theirs.log(*there, 0).data.size(), 10'000u * (i + 2));
  }
}

TEST_F(EndpointProtocolsTest, UnidirectionalStreamsGoOneWay) {
#if ATLAS_NGTCP2_0
  GTEST_SKIP() << "ngtcp2 0.12 does not tell the end of such a stream";
#endif
  begin();
  connect();
  const StreamId stream = here->open_unidirectional_stream().value();
  EXPECT_EQ(stream & 3, 2);
  here->write(stream, bytes("one way"), true);
  ASSERT_TRUE(run_until([&] { return theirs.log(*there, stream).fin; }));
  EXPECT_EQ(theirs.log(*there, stream).data, "one way");
  EXPECT_FALSE(there->write(stream, bytes("back"), true));
  ASSERT_TRUE(run_until([&] { return mine.log(*here, stream).closed && theirs.log(*there, stream).closed; }));
  const StreamId back = there->open_unidirectional_stream().value();
  EXPECT_EQ(back & 3, 3);
  there->write(back, bytes("and back"), true);
  ASSERT_TRUE(run_until([&] { return mine.log(*here, back).fin; }));
  // Places come back, many times over.
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(run_until([&] { return here->streams_left(true) > 0; })) << i;
    const StreamId next = here->open_unidirectional_stream().value();
    here->write(next, bytes("x"), true);
  }
  EXPECT_TRUE(run_until([&] { return theirs.streams_closed >= 21; }));
}

TEST_F(EndpointProtocolsTest, WindowIsSmallUntilThePeerIsAccepted) {
  accepts.stream_window = accepts.connection_window = 1 << 20;
  theirs.accept = false;
  begin();
  connect();
  theirs.consume_at_once = false;
  const StreamId stream = here->open_stream().value();
  here->write(stream, base::Bytes(2 << 20, 'x'), false);
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(theirs.log(*there, stream).data.size(), base::limits::quic_unjudged_bytes);
  EXPECT_EQ(bob->counters().half_open, 1u);
  there->mark_verified();
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(theirs.log(*there, stream).data.size(), std::size_t{1} << 20);
  EXPECT_EQ(bob->counters().half_open, 0u);
}

// One stream after the other, each over at once: before the verdict that gains nothing.
TEST_F(EndpointProtocolsTest, UntilThePeerIsAcceptedStreamsThatEndAreNotGivenBack) {
#if ATLAS_NGTCP2_0
  GTEST_SKIP() << "ngtcp2 0.12 does not tell the end of such a stream";
#endif
  accepts.stream_window = accepts.connection_window = 1 << 20;
  theirs.accept = false;
  begin();
  connect();
  theirs.consume_at_once = false;
  const auto open_and_end = [&] {
    std::size_t opened = 0;
    for (int round = 0; round < 20; ++round) {
      for (; here->streams_left(true) > 0; ++opened) {
        here->write(here->open_unidirectional_stream().value(), base::Bytes(200'000, 'x'), true);
      }
      for (; here->streams_left(false) > 0; ++opened) here->reset(here->open_stream().value(), 1);
      world.run_for(200 * base::kMillisecond);
    }
    return opened;
  };
  const StreamId first = here->open_unidirectional_stream().value();
  here->write(first, base::Bytes(200'000, 'x'), true);
  ASSERT_TRUE(run_until([&] { return theirs.log(*there, first).closed; }));
  EXPECT_EQ(open_and_end(), 4u);
  std::size_t came = 0;
  for (const StreamId stream : {2, 6}) came += theirs.log(*there, stream).data.size();
  EXPECT_EQ(came, base::limits::quic_unjudged_bytes) << "of 400 000";
  there->mark_verified();
  world.run_for(base::kSecond);
  EXPECT_GT(open_and_end(), 50u);
  // And what they brought was not lost to the window.
  const StreamId stream = here->open_stream().value();
  here->write(stream, base::Bytes(2 << 20, 'x'), false);
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(theirs.log(*there, stream).data.size(), std::size_t{1} << 20);
}

TEST_F(EndpointProtocolsTest, ARefusedPeerGetsTheAlert) {
  begin();
  theirs.connect_hook = [](Connection& connection) { connection.refuse(0x12a, "no friend"); };
  dial();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty(); }));
  EXPECT_EQ(mine.closed[0].by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(mine.closed[0].code, 0x12au);
  EXPECT_EQ(theirs.closed.at(0).by, CloseInfo::By::kLocal);
}

TEST_F(EndpointProtocolsTest, MaximumOfConnections) {
  accepts.max_connections = 2;
  begin();
  for (int i = 0; i < 2; ++i) connect();
  dial();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty(); }));
  EXPECT_EQ(mine.closed[0].by, CloseInfo::By::kPeerTransport);
  EXPECT_EQ(mine.closed[0].code, 0x2u) << "CONNECTION_REFUSED";
  EXPECT_EQ(bob->counters().refused_protocol, 1u);
  theirs.connected[0]->close(0, "");
  ASSERT_TRUE(run_until([&] { return mine.closed.size() == 2; }));
  const std::size_t before = theirs.connected.size();
  dial();
  EXPECT_TRUE(run_until([&] { return theirs.connected.size() > before; }));
}

TEST_F(EndpointProtocolsTest, HandshakesAreTimedByTheProtocol) {
  accepts.handshake_timeout = 2 * base::kSecond;
  begin();
  const auto made =
      alice->endpoint->dial({.remote = bob_node.at(9), .alpn = "test/1", .handshake_timeout = 3 * base::kSecond});
  ASSERT_TRUE(made.has_value());
  const base::MonoNs before = world.now();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty(); }));
  EXPECT_EQ(mine.closed[0].by, CloseInfo::By::kHandshakeTimeout);
  EXPECT_GE(world.now() - before, 3 * base::kSecond);
  EXPECT_LE(world.now() - before, 3 * base::kSecond + 100 * base::kMillisecond);
}

TEST_F(EndpointProtocolsTest, AnIdleOneEndsAfterItsOwnTime) {
  dials.idle_timeout = accepts.idle_timeout = 5 * base::kSecond;
  begin();
  connect();
  const base::MonoNs before = world.now();
  ASSERT_TRUE(run_until([&] { return !mine.closed.empty() && !theirs.closed.empty(); }));
  EXPECT_EQ(theirs.closed[0].by, CloseInfo::By::kIdle);
  EXPECT_LE(world.now() - before, 7 * base::kSecond);
}

TEST_F(EndpointProtocolsTest, ANameGoesAlongAndAWrongAlpnIsRefused) {
  begin();
  const auto made = alice->endpoint->dial({.remote = bob->address(), .alpn = "test/1", .server_name = "example.org"});
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(run_until([&] { return !theirs.connected.empty(); }));
  EXPECT_EQ(alice->endpoint->dial({.remote = bob->address(), .alpn = "other/1"}).error().fault, base::Fault::kArgument);
}

TEST_F(EndpointProtocolsTest, NamesAndNumberAreBounded) {
  accepts.alpn = std::string(32, 'x');
  bob->open();
  EXPECT_EQ(bob->endpoint->add_protocol(accepts).error().fault, base::Fault::kArgument);
  for (int i = 0; i < 7; ++i) {
    accepts.alpn = std::string(30, 'x') + static_cast<char>('a' + i);
    EXPECT_TRUE(bob->endpoint->add_protocol(accepts).has_value());
    bob->endpoint->set_credentials(accepts.alpn, credentials_of(server));
  }
  const std::string last = std::exchange(accepts.alpn, "test/1");
  EXPECT_EQ(bob->endpoint->add_protocol(accepts).error().fault, base::Fault::kFull);
  // TLS really takes so many.
  bob->listen();
  alice->open();
  dials.alpn = last;
  ASSERT_TRUE(alice->endpoint->add_protocol(dials).has_value());
  alice->endpoint->set_credentials(last, credentials_of(client));
  ASSERT_TRUE(alice->endpoint->dial({.remote = bob->address(), .alpn = last}).has_value());
  EXPECT_TRUE(run_until([&] { return !theirs.connected.empty(); }));
}

TEST_F(EndpointProtocolsTest, NodesWindowsGrowOnAListenerThatServesOthers) {
  begin();
  Connection* nodes = alice->dial(*bob);
  ASSERT_TRUE(run_until([&] { return !bob->events.connected.empty(); }));
  const StreamId stream = nodes->open_stream().value();
  nodes->write(stream, base::Bytes(4 << 20, 'x'), true);
  const base::MonoNs before = world.now();
  ASSERT_TRUE(run_until([&] { return bob->events.log(*bob->events.connected[0], stream).fin; }));
  // 64 KiB in every round trip of 20 ms would take 1.3 s.
  EXPECT_LT(world.now() - before, base::kSecond);
}

}  // namespace
}  // namespace atlas::quic
