// What the simulated network does to datagrams.
#include "sim/sim_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace atlas::sim {
namespace {

using base::kMillisecond;
using base::kSecond;

// A socket that keeps what it gets.
struct Station {
  explicit Station(SimNode& at, std::uint16_t port = 4433) : node(at) {
    net::UdpEvents events;
    events.on_datagrams = [this](const net::ReceivedBatch& batch) {
      largest_batch = std::max(largest_batch, batch.data.size());
      for (std::size_t i = 0; i < batch.data.size(); i += batch.segment) {
        const auto one = batch.data.subspan(i, std::min(batch.segment, batch.data.size() - i));
        got.emplace_back(base::as_text(one));
        from = batch.remote;
        local = batch.local;
        ecn = batch.ecn;
        when.push_back(node.loop().clock().mono_ns());
      }
    };
    events.on_turn_end = [this] { ++turns; };
    socket = *node.loop().open_udp({at.address().is_v4() ? net::IpAddress::v4({}) : net::IpAddress::v6({}), port}, {},
                                   std::move(events));
  }

  void send(const net::SocketAddress& to, std::string_view data, std::size_t segment = 0, std::uint8_t ecn = 0) {
    const net::SendBatch batch{.remote = to, .local = {}, .ecn = ecn, .data = base::as_bytes(data), .segment = segment};
    EXPECT_EQ(socket->send({&batch, 1}), 1u);
  }

  SimNode& node;
  std::unique_ptr<net::UdpSocket> socket;
  std::vector<std::string> got;
  std::vector<base::MonoNs> when;
  net::SocketAddress from, local;
  std::uint8_t ecn = 0;
  std::size_t turns = 0, largest_batch = 0;
};

net::IpAddress ip(const char* text) {
  return *net::IpAddress::parse(text);
}

TEST(SimWorld, DatagramArrivesAfterTheLatency) {
  SimWorld world(1);
  world.set_default_link({.latency = 25 * kMillisecond});
  Station a(world.add_node("a")), b(world.add_node("b"));
  const base::MonoNs start = world.now();
  a.send(b.node.at(4433), "hello", 0, 2);
  world.run_for(24 * kMillisecond);
  EXPECT_TRUE(b.got.empty());
  world.run_for(kMillisecond);
  ASSERT_EQ(b.got, std::vector<std::string>{"hello"});
  EXPECT_EQ(b.when[0], start + 25 * kMillisecond);
  EXPECT_EQ(b.from, a.node.at(4433));
  EXPECT_EQ(b.local, b.node.at(4433));
  EXPECT_EQ(b.ecn, 2);
  EXPECT_EQ(world.count(Fate::kDelivered), 1u);
}

TEST(SimWorld, BatchTravelsWholeAndMakesOneTurn) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  const std::string data(1200 * 9 + 17, 'x');
  a.send(b.node.at(4433), data, 1200);
  a.send(b.node.at(4433), "tail");
  world.run_for(kSecond);
  ASSERT_EQ(b.got.size(), 11u);
  EXPECT_EQ(b.got[9].size(), 17u);
  EXPECT_EQ(b.got[10], "tail");
  EXPECT_EQ(b.largest_batch, data.size());
  EXPECT_EQ(b.turns, 1u);
  EXPECT_EQ(b.socket->counters().received_datagrams, 11u);
  EXPECT_EQ(a.socket->counters().sent_bytes, data.size() + 4);
}

