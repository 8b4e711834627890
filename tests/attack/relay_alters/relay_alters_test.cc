// What a relay does to the packets that it forwards costs the agents no more than loss would: every message arrives
// once and whole, over the session that was there before, and nothing shows up that nobody sent.
#include <gtest/gtest.h>

#include <algorithm>

#include "attack/relay_alters/meddler.h"
#include "sim/relayed_nodes.h"

namespace atlas::attack {
namespace {

using sim::FleetNode;
using sim::RelayedNodes;

// Behind and ahead of the widths that replay windows have, and of the 256 gaps that the QUIC library remembers.
const std::vector<std::size_t> kEdges = {0,   1,   2,   31,  32,  33,  63,  64,  65,   127,  128,
                                         129, 255, 256, 257, 511, 512, 513, 767, 1023, 1024, 1025};

class RelayAlters : public testing::Test {
 protected:
  // What must not change while packets are tampered with.
  struct Calm {
    std::int64_t opened, closed, replaced, timed_out, violations, bans, accepted, dialled, guarded;
    bool operator==(const Calm&) const = default;
  };

  RelayAlters()
      : nodes(34),
        there(nodes.apart()),
        relay(there.relay),
        alice(there.alice),
        bob(there.bob),
        meddler(nodes.world(), relay.machine()) {
    EXPECT_EQ(nodes.connect(alice, bob).exit_code, 0);
    EXPECT_EQ(nodes.send(alice, bob, "before"), "");
    EXPECT_EQ(nodes.send(bob, alice, "before"), "");
    sent_to_bob = sent_to_alice = {"before"};
    nodes.world().run_for(10 * base::kSecond);  // the search for a direct path is over
    before = {calm(alice), calm(bob)};
  }

