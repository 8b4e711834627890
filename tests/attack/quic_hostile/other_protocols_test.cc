// Peers of another ALPN that a node did not make: long ClientHellos in pieces, in any order; certificates that are
// missing or too many; and the nodes' own protocol, which stays as strict as it was.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "attack/quic_hostile/peer.h"
#include "unit/quic/party.h"
#include "unit/quic/raw_socket.h"

namespace atlas::hostile {
namespace {

using quic::Connection;
using Kind = Certificate::Kind;

class OtherProtocols : public testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 30 * base::kSecond;

  OtherProtocols()
      : world_(991), node_(world_.add_node("node")), stranger_(world_.add_node("stranger")), bob_(node_, 2) {
    protocol_.alpn = "test/1";
    protocol_.max_streams = 10;
    protocol_.max_unidirectional = 3;
    protocol_.events = &events_;
    events_.connect_hook = [this](Connection& connection) { chains_.push_back(connection.take_peer_chain()); };
  }
  void listen() {
    bob_.open();
    ASSERT_TRUE(bob_.endpoint->add_protocol(protocol_).has_value());
    const base::Bytes der = server_.der();
    const base::ByteView chain[] = {der};
    bob_.endpoint->set_credentials("test/1", quic::make_credentials(chain, server_.pkcs8()).value());
    bob_.listen();
  }
  // Sends each flight's datagrams in the order that `order` makes of them; true when the handshake came through.
  bool through(Peer& peer, quic::Middleman& middle, const std::function<void(std::vector<base::Bytes>&)>& order) {
    std::vector<base::Bytes> flight;
    middle.to_listener = [&](base::Bytes& datagram) {
      flight.push_back(datagram);
      return false;
    };
    peer.dial(middle.address());
    for (int i = 0; i < 200 && !(peer.completed() && !events_.connected.empty()) && !peer.over(); ++i) {
      world_.run_for(30 * base::kMillisecond);
      order(flight);
      for (const auto& datagram : std::exchange(flight, {})) {
        middle.send_to_listener(datagram);
        world_.run_for(base::kMillisecond);  // a turn each
      }
    }
    return peer.completed() && !events_.connected.empty() && !peer.over();
  }