TEST(SimWorld, LossesAreThoseOfThePolicyAndRepeatForASeed) {
  const auto lost = [](std::uint64_t seed, double drop) {
    SimWorld world(seed);
    world.set_default_link({.drop = drop});
    Station a(world.add_node("a")), b(world.add_node("b"));
    for (int i = 0; i < 10'000; ++i) a.send(b.node.at(4433), "0123456789");
    world.run_for(kSecond);
    EXPECT_EQ(b.got.size() + world.count(Fate::kLost), 10'000u);
    return world.count(Fate::kLost);
  };
  EXPECT_EQ(lost(1, 0), 0u);
  EXPECT_EQ(lost(1, 1), 10'000u);
  const auto tenth = lost(7, 0.1);
  EXPECT_GT(tenth, 850u);  // five standard deviations
  EXPECT_LT(tenth, 1150u);
  EXPECT_EQ(lost(7, 0.1), tenth);
  EXPECT_NE(lost(8, 0.1), tenth);
}

TEST(SimWorld, LossInsideABatchLeavesTheOthersWhole) {
  SimWorld world(3);
  world.set_default_link({.drop = 0.5});
  Station a(world.add_node("a")), b(world.add_node("b"));
  std::string data;
  for (char c = 'a'; c <= 'z'; ++c) data += std::string(100, c);
  a.send(b.node.at(4433), data, 100);
  world.run_for(kSecond);
  EXPECT_LT(b.got.size(), 26u);
  EXPECT_GT(b.got.size(), 0u);
  for (const std::string& one : b.got) EXPECT_EQ(one, std::string(100, one[0]));
}

TEST(SimWorld, DuplicatesReordersAndCorrupts) {
  SimWorld world(5);
  Station a(world.add_node("a")), b(world.add_node("b"));
  const auto run = [&](const LinkPolicy& policy) {
    world.set_link(a.node, b.node, policy);
    b.got.clear();
    for (char c = 'a'; c <= 'z'; ++c) {
      const std::string text(3, c);
      a.send(b.node.at(4433), text);
    }
    world.run_for(kSecond);
  };
  run({.duplicate = 1});
  EXPECT_EQ(b.got.size(), 52u);
  run({.reorder = 0.3});
  EXPECT_EQ(b.got.size(), 26u);
  EXPECT_FALSE(std::is_sorted(b.got.begin(), b.got.end()));
  run({.jitter = 20 * kMillisecond});
  EXPECT_TRUE(std::is_sorted(b.got.begin(), b.got.end())) << "jitter alone keeps the order";
  run({.corrupt = 1});
  ASSERT_EQ(b.got.size(), 26u);
  for (std::size_t i = 0; i < 26; ++i) {
    int bits = 0;
    for (const char byte : b.got[i]) bits += __builtin_popcount(static_cast<unsigned char>(byte ^ ('a' + i)));
    EXPECT_EQ(bits, 1);
  }
}

TEST(SimWorld, LimitedLinkDelaysAndThenLoses) {
  SimWorld world(1);
  world.set_default_link({.latency = 0, .bytes_per_second = 100'000, .queue_bytes = 10'000});
  Station a(world.add_node("a")), b(world.add_node("b"));
  const std::string kilobyte(972, 'x');  // 1 000 with headers
  const base::MonoNs start = world.now();
  for (int i = 0; i < 50; ++i) a.send(b.node.at(4433), kilobyte);
  world.run_for(10 * kSecond);
  EXPECT_EQ(b.got.size(), 11u);
  EXPECT_EQ(b.when.back(), start + 110 * kMillisecond);
  EXPECT_EQ(world.count(Fate::kQueueFull), 39u);
}

TEST(SimWorld, DatagramsAboveTheMtuVanish) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  a.send(b.node.at(4433), std::string(1473, 'x'));
  a.send(b.node.at(4433), std::string(1472, 'x'));
  a.send(b.node.at(4433), std::string(65508, 'x'));
  world.run_for(kSecond);
  EXPECT_EQ(b.got.size(), 1u);
  EXPECT_EQ(world.count(Fate::kTooLarge), 1u);
  EXPECT_EQ(a.socket->counters().oversize, 1u);
}

TEST(SimWorld, PartitionStopsWhatIsOnItsWayAndHealLetsPass) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b")), c(world.add_node("c")), d(world.add_node("d"));
  a.send(b.node.at(4433), "on its way");
  world.partition({{&a.node, &c.node}, {&b.node}});
  a.send(b.node.at(4433), "cut");
  a.send(c.node.at(4433), "same side");
  a.send(d.node.at(4433), "in no group");
  world.run_for(kSecond);
  EXPECT_TRUE(b.got.empty());
  EXPECT_TRUE(d.got.empty());
  EXPECT_EQ(c.got.size(), 1u);
  EXPECT_EQ(world.count(Fate::kPartitioned), 3u);
  world.heal();
  a.send(b.node.at(4433), "again");
  world.run_for(kSecond);
  EXPECT_EQ(b.got, std::vector<std::string>{"again"});

  world.cut(a.node, b.node);
  b.send(a.node.at(4433), "x");
  b.send(c.node.at(4433), "x");
  world.run_for(kSecond);
  EXPECT_TRUE(a.got.empty());
  EXPECT_EQ(c.got.size(), 2u);
}

TEST(SimWorld, NodeThatIsDownHearsAndSaysNothing) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  b.node.set_up(false);
  a.send(b.node.at(4433), "x");
  b.send(a.node.at(4433), "x");
  world.run_for(kSecond);
  EXPECT_TRUE(a.got.empty());
  EXPECT_TRUE(b.got.empty());
  b.node.set_up(true);
  a.send(b.node.at(4433), "x");
  world.run_for(kSecond);
  EXPECT_EQ(b.got.size(), 1u);
}

