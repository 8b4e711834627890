// A node, a peer that breaks the rules, and honest peers that must be served all the same, on the simulated network.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "attack/quic_hostile/peer.h"
#include "unit/quic/party.h"

namespace atlas::quic {

using hostile::Certificate;
using hostile::Peer;

class QuicHostile : public ::testing::Test {
 protected:
  QuicHostile()
      : world(815),
        victim_node(world.add_node("victim")),
        peer_node(world.add_node("peer")),
        honest_node(world.add_node("honest")),
        certificate(Certificate::Kind::kEd25519) {
    world.set_default_link({.latency = base::kMillisecond});
    victim = std::make_unique<Party>(victim_node, 1, EndpointLimits{.max_connections = 1000, .max_half_open = 1000});
    victim->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView data, bool fin) {
      connection.write(stream, data, fin);
    };
    victim->listen();
  }

  std::unique_ptr<Peer> peer(Peer::Options options) { return std::make_unique<Peer>(peer_node, std::move(options)); }
  std::unique_ptr<Peer> connected_peer() {
    auto made = peer({.certificate = &certificate});
    made->dial(victim->address());
    EXPECT_TRUE(world.run_until([&] { return made->completed(); }, 5 * base::kSecond));
    world.run_for(20 * base::kMillisecond);
    return made;
  }
  void honest_peers_are_served() {
    Party honest(honest_node, 77);
    Connection* connection = honest.dial(*victim, victim->key.node_id());
    ASSERT_TRUE(world.run_until([&] { return honest.events.connected.size() == 1; }, 5 * base::kSecond));
    const StreamId stream = connection->open_stream().value();
    connection->write(stream, bytes("hello"), true);
    ASSERT_TRUE(world.run_until([&] { return honest.events.log(*connection, stream).fin; }, 5 * base::kSecond));
    EXPECT_EQ(honest.events.log(*connection, stream).data, "hello");
  }

  sim::SimWorld world;
  sim::SimNode& victim_node;
  sim::SimNode& peer_node;
  sim::SimNode& honest_node;
  Certificate certificate;
  std::unique_ptr<Party> victim;
};

}  // namespace atlas::quic