  sim::SimWorld world_;
  sim::SimNode &node_, &stranger_;
  quic::Recorder events_;
  quic::Party bob_;
  quic::Protocol protocol_;
  Certificate server_{Kind::kEcdsaP256}, client_{Kind::kEcdsaP256};
  std::vector<std::vector<base::Bytes>> chains_;
};

TEST_F(OtherProtocols, AClientHelloInPiecesIsPutTogetherInWhateverOrderTheyCome) {
  listen();
  sim::SimNode& middle_node = world_.add_node("middle");
  for (const std::size_t stuffing : {std::size_t{1100}, std::size_t{2200}}) {
    for (const bool backwards : {false, true}) {
      events_.connected.clear();
      quic::Middleman middle(middle_node, bob_.address());
      Peer peer(stranger_, {.certificate = &client_, .alpn = "test/1", .padding = stuffing});
      std::size_t first_flight = 0;
      EXPECT_TRUE(through(peer, middle,
                          [&](auto& flight) {
                            if (first_flight == 0) first_flight = flight.size();
                            if (backwards) std::ranges::reverse(flight);
                          }))
          << stuffing << (backwards ? " backwards" : "");
      EXPECT_GE(first_flight, stuffing == 1100 ? 2u : 3u) << "the ClientHello was not long enough";
      EXPECT_FALSE(peer.closed());
    }
  }
  EXPECT_GT(bob_.counters().retry_sent, 0u) << "what comes without its beginning is asked to prove its address";
}

TEST_F(OtherProtocols, EveryOrderOfThreePiecesComesThrough) {
  listen();
  sim::SimNode& middle_node = world_.add_node("middle");
  std::vector<int> order = {0, 1, 2};
  do {
    events_.connected.clear();
    quic::Middleman middle(middle_node, bob_.address());
    Peer peer(stranger_, {.certificate = &client_, .alpn = "test/1", .padding = 2200});
    EXPECT_TRUE(through(peer, middle,
                        [&](std::vector<base::Bytes>& flight) {
                          if (flight.size() != 3) return;
                          std::vector<base::Bytes> mixed;
                          for (const int i : order) mixed.push_back(flight[static_cast<std::size_t>(i)]);
                          flight = std::move(mixed);
                        }))
        << order[0] << order[1] << order[2];
    EXPECT_FALSE(peer.closed());
  } while (std::ranges::next_permutation(order).found);
}

TEST_F(OtherProtocols, APieceThatIsLostComesAgain) {
  listen();
  sim::SimNode& middle_node = world_.add_node("middle");
  quic::Middleman middle(middle_node, bob_.address());
  Peer peer(stranger_, {.certificate = &client_, .alpn = "test/1", .padding = 2200});
  bool lost = false;
  EXPECT_TRUE(through(peer, middle, [&](auto& flight) {
    if (flight.size() == 3 && !std::exchange(lost, true)) flight.erase(flight.begin());
  }));
  EXPECT_TRUE(lost);
  EXPECT_FALSE(peer.closed());
}

TEST_F(OtherProtocols, TheNodesOwnProtocolTakesThemTheSameWay) {
  listen();
  sim::SimNode& middle_node = world_.add_node("middle");
  quic::Middleman middle(middle_node, bob_.address());
  Certificate node(Kind::kEd25519);
  Peer peer(stranger_, {.certificate = &node, .alpn = "atlas/1", .padding = 2200});
  std::vector<base::Bytes> flight;
  middle.to_listener = [&](base::Bytes& datagram) {
    flight.push_back(datagram);
    return false;
  };
  peer.dial(middle.address());
  for (int i = 0; i < 100 && bob_.events.connected.empty() && !peer.over(); ++i) {
    world_.run_for(30 * base::kMillisecond);
    std::ranges::reverse(flight);
    for (const auto& datagram : std::exchange(flight, {})) middle.send_to_listener(datagram);
  }
  EXPECT_EQ(bob_.events.connected.size(), 1u);
  EXPECT_FALSE(peer.closed());
}

TEST_F(OtherProtocols, WithoutACertificateOneIsAskedFor) {
  listen();
  Peer peer(stranger_, {.alpn = "test/1"});
  peer.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return peer.closed().has_value(); }, kLong));
  EXPECT_EQ(peer.closed()->code, 0x100u + 116u) << "certificate_required";
  EXPECT_TRUE(events_.connected.empty());
}

TEST_F(OtherProtocols, WhereNoneIsNeededTheChainIsEmpty) {
  protocol_.needs_client_certificate = false;
  listen();
  Peer without(stranger_, {.alpn = "test/1"});
  without.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return chains_.size() == 1; }, kLong));
  EXPECT_TRUE(chains_[0].empty());
  Peer with(stranger_, {.certificate = &client_, .alpn = "test/1"});
  with.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return chains_.size() == 2; }, kLong));
  EXPECT_EQ(chains_[1], std::vector<base::Bytes>{client_.der()});
}

TEST_F(OtherProtocols, LongChainsAreRefused) {
  listen();
  Peer eight(stranger_, {.certificate = &client_, .chain = 8, .alpn = "test/1"});
  eight.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return chains_.size() == 1; }, kLong));
  EXPECT_EQ(chains_[0].size(), 8u);
  Peer nine(stranger_, {.certificate = &client_, .chain = 9, .alpn = "test/1"});
  nine.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return nine.closed().has_value(); }, kLong));
  EXPECT_EQ(nine.closed()->code, 0x12au) << "bad_certificate";
  EXPECT_EQ(chains_.size(), 1u);
}

TEST_F(OtherProtocols, NodesStillNeedAnEd25519Certificate) {
  listen();
  Peer peer(stranger_, {.certificate = &client_, .alpn = "atlas/1"});
  peer.dial(bob_.address());
  ASSERT_TRUE(world_.run_until([&] { return peer.over(); }, kLong));
  EXPECT_TRUE(bob_.events.connected.empty());
}

}  // namespace
}  // namespace atlas::hostile