TEST(SimWorld, NobodyThereIsCounted) {
  SimWorld world(1);
  Station a(world.add_node("a"));
  SimNode& b = world.add_node("b");
  a.send(b.at(9), "closed port");
  a.send(*net::SocketAddress::parse("8.8.8.8:1"), "nobody's address");
  world.run_for(kSecond);
  EXPECT_EQ(world.count(Fate::kNoPort), 1u);
  EXPECT_EQ(world.count(Fate::kNoRoute), 1u);
}

TEST(SimWorld, EmptyDatagramsStopAtTheSocket) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  a.send(b.node.at(4433), "");
  world.run_for(kSecond);
  EXPECT_TRUE(b.got.empty());
  EXPECT_EQ(b.socket->counters().received_empty, 1u);
}

TEST(SimWorld, LoopbackStaysInTheNode) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  a.send(*net::SocketAddress::parse("127.0.0.1:4433"), "self");
  world.run_for(kSecond);
  EXPECT_EQ(a.got.size(), 1u);
  EXPECT_TRUE(b.got.empty());
}

TEST(SimWorld, BothFamilies) {
  SimWorld world(1);
  SimNode& dual = world.add_node("dual", {ip("20.1.0.1"), ip("2a00::1")});
  Station a(world.add_node("a", {ip("2a00::2")}));
  auto v6 = *dual.loop().open_udp(*net::SocketAddress::parse("[::]:1"), {}, {});
  const std::string text = "x";
  const net::SendBatch batch{.remote = a.node.at(4433), .local = {}, .data = base::as_bytes(text), .segment = 0};
  EXPECT_EQ(v6->send({&batch, 1}), 1u);
  world.run_for(kSecond);
  EXPECT_EQ(a.from.text(), "[2a00::1]:1");
}

TEST(SimWorld, NatHidesAndFilters) {
  SimWorld world(1);
  Nat& nat = world.add_nat(ip("30.0.0.1"));
  Station inside(world.add_node("inside", {ip("10.0.0.2")}, &nat)), server(world.add_node("server")),
      stranger(world.add_node("stranger"));
  inside.send(server.node.at(4433), "out");
  world.run_for(kSecond);
  ASSERT_EQ(server.got.size(), 1u);
  const net::SocketAddress seen = server.from;
  EXPECT_EQ(seen.ip, nat.outside());
  server.send(seen, "answer");
  stranger.send(seen, "unasked");
  stranger.send({ip("10.0.0.2"), 4433}, "private address from outside");
  world.run_for(kSecond);
  EXPECT_EQ(inside.got, std::vector<std::string>{"answer"});
  EXPECT_EQ(inside.from, server.node.at(4433));
  EXPECT_EQ(inside.local.ip, ip("10.0.0.2"));
  EXPECT_EQ(world.count(Fate::kFiltered), 1u);
  EXPECT_EQ(world.count(Fate::kNoRoute), 1u);
}

TEST(SimWorld, HolesArePunchedThroughTwoNats) {
  SimWorld world(1);
  Nat &left = world.add_nat(ip("30.0.0.1")), &right = world.add_nat(ip("30.0.0.2"));
  Station a(world.add_node("a", {ip("10.0.0.2")}, &left)), b(world.add_node("b", {ip("10.0.0.2")}, &right));
  Station server(world.add_node("server"));
  a.send(server.node.at(4433), "x");
  world.run_for(kSecond);
  const auto a_outside = server.from;
  b.send(server.node.at(4433), "x");
  world.run_for(kSecond);
  const auto b_outside = server.from;
  a.send(b_outside, "1");
  b.send(a_outside, "2");
  world.run_for(kSecond);
  EXPECT_EQ(a.got, std::vector<std::string>{"2"});
  EXPECT_EQ(b.got, std::vector<std::string>{"1"});
}

