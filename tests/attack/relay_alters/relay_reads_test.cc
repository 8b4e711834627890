// A relay learns nothing of what the agents say to each other through it: no datagram that reaches it or leaves it
// holds a piece of the message, and none, what anyone can open included, a piece of a key or a node id.
#include <gtest/gtest.h>

#include "attack/relay_alters/initial_packets.h"
#include "attack/relay_alters/wiretap.h"
#include "base/bytes.h"
#include "sim/relayed_nodes.h"

namespace atlas::attack {
namespace {

using sim::FleetNode;
using sim::RelayedNodes;

std::string_view text_of(base::ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class RelayReads : public testing::Test {
 protected:
  RelayReads() : nodes(3401) {}

  // What every part of is a secret of the two agents. The relay knows their ids, but nobody on the way to it does.
  void add_secrets(FleetNode& alice, FleetNode& bob) {
    search.add("message", message);
    search.add("answer", answer);
    for (const auto& [name, node] : {std::pair{"alice", &alice}, std::pair{"bob", &bob}}) {
      search.add(std::string("id of ") + name, std::string_view(node->node_id()).substr(6));
      search.add(std::string("key of ") + name, text_of(node->key().public_key()));
    }
  }

  RelayedNodes nodes;
  const std::string message = nodes.random_text(3000), answer = nodes.random_text(64);
  Search search;
};

TEST_F(RelayReads, NothingOfWhatTheAgentsSayIsReadableAtTheRelay) {
  FleetNode& relay = nodes.add_relay("relay");
  Wiretap tap(nodes.world(), relay.machine());  // from before the agents' first packet to the relay
  FleetNode& alice = nodes.add_agent("alice");
  FleetNode& bob = nodes.add_agent("bob");
  nodes.world().cut(alice.machine(), bob.machine());
  ASSERT_TRUE(nodes.announced(relay, 2));
  add_secrets(alice, bob);
  ASSERT_EQ(nodes.connect(alice, bob).exit_code, 0);
  ASSERT_EQ(nodes.send(alice, bob, message), "");
  ASSERT_EQ(nodes.send(bob, alice, answer), "");

  // The search finds them in what the agents hold: every piece of them.
  const std::string held = nodes.inbox(bob, alice).at(0) + nodes.inbox(alice, bob).at(0) + alice.node_id() +
                           bob.node_id() + std::string(text_of(alice.key().public_key())) +
                           std::string(text_of(bob.key().public_key()));
  const auto found = search.in(base::as_bytes(held));
  EXPECT_EQ(found.size(), 6u);
  for (const auto& [name, count] : found) EXPECT_EQ(count, search.pieces(name)) << name;
  EXPECT_GE(search.pieces("message"), 2900u);

  // All of it went through the relay, and none of it can be found there.
  EXPECT_GE(tap.forwarded(), 12u);
  std::size_t forwarded = 0;
  const auto status = relay.run(nodes.world(), "relay status").result;
  for (const auto& session : status["sessions"]) {
    EXPECT_GE(session["bytes_to_target"], message.size());
    EXPECT_GE(session["bytes_to_source"], answer.size());
    forwarded += session["datagrams_to_target"].get<std::size_t>() + session["datagrams_to_source"].get<std::size_t>();
  }
  EXPECT_EQ(tap.forwarded(), forwarded);
  EXPECT_EQ(search.in(tap.all()), (std::map<std::string, std::size_t>()));

  // The first packets can be opened by anyone. They show what is spoken, and not by whom.
  const auto opened = open_initials(tap.all());
  EXPECT_GE(opened.size(), 6u);
  Search spoken;
  spoken.add("protocol",
             "\x07"
             "atlas/1");
  EXPECT_EQ(spoken.in(opened)["protocol"], 1u);
  EXPECT_EQ(search.in(opened), (std::map<std::string, std::size_t>()));

  // Had a datagram held one piece of the message, it would have been found.
  base::Bytes leak = tap.left().back();
  const std::string piece = message.substr(1234, Search::kPiece);
  std::ranges::copy(piece, leak.end() - Search::kPiece);
  sim::SimLoop& loop = relay.machine().loop();
  const auto socket = loop.open_udp({relay.machine().address(), 0}, {}, {});
  ASSERT_TRUE(socket);
  const net::SendBatch batch{alice.address(), {}, 0, leak, leak.size()};
  EXPECT_EQ((*socket)->send({&batch, 1}), 1u);
  EXPECT_EQ(search.in(tap.all()), (std::map<std::string, std::size_t>{{"message", 1}}));
}

}  // namespace
}  // namespace atlas::attack
