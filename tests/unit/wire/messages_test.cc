// What the byte vectors do not show: lists that end at their limit, decoding of damaged and random bytes, and what
// stays out of memory.
#include "wire/messages.h"

#include <gtest/gtest.h>

#include <atlas/msgpack.hpp>
#include <set>

#include "base/random.h"

namespace atlas::wire {
namespace {

using base::Bytes;
using base::ByteView;
using msgpack::Writer;

ByteView payload_of(const Bytes& envelope) {
  return ByteView(envelope).subspan(kHeaderSize);
}

Hello sample_hello() {
  Hello hello;
  hello.node_id = "atlas_21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9";
  hello.name = "alice";
  hello.skills = {"search"};
  hello.public_key = Bytes(32, 0x80);
  hello.timestamp = 1'760'000'000;
  return hello;
}

TEST(Messages, EnvelopesCarryTheirTypeAndLength) {
  const std::pair<std::uint8_t, Bytes> all[] = {{kHello, encode(sample_hello())}, {kHelloAck, encode(HelloAck{})},
                                                {kVerify, encode(Verify{})},      {kVerifyAck, encode(VerifyAck{})},
                                                {kError, encode(ErrorMessage{})}, {kDisconnect, encode(Disconnect{})}};
  for (const auto& [type, envelope] : all) {
    Header header;
    ASSERT_FALSE(check_header(envelope, kMaxPayload, header));
    EXPECT_EQ(header.type, type);
    EXPECT_EQ(header.length, envelope.size() - kHeaderSize);
    EXPECT_TRUE(structure_ok(payload_of(envelope)));
  }
}

TEST(Messages, FeaturesBeyondTheirLimitsAreNotKept) {
  Hello hello = sample_hello();
  hello.features.assign(kMaxFeatures + 5, "f");
  hello.features.front() = std::string(kMaxFeatureBytes + 1, 'x');
  const auto back = decode_hello(payload_of(encode(hello)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->features, std::vector<std::string>(kMaxFeatures, "f"));
}

TEST(Messages, RefusesALongName) {
  Hello hello = sample_hello();
  hello.name = std::string(kMaxNameBytes, 'n');
  EXPECT_TRUE(decode_hello(payload_of(encode(hello))));
  hello.name += 'n';
  EXPECT_FALSE(decode_hello(payload_of(encode(hello))));
}

TEST(Messages, RefusesTooManySkills) {
  Hello hello = sample_hello();
  hello.skills.assign(kMaxSkills, "s");
  EXPECT_TRUE(decode_hello(payload_of(encode(hello))));
  hello.skills.push_back("s");
  EXPECT_FALSE(decode_hello(payload_of(encode(hello))));
}

TEST(Messages, RefusesALongSkill) {
  Hello hello = sample_hello();
  hello.skills = {std::string(kMaxSkillBytes, 's')};
  EXPECT_TRUE(decode_hello(payload_of(encode(hello))));
  hello.skills.back() += 's';
  EXPECT_FALSE(decode_hello(payload_of(encode(hello))));
}

TEST(Messages, VersionIsReadOfWhatDoesNotDecode) {
  Hello hello = sample_hello();
  hello.name = std::string(kMaxNameBytes + 1, 'n');
  EXPECT_FALSE(of_other_version(payload_of(encode(hello))));
  hello.protocol_v = 2;
  Bytes other = encode(hello);
  EXPECT_TRUE(of_other_version(payload_of(other)));
  other.push_back(0xc0);
  EXPECT_FALSE(of_other_version(payload_of(other))) << "the structure comes first";
  const auto alone = [](auto write) {
    Writer map;
    map.map(1).text("protocol_v");
    write(map);
    return of_other_version(map.bytes());
  };
  EXPECT_TRUE(alone([](Writer& map) { map.integer(0); }));
  EXPECT_TRUE(alone([](Writer& map) { map.integer(-1); }));
  EXPECT_TRUE(alone([](Writer& map) { map.integer(UINT64_MAX); }));
  EXPECT_FALSE(alone([](Writer& map) { map.integer(1); }));
  EXPECT_FALSE(alone([](Writer& map) { map.nil(); }));
  EXPECT_FALSE(alone([](Writer& map) { map.text("2"); }));
  EXPECT_FALSE(of_other_version(Bytes{0x80}));
}

// The limit counts bytes, not characters.
TEST(Messages, NamesAreCountedInBytes) {
  Hello hello = sample_hello();
  hello.name.clear();
  for (int i = 0; i < 32; ++i) hello.name += "\xc3\xa9";
  EXPECT_TRUE(decode_hello(payload_of(encode(hello))));
  hello.name += "\xc3\xa9";
  EXPECT_FALSE(decode_hello(payload_of(encode(hello))));
}

// One map whose only value is arrays inside each other, `depth` containers in all.
Bytes nested(std::size_t depth) {
  Writer out;
  out.map(1).text("x");
  for (std::size_t i = 1; i < depth; ++i) out.array(1);
  return out.nil().take();
}

TEST(Structure, RefusesDepth17) {
  EXPECT_EQ(base::limits::wire_max_depth, 16u);
  EXPECT_TRUE(structure_ok(nested(16)));
  EXPECT_FALSE(structure_ok(nested(17)));
  EXPECT_FALSE(structure_ok(nested(2'000'000))) << "the stack does not grow with the depth";
}

Bytes map_of(std::size_t entries) {
  Writer out;
  out.map(entries);
  for (std::size_t i = 0; i < entries; ++i) out.integer(i).nil();
  return out.take();
}

TEST(Structure, RefusesTooManyMapEntries) {
  EXPECT_TRUE(structure_ok(map_of(base::limits::wire_max_map_entries)));
  EXPECT_FALSE(structure_ok(map_of(base::limits::wire_max_map_entries + 1)));
}

TEST(Messages, OperatorComesBackByteForByte) {
  Hello hello = sample_hello();
  Writer map;
  map.map(2).text("username").text("alice").text("fid").integer(5);
  hello.operator_map = map.take();
  const auto back = decode_hello(payload_of(encode(hello)));
  ASSERT_TRUE(back && back->operator_map);
  EXPECT_EQ(*back->operator_map, *hello.operator_map);
}

// Each key taken away, made nil, or given another type: only the optional ones may miss.
TEST(Messages, EveryRequiredFieldOfHelloIsRequired) {
  Hello full = sample_hello();
  full.operator_map = Bytes{0x80};
  full.wallet = "w";
  full.agent_version = "v";
  full.features = {"routes"};
  const Bytes envelope = encode(full);
  const auto map = msgpack::MapView::of(payload_of(envelope));
  const std::set<std::string_view> optional = {"operator", "wallet", "agent_version", "features"};
  for (const auto [key, value] : map) {
    const std::string_view name = *key.text();
    for (const bool nil : {false, true}) {
      for (const bool float_value : {false, true}) {
        Writer out;
        out.map(map.size() - (nil || float_value ? 0 : 1));
        for (const auto [other_key, other_value] : map) {
          const bool same = other_key.text() == name;
          if (same && !nil && !float_value) continue;
          out.text(*other_key.text());
          if (same && float_value) {
            out.f64(1.5);
          } else if (same) {
            out.nil();
          } else {
            out.raw(other_value.raw());
          }
        }
        EXPECT_EQ(decode_hello(out.bytes()).has_value(), optional.contains(name)) << name << nil << float_value;
      }
    }
  }
}

TEST(Messages, IntegersAtTheEndsOfTheirTypes) {
  Hello hello = sample_hello();
  for (const std::int64_t time : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, INT64_MAX}) {
    hello.timestamp = time;
    const auto back = decode_hello(payload_of(encode(hello)));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->timestamp, time);
  }
  const auto error = decode_error(payload_of(encode(ErrorMessage{UINT32_MAX, "m", std::nullopt})));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, UINT32_MAX);
}