TEST(SimWorld, NodesBehindOneNatReachEachOtherBothWays) {
  SimWorld world(1);
  Nat& nat = world.add_nat(ip("30.0.0.1"), {.filter = NatPolicy::Filter::kNone});
  Station a(world.add_node("a", {ip("10.0.0.2")}, &nat)), b(world.add_node("b", {ip("10.0.0.3")}, &nat));
  Station server(world.add_node("server"));
  a.send(b.node.at(4433), "direct");
  b.send(server.node.at(4433), "x");
  world.run_for(kSecond);
  a.send(server.from, "hairpin");
  world.run_for(kSecond);
  EXPECT_EQ(b.got, (std::vector<std::string>{"direct", "hairpin"}));
  EXPECT_EQ(b.from.ip, nat.outside());
  nat.policy().hairpin = false;
  a.send(server.from, "no more");
  world.run_for(kSecond);
  EXPECT_EQ(b.got.size(), 2u);
}

TEST(SimWorld, ANatBehindANat) {
  SimWorld world(1);
  Nat& carrier = world.add_nat(ip("30.0.0.1"), {.filter = NatPolicy::Filter::kNone});
  Nat &left = world.add_nat(ip("100.64.0.1"), {.filter = NatPolicy::Filter::kNone}, &carrier),
      &right = world.add_nat(ip("100.64.0.2"), {.filter = NatPolicy::Filter::kNone}, &carrier);
  Station a(world.add_node("a", {ip("10.0.0.2")}, &left)), b(world.add_node("b", {ip("10.0.0.2")}, &right));
  Station server(world.add_node("server"));
  b.send(server.node.at(4433), "out");
  world.run_for(kSecond);
  const auto b_outside = server.from;
  EXPECT_EQ(b_outside.ip, carrier.outside());
  server.send(b_outside, "in");
  a.send(b_outside, "round");
  world.run_for(kSecond);
  EXPECT_EQ(b.got, (std::vector<std::string>{"in", "round"}));
  EXPECT_EQ(b.from.ip, carrier.outside());
  // What the neighbour's NAT shows inside the carrier's network leads there without the carrier's.
  a.send({right.outside(), 20000}, "near");
  world.run_for(kSecond);
  EXPECT_EQ(b.got.back(), "near");
  EXPECT_EQ(b.from.ip, left.outside());
  carrier.policy().hairpin = false;
  a.send(b_outside, "no more");
  right.rebind();
  server.send(b_outside, "nobody's");
  world.run_for(kSecond);
  EXPECT_EQ(b.got.size(), 3u);
}

TEST(SimWorld, SomebodyOnTheWayAltersKeepsBackAndSendsAgain) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  std::vector<InTransit> seen;
  world.on_departure([&](InTransit& datagram) {
    seen.push_back(datagram);
    if (seen.size() == 2) return false;
    if (seen.size() == 3) datagram.data[0] ^= 0x20;
    if (seen.size() == 4) datagram.data.push_back('!');
    return true;
  });
  a.send(b.node.at(4433), "aaabbbcccddd", 3);
  world.run_for(kSecond);
  std::ranges::sort(b.got);
  EXPECT_EQ(b.got, (std::vector<std::string>{"Ccc", "aaa", "ddd!"}));
  ASSERT_EQ(seen.size(), 4u);
  EXPECT_EQ(seen[1].from, &a.node);
  EXPECT_EQ(seen[1].to, &b.node);
  const base::MonoNs began = world.now();
  world.inject(seen[1], 5 * kMillisecond);
  world.run_for(kSecond);
  EXPECT_EQ(seen.size(), 4u);
  EXPECT_EQ(b.got.back(), "bbb");
  EXPECT_EQ(b.when.back(), began + 5 * kMillisecond);
  EXPECT_EQ(b.from, a.node.at(4433));
  EXPECT_EQ(world.count(Fate::kLost), 1u);
}

TEST(SimWorld, RebindChangesHowANodeIsSeen) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  a.send(b.node.at(4433), "x");
  world.run_for(kSecond);
  EXPECT_EQ(b.from, a.node.at(4433));
  world.rebind(a.node);
  a.send(b.node.at(4433), "y");
  world.run_for(kSecond);
  EXPECT_EQ(b.from.ip, a.node.address());
  EXPECT_NE(b.from.port, 4433);
  b.send(b.from, "answer");
  b.send(a.node.at(4433), "to the old port");
  world.run_for(kSecond);
  EXPECT_EQ(a.got, std::vector<std::string>{"answer"});

  world.rebind(a.node, ip("30.0.0.7"));
  a.send(b.node.at(4433), "z");
  world.run_for(kSecond);
  EXPECT_EQ(b.from.ip, ip("30.0.0.7"));
  EXPECT_EQ(b.got, (std::vector<std::string>{"x", "y", "z"}));
}

