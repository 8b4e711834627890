// Node ids, signatures and points: RFC 8032's own vectors, and everything that a strict verifier must refuse (A12).
#include "identity/node_key.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <set>

namespace atlas::identity {
namespace {

using base::Bytes;
using base::ByteView;

template <std::size_t N>
base::ByteArray<N> array_from_hex(std::string_view hex) {
  const auto bytes = base::from_hex(hex);
  base::ByteArray<N> out{};
  EXPECT_TRUE(bytes && bytes->size() == N) << hex;
  if (bytes && bytes->size() == N) std::ranges::copy(*bytes, out.begin());
  return out;
}
PublicKey point(std::string_view hex) {
  return array_from_hex<32>(hex);
}

struct SignatureVector {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};
// RFC 8032, section 7.1, tests 1 to 3.
constexpr SignatureVector kRfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
     "24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302a"
     "eeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed2"
     "8dc027beceea1ec40a"},
};

NodeKey first_key() {
  return NodeKey::from_seed(array_from_hex<32>(kRfc8032[0].seed));
}

TEST(NodeKey, SignsAndVerifiesTheVectorsOfRfc8032) {
  for (const auto& vector : kRfc8032) {
    const NodeKey key = NodeKey::from_seed(array_from_hex<32>(vector.seed));
    const Bytes message = *base::from_hex(vector.message);
    EXPECT_EQ(base::to_hex(key.public_key()), vector.key);
    EXPECT_EQ(base::to_hex(key.sign(message)), vector.signature);
    EXPECT_TRUE(verify(key.public_key(), message, key.sign(message)));
    EXPECT_TRUE(is_acceptable(key.public_key()));
  }
}

// SHA-256 of the key, computed with another program.
TEST(NodeKey, NodeIdIsTheHashOfTheKey) {
  const NodeKey key = first_key();
  EXPECT_EQ(key.node_id(), "atlas_21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
  EXPECT_EQ(node_id_of(key.public_key()), key.node_id());
}

TEST(NodeKey, GenerateUsesTheRandomnessItIsGiven) {
  base::SeededRandom one(7), same(7), other(8);
  const NodeKey first = NodeKey::generate(one);
  EXPECT_EQ(first.node_id(), NodeKey::generate(same).node_id());
  EXPECT_NE(first.node_id(), NodeKey::generate(other).node_id());
  EXPECT_NE(first.node_id(), NodeKey::generate(one).node_id());
}

TEST(NodeKey, EveryGeneratedKeyIsAcceptable) {
  base::SeededRandom random(1);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(is_acceptable(NodeKey::generate(random).public_key()));
}

TEST(NodeKey, MovingKeepsTheKey) {
  NodeKey key = first_key();
  const std::string id = key.node_id();
  NodeKey moved = std::move(key);
  EXPECT_EQ(moved.node_id(), id);
  base::SeededRandom random(3);
  moved = NodeKey::generate(random);
  EXPECT_NE(moved.node_id(), id);
  EXPECT_TRUE(verify(moved.public_key(), base::as_bytes("x"), moved.sign(base::as_bytes("x"))));
}

TEST(Verify, RefusesAnotherMessageKeyOrLength) {
  const NodeKey key = first_key();
  const auto signature = key.sign(base::as_bytes("challenge"));
  EXPECT_TRUE(verify(key.public_key(), base::as_bytes("challenge"), signature));
  EXPECT_FALSE(verify(key.public_key(), base::as_bytes("challengf"), signature));
  EXPECT_FALSE(verify(point(kRfc8032[1].key), base::as_bytes("challenge"), signature));
  EXPECT_FALSE(verify(key.public_key(), base::as_bytes("challenge"), ByteView(signature).first(63)));
  EXPECT_FALSE(verify(key.public_key(), base::as_bytes("challenge"), ByteView{}));
  Bytes longer(signature.begin(), signature.end());
  longer.push_back(0);
  EXPECT_FALSE(verify(key.public_key(), base::as_bytes("challenge"), longer));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    auto damaged = signature;
    damaged[i] ^= 1;
    EXPECT_FALSE(verify(key.public_key(), base::as_bytes("challenge"), damaged)) << "byte " << i;
  }
}

// The group's order L, little-endian (RFC 8032, 5.1).
constexpr std::string_view kOrder = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

