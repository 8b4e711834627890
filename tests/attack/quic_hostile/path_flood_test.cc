// A04. PATH_CHALLENGE in any number, and packets that come from where the peer is not: what waits is bounded, nobody is
// sent more than three times what came from there before that address has answered (RFC 9000, sections 8.2 and 9.3),
// and those who are honest notice nothing. Bytes are counted on the wire.
#include <malloc.h>

#include <map>

#include "attack/quic_hostile/frames.h"
#include "attack/quic_hostile/hostile_test.h"
#include "quic/routes.h"
#include "unit/quic/raw_socket.h"

namespace atlas::quic {
namespace {

constexpr std::uint8_t kPathChallenge = 0x1a, kPing = 0x01;

base::Bytes challenges(std::size_t count, base::Random& random) {
  base::Bytes out;
  for (; count > 0; --count) {
    out.push_back(kPathChallenge);
    hostile::put_bytes(out, random, 8);
  }
  return out;
}

class PathFlood : public QuicHostile {
 protected:
  struct Bytes {
    std::uint64_t in = 0, out = 0, datagrams_in = 0, datagrams_out = 0;
    std::uint64_t largest_lead = 0;  // what was sent beyond three times what had come, at the worst moment
  };
  static constexpr std::uint64_t kFactor = 3;

  PathFlood() : third_node(world.add_node("third")) {
    world.on_passage([this](const sim::Passage& passage) {
      if (passage.to == &victim_node && passage.fate == sim::Fate::kDelivered) {
        wire[passage.source].in += passage.bytes;
        ++wire[passage.source].datagrams_in;
      }
      if (passage.from != &victim_node) return;
      Bytes& at = wire[passage.destination];
      at.out += passage.bytes;
      ++at.datagrams_out;
      if (at.out > kFactor * at.in) at.largest_lead = std::max(at.largest_lead, at.out - kFactor * at.in);
    });
  }
  // A socket of somebody who never asked for anything: it takes what comes and says nothing.
  std::unique_ptr<RawSocket> bystander(std::uint16_t port = 0) { return std::make_unique<RawSocket>(third_node, port); }
  static std::size_t in_use() { return mallinfo2().uordblks; }
  // How long an exchange of an honest peer takes now.
  base::MonoNs honest_exchange() {
    const base::MonoNs began = world.now();
    honest_peers_are_served();
    return world.now() - began;
  }

