// A33. A connect to an absent peer tells nothing but that there is no way to it: unknown, connected but not announced,
// gone, and refused by the core are one answer, of one size, in the same moment and after the same work.
//
// The policy: whoever gets through learns that a target is announced, for that is what a relay is for. `busy` is said
// to those alone who would get through otherwise, and in the same words whatever the target's limit is.
#include <map>
#include <ostream>
#include <set>
#include <tuple>

#include "caps.h"
#include "unit/plugins/relay/role_fixture.h"

namespace relay_test {
namespace {

using relay::kError;
using relay::kReady;

// All that an asker can see of an answer, and what else the role did for it.
struct Seen {
  std::uint8_t type = 0;
  std::uint32_t code = 0;
  std::string message = {};
  std::size_t size = 0;
  std::uint64_t delay_ms = 0;
  std::size_t timers = 0, sent = 0, requests = 0, routes = 0;
  auto operator<=>(const Seen&) const = default;
  friend void PrintTo(const Seen& seen, std::ostream* out) {
    *out << "type " << int{seen.type} << " code " << seen.code << " \"" << seen.message << "\" " << seen.size
         << " bytes, " << seen.delay_ms << " ms, timers " << seen.timers << ", sent " << seen.sent << ", requests "
         << seen.requests << ", routes " << seen.routes;
  }
};

class RelayEnumeration : public RelayServer {
 protected:
  Seen ask(FakeHost& at, atlas_peer from, const std::string& target_id) {
    const std::string own = at.peers.at(from).node_id;
    const std::uint64_t began = at.now_ms;
    const std::size_t timers = at.running_timers(), sent = at.sent.size();
    const auto handle = at.deliver_open(from, relay::kConnect, relay::encode(relay::Connect{own, target_id}));
    while (!at.replies.at(handle).answered && at.now_ms - began < kMinute) at.advance(1);
    const FakeReply& reply = at.replies.at(handle);
    Seen out{.type = reply.type, .size = reply.body.size(), .delay_ms = at.now_ms - began};
    if (const auto error = relay::decode_error(MapView::of(reply.body)); reply.type == kError && error) {
      out.code = error->code;
      out.message = error->message;
      EXPECT_EQ(error->target_id, target_id);
    }
    out.timers = at.running_timers() - timers;
    out.sent = at.sent.size() - sent;
    out.requests = at.requests.size();
    out.routes = at.routes.size();
    return out;
  }
};

// Many worlds, targets of each kind in any order, asked several times each: one answer only.
TEST_F(RelayEnumeration, sec_relay_no_enumeration) {
  std::map<std::string, std::set<Seen>> by_kind;
  std::set<Seen> all;
  std::size_t tries = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    one.random_state = seed;
    one.run();
    std::uint64_t state = seed;
    const auto any = [&](std::uint64_t most) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      return (state >> 33) % most;
    };
    std::uint64_t number = 0;
    std::vector<std::pair<std::string, std::string>> targets;  // kind, id
    const auto come = [&](std::uint32_t trust = ATLAS_TRUST_UNKNOWN) {
      ++number;
      const std::string address = "198." + std::to_string(100 + number / 256) + "." + std::to_string(number % 256);
      return one.connect_peer({.node_id = node_id(number), .address = address + ".7:4433", .trust = trust});
    };
    const auto announced = [&] {
      const auto peer = come();
      one.deliver(peer, relay::kAnnounce, relay::encode(relay::Announce{node_id(number), one.unix_seconds()}));
      return peer;
    };
    for (std::uint64_t i = 0; i < 3 + any(4); ++i) {
      targets.emplace_back("unknown", node_id(1'000'000 + seed * 100 + i));
      come();
      targets.emplace_back("connected, not announced", node_id(number));
      come(ATLAS_TRUST_RELAY);
      targets.emplace_back("connected through a relay", node_id(number));
      one.lose_peer(announced());
      targets.emplace_back("gone", node_id(number));
      one.peers.at(announced()).trust = ATLAS_TRUST_RELAY;
      targets.emplace_back("announced, refused by the core", node_id(number));
    }
    targets.emplace_back("this node itself", one.self.node_id);
    const auto asker = come();
    for (std::size_t i = 0; i < 4 * targets.size(); ++i) {
      const auto& [kind, id] = targets[any(targets.size())];
      const Seen seen = ask(one, asker, id);
      by_kind[kind].insert(seen);
      all.insert(seen);
      ++tries;
      if (any(3) == 0) one.advance(any(5'000));
    }
  }
  EXPECT_GT(tries, 3'000u);
  EXPECT_EQ(by_kind.size(), 6u);
  ASSERT_EQ(all.size(), 1u) << "answers can be told apart: " << testing::PrintToString(by_kind);
  EXPECT_EQ(all.begin()->code, 1u);
  EXPECT_EQ(all.begin()->message, "target not announced");
  EXPECT_EQ(all.begin()->delay_ms, 0u);
  EXPECT_EQ(all.begin()->sent + all.begin()->timers + all.begin()->requests + all.begin()->routes, 0u);
}

// Who may have no session here gets one answer too, before anybody looks for the target; each reason on its own.
TEST_F(RelayEnumeration, sec_relay_no_enumeration_by_who_is_refused) {
  const auto answers = [&](const std::string& cap, std::uint32_t trust, bool other_name) {
    FakeHost one(atlas_plugin_v1);
    one.node_keys = host.node_keys;
    if (!cap.empty()) one.config[cap] = std::int64_t{1};
    one.run();
    const auto come = [&](std::uint64_t number, bool announces, std::uint32_t its_trust = ATLAS_TRUST_UNKNOWN) {
      const std::string address = "198.51.100." + std::to_string(number) + ":4433";
      const auto peer = one.connect_peer({.node_id = node_id(number), .address = address, .trust = its_trust});
      if (!announces) return peer;
      one.deliver(peer, relay::kAnnounce, relay::encode(relay::Announce{node_id(number), one.unix_seconds()}));
      return peer;
    };
    come(2, true);
    come(3, true);
    come(4, false);
    const auto asker = come(1, false, trust);
    if (!cap.empty()) {
      EXPECT_EQ(ask(one, asker, node_id(2)).type, kReady);
    }
    if (other_name) one.peers.at(asker).node_id = node_id(5);
    std::set<Seen> out;
    for (int round = 0; round < 20; ++round, one.advance(700)) {
      for (const std::uint64_t target : {3, 4, 77}) {
        if (!other_name) {
          out.insert(ask(one, asker, node_id(target)));
          continue;
        }
        const auto reply =
            one.deliver(asker, relay::kConnect, relay::encode(relay::Connect{node_id(1), node_id(target)}));
        out.insert({.type = reply.type, .code = code(reply), .size = reply.body.size()});
      }
    }
    return out;
  };
  for (const char* cap : {"max_sessions", "sessions_per_node", "sessions_per_prefix"}) {
    const auto seen = answers(cap, ATLAS_TRUST_UNKNOWN, false);
    EXPECT_EQ(seen.size(), 1u) << cap;
    EXPECT_EQ(seen.begin()->code, 3u) << cap;
  }
  EXPECT_EQ(answers("", ATLAS_TRUST_RELAY, false).size(), 1u);
  EXPECT_EQ(answers("", ATLAS_TRUST_UNKNOWN, true).size(), 1u);
}

// A target at any of its own limits: one answer for all of them, so that nobody learns how busy it is with whom.
TEST_F(RelayEnumeration, sec_relay_no_enumeration_by_limits_of_a_target) {
  host.config["sessions_per_node"] = std::int64_t{8};
  host.run();
  std::set<Seen> seen;
  std::map<std::string, std::int64_t> reasons;
  const auto busy = [&](atlas_peer asker, std::uint64_t target_number) {
    const Seen one = ask(host, asker, node_id(target_number));
    EXPECT_EQ(one.code, 2u);
    seen.insert({one.type, one.code, one.message, one.size, one.delay_ms, one.timers, one.sent, one.requests, 0});
  };
  target(100);
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i, host.advance(5 * kSecond)) EXPECT_EQ(connect(agent(++number), 100).type, kReady);
  busy(agent(++number), 100);
  EXPECT_EQ(host.metric("refused_target_sessions"), 1);
  target(101);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(connect(agent(++number), 101).type, kReady);
  busy(agent(++number), 101);
  EXPECT_EQ(host.metric("refused_target_notices"), 1);
  target(102);
  const auto greedy = agent(++number);
  for (int i = 0; i < 5; ++i, host.advance(2 * kSecond)) EXPECT_EQ(connect(greedy, 102).type, kReady);
  busy(greedy, 102);
  EXPECT_EQ(host.metric("refused_target_share"), 1);
  target(103);
  const auto asker = agent(++number);
  host.request_status = ATLAS_E_FULL;
  busy(asker, 103);
  EXPECT_EQ(host.metric("refused_target_queue"), 1);
  EXPECT_EQ(seen.size(), 1u);
}

}  // namespace
}  // namespace relay_test
