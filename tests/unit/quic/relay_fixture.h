// Two agents and a node that forwards between them, on the simulated network: the agents never see each other's
// packets but through it.
#pragma once

#include <array>
#include <memory>

#include "unit/quic/party.h"

namespace atlas::quic {

inline ServerId prefix(std::uint8_t number) {
  ServerId out;
  out.fill(number);
  return out;
}

class RelayTest : public ::testing::Test {
 protected:
  static constexpr base::MonoNs kLong = 30 * base::kSecond;
  static inline const ServerId kToAlice = prefix(0xa1), kToBob = prefix(0xb2);

  explicit RelayTest(EndpointLimits relay_limits = {})
      : world(4712),
        relay_node(world.add_node("relay")),
        alice_node(world.add_node("alice")),
        bob_node(world.add_node("bob")) {
    world.cut(alice_node, bob_node);
    relay = std::make_unique<Party>(relay_node, 9, relay_limits);
    alice = std::make_unique<Party>(alice_node, 1);
    bob = std::make_unique<Party>(bob_node, 2);
    relay->listen();
    alice->listen();
    bob->listen();
    alice_at_relay = join(*alice);
    bob_at_relay = join(*bob);
  }

  // The relay's side of the agent's session with it.
  Connection* join(Party& agent) {
    const std::size_t before = relay->events.connected.size();
    Connection* session = agent.dial(*relay);
    EXPECT_TRUE(world.run_until([&] { return relay->events.connected.size() > before; }, kLong));
    session->mark_forwarder();
    return relay->events.connected.back();
  }
  RoutePair pair() {
    RoutePair out;
    out.a = alice_at_relay;
    out.b = bob_at_relay;
    out.to_a = kToAlice;
    out.to_b = kToBob;
    out.idle = 60 * base::kSecond;
    out.tally = tally;
    out.ended = [this](RouteEnded why) { ended.push_back(why); };
    return out;
  }
  RouteId add(RoutePair given) {
    const auto added = relay->endpoint->routes().add(std::move(given));
    EXPECT_TRUE(added.has_value()) << added.error().text;
    return added.value_or(0);
  }
  Expectation expectation() {
    return {kToBob, relay->address(), alice->key.node_id(),
            base::after(bob_node.clock().mono_ns(), 10 * base::kSecond)};
  }
  // Alice dials Bob through the relay.
  Connection* dial(std::optional<std::string> expected = std::nullopt) {
    DialOptions options;
    options.remote = relay->address();
    options.expected_node_id = expected ? expected : bob->key.node_id();
    options.via = Via{kToAlice, kToBob};
    const auto made = alice->endpoint->dial(options);
    EXPECT_TRUE(made.has_value());
    return made.value_or(nullptr);
  }
  // A connection between the agents, known to both.
  Connection& meet(RoutePair given) {
    add(std::move(given));
    EXPECT_TRUE(bob->endpoint->expect(expectation()).has_value());
    const std::size_t before = bob->events.connected.size();
    Connection* made = dial();
    EXPECT_TRUE(world.run_until([&] { return bob->events.connected.size() > before; }, kLong));
    return *made;
  }
  Connection& meet() { return meet(pair()); }
  // Sends and waits until it has come.
  void carry(Connection& from, std::size_t size, base::MonoNs most = kLong) {
    const StreamId stream = from.open_stream().value();
    from.write(stream, base::Bytes(size, 'x'), true);
    Connection& there = *bob->events.connected.back();
    EXPECT_TRUE(world.run_until([&] { return bob->events.log(there, stream).fin; }, most));
    EXPECT_EQ(bob->events.log(there, stream).data.size(), size);
  }

  sim::SimWorld world;
  sim::SimNode& relay_node;
  sim::SimNode& alice_node;
  sim::SimNode& bob_node;
  std::unique_ptr<Party> relay, alice, bob;
  Connection* alice_at_relay = nullptr;
  Connection* bob_at_relay = nullptr;
  std::shared_ptr<net::RouteTally> tally = std::make_shared<net::RouteTally>();
  std::vector<RouteEnded> ended;
};

}  // namespace atlas::quic