  Calm calm(FleetNode& node) {
    const auto status = node.status(nodes.world());
    const auto& c = status["counters"];
    const auto& q = status["connections"];
    return {c["sessions_opened"],   c["sessions_closed"],
            c["sessions_replaced"], c["exchanges_timed_out"],
            c["violations"],        c["bans"],
            q["accepted"],          q["dialled"],
            q["guarded_frames"]};
  }
  // A large message and small ones, both ways, while the relay meddles.
  void talk(std::size_t large) {
    for (const std::size_t size : {large, std::size_t{20}}) {
      sent_to_bob.push_back(nodes.random_text(size));
      EXPECT_EQ(nodes.send(alice, bob, sent_to_bob.back()), "") << size;
      sent_to_alice.push_back(nodes.random_text(20));
      EXPECT_EQ(nodes.send(bob, alice, sent_to_alice.back()), "");
      // The receiver's limits: 75 kB a second.
      nodes.world().run_for(size / 70'000 * base::kSecond);
    }
  }
  void expect_no_more_than_loss() {
    meddler.leave_off();
    nodes.world().run_for(5 * base::kSecond);  // what is still on its way
    EXPECT_TRUE(nodes.inbox(bob, alice) == sent_to_bob);
    EXPECT_TRUE(nodes.inbox(alice, bob) == sent_to_alice);
    for (FleetNode* node : {&alice, &bob}) {
      const auto& sent = node == &bob ? sent_to_bob : sent_to_alice;
      EXPECT_EQ(nodes.metric(*node, "atlas_messaging_received"), static_cast<std::int64_t>(sent.size()));
      EXPECT_EQ(nodes.metric(*node, "atlas_messaging_repeats"), 0);
      EXPECT_TRUE(calm(*node) == before[node == &bob]);
    }
    EXPECT_EQ(nodes.path(alice, bob).substr(0, 5), "relay");
    EXPECT_EQ(nodes.metric(relay, "atlas_relay_connects"), 1);
  }
  void with(const char* name, Meddler::Habit habit, std::size_t large) {
    SCOPED_TRACE(name);
    const auto count = [&] { return meddler.altered + meddler.kept_back + meddler.sent_besides; };
    const std::uint64_t so_far = count();
    meddler.take_up(std::move(habit));
    talk(large);
    expect_no_more_than_loss();
    EXPECT_GT(count() - so_far, 20u) << "the relay did next to nothing";
  }

  RelayedNodes nodes;
  RelayedNodes::Apart there;
  FleetNode &relay, &alice, &bob;
  Meddler meddler;
  std::vector<std::string> sent_to_bob, sent_to_alice;
  std::array<Calm, 2> before;
};

TEST_F(RelayAlters, FlippedBitsAreLossAndNoMore) {
  with("one bit of one in five", flips(5), 200'000);
  with("one bit of the header of one in five", flips(5, 21), 200'000);
  with("cut off and padded", cuts_and_pads(8), 200'000);
}

TEST_F(RelayAlters, DroppedAndDelayedPacketsAreLossAndNoMore) {
  with("one in five is dropped", drops(5), 200'000);
  with("eight at a time in reverse", all_of({repeats({200 * base::kMillisecond}), reverses(8)}), 200'000);
  with("sent back to where they came from", reflects(), 200'000);
}

// A34.
TEST_F(RelayAlters, sec_relay_replay_window) {
  with("each twice", repeats({0}), 200'000);
  with("each again after a while", repeats({50 * base::kMillisecond, base::kSecond, 3 * base::kSecond}), 200'000);
  with("each again at the edges of windows", replays(kEdges), 2'000'000);
  const std::vector<std::size_t> late(kEdges.begin() + 1, kEdges.end());
  with("overtaken by as many as a window is wide", holds(40, late), 2'000'000);
  with("all of it", all_of({flips(20), replays({1, 64, 256, 1024}), holds(40, {3, 30, 300}), drops(20)}), 500'000);
}

// The whole of a session again when it is over, its handshake included: nobody answers, and nothing begins anew.
TEST_F(RelayAlters, ASessionThatIsOverCannotBePlayedAgain) {
  talk(50'000);
  const auto recording = meddler.forwarded();
  ASSERT_GT(recording.size(), 60u);
  ASSERT_EQ(alice.run(nodes.world(), "disconnect", {{"target", bob.node_id()}}).exit_code, 0);
  for (const base::MonoNs later : {base::kSecond, 30 * base::kSecond}) {
    nodes.world().run_for(later);
    const std::array<Calm, 2> ended{calm(alice), calm(bob)};
    for (const auto& datagram : recording) meddler.send(datagram);
    nodes.world().run_for(20 * base::kSecond);
    for (FleetNode* node : {&alice, &bob}) {
      // A first packet is anybody's: it begins handshakes, which get nowhere and are forgotten.
      Calm later = calm(*node);
      EXPECT_LE(later.accepted - ended[node == &bob].accepted, 4);
      later.accepted = ended[node == &bob].accepted;
      EXPECT_TRUE(later == ended[node == &bob]);
      EXPECT_EQ(node->node().endpoint_counters().half_open, 0u);
    }
    EXPECT_EQ(nodes.path(bob, alice), "none");
  }
  EXPECT_TRUE(nodes.inbox(bob, alice) == sent_to_bob);
  // Nor does it get in the way of the next one.
  ASSERT_EQ(nodes.connect(alice, bob).exit_code, 0);
  for (const auto& datagram : recording) meddler.send(datagram);
  sent_to_bob.push_back("once more");
  EXPECT_EQ(nodes.send(alice, bob, sent_to_bob.back()), "");
  EXPECT_TRUE(nodes.inbox(bob, alice) == sent_to_bob);
  EXPECT_EQ(nodes.metric(bob, "atlas_messaging_repeats"), 0);
}

// Packets of one agent that a third one sends to the relay again are not forwarded, and are counted.
TEST_F(RelayAlters, WhatAThirdOnePlaysToTheRelayIsNotForwarded) {
  talk(50'000);
  const auto recording = meddler.forwarded();
  sim::SimNode& third = nodes.world().add_node("third");
  const auto socket = third.loop().open_udp({third.address(), 4433}, {}, {});
  ASSERT_TRUE(socket);
  for (const auto& datagram : recording) {
    const net::SendBatch batch{relay.address(), {}, 0, datagram.data, datagram.data.size()};
    EXPECT_EQ((*socket)->send({&batch, 1}), 1u);
  }
  nodes.world().run_for(base::kSecond);
  for (std::size_t i = recording.size(); i < meddler.forwarded().size(); ++i) {  // the agents' own, if any
    const auto& data = meddler.forwarded()[i].data;
    EXPECT_TRUE(std::ranges::none_of(recording, [&](const auto& old) { return old.data == data; }));
  }
  const auto status = relay.run(nodes.world(), "relay status").result;
  ASSERT_EQ(status["sessions"].size(), 1u);
  EXPECT_EQ(status["sessions"][0]["dropped"]["source"], recording.size());
  talk(20);
  expect_no_more_than_loss();
}

}  // namespace
}  // namespace atlas::attack
