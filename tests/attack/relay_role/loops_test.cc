// A32. No relaying over relayed links: nobody whose session runs through a relay is taken as source, as target or as
// relay, so a packet passes one relay at most and there is nothing for a hop counter to count.
#include <array>
#include <set>

#include "unit/plugins/relay/role_fixture.h"

namespace relay_test {
namespace {

using relay::kReady;

class RelayLoopsServer : public RelayServer {};

TEST_F(RelayLoopsServer, sec_relay_loops) {
  host.run();
  target(2);
  const auto relayed = agent(1, "198.51.100.1:4433", ATLAS_TRUST_RELAY);
  EXPECT_EQ(code(connect(relayed, 2)), 4u);
  EXPECT_EQ(code(announce(relayed)), 4u);
  const auto itself = target(4);
  EXPECT_EQ(code(connect(itself, 4)), 4u);
  EXPECT_EQ(host.metric("refused_loop"), 3);
  EXPECT_TRUE(host.routes.empty());
  EXPECT_TRUE(host.sent.empty());
}

// A session may become relayed after it was taken: then the core refuses, and nobody is told.
TEST_F(RelayLoopsServer, sec_relay_loops_that_close_later) {
  host.run();
  const auto there = target(2), here = agent(1);
  host.peers.at(there).trust = ATLAS_TRUST_RELAY;
  EXPECT_EQ(code(connect(here, 2)), 1u);
  EXPECT_EQ(host.metric("refused_loop"), 1);
  EXPECT_TRUE(host.routes.empty());
  EXPECT_TRUE(host.sent.empty());
  host.peers.at(there).trust = ATLAS_TRUST_UNKNOWN;  // it found a direct path
  EXPECT_EQ(connect(here, 2).type, kReady);
  host.peers.at(here).trust = ATLAS_TRUST_RELAY;
  EXPECT_EQ(code(connect(here, 2)), 4u);
  EXPECT_EQ(host.routes.size(), 1u);
}

// Two pairs that would hand packets to each other in a ring: each is between the two agents and nobody else, and the
// relay is never one of the two.
TEST_F(RelayLoopsServer, sec_relay_loops_in_a_ring) {
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  std::vector<atlas_peer> ring;
  for (std::uint64_t i = 1; i <= 6; ++i) ring.push_back(target(i));
  for (std::size_t i = 0; i < ring.size(); ++i) {
    ASSERT_EQ(connect(ring[i], (i + 1) % ring.size() + 1).type, kReady);
    host.advance(kSecond);
  }
  std::set<std::array<std::uint8_t, 8>> prefixes;
  for (const auto& [handle, route] : host.routes) {
    EXPECT_NE(route.a, route.b);
    EXPECT_TRUE(prefixes.insert(std::to_array(route.prefixes.to_a)).second);
    EXPECT_TRUE(prefixes.insert(std::to_array(route.prefixes.to_b)).second);
  }
  EXPECT_EQ(prefixes.size(), 12u);
  // A relay that names itself as the target, in an announcement or a connect, is another node to itself only.
  EXPECT_EQ(code(connect(ring[0], host.self.node_id)), 1u);
  EXPECT_EQ(code(announce(ring[0], host.self.node_id)), 4u);
}

class RelayLoopsClient : public RelayRole {};

// Nor does an agent ask over such a session, or stay announced over one.
TEST_F(RelayLoopsClient, sec_relay_loops) {
  const std::string address = "198.51.100.1:4433";
  host.node_keys["network.relays"] = {address};
  host.run();
  host.finish_dial(host.dials.at(0), {.node_id = node_id(100), .address = address, .trust = ATLAS_TRUST_RELAY});
  EXPECT_TRUE(host.requests.empty());
  EXPECT_EQ(status().at("relays")[0].at("state"), "refused");
  const auto reach = host.want_path(node_id(2), address);
  host.finish_dial_existing(host.dials.at(0), host.peers.begin()->first);
  EXPECT_TRUE(host.requests.empty());
  EXPECT_TRUE(host.reaches.at(reach).over);
  EXPECT_EQ(host.reaches.at(reach).status, ATLAS_E_DENIED);
}

}  // namespace
}  // namespace relay_test
