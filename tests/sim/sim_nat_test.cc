#include "sim/sim_nat.h"

#include <gtest/gtest.h>

namespace atlas::sim {
namespace {

using base::kSecond;

net::SocketAddress at(const char* text) {
  return *net::SocketAddress::parse(text);
}

const net::SocketAddress kInside = at("10.0.0.2:5000"), kOther = at("10.0.0.3:5000");
const net::SocketAddress kA = at("20.0.0.1:1"), kA2 = at("20.0.0.1:2"), kB = at("20.0.0.9:1");

Nat make(NatPolicy policy = {}) {
  return Nat(at("30.0.0.1:0").ip, policy);
}

TEST(Nat, OneOutsidePortForAllOrOneForEachDestination) {
  Nat same = make();
  const auto outside = same.outbound(kInside, kA, 0);
  EXPECT_EQ(outside.ip, same.outside());
  EXPECT_EQ(same.outbound(kInside, kB, 0), outside);
  EXPECT_NE(same.outbound(kOther, kA, 0), outside);

  Nat symmetric = make({.mapping = NatPolicy::Mapping::kPerDestination});
  EXPECT_NE(symmetric.outbound(kInside, kA, 0), symmetric.outbound(kInside, kB, 0));
  EXPECT_EQ(symmetric.outbound(kInside, kA, 0), symmetric.outbound(kInside, kA, 0));
}

TEST(Nat, FilterDecidesWhoMayAnswer) {
  using Filter = NatPolicy::Filter;
  for (const auto& [filter, a2, b] : {std::tuple{Filter::kNone, true, true}, std::tuple{Filter::kAddress, true, false},
                                      std::tuple{Filter::kAddressAndPort, false, false}}) {
    Nat nat = make({.filter = filter});
    const auto outside = nat.outbound(kInside, kA, 0);
    EXPECT_EQ(nat.inbound(outside.port, kA, 0), kInside);
    EXPECT_EQ(nat.inbound(outside.port, kA2, 0).has_value(), a2);
    EXPECT_EQ(nat.inbound(outside.port, kB, 0).has_value(), b);
    EXPECT_FALSE(nat.inbound(static_cast<std::uint16_t>(outside.port + 1), kA, 0));
    EXPECT_EQ(nat.owner(outside.port), kInside);
  }
}

TEST(Nat, SilenceEndsAMapping) {
  Nat nat = make({.idle = 30 * kSecond});
  const auto first = nat.outbound(kInside, kA, 0);
  EXPECT_TRUE(nat.inbound(first.port, kA, 30 * kSecond));
  EXPECT_FALSE(nat.inbound(first.port, kA, 31 * kSecond));
  EXPECT_EQ(nat.outbound(kInside, kA, 30 * kSecond), first);
  EXPECT_NE(nat.outbound(kInside, kA, 61 * kSecond), first);
}

TEST(Nat, RebindForgetsAndMoves) {
  Nat nat = make({.keep_port = true});
  const auto first = nat.outbound(kInside, kA, 0);
  EXPECT_EQ(first.port, kInside.port);
  nat.rebind();
  EXPECT_FALSE(nat.inbound(first.port, kA, 0));
  EXPECT_NE(nat.outbound(kInside, kA, 0).port, first.port);
  nat.rebind(at("30.0.0.2:0").ip);
  EXPECT_EQ(nat.outbound(kInside, kA, 0).ip, at("30.0.0.2:0").ip);
}

TEST(Nat, FullTableGivesUpTheOldest) {
  Nat nat = make({.mapping = NatPolicy::Mapping::kPerDestination});
  const auto first = nat.outbound(kInside, kA, 0);
  for (std::uint32_t i = 0; i < 45000; ++i) {
    const auto host = net::IpAddress::v4(
        {40, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
    nat.outbound(kInside, {host, 9}, 1 + i);
  }
  EXPECT_FALSE(nat.inbound(first.port, kA, 2));
}

}  // namespace
}  // namespace atlas::sim
