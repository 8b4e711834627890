#include "net/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <set>

namespace atlas::net {
namespace {

struct ScopeCase {
  const char* text;
  Scope scope;
  const char* canonical;
};

class ScopeOf : public testing::TestWithParam<ScopeCase> {};

TEST_P(ScopeOf, IsDecidedOnTheCanonicalForm) {
  const auto ip = IpAddress::parse(GetParam().text);
  ASSERT_TRUE(ip) << GetParam().text;
  EXPECT_EQ(ip->scope(), GetParam().scope) << GetParam().text;
  EXPECT_EQ(ip->text(), GetParam().canonical) << GetParam().text;
  EXPECT_EQ(IpAddress::parse(ip->text()), ip) << GetParam().text;
}

constexpr ScopeCase kScopes[] = {
    // Unspecified, in each spelling.
    {"0.0.0.0", Scope::kUnspecified, "0.0.0.0"},
    {"::", Scope::kUnspecified, "::"},
    {"0:0:0:0:0:0:0:0", Scope::kUnspecified, "::"},
    {"::ffff:0.0.0.0", Scope::kUnspecified, "0.0.0.0"},
    {"::0.0.0.0", Scope::kUnspecified, "::"},
    // Loopback.
    {"127.0.0.1", Scope::kLoopback, "127.0.0.1"},
    {"127.255.255.255", Scope::kLoopback, "127.255.255.255"},
    {"::1", Scope::kLoopback, "::1"},
    {"0000:0000:0000:0000:0000:0000:0000:0001", Scope::kLoopback, "::1"},
    {"::0.0.0.1", Scope::kLoopback, "::1"},
    {"::ffff:127.0.0.1", Scope::kLoopback, "127.0.0.1"},
    {"::ffff:7f00:1", Scope::kLoopback, "127.0.0.1"},
    {"::FFFF:7F00:0001", Scope::kLoopback, "127.0.0.1"},
    {"0:0:0:0:0:ffff:7f00:1", Scope::kLoopback, "127.0.0.1"},
    // Link-local, the metadata service among them.
    {"169.254.0.0", Scope::kLinkLocal, "169.254.0.0"},
    {"169.254.169.254", Scope::kLinkLocal, "169.254.169.254"},
    {"::ffff:169.254.169.254", Scope::kLinkLocal, "169.254.169.254"},
    {"::ffff:a9fe:a9fe", Scope::kLinkLocal, "169.254.169.254"},
    {"fe80::1", Scope::kLinkLocal, "fe80::1"},
    {"febf:ffff::", Scope::kLinkLocal, "febf:ffff::"},
    // Private, at both edges.
    {"10.0.0.0", Scope::kPrivate, "10.0.0.0"},
    {"10.255.255.255", Scope::kPrivate, "10.255.255.255"},
    {"9.255.255.255", Scope::kGlobal, "9.255.255.255"},
    {"11.0.0.0", Scope::kGlobal, "11.0.0.0"},
    {"172.15.255.255", Scope::kGlobal, "172.15.255.255"},
    {"172.16.0.0", Scope::kPrivate, "172.16.0.0"},
    {"172.31.255.255", Scope::kPrivate, "172.31.255.255"},
    {"172.32.0.0", Scope::kGlobal, "172.32.0.0"},
    {"192.167.255.255", Scope::kGlobal, "192.167.255.255"},
    {"192.168.0.1", Scope::kPrivate, "192.168.0.1"},
    {"192.169.0.0", Scope::kGlobal, "192.169.0.0"},
    {"100.63.255.255", Scope::kGlobal, "100.63.255.255"},
    {"100.64.0.0", Scope::kPrivate, "100.64.0.0"},
    {"100.127.255.255", Scope::kPrivate, "100.127.255.255"},
    {"100.128.0.0", Scope::kGlobal, "100.128.0.0"},
    {"::ffff:10.1.2.3", Scope::kPrivate, "10.1.2.3"},
    {"::ffff:c0a8:101", Scope::kPrivate, "192.168.1.1"},
    {"fc00::", Scope::kPrivate, "fc00::"},
    {"fd00:ec2::254", Scope::kPrivate, "fd00:ec2::254"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Scope::kPrivate, "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    // Special IPv4.
    {"0.0.0.1", Scope::kSpecial, "0.0.0.1"},
    {"0.255.255.255", Scope::kSpecial, "0.255.255.255"},
    {"1.0.0.0", Scope::kGlobal, "1.0.0.0"},
    {"192.0.0.9", Scope::kSpecial, "192.0.0.9"},
    {"192.0.1.0", Scope::kGlobal, "192.0.1.0"},
    {"192.0.2.1", Scope::kSpecial, "192.0.2.1"},
    {"192.31.196.1", Scope::kSpecial, "192.31.196.1"},
    {"192.52.193.1", Scope::kSpecial, "192.52.193.1"},
    {"192.88.99.1", Scope::kSpecial, "192.88.99.1"},
    {"192.175.48.6", Scope::kSpecial, "192.175.48.6"},
    {"198.17.255.255", Scope::kGlobal, "198.17.255.255"},
    {"198.18.0.0", Scope::kSpecial, "198.18.0.0"},
    {"198.19.255.255", Scope::kSpecial, "198.19.255.255"},
    {"198.20.0.0", Scope::kGlobal, "198.20.0.0"},
    {"198.51.100.7", Scope::kSpecial, "198.51.100.7"},
    {"203.0.113.7", Scope::kSpecial, "203.0.113.7"},
    {"223.255.255.255", Scope::kGlobal, "223.255.255.255"},
    {"224.0.0.1", Scope::kSpecial, "224.0.0.1"},
    {"239.255.255.255", Scope::kSpecial, "239.255.255.255"},
    {"240.0.0.1", Scope::kSpecial, "240.0.0.1"},
    {"255.255.255.255", Scope::kSpecial, "255.255.255.255"},
    {"::ffff:255.255.255.255", Scope::kSpecial, "255.255.255.255"},
    // IPv4 inside IPv6 in every other way: never global, so never a way around a list.
    {"::10.0.0.1", Scope::kSpecial, "::a00:1"},
    {"::8.8.8.8", Scope::kSpecial, "::808:808"},
    {"::127.0.0.1", Scope::kSpecial, "::7f00:1"},
    {"::ffff:0:127.0.0.1", Scope::kSpecial, "::ffff:0:7f00:1"},
    {"::ffff:0:8.8.8.8", Scope::kSpecial, "::ffff:0:808:808"},
    {"64:ff9b::8.8.8.8", Scope::kSpecial, "64:ff9b::808:808"},
    {"64:ff9b::7f00:1", Scope::kSpecial, "64:ff9b::7f00:1"},
    {"64:ff9b:1::a00:1", Scope::kSpecial, "64:ff9b:1::a00:1"},
    {"2002:7f00:1::", Scope::kSpecial, "2002:7f00:1::"},
    {"2002:a00:1::1", Scope::kSpecial, "2002:a00:1::1"},
    {"2002:808:808::1", Scope::kSpecial, "2002:808:808::1"},
    {"2001::1", Scope::kSpecial, "2001::1"},
    {"2001:0:53aa:64c:0:7f:80ff:fffe", Scope::kSpecial, "2001:0:53aa:64c:0:7f:80ff:fffe"},
    // Other special IPv6.
    {"100::1", Scope::kSpecial, "100::1"},
    {"100:0:0:1::1", Scope::kSpecial, "100:0:0:1::1"},
    {"2001:2::1", Scope::kSpecial, "2001:2::1"},
    {"2001:10::1", Scope::kSpecial, "2001:10::1"},
    {"2001:20::1", Scope::kSpecial, "2001:20::1"},
    {"2001:1ff:ffff::1", Scope::kSpecial, "2001:1ff:ffff::1"},
    {"2001:200::1", Scope::kGlobal, "2001:200::1"},
    {"2001:db7:ffff::1", Scope::kGlobal, "2001:db7:ffff::1"},
    {"2001:db8::1", Scope::kSpecial, "2001:db8::1"},
    {"2001:db9::1", Scope::kGlobal, "2001:db9::1"},
    {"2620:4f:8000::1", Scope::kSpecial, "2620:4f:8000::1"},
    {"2620:4f:8001::1", Scope::kGlobal, "2620:4f:8001::1"},
    {"3fff:fff::1", Scope::kSpecial, "3fff:fff::1"},
    {"3fff:1000::1", Scope::kGlobal, "3fff:1000::1"},
    {"5f00::1", Scope::kSpecial, "5f00::1"},
    {"fec0::1", Scope::kSpecial, "fec0::1"},
    {"ff02::1", Scope::kSpecial, "ff02::1"},
    {"ff0e::1", Scope::kSpecial, "ff0e::1"},
    {"4000::1", Scope::kSpecial, "4000::1"},
    {"1fff::1", Scope::kSpecial, "1fff::1"},
    // Global.
    {"8.8.8.8", Scope::kGlobal, "8.8.8.8"},
    {"::ffff:8.8.8.8", Scope::kGlobal, "8.8.8.8"},
    {"2000::1", Scope::kGlobal, "2000::1"},
    {"2606:4700:4700:0:0:0:0:1111", Scope::kGlobal, "2606:4700:4700::1111"},
    {"2A00:1450:4001:082A:0:0:0:200E", Scope::kGlobal, "2a00:1450:4001:82a::200e"},
    {"2a00:0:0:1:0:0:0:1", Scope::kGlobal, "2a00:0:0:1::1"},
    {"2a00:0:0:1:1:0:0:1", Scope::kGlobal, "2a00::1:1:0:0:1"},
    {"2a00:1:0:1:1:1:1:1", Scope::kGlobal, "2a00:1:0:1:1:1:1:1"},
    {"2a00:1:2:3:4:5:6::", Scope::kGlobal, "2a00:1:2:3:4:5:6:0"},
};
INSTANTIATE_TEST_SUITE_P(Table, ScopeOf, testing::ValuesIn(kScopes));

TEST(IpAddress, RefusesOtherSpellings) {
  const std::string_view refused[] = {
      "",
      " ",
      "localhost",
      "1",
      "127.1",
      "127.0.1",
      "0177.0.0.1",
      "0x7f.0.0.1",
      "2130706433",
      "127.0.0.01",
      "127.0.0.1.",
      ".127.0.0.1",
      "127.0.0.1.1",
      "127..0.1",
      "256.0.0.1",
      "1.2.3.-4",
      "+1.2.3.4",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.4/8",
      "1.2.3.4:80",
      "[::1]",
      "::1%lo",
      "fe80::1%eth0",
      "fe80::1%251",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      ":1::",
      "12345::",
      "g::",
      "::1/128",
      "::ffff:1.2.3",
      "::1.2.3.256",
      "1:2:3:4:5:6:7:8:9",
      "::1 ",
      " ::1",
      "1:2:3:4:5:6:7:8::",
      "::ffff:0127.0.0.1",
      "::ffff:127.0.0.01",
      "2a00:1450:4001:0082a::1",
      "\xef\xbc\x91.2.3.4",
  };
  for (const auto text : refused) EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(IpAddress::parse(std::string_view("::1\0::2", 7)));
  EXPECT_FALSE(IpAddress::parse(std::string(300, ':')));
}

TEST(IpAddress, MappedAndPlainAreOneHost) {
  const auto plain = IpAddress::parse("192.0.2.1");
  const auto mapped = IpAddress::parse("::ffff:192.0.2.1");
  ASSERT_TRUE(plain && mapped);
  EXPECT_EQ(*plain, *mapped);
  EXPECT_EQ(mapped->family(), Family::kV4);
  EXPECT_EQ(mapped->bytes(), std::string_view("\xc0\x00\x02\x01", 4));
  EXPECT_EQ((std::set<IpAddress>{*plain, *mapped}).size(), 1u);
}

TEST(IpAddress, NoneIsNobody) {
  const IpAddress none;
  EXPECT_EQ(none.family(), Family::kNone);
  EXPECT_EQ(none.scope(), Scope::kUnspecified);
  EXPECT_TRUE(none.bytes().empty());
  EXPECT_EQ(none.text(), "");
  EXPECT_NE(none, IpAddress::v4({0, 0, 0, 0}));
  EXPECT_EQ(none.prefix(), none);
}

TEST(IpAddress, PrefixIsWhatLimitsCountBy) {
  const auto prefix = [](std::string_view text) { return IpAddress::parse(text)->prefix().text(); };
  EXPECT_EQ(prefix("192.0.2.255"), "192.0.2.0");
  EXPECT_EQ(prefix("::ffff:192.0.2.255"), "192.0.2.0");
  EXPECT_EQ(prefix("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
  EXPECT_EQ(prefix("::1"), "::");
}

TEST(SocketAddress, ReadsAndWritesOneForm) {
  const std::pair<const char*, const char*> good[] = {
      {"192.0.2.1:4433", "192.0.2.1:4433"},
      {"192.0.2.1:0", "192.0.2.1:0"},
      {"192.0.2.1:65535", "192.0.2.1:65535"},
      {"[2001:db8::1]:4433", "[2001:db8::1]:4433"},
      {"[2001:DB8:0::1]:1", "[2001:db8::1]:1"},
      {"[::ffff:192.0.2.1]:4433", "192.0.2.1:4433"},
      {"[::]:0", "[::]:0"},
  };
  for (const auto& [text, canonical] : good) {
    const auto address = SocketAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), canonical);
    EXPECT_EQ(SocketAddress::parse(address->text()), address);
  }
}

TEST(SocketAddress, RefusesOtherSpellings) {
  const std::string_view refused[] = {
      "",
      ":",
      "192.0.2.1",
      "192.0.2.1:",
      "192.0.2.1:65536",
      "192.0.2.1:04433",
      "192.0.2.1:-1",
      ":4433",
      "::1:4433",
      "[::1]",
      "[::1]:",
      "[::1]4433",
      "[::1]:00",
      "[::1",
      "[]:1",
      "::1]:1",
      "[192.0.2.1]:1",
      "[[::1]]:1",
      "[::1%lo]:1",
      "localhost:1",
      "1.2.3.4:1:2",
      "1.2.3.4:1 ",
      "1.2.3.4: 1",
      "[::1]:+1",
      "1.2.3.4:99999999999",
  };
  for (const auto text : refused) EXPECT_FALSE(SocketAddress::parse(text)) << text;
}

TEST(SocketAddress, GoesThroughTheKernelForm) {
  for (const char* text : {"192.0.2.1:4433", "[2001:db8::1]:4433"}) {
    const auto address = SocketAddress::parse(text);
    sockaddr_storage storage{};
    const socklen_t length = address->to(storage);
    EXPECT_EQ(SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length), address);
    EXPECT_FALSE(SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length - 1));
  }
  EXPECT_FALSE(SocketAddress::from(nullptr, 0));
}

TEST(SocketAddress, MappedFormForIpv6SocketsComesBackAsIpv4) {
  const auto address = SocketAddress::parse("192.0.2.1:4433");
  sockaddr_storage storage{};
  const socklen_t length = address->to(storage, true);
  EXPECT_EQ(length, sizeof(sockaddr_in6));
  EXPECT_EQ(storage.ss_family, AF_INET6);
  EXPECT_EQ(SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length), address);
}

TEST(SocketAddress, NoAddressHasNoKernelForm) {
  sockaddr_storage storage{};
  EXPECT_EQ(SocketAddress{}.to(storage), 0u);
  EXPECT_EQ(storage.ss_family, AF_UNSPEC);
  EXPECT_EQ(SocketAddress{}.text(), "");
  EXPECT_FALSE(SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), sizeof storage));
}

}  // namespace
}  // namespace atlas::net