// Whatever one flipped bit makes of a message, decoding it neither reads past its end nor fails to return.
TEST(Messages, FlippedBitsAreHarmless) {
  HelloAck ack;
  ack.node_id = "atlas_x";
  ack.public_key = Bytes(32, 7);
  ack.challenge = Bytes(32, 200);
  ack.observed = "127.0.0.1:1";
  ack.features = {"a", "b"};
  const Bytes envelope = encode(ack);
  const Bytes good(envelope.begin() + kHeaderSize, envelope.end());
  int still_good = 0;
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes damaged = good;
    damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    const auto back = decode_hello_ack(damaged);
    if (back) {
      ++still_good;
      EXPECT_EQ(back->challenge.size(), kChallengeSize);
      EXPECT_TRUE(structure_ok(damaged));
    }
  }
  EXPECT_GT(still_good, 0) << "a flipped bit in a text is another text";
}

TEST(Messages, RandomBytesNeverPassAsAMessageWithoutStructure) {
  base::SeededRandom random(9);
  for (int i = 0; i < 20'000; ++i) {
    Bytes noise(random.below(64));
    random.fill(noise);
    if (!noise.empty() && i % 2 == 0) noise[0] = static_cast<std::uint8_t>(0x80 | (noise[0] & 3));
    const bool whole = structure_ok(noise);
    for (const bool decoded : {decode_hello(noise).has_value(), decode_hello_ack(noise).has_value(),
                               decode_verify(noise).has_value(), decode_verify_ack(noise).has_value(),
                               decode_error(noise).has_value(), decode_disconnect(noise).has_value()}) {
      EXPECT_TRUE(whole || !decoded);
    }
  }
}

}  // namespace
}  // namespace atlas::wire