  sim::SimNode& third_node;
  std::map<net::SocketAddress, Bytes> wire;
};

// --- challenges ---

TEST_F(PathFlood, sec_quic_path_challenge_flood) {
  base::SeededRandom random(4);
  const base::MonoNs usual = honest_exchange();
  constexpr std::size_t kPackets = 800;  // in the credit that a new stream has
  std::ptrdiff_t grown = 0;
  for (int connection = 0; connection < 5; ++connection) {
    auto made = connected_peer();
    Connection& there = *victim->events.connected.back();
    std::size_t begin = 0;
    for (std::size_t i = 0; i < kPackets; ++i) {
      made->inject(challenges(base::limits::quic_path_challenges, random));
      if (i % 10 == 9) world.run_for(2 * base::kMillisecond);
      if (i == 200) begin = in_use();
    }
    ASSERT_TRUE(world.run_until([&] { return made->injected() == kPackets; }, 30 * base::kSecond));
    grown = std::max(grown, static_cast<std::ptrdiff_t>(in_use() - begin));
    EXPECT_LE(grown, 64 << 10) << "bytes more in use";
    const Bytes& bytes = wire.at(made->address());
    EXPECT_LE(bytes.datagrams_out, bytes.datagrams_in) << "no packet is answered with more than one";
    std::printf("%zu packets of challenges: %llu bytes in, %llu out, %td bytes more in use\n", made->injected(),
                static_cast<unsigned long long>(bytes.in), static_cast<unsigned long long>(bytes.out), grown);
    // The connection goes on as ever, and so do others.
    EXPECT_FALSE(made->over());
    there.write(there.open_stream().value(), base::Bytes(10'000, 'x'), true);
    EXPECT_TRUE(world.run_until([&] { return made->received() >= 10'000; }, 10 * base::kSecond));
    EXPECT_LE(honest_exchange(), 2 * usual);
  }
  for (const CloseInfo& info : victim->events.closed) EXPECT_NE(info.by, CloseInfo::By::kTransport);
}

TEST_F(PathFlood, sec_quic_path_challenge_flood_in_one_packet) {
  base::SeededRandom random(5);
  auto made = connected_peer();
  made->inject(challenges(base::limits::quic_path_challenges + 1, random));
  ASSERT_TRUE(world.run_until([&] { return !victim->events.closed.empty(); }, 5 * base::kSecond));
  EXPECT_EQ(victim->counters().guarded_frames, 1u);
  honest_peers_are_served();
}

// --- packets from elsewhere ---

// The peer asks for a megabyte and then shows the address of somebody else.
TEST_F(PathFlood, sec_quic_path_challenge_flood_by_spoofed_migration) {
  const base::MonoNs usual = honest_exchange();
  for (const bool with_challenges : {false, true}) {
    for (const std::size_t packets : {1u, 3u, 40u}) {
      base::SeededRandom random(packets);
      auto made = connected_peer();
      auto third = bystander();
      Connection& there = *victim->events.connected.back();
      const StreamId stream = there.open_stream().value();
      there.write(stream, base::Bytes(1'000'000, 'x'), true);
      world.run_for(3 * base::kMillisecond);
      made->leave_through(third->socket());
      for (std::size_t i = 0; i < packets; ++i) {
        if (with_challenges) {
          made->inject(challenges(base::limits::quic_path_challenges, random));
        } else {
          made->inject({kPing});
        }
        world.run_for(base::kMillisecond);
      }
      // Not even when it goes silent, and all timers of recovery run out.
      made->leave_through(nullptr);
      world.run_for(20 * base::kSecond);
      const Bytes& bytes = wire.at(third->address());
      EXPECT_GT(bytes.in, 0u);
      EXPECT_GT(bytes.out, 0u) << "it was not even asked whether it is there";
      EXPECT_EQ(bytes.largest_lead, 0u) << packets << ": " << bytes.out << " bytes out for " << bytes.in << " in";
      EXPECT_NE(there.remote(), third->address());
      EXPECT_TRUE(victim->events.paths.empty()) << "nobody was told of an address that did not answer";
      std::printf("%zu packets, challenges %d: %llu bytes in, %llu out, factor %.2f\n", packets, with_challenges,
                  static_cast<unsigned long long>(bytes.in), static_cast<unsigned long long>(bytes.out),
                  static_cast<double>(bytes.out) / static_cast<double>(bytes.in));
    }
  }
  EXPECT_LE(honest_exchange(), 2 * usual);
}

// A thousand addresses, one after the other and in turns: each has its own account, and nothing is kept of them.
TEST_F(PathFlood, sec_quic_path_challenge_flood_by_many_spoofed_addresses) {
  auto made = connected_peer();
  Connection& there = *victim->events.connected.back();
  const StreamId stream = there.open_stream().value();
  there.write(stream, base::Bytes(1'000'000, 'x'), true);
  std::vector<std::unique_ptr<RawSocket>> all;
  for (int i = 0; i < 1'000; ++i) all.push_back(bystander());
  std::size_t begin = 0;
  for (std::size_t round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < all.size() && !made->over(); ++i) {
      made->leave_through(all[round == 1 ? i % 7 : i]->socket());
      made->inject({kPing});
      if (i % 3 == 0) world.run_for(base::kMillisecond);
    }
    for (auto& socket : all) socket->received.clear();
    if (round == 0) begin = in_use();
  }
  world.run_for(20 * base::kSecond);
  for (auto& socket : all) socket->received = {};
  EXPECT_LE(in_use(), begin + (256u << 10));
  std::uint64_t in = 0, out = 0;
  for (const auto& socket : all) {
    const Bytes& bytes = wire[socket->address()];
    EXPECT_EQ(bytes.largest_lead, 0u) << bytes.out << " bytes out for " << bytes.in << " in";
    in += bytes.in;
    out += bytes.out;
  }
  EXPECT_GT(in, 10'000u);
  EXPECT_LE(out, kFactor * in);
  std::printf("1000 addresses: %llu bytes in, %llu out\n", static_cast<unsigned long long>(in),
              static_cast<unsigned long long>(out));
  honest_peers_are_served();
}

// After all that its own address is where a peer is reached, if it is honest from then on.
TEST_F(PathFlood, sec_quic_path_challenge_flood_then_honest) {
  auto made = connected_peer();
  auto third = bystander();
  for (int i = 0; i < 50; ++i) {
    made->leave_through(i % 2 == 0 ? third->socket() : nullptr);
    made->inject({kPing});
    world.run_for(base::kMillisecond);
  }
  made->leave_through(nullptr);
  world.run_for(base::kSecond);
  Connection& there = *victim->events.connected.back();
  there.write(there.open_stream().value(), base::Bytes(50'000, 'x'), true);
  EXPECT_TRUE(world.run_until([&] { return made->received() >= 50'000; }, 20 * base::kSecond));
  EXPECT_EQ(there.remote(), made->address());
  EXPECT_EQ(wire.at(third->address()).largest_lead, 0u);
}

// What this node forwards for an agent goes to where the agent was last validated: showing another address does not
// turn the flow of the other agent there.
TEST_F(PathFlood, sec_quic_path_challenge_flood_does_not_turn_routes) {
  auto greedy = connected_peer();
  Connection* greedy_here = victim->events.connected.back();
  auto other = connected_peer();
  Connection* other_here = victim->events.connected.back();
  auto third = bystander();
  const auto tally = std::make_shared<net::RouteTally>();
  RoutePair pair;
  pair.a = greedy_here;
  pair.b = other_here;
  pair.to_a.fill(0xa1);
  pair.to_b.fill(0xb2);
  pair.idle = 60 * base::kSecond;
  pair.tally = tally;
  ASSERT_TRUE(victim->endpoint->routes().add(std::move(pair)).has_value());
  base::Bytes packet(1'200, 0x40);
  std::fill_n(packet.begin() + 1, 8, 0xa1);
  for (int i = 0; i < 500; ++i) {
    greedy->leave_through(i % 5 == 4 ? nullptr : third->socket());
    if (i % 2 == 0) greedy->inject({kPing});
    other->send_raw(victim->address(), packet);
    if (i % 4 == 0) world.run_for(base::kMillisecond);
  }
  world.run_for(5 * base::kSecond);
  EXPECT_EQ(tally->datagrams[0], 500u);
  EXPECT_EQ(wire.at(third->address()).largest_lead, 0u);
  for (const RawSocket::Received& datagram : third->received) {
    EXPECT_FALSE(datagram.data.size() == packet.size() &&
                 std::equal(packet.begin(), packet.end(), datagram.data.begin()))
        << "a forwarded packet";
  }
}

// A28. The one place of QUIC where a peer names an address: a listener may prefer to be reached elsewhere. Nobody goes.
TEST_F(PathFlood, sec_relay_no_ssrf) {
  auto third = bystander(4433);
  auto listener = peer({.certificate = &certificate, .preferred = third->address()});
  Connection* here = victim->dial(listener->address());
  ASSERT_TRUE(world.run_until([&] { return listener->completed(); }, 5 * base::kSecond));
  const StreamId stream = here->open_stream().value();
  here->write(stream, base::Bytes(100'000, 'x'), true);
  ASSERT_TRUE(world.run_until([&] { return listener->received() == 100'000; }, 10 * base::kSecond));
  here->keep_alive(base::kSecond);
  world.run_for(60 * base::kSecond);
  EXPECT_EQ(wire[third->address()].out, 0u);
  EXPECT_EQ(here->remote(), listener->address());
  EXPECT_TRUE(victim->events.closed.empty());
}

}  // namespace
}  // namespace atlas::quic
