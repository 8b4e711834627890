// Which addresses may be registered from where.
#include "address_policy.h"

#include <gtest/gtest.h>

namespace {

using atlas::HostAddress;
using bootstrap::judge_address;

constexpr std::string_view kSeen = "198.51.100.7", kSeen6 = "2001:db8::7";

bool allowed(std::string_view address, std::string_view seen = kSeen, bool foreign = false) {
  return judge_address("address", address, *HostAddress::parse(seen), foreign).address.has_value();
}

TEST(AddressPolicy, TheSeenHostWithAnyPort) {
  EXPECT_TRUE(allowed("198.51.100.7:1"));
  EXPECT_TRUE(allowed("198.51.100.7:65535"));
  EXPECT_TRUE(allowed("[::ffff:198.51.100.7]:1"));
  EXPECT_TRUE(allowed("[::ffff:c633:6407]:1"));
  EXPECT_TRUE(allowed("[2001:0db8:0:0::7]:1", kSeen6));
  EXPECT_FALSE(allowed("198.51.100.7:0"));
}

TEST(AddressPolicy, AnUnspecifiedHostTakesTheSeenOne) {
  for (const auto text : {"0.0.0.0:4433", "[::]:4433", "[::ffff:0.0.0.0]:4433", "[0:0:0:0:0:0:0:0]:4433"}) {
    const auto verdict = judge_address("address", text, *HostAddress::parse(kSeen6), false);
    ASSERT_TRUE(verdict.address) << text;
    EXPECT_EQ(verdict.address->text(), "[2001:db8::7]:4433");
  }
}

TEST(AddressPolicy, PrivateRangesAndTheirEdges) {
  for (const auto text :
       {"10.0.0.0:1", "10.255.255.255:1", "172.16.0.0:1", "172.31.255.255:1", "192.168.0.0:1", "192.168.255.255:1",
        "100.64.0.0:1", "100.127.255.255:1", "169.254.0.0:1", "169.254.255.255:1", "[fc00::]:1", "[fdff::1]:1",
        "[fe80::1]:1", "[febf:ffff::1]:1", "[::ffff:10.1.2.3]:1"}) {
    EXPECT_TRUE(allowed(text)) << text;
    EXPECT_TRUE(allowed(text, kSeen6)) << text;
  }
  for (const auto text :
       {"9.255.255.255:1", "11.0.0.0:1",           "172.15.255.255:1",   "172.32.0.0:1",         "192.167.255.255:1",
        "192.169.0.0:1",   "100.63.255.255:1",     "100.128.0.0:1",      "169.253.255.255:1",    "169.255.0.0:1",
        "[fbff::1]:1",     "[fe00::1]:1",          "[fe7f::1]:1",        "[fec0::1]:1",          "[::ffff:8.8.8.8]:1",
        "[::8.8.8.8]:1",   "[64:ff9b::808:808]:1", "[2002:808:808::]:1", "[2001:0:808:808::]:1", "8.8.8.8:1",
        "0.0.0.1:1",       "198.51.100.8:1"}) {
    EXPECT_FALSE(allowed(text)) << text;
    EXPECT_FALSE(allowed(text, "10.0.0.1")) << text;
    EXPECT_TRUE(allowed(text, kSeen, true)) << text;
  }
}

TEST(AddressPolicy, LoopbackOnlyFromLoopback) {
  for (const auto text : {"127.0.0.1:1", "127.255.255.255:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(allowed(text)) << text;
    EXPECT_FALSE(allowed(text, "10.0.0.1")) << text;
    EXPECT_FALSE(allowed(text, kSeen6)) << text;
    EXPECT_TRUE(allowed(text, "127.0.0.1")) << text;
    EXPECT_TRUE(allowed(text, "::1")) << text;
  }
}

TEST(AddressPolicy, NobodysAddressesAreNeverTaken) {
  for (const auto text : {"224.0.0.1:1", "239.255.255.255:1", "255.255.255.255:1", "[ff02::1]:1"}) {
    EXPECT_FALSE(allowed(text)) << text;
    EXPECT_FALSE(allowed(text, kSeen, true)) << text;
  }
}

TEST(AddressPolicy, NoNamesAndNoOtherSpellings) {
  for (const auto text : {"",
                          ":1",
                          "localhost:1",
                          "example.org:4433",
                          "10.0.0.1",
                          "10.0.0.1:",
                          "10.0.0.1:x",
                          "10.0.0.1:65536",
                          "10.0.0.1:-1",
                          "10.0.0.1:+1",
                          "10.0.0.1:01",
                          "10.0.0.1: 1",
                          " 10.0.0.1:1",
                          "10.0.0.1:1 ",
                          "010.0.0.1:1",
                          "10.1:1",
                          "167772161:1",
                          "0x0a000001:1",
                          "10.0.0.256:1",
                          "10.0.0.1.:1",
                          "10..0.1:1",
                          "fe80::1:1",
                          "[fe80::1%eth0]:1",
                          "[fe80::1]",
                          "[]:1",
                          "[:]:1",
                          "[:::]:1",
                          "[1::2::3]:1",
                          "[12345::]:1",
                          "[1:2:3:4:5:6:7]:1",
                          "[1:2:3:4:5:6:7:8:9]:1",
                          "[1:2:3:4:5:6:7::8]x:1",
                          "[::1",
                          "::1]:1",
                          "[10.0.0.1]:1",
                          "[::10.0.0.1.2]:1",
                          "[::ffff:10.0.0.01]:1",
                          "[1.2.3.4::]:1"}) {
    EXPECT_FALSE(allowed(text, kSeen, true)) << text;
  }
}

TEST(AddressPolicy, TheReasonNamesTheField) {
  const auto verdict = judge_address("public_address", "8.8.8.8:1", *HostAddress::parse(kSeen), false);
  EXPECT_EQ(verdict.reason, "public_address: host is neither yours as seen from here nor private");
}

TEST(AddressPolicy, OneSpellingComesOut) {
  for (const auto& [in, out] :
       std::vector<std::pair<std::string, std::string>>{{"[2001:DB8:0:0:1:0:0:1]:9", "[2001:db8::1:0:0:1]:9"},
                                                        {"[::ffff:1.2.3.4]:9", "1.2.3.4:9"},
                                                        {"[1:0:0:0:0:0:0:0]:9", "[1::]:9"},
                                                        {"[0:0:0:0:0:0:0:1]:9", "[::1]:9"},
                                                        {"[1:2:3:4:5:6:0:8]:9", "[1:2:3:4:5:6:0:8]:9"},
                                                        {"[1::8]:9", "[1::8]:9"},
                                                        {"[::1.2.3.4]:9", "[::102:304]:9"}}) {
    const auto address = atlas::Address::parse(in);
    ASSERT_TRUE(address) << in;
    EXPECT_EQ(address->text(), out);
    EXPECT_EQ(atlas::Address::parse(out), address);
  }
}

}  // namespace
