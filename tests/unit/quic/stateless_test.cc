#include "quic/stateless.h"

#include <gtest/gtest.h>

namespace atlas::quic {
namespace {

const net::SocketAddress kHere{net::IpAddress::v4({192, 0, 2, 1}), 1000},
    kElsewhere{net::IpAddress::v4({192, 0, 2, 1}), 1001};

ngtcp2_cid id(std::uint8_t value, std::size_t length = 8) {
  const base::Bytes bytes(length, value);
  ngtcp2_cid out;
  ngtcp2_cid_init(&out, bytes.data(), bytes.size());
  return out;
}

// The id and the token of a Retry packet, as the client's next Initial shows them.
struct Answer {
  explicit Answer(base::ByteView retry) {
    const std::size_t client = retry[5], server = retry[6 + client];
    ngtcp2_cid_init(&header.dcid, &retry[7 + client], server);
    token.assign(retry.begin() + 7 + static_cast<std::ptrdiff_t>(client + server), retry.end() - 16);
    header.version = kVersion;
  }
  const ngtcp2_pkt_hd& initial() {
#if ATLAS_NGTCP2_0
    header.token = {token.data(), token.size()};
#else
    header.token = token.data();
    header.tokenlen = token.size();
#endif
    return header;
  }
  base::Bytes token;
  ngtcp2_pkt_hd header{};
};

class StatelessTest : public ::testing::Test {
 protected:
  Answer retry() {
    ngtcp2_pkt_hd initial{};
    initial.version = kVersion;
    initial.dcid = id(1, 18);
    initial.scid = id(2);
    std::uint8_t packet[1500];
    const std::size_t length = stateless.write_retry(packet, initial, kHere, base::kSecond);
    EXPECT_GT(length, 0u);
    return Answer({packet, length});
  }

  base::SeededRandom random{1};
  Stateless stateless{base::ByteArray<32>{1}, random};
};

TEST_F(StatelessTest, ATokenGivesTheFirstIdBack) {
  Answer answer = retry();
  ASSERT_TRUE(Stateless::is_retry_token(ng::token_of(answer.initial())));
  const auto original = stateless.check_retry_token(answer.initial(), kHere, 2 * base::kSecond);
  ASSERT_TRUE(original.has_value());
  const ngtcp2_cid expected = id(1, 18);
  EXPECT_TRUE(ngtcp2_cid_eq(&*original, &expected));
  EXPECT_FALSE(stateless.check_retry_token(answer.initial(), kElsewhere, 2 * base::kSecond).has_value());
  EXPECT_FALSE(stateless.check_retry_token(answer.initial(), kHere, base::kSecond + kTokenLife + 1).has_value());
  EXPECT_TRUE(stateless.check_retry_token(answer.initial(), kHere, base::kSecond + kTokenLife - 1).has_value());
}

TEST_F(StatelessTest, AChangedTokenIsRefused) {
  const Answer good = retry();
  for (std::size_t i = 1; i < good.token.size(); ++i) {
    Answer answer = good;
    answer.token[i] ^= 1;
    EXPECT_FALSE(stateless.check_retry_token(answer.initial(), kHere, 2 * base::kSecond).has_value()) << i;
  }
  Answer other_id = good;
  other_id.header.dcid = id(9);
  EXPECT_FALSE(stateless.check_retry_token(other_id.initial(), kHere, 2 * base::kSecond).has_value());
}

TEST_F(StatelessTest, ASecretOutlivesARestartAndNoOtherWillDo) {
  Answer answer = retry();
  Stateless same(base::ByteArray<32>{1}, random), other(base::ByteArray<32>{2}, random);
  EXPECT_TRUE(same.check_retry_token(answer.initial(), kHere, 2 * base::kSecond).has_value());
  EXPECT_FALSE(other.check_retry_token(answer.initial(), kHere, 2 * base::kSecond).has_value());
  EXPECT_EQ(same.reset_token(id(5)), stateless.reset_token(id(5)));
  EXPECT_NE(other.reset_token(id(5)), stateless.reset_token(id(5)));
  EXPECT_NE(stateless.reset_token(id(6)), stateless.reset_token(id(5)));
}

TEST_F(StatelessTest, AnyOtherTokenIsNotTakenForOneOfRetry) {
  EXPECT_FALSE(Stateless::is_retry_token({}));
  const std::uint8_t regular[] = {NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR, 1, 2, 3};
  EXPECT_FALSE(Stateless::is_retry_token(regular));
}

TEST_F(StatelessTest, AResetEndsWithTheTokenOfTheId) {
  std::uint8_t packet[kMostReset];
  const ngtcp2_cid cid = id(5);
  const std::size_t length = stateless.write_reset(packet, {cid.data, cid.datalen}, 1200, base::kSecond);
  ASSERT_EQ(length, kMostReset);
  const ResetToken token = stateless.reset_token(cid);
  EXPECT_TRUE(std::equal(token.begin(), token.end(), packet + length - token.size()));
  EXPECT_EQ(stateless.write_reset(packet, {cid.data, cid.datalen}, 21, base::kSecond), 0u);
  EXPECT_EQ(stateless.write_reset(packet, {cid.data, cid.datalen}, 22, base::kSecond), 21u);
}

}  // namespace
}  // namespace atlas::quic
