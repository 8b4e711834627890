#include "net/stun_message.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace atlas::net {
namespace {

constexpr StunTransaction kTransaction = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

// Header, cookie, the transaction above, then attributes as (type, value).
base::Bytes answer(std::uint16_t type, const std::vector<std::pair<std::uint16_t, base::Bytes>>& attributes) {
  base::Bytes body;
  for (const auto& [attribute, value] : attributes) {
    body.insert(body.end(), {static_cast<std::uint8_t>(attribute >> 8), static_cast<std::uint8_t>(attribute),
                             static_cast<std::uint8_t>(value.size() >> 8), static_cast<std::uint8_t>(value.size())});
    body.insert(body.end(), value.begin(), value.end());
    body.resize((body.size() + 3) / 4 * 4);
  }
  base::Bytes out = {static_cast<std::uint8_t>(type >> 8),
                     static_cast<std::uint8_t>(type),
                     static_cast<std::uint8_t>(body.size() >> 8),
                     static_cast<std::uint8_t>(body.size()),
                     0x21,
                     0x12,
                     0xa4,
                     0x42};
  out.insert(out.end(), kTransaction.begin(), kTransaction.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}
// 192.0.2.1:32853, the address of RFC 5769's sample answers.
const base::Bytes kPlain = {0, 1, 0x80, 0x55, 192, 0, 2, 1};
const base::Bytes kXored = {0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};

TEST(StunMessage, RequestIsABareHeader) {
  const StunPacket packet = stun_request(kTransaction);
  EXPECT_EQ(base::to_hex(packet), "000100002112a4420102030405060708090a0b0c");
  EXPECT_TRUE(is_stun(packet));
  EXPECT_EQ(base::to_hex(stun_indication(kTransaction)).substr(0, 8), "00110000");
}

TEST(StunMessage, ReadsXorMappedAddress) {
  const auto got = parse_stun_answer(answer(0x0101, {{0x0020, kXored}}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->transaction, kTransaction);
  EXPECT_EQ(got->mapped->text(), "192.0.2.1:32853");
  EXPECT_EQ(got->error, 0);
}

TEST(StunMessage, ReadsXorMappedAddressOfIpv6) {
  base::Bytes value = {0, 2, 0xa1, 0x47};
  const base::Bytes host = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x09};
  const base::Bytes mask = {0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  for (std::size_t i = 0; i < 16; ++i) value.push_back(host[i] ^ mask[i]);
  const auto got = parse_stun_answer(answer(0x0101, {{0x0020, value}}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->mapped->text(), "[2001:db8::9]:32853");
}

TEST(StunMessage, FallsBackToMappedAddress) {
  EXPECT_EQ(parse_stun_answer(answer(0x0101, {{0x0001, kPlain}}))->mapped->text(), "192.0.2.1:32853");
  // Some boxes rewrite addresses that they recognise: the hidden one is the true one.
  const base::Bytes rewritten = {0, 1, 0, 1, 10, 0, 0, 1};
  EXPECT_EQ(parse_stun_answer(answer(0x0101, {{0x0001, rewritten}, {0x0020, kXored}}))->mapped->text(),
            "192.0.2.1:32853");
}

TEST(StunMessage, TheFirstOfSeveralCounts) {
  const base::Bytes other = {0, 1, 0, 1, 1, 1, 1, 1};
  EXPECT_EQ(parse_stun_answer(answer(0x0101, {{0x0020, kXored}, {0x0020, other}}))->mapped->text(), "192.0.2.1:32853");
}

TEST(StunMessage, OptionalAttributesAreSkippedOthersRefused) {
  EXPECT_TRUE(parse_stun_answer(answer(0x0101, {{0x8022, {'a', 'b', 'c'}}, {0x0020, kXored}})));
  EXPECT_FALSE(parse_stun_answer(answer(0x0101, {{0x7fff, {1, 2, 3, 4}}, {0x0020, kXored}})));
}

TEST(StunMessage, ErrorsHaveACodeAndNoAddress) {
  const auto got = parse_stun_answer(answer(0x0111, {{0x0009, {0, 0, 4, 20, 'n', 'o'}}, {0x0020, kXored}}));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error, 420);
  EXPECT_FALSE(got->mapped);
  EXPECT_FALSE(parse_stun_answer(answer(0x0111, {})));
}

TEST(StunMessage, MalformedOnesAreNoAnswers) {
  const base::Bytes good = answer(0x0101, {{0x0020, kXored}});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(parse_stun_answer(base::ByteView(good).first(size))) << size;
  }
  const auto with = [&](std::size_t at, std::uint8_t value) {
    base::Bytes out = good;
    out[at] = value;
    return out;
  };
  EXPECT_FALSE(parse_stun_answer(with(0, 0x41)));  // QUIC's bit
  EXPECT_FALSE(parse_stun_answer(with(1, 0x02)));  // another method
  EXPECT_FALSE(parse_stun_answer(with(3, 8)));     // length
  EXPECT_FALSE(parse_stun_answer(with(4, 0x22)));  // cookie
  EXPECT_FALSE(parse_stun_answer(with(23, 200)));  // attribute longer than the message
  EXPECT_FALSE(parse_stun_answer(with(25, 3)));    // family
  EXPECT_FALSE(parse_stun_answer(answer(0x0101, {})));
  EXPECT_FALSE(parse_stun_answer(answer(0x0101, {{0x0020, {0, 1, 0x21, 0x12, 1, 1, 1, 1}}})));  // port 0
}

TEST(StunMessage, RandomBytesAreNeverRead) {
  base::SeededRandom random(8489);
  for (int i = 0; i < 20'000; ++i) {
    base::Bytes data = answer(0x0101, {{0x0020, kXored}, {0x0001, kPlain}});
    for (std::uint64_t change = random.below(6) + 1; change > 0; --change) {
      data[random.below(data.size())] = static_cast<std::uint8_t>(random.below(256));
    }
    data.resize(random.below(data.size() + 1));
    const auto got = parse_stun_answer(data);
    if (got && got->mapped) {
      EXPECT_NE(got->mapped->port, 0);
    }
  }
}

}  // namespace
}  // namespace atlas::net
