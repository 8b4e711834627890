// A31, the role's part: what a pair takes comes back in the moment that it ends, and a hundred thousand of them leave
// no more memory in use than the first thousand.
#include <malloc.h>

#include "unit/plugins/relay/role_fixture.h"

namespace relay_test {
namespace {

using relay::kReady;

class RelaySlots : public RelayServer {
 protected:
  static constexpr std::size_t kCycles = 100'000, kWarmUp = 2'000;

  void raise_caps() {
    host.config["notices_per_minute"] = std::int64_t{1'000'000};
    host.config["sessions_per_prefix"] = std::int64_t{20'000};
    host.config["sessions_per_node"] = std::int64_t{20'000};
  }
  // Bytes that are in use; what the test itself has kept of the traffic is let go first.
  std::size_t in_use() {
    host.replies.clear();
    host.sent = {};
    host.log = {};
    return mallinfo2().uordblks;
  }
};

TEST_F(RelaySlots, sec_relay_slot_release) {
  host.config["max_sessions"] = std::int64_t{1};
  host.run();
  target(2);
  const auto first = agent(1), second = agent(3);
  for (const int why : {+ATLAS_ROUTE_IDLE, +ATLAS_ROUTE_BUDGET, +ATLAS_ROUTE_PEER_GONE, 99}) {
    EXPECT_EQ(connect(first, 2).type, kReady);
    EXPECT_EQ(code(connect(second, 2)), 3u);
    host.end_route(host.routes.begin()->first, static_cast<std::uint32_t>(why));
    EXPECT_EQ(host.metric("sessions"), 0);
    EXPECT_EQ(connect(second, 2).type, kReady);
    host.end_route(host.routes.begin()->first, static_cast<std::uint32_t>(why));
    host.advance(kMinute);
  }
  EXPECT_EQ(connect(first, 2).type, kReady);
  host.lose_peer(first);
  EXPECT_EQ(host.metric("sessions"), 0);
  EXPECT_EQ(connect(second, 2).type, kReady);
}

// Every cap at its edge, source and target lost in turn: the slot is free within the same second, for whoever waits.
TEST_F(RelaySlots, sec_relay_slot_release_at_every_cap) {
  for (const char* cap : {"max_sessions", "sessions_per_node", "sessions_per_prefix"}) {
    FakeHost fresh(atlas_plugin_v1, ATLAS_MODE_DAEMON);
    fresh.node_keys = host.node_keys;
    fresh.config["notices_per_minute"] = std::int64_t{1'000'000};
    fresh.config[cap] = std::int64_t{1};
    fresh.run();
    const auto connect_to = [&](atlas_peer from, std::uint64_t target_number) {
      const std::string id = fresh.peers.at(from).node_id;
      return fresh.deliver(from, relay::kConnect, relay::encode(relay::Connect{id, node_id(target_number)})).type;
    };
    const auto come = [&](std::uint64_t number, const char* address) {
      const auto peer = fresh.connect_peer({.node_id = node_id(number), .address = address});
      const Bytes announce = relay::encode(relay::Announce{node_id(number), fresh.unix_seconds()});
      EXPECT_EQ(fresh.deliver(peer, relay::kAnnounce, announce).type, kReady);
      return peer;
    };
    for (int round = 0; round < 50; ++round) {
      const auto source = come(1, "203.0.113.1:1"), neighbour = come(2, "203.0.113.2:1"), there = come(3, "8.8.8.8:1");
      come(4, "8.8.4.4:1");
      EXPECT_EQ(connect_to(source, 3), kReady) << cap;
      const auto waiting = std::string_view(cap) == "sessions_per_node" ? source : neighbour;
      EXPECT_EQ(connect_to(waiting, 4), relay::kError) << cap;
      fresh.lose_peer(waiting == source || round % 2 == 0 ? there : source);
      EXPECT_EQ(connect_to(waiting, 4), kReady) << cap;
      while (!fresh.peers.empty()) fresh.lose_peer(fresh.peers.begin()->first);
      EXPECT_EQ(fresh.metric("sessions"), 0);
      EXPECT_EQ(fresh.metric("announced"), 0);
      fresh.advance(kSecond);
    }
  }
}

TEST_F(RelaySlots, sec_relay_slot_release_leaves_memory_flat) {
  raise_caps();
  host.run();
  target(1);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < kCycles + kWarmUp; ++i) {
    if (i == kWarmUp) begin = in_use();
    // Each a node of its own: nothing may be remembered of those that left.
    const auto peer = agent(1'000 + i, "198.51.100.7:4433");
    ASSERT_EQ(announce(peer).type, kReady);
    ASSERT_EQ(connect(peer, 1).type, kReady) << i;
    if (i % 3 == 0) host.end_route(host.routes.begin()->first, ATLAS_ROUTE_IDLE);
    host.lose_peer(peer);
    ASSERT_EQ(host.metric("sessions"), 0);
    ASSERT_EQ(host.metric("announced"), 1);
    host.advance(1);
    if (i % 1'000 == 0) static_cast<void>(in_use());
  }
  const std::size_t end = in_use();
  EXPECT_LE(end, begin + (64u << 10)) << "bytes in use after " << kCycles << " cycles";
  RecordProperty("bytes_before", std::to_string(begin));
  RecordProperty("bytes_after", std::to_string(end));
  std::printf("%zu cycles: %zu bytes in use before, %zu after\n", kCycles, begin, end);
}

}  // namespace
}  // namespace relay_test
