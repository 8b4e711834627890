// A35, the role's part. Nobody holds a voucher here. What plays its part: the announcement, which is its session; the
// path offer, which is good for the one dial that asked; and the two prefixes of a pair, which live as long as the
// pair. Each is renewed without a person, refused when it is over, and none can lock anybody out.
#include <algorithm>
#include <set>

#include "unit/plugins/relay/role_fixture.h"

namespace relay_test {
namespace {

using relay::kAnnounce;
using relay::kConnect;
using relay::kError;
using relay::kReady;

class RelayTokensClient : public RelayRole {
 protected:
  static constexpr const char* kRelay = "198.51.100.1:4433";
  RelayTokensClient() { host.node_keys["network.relays"] = {kRelay}; }

  atlas_peer accept(FakeHost& at) {
    at.finish_dial(at.dials.at(0), {.node_id = node_id(100), .address = kRelay, .dialled = true});
    return at.peers.rbegin()->first;
  }
  static Bytes offer(std::int64_t expires, std::uint8_t first = 1) {
    relay::Forwarding out;
    out.route = {first, 2, 3, 4, 5, 6, 7, 8};
    out.peer_route = {8, 7, 6, 5, 4, 3, 2, first};
    out.peer_id = node_id(2);
    out.expires = expires;
    return relay::encode(out);
  }
};

// Whatever a relay has done for an hour, in whatever order: when it is well again, its agents are announced there again
// within the longest pause, by themselves.
TEST_F(RelayTokensClient, sec_relay_token_lifecycle) {
  std::uint64_t longest = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    one.random_state = seed;
    std::uint64_t state = seed;
    const auto any = [&](std::uint64_t most) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return (state >> 33) % most;
    };
    one.run();
    const std::uint64_t ill_until = one.now_ms + 60 * kMinute;
    while (one.now_ms < ill_until) {
      if (!one.dials.empty()) {
        const auto how = any(4);
        if (how == 0) {
          one.fail_dial(one.dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
        } else if (how == 1) {
          one.fail_dial(one.dials.at(0), ATLAS_E_DENIED, "banned");
        } else {
          accept(one);
        }
      } else if (!one.requests.empty()) {
        const auto how = any(5);
        if (how == 0) {
          one.answer(one.requests.at(0), kReady, relay::encode_waiting());
        } else if (how == 1) {
          one.answer(one.requests.at(0), kError,
                     relay::encode(relay::Error{static_cast<std::uint32_t>(any(7)), "no", ""}));
        } else if (how == 2) {
          one.answer(one.requests.at(0), kReady, Bytes{0xc1});
        } else if (how == 3) {
          one.answer_error(one.requests.at(0), 4001, "rate limited");
        } else {
          one.fail_request(one.requests.at(0), ATLAS_E_TIMEOUT);
        }
      } else if (!one.peers.empty() && any(2) == 0) {
        one.lose_peer(one.peers.begin()->first);  // it restarts
      } else {
        if (any(10) == 0) one.wall_jump_ms += any(2) == 0 ? -315'360'000'000 : 315'360'000'000;
        one.advance(1 + any(kMinute));
      }
    }
    // From now on it is well.
    const std::uint64_t well_from = one.now_ms;
    while (one.metric("announced_at") == 0 && one.now_ms - well_from < 60 * kMinute) {
      if (!one.dials.empty()) {
        accept(one);
      } else if (!one.requests.empty()) {
        one.answer(one.requests.at(0), kReady, relay::encode_waiting());
      } else {
        one.advance(100);
      }
    }
    EXPECT_EQ(one.metric("announced_at"), 1) << seed;
    longest = std::max(longest, one.now_ms - well_from);
  }
  EXPECT_LE(longest, 10 * kMinute + kSecond) << "ms until announced again, the worst of all";
  std::printf("announced again after at most %llu ms\n", static_cast<unsigned long long>(longest));
}

// A relay that restarts has forgotten everything: its agents are back in a moment, with nothing of before.
TEST_F(RelayTokensClient, sec_relay_token_lifecycle_over_a_restart) {
  host.run();
  auto peer = accept(host);
  host.answer(host.requests.at(0), kReady, relay::encode_waiting());
  host.advance(kMinute);
  host.deliver(peer, kReady, offer(0, 1));
  ASSERT_EQ(host.expected.size(), 1u);
  host.lose_peer(peer);
  const std::uint64_t lost_at = host.now_ms;
  EXPECT_EQ(host.metric("announced_at"), 0);
  host.advance(250);
  ASSERT_EQ(host.dials.size(), 1u);
  const auto newer = accept(host);
  host.answer(host.requests.at(0), kReady, relay::encode_waiting());
  EXPECT_EQ(host.metric("announced_at"), 1);
  EXPECT_LE(host.now_ms, lost_at + 250);
  // What the older session would still say counts no more; the newer one's word does.
  EXPECT_NE(peer, newer);
  host.deliver(newer, kReady, offer(0, 9));
  EXPECT_EQ(host.expected.size(), 2u);
  EXPECT_EQ(host.expected.back().via, newer);
}

// An offer answers one dial, once, and only while that dial waits.
TEST_F(RelayTokensClient, sec_relay_token_lifecycle_of_an_offer) {
  host.run();
  const auto peer = accept(host);
  host.answer(host.requests.at(0), kReady, relay::encode_waiting());
  const auto late = host.want_path(node_id(2), kRelay);
  host.finish_dial_existing(host.dials.at(0), peer);
  ASSERT_EQ(host.requests.size(), 1u);
  host.advance(5 * kSecond);
  EXPECT_TRUE(host.requests.empty()) << "the answer would find nobody";
  EXPECT_EQ(host.reaches.at(late).status, ATLAS_E_TIMEOUT);
  const auto again = host.want_path(node_id(2), kRelay);
  host.finish_dial_existing(host.dials.at(0), peer);
  host.answer(host.requests.at(0), kReady, offer(host.unix_seconds() + 120));
  EXPECT_TRUE(host.reaches.at(again).over);
  EXPECT_EQ(host.reaches.at(again).status, ATLAS_OK);
}

// `expires` is in the relay's time: a clock that is years off locks nobody out, and promises nothing for ever.
TEST_F(RelayTokensClient, sec_relay_token_lifecycle_with_any_clock) {
  host.run();
  const auto peer = accept(host);
  host.answer(host.requests.at(0), kReady, relay::encode_waiting());
  for (const std::int64_t expires : {std::int64_t{INT64_MIN}, std::int64_t{-1}, std::int64_t{1},
                                     host.unix_seconds() - 1, host.unix_seconds() + 120, std::int64_t{INT64_MAX}}) {
    const std::size_t before = host.expected.size();
    host.deliver(peer, kReady, offer(expires));
    ASSERT_EQ(host.expected.size(), before + 1) << expires;
    EXPECT_GE(host.expected.back().expires, 0) << expires;
    EXPECT_LE(host.expected.back().expires, host.unix_seconds() + 86'400) << expires;
  }
  EXPECT_EQ(host.metric("announced_at"), 1);
}

class RelayTokensServer : public RelayServer {};

// Each pair has prefixes of its own, never used before; those of a pair that is over lead nowhere.
TEST_F(RelayTokensServer, sec_relay_token_lifecycle) {
  host.config["notices_per_minute"] = std::int64_t{1'000'000};
  host.run();
  target(2);
  const auto here = agent(1);
  std::set<atlas::RoutePrefix> used;
  for (int i = 0; i < 300; ++i) {
    const auto reply = connect(here, 2);
    ASSERT_EQ(reply.type, kReady);
    const auto forwarding = forwarding_of(reply.body);
    EXPECT_TRUE(used.insert(forwarding.route).second);
    EXPECT_TRUE(used.insert(forwarding.peer_route).second);
    EXPECT_EQ(forwarding.expires, host.unix_seconds() + 120);
    EXPECT_EQ(host.routes.size(), 1u) << "the earlier pair is gone";
    if (i % 3 == 0) host.end_route(host.routes.begin()->first, ATLAS_ROUTE_IDLE);  // renewed by the next connect
    host.advance(100);
  }
}

// An announcement is over with its session, and its timestamp says nothing: no clock can lock a node out.
TEST_F(RelayTokensServer, sec_relay_token_lifecycle_of_an_announcement) {
  host.run();
  for (const std::int64_t timestamp : {std::int64_t{INT64_MIN}, std::int64_t{0}, std::int64_t{INT64_MAX}}) {
    const auto there = agent(2);
    const auto reply = host.deliver(there, kAnnounce, relay::encode(relay::Announce{node_id(2), timestamp}));
    EXPECT_EQ(reply.type, kReady) << timestamp;
    const auto here = agent(1);
    EXPECT_EQ(connect(here, 2).type, kReady);
    host.lose_peer(there);
    EXPECT_EQ(code(connect(here, 2)), 1u);
    EXPECT_TRUE(host.routes.empty());
    host.lose_peer(here);
  }
}

}  // namespace
}  // namespace relay_test
