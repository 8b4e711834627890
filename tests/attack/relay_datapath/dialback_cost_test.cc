// A36. There is no dial-back here; probing for a direct path on the word of a relay is what comes near to one. A
// hostile relay names somebody else's address as the peer's: what that address gets is bounded for each session, costs
// the asker more than it costs the one who is hit, and is no answer to anything. Bytes are counted on the wire, UDP
// payload.
#include <map>
#include <set>

#include "node/path_upgrade.h"
#include "unit/quic/raw_socket.h"
#include "unit/quic/relay_fixture.h"

namespace atlas::quic {
namespace {

using node::PathUpgrade;

class DialbackCost : public RelayTest {
 protected:
  struct Sent {
    std::uint64_t datagrams = 0, bytes = 0, largest = 0;
  };
  static constexpr base::MonoNs kHour = 3'600 * base::kSecond;
  static constexpr std::size_t kPorts = base::limits::node_path_candidates;
  static constexpr std::size_t kTried = node::kCandidatesOfAHost;

  DialbackCost()
      : third_node(world.add_node("third")), alice_deadlines(alice_node.loop()), bob_deadlines(bob_node.loop()) {
    // As the keep-alive role does it.
    alice_at_relay->keep_alive(60 * base::kSecond);
    bob_at_relay->keep_alive(60 * base::kSecond);
    world.on_passage([this](const sim::Passage& passage) {
      Sent& sent = wire[{passage.from, passage.to}];
      ++sent.datagrams;
      sent.bytes += passage.bytes;
      sent.largest = std::max<std::uint64_t>(sent.largest, passage.bytes);
    });
  }
  // As the node sets it up for a session whose relay named these addresses: more than are used, all of one host.
  PathUpgrade upgrade(Party& of, node::Deadlines& deadlines, Connection& connection) {
    PathUpgrade::Setup setup;
    setup.deadlines = &deadlines;
    setup.endpoint = of.endpoint.get();
    setup.random = &of.node.random();
    setup.connection = &connection;
    for (std::uint16_t port = 1; port <= 2 * kPorts; ++port) setup.candidates.push_back(third_node.at(port));
    return PathUpgrade(std::move(setup));
  }
  Sent to_third(const sim::SimNode& from) { return wire[{&from, &third_node}]; }
  static void show(const char* what, const Sent& third, const Sent& asker) {
    std::printf("%s: %llu datagrams, %llu bytes, the largest %llu, to the third; the asker sent %llu bytes\n", what,
                static_cast<unsigned long long>(third.datagrams), static_cast<unsigned long long>(third.bytes),
                static_cast<unsigned long long>(third.largest), static_cast<unsigned long long>(asker.bytes));
  }

  sim::SimNode& third_node;
  node::Deadlines alice_deadlines, bob_deadlines;
  std::map<std::pair<const sim::SimNode*, const sim::SimNode*>, Sent> wire;
};

// The asker is the one that dials; the one that was dialled opens its NAT towards it.
TEST_F(DialbackCost, sec_dialback_cost) {
  Connection& here = meet();
  Connection& there = *bob->events.connected.back();
  here.keep_alive(30 * base::kSecond);
  auto opening = upgrade(*bob, bob_deadlines, there);
  opening.begin();
  const base::MonoNs trying = node::kOpenings * node::kOpenEvery;
  world.run_for(trying);
  const Sent burst = to_third(bob_node), asked = wire[{&alice_node, &relay_node}];
  EXPECT_GT(burst.datagrams, 0u);
  EXPECT_LE(burst.datagrams, kTried * (node::kOpenings + 1));
  world.run_for(kHour);
  const Sent all = to_third(bob_node), asker = wire[{&alice_node, &relay_node}];
  EXPECT_LE(all.datagrams, burst.datagrams + kTried * (kHour / node::kKeepOpenEvery + 1));
  EXPECT_LE(all.largest, 20u) << "a STUN indication, which nobody answers";
  EXPECT_LT(2 * burst.bytes, asked.bytes) << "to begin it costs the asker more than it costs the third";
  EXPECT_LT(all.bytes, asker.bytes) << "and to keep it up as well";
  show("dialled, an hour", all, asker);
}

// The one that dials probes with PATH_CHALLENGE, padded as RFC 9000 wants it, ever more seldom. It does so because its
// own people asked for this peer, and only while the session with it lasts.
TEST_F(DialbackCost, sec_dialback_cost_of_probes) {
  Connection& here = meet();
  here.keep_alive(30 * base::kSecond);
  auto probing = upgrade(*alice, alice_deadlines, here);
  probing.begin();
  world.run_for(kPorts * node::kTryFor);
  const Sent first = to_third(alice_node);
  EXPECT_GT(first.datagrams, 0u);
  EXPECT_LE(first.datagrams, kTried * 4);
  EXPECT_LE(first.bytes, kTried * 4 * 1'200);
  world.run_for(kHour);
  const Sent all = to_third(alice_node);
  const std::uint64_t rounds = 1 + 5 + kHour / (node::kTryAgainAtMost * 3 / 4);
  EXPECT_LE(all.datagrams, rounds * kTried * 4);
  EXPECT_LE(all.largest, 1'200u);
  show("dialler, an hour", all, wire[{&bob_node, &relay_node}]);
  EXPECT_TRUE(here.relayed()) << "nobody is moved by an address that does not answer";
}

// What has not proved that it is there costs nobody anything: without a session there is nothing to be sent, and the
// answer that moves a connection is the one to a fresh random challenge on that very path.
TEST_F(DialbackCost, sec_dialback_cost_is_bound_to_a_nonce) {
  Connection& here = meet();
  RawSocket third(third_node, 1);
  std::set<base::Bytes> seen;
  third.on_datagram = [&](RawSocket::Received& datagram) {
    seen.insert(datagram.data);
    third.send(datagram.from, datagram.data);  // the bytes themselves are no answer
    base::Bytes turned(datagram.data.rbegin(), datagram.data.rend());
    third.send(datagram.from, turned);
  };
  auto probing = upgrade(*alice, alice_deadlines, here);
  probing.begin();
  world.run_for(120 * base::kSecond);
  EXPECT_GT(seen.size(), 1u) << "no two probes are alike";
  EXPECT_TRUE(here.relayed());
  EXPECT_TRUE(alice->events.paths.empty());
  carry(here, 10'000);
}

}  // namespace
}  // namespace atlas::quic
