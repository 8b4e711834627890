// Scopes of addresses, in every form that an address can be written in, and whose word counts for which of them.
#include "atlas/address.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using atlas::Address;
using atlas::HostAddress;
using atlas::Scope;

void expect_scopes(const std::vector<std::pair<std::string, Scope>>& cases) {
  for (const auto& [text, scope] : cases) {
    const auto host = HostAddress::parse(text);
    ASSERT_TRUE(host) << text;
    EXPECT_EQ(host->scope(), scope) << text;
  }
}

TEST(AddressScope, OfEveryRangeOfIpv4) {
  expect_scopes({{"0.0.0.0", Scope::kNowhere},
                 {"0.1.2.3", Scope::kNowhere},
                 {"1.1.1.1", Scope::kGlobal},
                 {"9.255.255.255", Scope::kGlobal},
                 {"10.0.0.0", Scope::kPrivate},
                 {"10.255.255.255", Scope::kPrivate},
                 {"11.0.0.0", Scope::kGlobal},
                 {"100.63.255.255", Scope::kGlobal},
                 {"100.64.0.0", Scope::kPrivate},
                 {"100.127.255.255", Scope::kPrivate},
                 {"100.128.0.0", Scope::kGlobal},
                 {"127.0.0.1", Scope::kLoopback},
                 {"127.255.255.255", Scope::kLoopback},
                 {"169.253.255.255", Scope::kGlobal},
                 {"169.254.169.254", Scope::kLinkLocal},
                 {"172.15.255.255", Scope::kGlobal},
                 {"172.16.0.0", Scope::kPrivate},
                 {"172.31.255.255", Scope::kPrivate},
                 {"172.32.0.0", Scope::kGlobal},
                 {"192.0.0.255", Scope::kSpecial},
                 {"192.0.1.0", Scope::kGlobal},
                 {"192.0.2.1", Scope::kSpecial},
                 {"192.31.196.1", Scope::kSpecial},
                 {"192.52.193.1", Scope::kSpecial},
                 {"192.88.99.1", Scope::kSpecial},
                 {"192.168.1.1", Scope::kPrivate},
                 {"192.175.48.1", Scope::kSpecial},
                 {"198.17.255.255", Scope::kGlobal},
                 {"198.18.0.0", Scope::kSpecial},
                 {"198.19.255.255", Scope::kSpecial},
                 {"198.20.0.0", Scope::kGlobal},
                 {"198.51.100.1", Scope::kSpecial},
                 {"203.0.113.1", Scope::kSpecial},
                 {"223.255.255.255", Scope::kGlobal},
                 {"224.0.0.1", Scope::kNowhere},
                 {"240.0.0.1", Scope::kNowhere},
                 {"255.255.255.255", Scope::kNowhere}});
}

TEST(AddressScope, OfEveryRangeOfIpv6) {
  expect_scopes({{"::", Scope::kNowhere},
                 {"::1", Scope::kLoopback},
                 {"::2", Scope::kNowhere},
                 {"::ffff:127.0.0.1", Scope::kLoopback},
                 {"::ffff:10.0.0.1", Scope::kPrivate},
                 {"::ffff:169.254.169.254", Scope::kLinkLocal},
                 {"::ffff:7f00:1", Scope::kLoopback},
                 {"::ffff:8.8.8.8", Scope::kGlobal},
                 {"::127.0.0.1", Scope::kNowhere},          // IPv4-compatible
                 {"::ffff:0:127.0.0.1", Scope::kNowhere},   // translated
                 {"64:ff9b::127.0.0.1", Scope::kNowhere},   // NAT64
                 {"64:ff9b:1::10.0.0.1", Scope::kNowhere},  // NAT64, local
                 {"2002:7f00:1::", Scope::kNowhere},        // 6to4
                 {"2001:0:7f00:1::", Scope::kNowhere},      // Teredo
                 {"100::1", Scope::kNowhere},               // discard
                 {"2001:2::1", Scope::kSpecial},            // benchmarks
                 {"2001:1ff:ffff::", Scope::kSpecial},
                 {"2001:200::1", Scope::kGlobal},
                 {"2001:db8::1", Scope::kSpecial},
                 {"2001:db9::1", Scope::kGlobal},
                 {"2600::1", Scope::kGlobal},
                 {"2620:4f:8000::1", Scope::kSpecial},
                 {"2620:4f:8001::1", Scope::kGlobal},
                 {"3fff::1", Scope::kSpecial},
                 {"3fff:fff:ffff::", Scope::kSpecial},
                 {"3fff:1000::", Scope::kGlobal},
                 {"4000::1", Scope::kNowhere},
                 {"5f00::1", Scope::kNowhere},
                 {"fc00::1", Scope::kPrivate},
                 {"fdff::1", Scope::kPrivate},
                 {"fe80::1", Scope::kLinkLocal},
                 {"febf::1", Scope::kLinkLocal},
                 {"fec0::1", Scope::kNowhere},
                 {"ff02::1", Scope::kNowhere}});
}

bool may(const char* address, const char* by) {
  return atlas::may_be_told(*Address::parse(address), *HostAddress::parse(by));
}

TEST(AddressScope, AStrangersWordReachesNoFurtherInsideThanTheStrangerIs) {
  EXPECT_TRUE(may("8.8.8.8:1", "9.9.9.9"));
  EXPECT_TRUE(may("8.8.8.8:1", "10.0.0.1"));
  EXPECT_FALSE(may("8.8.8.8:0", "9.9.9.9"));
  EXPECT_FALSE(may("10.0.0.2:1", "9.9.9.9"));
  EXPECT_FALSE(may("10.0.0.2:1", "203.0.113.1"));
  EXPECT_TRUE(may("203.0.113.2:1", "203.0.113.1"));
  EXPECT_TRUE(may("10.0.0.2:1", "192.168.0.1"));
  EXPECT_TRUE(may("[fd00::2]:1", "192.168.0.1"));
  EXPECT_FALSE(may("169.254.169.254:1", "192.168.0.1"));
  EXPECT_TRUE(may("[fe80::2]:1", "fe80::1"));
  EXPECT_FALSE(may("127.0.0.1:1", "10.0.0.1"));
  EXPECT_FALSE(may("[::ffff:127.0.0.1]:1", "10.0.0.1"));
  EXPECT_TRUE(may("127.0.0.1:1", "::1"));
  EXPECT_TRUE(may("10.0.0.2:1", "127.0.0.1"));
  EXPECT_FALSE(may("224.0.0.1:1", "127.0.0.1"));
  EXPECT_FALSE(may("[64:ff9b::10.0.0.1]:1", "10.0.0.1"));
  EXPECT_FALSE(may("8.8.8.8:1", "0.0.0.0")) << "nobody told it";
}

}  // namespace