// S and S + L satisfy the same equation; only the smaller one is a signature.
TEST(Verify, RefusesASignatureWithTheOrderAdded) {
  const NodeKey key = first_key();
  auto signature = key.sign(base::as_bytes("m"));
  const auto order = array_from_hex<32>(kOrder);
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += signature[32 + i] + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  ASSERT_EQ(carry, 0u);
  EXPECT_FALSE(verify(key.public_key(), base::as_bytes("m"), signature));
}

// With R the neutral element, S = k * a satisfies the equation for whoever knows the secret. Both its canonical form
// and the two others are refused.
TEST(Verify, RefusesASmallOrderOrNonCanonicalR) {
  const auto seed = array_from_hex<32>(kRfc8032[0].seed);
  const NodeKey key = NodeKey::from_seed(seed);
  base::ByteArray<64> expanded;
  crypto_hash_sha512(expanded.data(), seed.data(), seed.size());
  expanded[0] &= 248;
  expanded[31] = static_cast<std::uint8_t>((expanded[31] & 127) | 64);
  base::ByteArray<64> wide{};
  std::copy_n(expanded.begin(), 32, wide.begin());
  base::ByteArray<32> secret;
  crypto_core_ed25519_scalar_reduce(secret.data(), wide.data());

  for (const char* neutral : {"0100000000000000000000000000000000000000000000000000000000000000",
                              "0100000000000000000000000000000000000000000000000000000000000080",
                              "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    const PublicKey r = point(neutral);
    Bytes input(r.begin(), r.end());
    input.insert(input.end(), key.public_key().begin(), key.public_key().end());
    input.push_back('m');
    base::ByteArray<64> digest;
    crypto_hash_sha512(digest.data(), input.data(), input.size());
    base::ByteArray<32> k, s;
    crypto_core_ed25519_scalar_reduce(k.data(), digest.data());
    crypto_core_ed25519_scalar_mul(s.data(), k.data(), secret.data());
    Bytes signature(r.begin(), r.end());
    signature.insert(signature.end(), s.begin(), s.end());
    EXPECT_FALSE(verify(key.public_key(), base::as_bytes("m"), signature)) << neutral;
  }
}

// Every encoding of the eight points of small order, canonical or not.
constexpr const char* kSmallOrder[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",  // order 1
    "0100000000000000000000000000000000000000000000000000000000000080",  // order 1, sign of zero
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 1, y = p + 1
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  // both
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 2
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  // order 2, sign of zero
    "0000000000000000000000000000000000000000000000000000000000000000",  // order 4
    "0000000000000000000000000000000000000000000000000000000000000080",  // order 4
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  // order 4, y = p
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  // order 4, y = p
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",  // order 8
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",  // order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",  // order 8
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",  // order 8
};

TEST(Points, SmallOrderIsRefused) {
  for (const char* hex : kSmallOrder) EXPECT_FALSE(is_acceptable(point(hex))) << hex;
}

// For a key of order 1 every pair (S * B, S) is a "signature" of everything: R = B and S = 1 here.
TEST(Verify, RefusesSmallOrderKeys) {
  Bytes forged = *base::from_hex("5866666666666666666666666666666666666666666666666666666666666666");
  forged.resize(64);
  forged[32] = 1;
  for (const char* hex : kSmallOrder) EXPECT_FALSE(verify(point(hex), base::as_bytes("anything"), forged)) << hex;
}

// y from p to 2^255 - 1: the same points have a smaller encoding.
TEST(Points, NonCanonicalEncodingsAreRefused) {
  for (int low = 0xed; low <= 0xff; ++low) {
    for (const std::uint8_t high : {std::uint8_t{0x7f}, std::uint8_t{0xff}}) {
      PublicKey key;
      key.fill(0xff);
      key.front() = static_cast<std::uint8_t>(low);
      key.back() = high;
      EXPECT_FALSE(is_acceptable(key)) << base::to_hex(key);
      EXPECT_FALSE(verify(key, base::as_bytes("m"), Signature{})) << base::to_hex(key);
    }
  }
}

// What has no x is caught by the signature: no point, no verification.
TEST(Points, WhatIsNotOnTheCurveVerifiesNothing) {
  const Signature honest = first_key().sign(base::as_bytes("m"));
  for (const std::uint8_t y : {2, 7, 8, 11}) {
    PublicKey key{};
    key.front() = y;
    EXPECT_FALSE(verify(key, base::as_bytes("m"), honest)) << int{y};
  }
}

}  // namespace
}  // namespace atlas::identity