TEST(SimWorld, SocketMayGoWhileDatagramsAreOnTheirWay) {
  SimWorld world(1);
  Station a(world.add_node("a"));
  auto b = std::make_unique<Station>(world.add_node("b"));
  const net::SocketAddress to = b->node.at(4433);
  a.send(to, "x");
  b.reset();
  world.run_for(kSecond);
  EXPECT_EQ(world.count(Fate::kNoPort), 1u);
}

TEST(SimWorld, RunUntilStopsWhenDone) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  a.send(b.node.at(4433), "x");
  const base::MonoNs start = world.now();
  EXPECT_TRUE(world.run_until([&] { return !b.got.empty(); }, kSecond));
  EXPECT_EQ(world.now(), start + 10 * kMillisecond);
  EXPECT_FALSE(world.run_until([&] { return b.got.size() > 1; }, kSecond));
  EXPECT_EQ(world.now(), start + 1010 * kMillisecond);
}

// Fifty nodes that keep each other alive for an hour, each with its own timer and randomness.
std::uint64_t keepalive_hour(std::uint64_t seed, std::uint64_t* delivered = nullptr) {
  SimWorld world(seed);
  world.set_default_link({.jitter = 3 * kMillisecond, .drop = 0.01, .duplicate = 0.01, .reorder = 0.01});
  std::vector<std::unique_ptr<Station>> stations;
  std::vector<std::unique_ptr<net::Timer>> timers(50);
  for (std::size_t i = 0; i < 50; ++i) {
    stations.push_back(std::make_unique<Station>(world.add_node("n" + std::to_string(i))));
    Station& self = *stations.back();
    timers[i] = self.node.loop().make_timer([&world, &self, &timer = timers[i]] {
      for (int peer = 0; peer < 4; ++peer) {
        SimNode& to = world.node(self.node.random().below(world.size()));
        self.send(to.at(4433), "keep alive, forty bytes of it, or so many");
      }
      timer->arm(world.now() + 15 * kSecond + self.node.random().below(kSecond));
    });
    timers[i]->arm(world.now() + self.node.random().below(15 * kSecond));
  }
  world.run_for(3600 * kSecond);
  if (delivered != nullptr) *delivered = world.count(Fate::kDelivered);
  return world.history();
}

TEST(SimWorld, SameSeedSameHistory) {
  std::uint64_t delivered = 0;
  const std::uint64_t first = keepalive_hour(42, &delivered);
  EXPECT_GT(delivered, 40'000u);
  EXPECT_EQ(keepalive_hour(42), first);
  EXPECT_NE(keepalive_hour(43), first);
}

TEST(SimWorld, TrafficElsewhereDoesNotChangeALink) {
  const auto arrivals = [](bool noise) {
    SimWorld world(9);
    world.set_default_link({.jitter = kMillisecond, .drop = 0.3});
    Station a(world.add_node("a")), b(world.add_node("b")), c(world.add_node("c"));
    for (int i = 0; i < 100; ++i) {
      if (noise) c.send(b.node.at(9), "noise");
      a.send(b.node.at(4433), std::to_string(i));
    }
    world.run_for(kSecond);
    return b.when;
  };
  EXPECT_EQ(arrivals(false), arrivals(true));
}

TEST(SimWorld, PassagesTellTheFlow) {
  SimWorld world(1);
  Station a(world.add_node("a")), b(world.add_node("b"));
  std::string flow;
  world.on_passage([&](const Passage& passage) {
    flow += passage.from->name() + ">" + (passage.to == nullptr ? "?" : passage.to->name()) + ":" +
            std::to_string(passage.bytes) + ":" + text(passage.fate) + " ";
  });
  a.send(b.node.at(4433), "aabbc", 2);
  b.send(*net::SocketAddress::parse("8.8.8.8:1"), "x");
  world.run_for(kSecond);
  EXPECT_EQ(flow, "b>?:1:no route a>b:2:delivered a>b:2:delivered a>b:1:delivered ");
}

}  // namespace
}  // namespace atlas::sim
