// Peers that finish the handshake and then misbehave, in both roles. The node's side must refuse frames out of place,
// and go on serving others, whatever comes.
#include <gtest/gtest.h>

#include <cstdlib>

#include "attack/quic_hostile/frames.h"
#include "attack/quic_hostile/hostile_test.h"

namespace atlas::quic {
namespace {

// More for a longer run: ATLAS_HOSTILE_ROUNDS=10000.
std::uint64_t rounds(std::uint64_t usual) {
  const char* asked = std::getenv("ATLAS_HOSTILE_ROUNDS");
  return asked == nullptr ? usual : std::strtoull(asked, nullptr, 10);
}

TEST_F(QuicHostile, AnHonestOneIsServed) {
  auto made = connected_peer();
  made->send(100'000);
  EXPECT_TRUE(world.run_until([&] { return made->received() == 100'000; }, 10 * base::kSecond));
  honest_peers_are_served();
}

// --- who is let in ---

TEST_F(QuicHostile, WithoutACertificateItIsRefused) {
  auto made = peer({});
  made->dial(victim->address());
  ASSERT_TRUE(world.run_until([&] { return made->over(); }, 5 * base::kSecond));
  EXPECT_TRUE(made->completed()) << "a dialler hears of it only after its own side is done";
  ASSERT_TRUE(made->closed().has_value());
  EXPECT_EQ(made->closed()->code, 0x174u);  // certificate_required
  EXPECT_TRUE(victim->events.connected.empty());
}

TEST_F(QuicHostile, WithAKeyOfAnotherKindItIsRefused) {
  for (const auto kind : {Certificate::Kind::kEcdsaP256, Certificate::Kind::kRsa2048, Certificate::Kind::kEd448}) {
    Certificate wrong(kind);
    auto made = peer({.certificate = &wrong});
    made->dial(victim->address());
    ASSERT_TRUE(world.run_until([&] { return made->over(); }, 5 * base::kSecond));
    EXPECT_TRUE(made->closed().has_value());
    auto listener = peer({.certificate = &wrong});
    victim->dial(listener->address());
    const std::size_t before = victim->events.closed.size();
    ASSERT_TRUE(world.run_until([&] { return victim->events.closed.size() > before; }, 15 * base::kSecond));
  }
  EXPECT_TRUE(victim->events.connected.empty());
  honest_peers_are_served();
}

TEST_F(QuicHostile, WithAnotherProtocolItIsRefused) {
  auto made = peer({.certificate = &certificate, .alpn = "other/1"});
  made->dial(victim->address());
  ASSERT_TRUE(world.run_until([&] { return made->over(); }, 5 * base::kSecond));
  EXPECT_EQ(made->closed()->code, 0x178u);  // no_application_protocol
  auto listener = peer({.certificate = &certificate, .alpn = "other/1"});
  victim->dial(listener->address());
  ASSERT_TRUE(world.run_until([&] { return !victim->events.closed.empty(); }, 15 * base::kSecond));
  EXPECT_EQ(victim->events.closed[0].by, CloseInfo::By::kTransport);
  EXPECT_EQ(victim->events.closed[0].code, 0x178u);
  EXPECT_TRUE(victim->events.connected.empty());
}

TEST_F(QuicHostile, ItIsTheKeyItHasNotTheOneItNames) {
  const identity::NodeKey claimed = key_of(42);
  Certificate forged(Certificate::Kind::kEd25519, hostile::subject_key_info(claimed.public_key()));
  auto made = peer({.certificate = &forged});
  made->dial(victim->address());
  ASSERT_TRUE(world.run_until([&] { return victim->events.connected.size() == 1; }, 5 * base::kSecond));
  EXPECT_EQ(victim->events.connected[0]->peer_key(), forged.public_key());
  auto listener = peer({.certificate = &forged});
  victim->dial(listener->address(), claimed.node_id());
  ASSERT_TRUE(world.run_until([&] { return !victim->events.closed.empty(); }, 5 * base::kSecond));
  EXPECT_EQ(victim->events.closed[0].by, CloseInfo::By::kIdentity);
  EXPECT_EQ(victim->events.connected.size(), 1u);
}

TEST_F(QuicHostile, AFirstPacketWithoutTheBeginningOfTheHelloKeepsNothing) {
  // CRYPTO at offset 700: nothing can be done with it yet.
  base::Bytes frames = {0x06, 0x42, 0xbc, 0x04, 1, 2, 3, 4};
  auto made = peer({.certificate = &certificate, .first = frames});
  made->dial(victim->address());
  world.run_for(base::kSecond);
  EXPECT_EQ(victim->counters().retry_sent, 1u);
  ASSERT_TRUE(world.run_until([&] { return made->completed(); }, 5 * base::kSecond)) << "the Retry is taken up";
  EXPECT_EQ(victim->counters().accepted, 2u);
  EXPECT_EQ(victim->counters().connections, 1u);
}

// Streams are given back with their answers, before those are acknowledged; whoever acknowledges nothing comes to twice
// the limit and no further.
TEST_F(QuicHostile, StreamsAheadOfTheirAcknowledgementAreBounded) {
  auto made = connected_peer();
  world.set_default_link({.latency = 500 * base::kMillisecond});  // no answer arrives while it asks
  const std::size_t limit = victim->protocol.max_streams;
  constexpr std::size_t kInAPacket = 10;
  for (std::size_t first = 0; first < 3 * limit; first += kInAPacket) {
    base::Bytes frames;
    for (std::size_t i = first; i < first + kInAPacket; ++i) {
      frames.push_back(0x0b);  // STREAM with a length and FIN
      hostile::put_varint(frames, 4 * i);
      frames.insert(frames.end(), {1, 'x'});
    }
    made->inject(frames);
    world.run_for(base::kMillisecond);
  }
  ASSERT_TRUE(world.run_until([&] { return !victim->events.closed.empty(); }, 5 * base::kSecond));
  EXPECT_EQ(victim->events.closed[0].by, CloseInfo::By::kTransport);
  EXPECT_EQ(victim->events.closed[0].code, 0x04u);  // STREAM_LIMIT_ERROR
  EXPECT_EQ(victim->events.streams.size(), 2 * limit);
  world.set_default_link({.latency = base::kMillisecond});
  honest_peers_are_served();
}

// --- keys ---

TEST_F(QuicHostile, KeysMayBeUpdatedAsOftenAsThePeerLikes) {
  auto made = connected_peer();
  std::size_t sent = 0;
  for (int i = 0; i < 10; ++i) {
    made->send(20'000);
    sent += 20'000;
    ASSERT_TRUE(world.run_until([&] { return made->received() == sent; }, 5 * base::kSecond)) << i;
    world.run_for(5 * base::kSecond);  // the library wants some time between updates, and a packet after it
    made->send(1);
    ++sent;
    world.run_for(base::kSecond);
    ASSERT_TRUE(made->update_keys()) << i;
  }
  EXPECT_TRUE(victim->events.closed.empty());
}

TEST_F(QuicHostile, KeysRestWhenThereIsRoomForOneOnly) {
  PacketKeys keys(1);
  {
    auto made = peer({.certificate = &certificate, .keys = &keys});
    made->dial(victim->address());
    ASSERT_TRUE(world.run_until([&] { return made->completed(); }, 5 * base::kSecond));
    made->send(200'000);
    ASSERT_TRUE(world.run_until([&] { return made->received() == 200'000; }, 10 * base::kSecond));
    ASSERT_TRUE(made->update_keys());
    made->send(200'000);
    ASSERT_TRUE(world.run_until([&] { return made->received() == 400'000; }, 10 * base::kSecond));
    EXPECT_EQ(keys.alive(), 1u);
  }
  EXPECT_EQ(keys.alive(), 0u);
}

// --- frames out of place ---

TEST_F(QuicHostile, EveryKindOfFrameOnItsOwn) {
  base::SeededRandom random(1);
  for (std::uint64_t type = 0; type <= 0x1e; ++type) {
    for (int i = 0; i < 6; ++i) {
      auto made = connected_peer();
      for (int repeat = 0; repeat < 4; ++repeat) {
        base::Bytes frame;
        hostile::put_frame(frame, random, type);
        made->inject(frame);
        if (repeat == 2) made->inject(std::move(frame));  // and the same again
      }
      world.run_for(50 * base::kMillisecond);
      EXPECT_GT(made->injected(), 0u);
    }
  }
  honest_peers_are_served();
}

TEST_F(QuicHostile, EveryKindOfFrameTooEarly) {
  base::SeededRandom random(2);
  for (std::uint64_t type = 0; type <= 0x1e; ++type) {
    for (int i = 0; i < 6; ++i) {
      auto listener = peer({.certificate = &certificate, .early = true});
      for (int repeat = 0; repeat < 3; ++repeat) {
        base::Bytes frame;
        hostile::put_frame(frame, random, type);
        listener->inject(std::move(frame));
      }
      victim->dial(listener->address());
      world.run_for(100 * base::kMillisecond);
      EXPECT_GT(listener->injected(), 0u);
    }
  }
  EXPECT_GT(victim->counters().stripped_datagrams, 100u);
  honest_peers_are_served();
}

TEST_F(QuicHostile, ConnectionIdsOutOfPlaceCloseTheConnection) {
  base::SeededRandom random(3);
  for (int i = 0; i < 100; ++i) {
    const std::size_t before = victim->events.closed.size();
    auto made = connected_peer();
    for (int repeat = 0; repeat < 8; ++repeat) {
      base::Bytes frames;
      for (std::uint64_t count = 1 + random.below(3); count > 0; --count) {
        frames.push_back(0x18);
        frames.push_back(static_cast<std::uint8_t>(random.below(12)));
        frames.push_back(static_cast<std::uint8_t>(random.below(12)));
        frames.push_back(8);
        hostile::put_bytes(frames, random, 8 + 16);
      }
      made->inject(std::move(frames));
    }
    ASSERT_TRUE(world.run_until([&] { return victim->events.closed.size() > before; }, 5 * base::kSecond));
    EXPECT_EQ(victim->events.closed.back().by, CloseInfo::By::kTransport);
  }
  EXPECT_GT(victim->counters().guarded_frames, 50u);
  honest_peers_are_served();
}

// Its library has given as many as it may, numbers 0 to 3; that much is served.
TEST_F(QuicHostile, MoreConnectionIdsThanWereOfferedCloseTheConnection) {
  base::SeededRandom random(4);
  auto made = connected_peer();
  world.run_for(base::kSecond);
  ASSERT_TRUE(victim->events.closed.empty());
  base::Bytes frame = {0x18, static_cast<std::uint8_t>(base::limits::quic_active_connection_ids), 0, 8};
  hostile::put_bytes(frame, random, 8 + 16);
  made->inject(std::move(frame));
  ASSERT_TRUE(world.run_until([&] { return !victim->events.closed.empty(); }, 5 * base::kSecond));
  EXPECT_EQ(victim->events.closed.back().code, std::uint64_t{NGTCP2_CONNECTION_ID_LIMIT_ERROR});
  honest_peers_are_served();
}

TEST_F(QuicHostile, RandomFramesToAListener) {
  for (std::uint64_t seed = 0; seed < rounds(400); ++seed) {
    base::SeededRandom random(seed);
    auto made = connected_peer();
    for (int i = 0; i < 12 && !made->over(); ++i) {
      made->inject(hostile::any_frames(random, 550));
      if (random.below(3) == 0) world.run_for(2 * base::kMillisecond);
    }
    world.run_for(20 * base::kMillisecond);
  }
  honest_peers_are_served();
}

TEST_F(QuicHostile, RandomFramesToADialler) {
  for (std::uint64_t seed = 0; seed < rounds(400); ++seed) {
    base::SeededRandom random(seed + 1'000'000);
    auto listener = peer({.certificate = &certificate, .early = seed % 2 == 0});
    for (std::uint64_t early = random.below(4); early > 0; --early) {
      listener->inject(hostile::any_frames(random, 550));
    }
    victim->dial(listener->address());
    world.run_until([&] { return listener->completed(); }, 50 * base::kMillisecond);
    for (int i = 0; i < 12 && !listener->over(); ++i) {
      listener->inject(hostile::any_frames(random, 550));
      if (random.below(3) == 0) world.run_for(2 * base::kMillisecond);
    }
    world.run_for(20 * base::kMillisecond);
  }
  honest_peers_are_served();
}

TEST_F(QuicHostile, NothingIsLeftOfThem) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::SeededRandom random(seed + 2'000'000);
    auto made = connected_peer();
    for (int i = 0; i < 10 && !made->over(); ++i) made->inject(hostile::any_frames(random, 550));
    world.run_for(5 * base::kMillisecond);
  }
  world.run_for(400 * base::kSecond);
  EXPECT_EQ(victim->counters().connections, 0u);
  EXPECT_EQ(victim->counters().half_open, 0u);
}

}  // namespace
}  // namespace atlas::quic
