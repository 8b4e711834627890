// A29. One host has one form, whoever writes it and however: the address of the core (net/address.h) and that of roles
// (atlas/address.hpp) read the same spellings, to the same bytes, and write the same text. So a list of allowed
// addresses and a limit for each prefix cannot be walked around by spelling.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>

#include "attack/addresses/special_ranges.h"
#include "base/random.h"
#include "bootstrap/address_policy.h"
#include "net/address.h"

namespace atlas::attack {
namespace {

struct Spelling {
  const char* text;
  const char* canonical;  // null: no address
};

constexpr Spelling kSpellings[] = {
    // IPv4, and all that is mapped onto it.
    {"192.0.2.1", "192.0.2.1"},
    {"::ffff:192.0.2.1", "192.0.2.1"},
    {"::FFFF:192.0.2.1", "192.0.2.1"},
    {"::fFfF:c000:0201", "192.0.2.1"},
    {"::ffff:c000:201", "192.0.2.1"},
    {"0::ffff:c000:201", "192.0.2.1"},
    {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"},
    {"0:0:0:0:0:ffff:c000:201", "192.0.2.1"},
    {"0000:0000:0000:0000:0000:FFFF:C000:0201", "192.0.2.1"},
    {"0:0::0:ffff:c000:201", "192.0.2.1"},
    {"::0:ffff:192.0.2.1", "192.0.2.1"},
    {"::ffff:0.0.0.0", "0.0.0.0"},
    {"::ffff:0:0", "0.0.0.0"},
    {"::ffff:255.255.255.255", "255.255.255.255"},
    {"0.0.0.0", "0.0.0.0"},
    // IPv6, at its shortest.
    {"::", "::"},
    {"0::0", "::"},
    {"0:0:0:0:0:0:0:0", "::"},
    {"::0.0.0.0", "::"},
    {"::1", "::1"},
    {"0:0:0:0:0:0:0:1", "::1"},
    {"::0.0.0.1", "::1"},
    {"2001:DB8::1", "2001:db8::1"},
    {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
    {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
    {"2001:db8::0:1", "2001:db8::1"},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"1:0:0:0:2:0:0:0", "1::2:0:0:0"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"fe80::1", "fe80::1"},
    // An IPv4 address within that is not mapped is IPv6, and stays what it is.
    {"::192.0.2.1", "::c000:201"},
    {"::c000:201", "::c000:201"},
    {"0:0:0:0:0:0:192.0.2.1", "::c000:201"},
    {"::ffff:0:192.0.2.1", "::ffff:0:c000:201"},
    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    {"64:FF9B:0:0:0:0:C000:0201", "64:ff9b::c000:201"},
    {"64:ff9b:1::192.0.2.1", "64:ff9b:1::c000:201"},
    {"2002:c000:201::", "2002:c000:201::"},
    {"2002:C000:0201:0:0:0:0:1", "2002:c000:201::1"},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
    {"2001::4136:e378:8000:63bf:3fff:fdd2", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
    {"fe80::5efe:192.0.2.1", "fe80::5efe:c000:201"},
    {"1::192.0.2.1", "1::c000:201"},
    {"1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"},
    // What other programs take for an address.
    {"", nullptr},
    {"0", nullptr},
    {"localhost", nullptr},
    {"3221225985", nullptr},
    {"0xc0000201", nullptr},
    {"0300.0.02.01", nullptr},
    {"192.0.2.01", nullptr},
    {"192.0.2.001", nullptr},
    {"0192.0.2.1", nullptr},
    {"192.0.2.0x1", nullptr},
    {"0xc0.0.2.1", nullptr},
    {"192.0.513", nullptr},
    {"192.513", nullptr},
    {"192.0.2.1.", nullptr},
    {".192.0.2.1", nullptr},
    {"192.0.2.1 ", nullptr},
    {" 192.0.2.1", nullptr},
    {"\t192.0.2.1", nullptr},
    {"192.0.2.1\n", nullptr},
    {"+192.0.2.1", nullptr},
    {"-1.0.2.1", nullptr},
    {"192.0.2.256", nullptr},
    {"192.0.2", nullptr},
    {"192.0.2.1.1", nullptr},
    {"192..2.1", nullptr},
    {"192,0,2,1", nullptr},
    {"192.0.2.1/32", nullptr},
    {"192.0.2.1%lo", nullptr},
    {"\xd9\xa1\xd9\xa9\xd9\xa2.0.2.1", nullptr},
    {"::1%lo", nullptr},
    {"::1%0", nullptr},
    {"fe80::1%eth0", nullptr},
    {"fe80::1%251", nullptr},
    {"::ffff:192.0.2.1%1", nullptr},
    {"::ffff:192.0.2.01", nullptr},
    {"::ffff:0300.0.2.1", nullptr},
    {"::ffff:192.0.2", nullptr},
    {"::ffff:192.0.2.256", nullptr},
    {"::192.0.2.1:1", nullptr},
    {"::ffff:192.0.2.1:0", nullptr},
    {"192.0.2.1::", nullptr},
    {"1:2:3:4:5:6:7:192.0.2.1", nullptr},
    {"::ffff:0xc0.0.2.1", nullptr},
    {"::0ffff:192.0.2.1", nullptr},
    {"::00001", nullptr},
    {":", nullptr},
    {":::", nullptr},
    {"1::2::3", nullptr},
    {"1:2:3:4:5:6:7", nullptr},
    {"1:2:3:4:5:6:7:8:9", nullptr},
    {"1:2:3:4:5:6:7:8::", nullptr},
    {"::1:2:3:4:5:6:7:8", nullptr},
    {":1:2:3:4:5:6:7:8", nullptr},
    {"1:2:3:4:5:6:7:8:", nullptr},
    {"::g", nullptr},
    {"::-1", nullptr},
    {"::+1", nullptr},
    {"::0x1", nullptr},
    {"::1/128", nullptr},
    {"[::1]", nullptr},
    {"::1 ", nullptr},
};
static_assert(std::size(kSpellings) >= 60);

std::string role_text(std::string_view text) {
  const auto host = HostAddress::parse(text);
  return host ? host->text() : "none";
}
std::string core_text(std::string_view text) {
  const auto ip = net::IpAddress::parse(text);
  return ip ? ip->text() : "none";
}
std::string bytes_of(const HostAddress& host) {
  return {reinterpret_cast<const char*>(host.bytes().data()), host.size()};
}

TEST(AddressSpelling, sec_addr_canonical) {
  for (const auto& [text, canonical] : kSpellings) {
    EXPECT_EQ(role_text(text), canonical == nullptr ? "none" : canonical) << text;
    EXPECT_EQ(core_text(text), canonical == nullptr ? "none" : canonical) << text;
    if (canonical == nullptr) continue;
    EXPECT_EQ(HostAddress::parse(text), HostAddress::parse(canonical)) << text;
    EXPECT_EQ(net::IpAddress::parse(text), net::IpAddress::parse(canonical)) << text;
    EXPECT_EQ(bytes_of(*HostAddress::parse(text)), net::IpAddress::parse(text)->bytes()) << text;
  }
  // A NUL ends a text for C, and nothing here.
  EXPECT_FALSE(HostAddress::parse(std::string_view("127.0.0.1\0x", 11)));
  EXPECT_FALSE(net::IpAddress::parse(std::string_view("127.0.0.1\0x", 11)));
  EXPECT_FALSE(HostAddress::parse(std::string_view("::1\0", 4)));
  EXPECT_FALSE(net::IpAddress::parse(std::string_view("::1\0", 4)));
}

TEST(AddressSpelling, sec_addr_canonical_with_ports) {
  const Spelling kWithPorts[] = {
      {"192.0.2.1:4433", "192.0.2.1:4433"},
      {"[::ffff:192.0.2.1]:4433", "192.0.2.1:4433"},
      {"[::ffff:c000:201]:4433", "192.0.2.1:4433"},
      {"[2001:DB8:0::1]:1", "[2001:db8::1]:1"},
      {"192.0.2.1:0", "192.0.2.1:0"},
      {"192.0.2.1:65535", "192.0.2.1:65535"},
      {"192.0.2.1:65536", nullptr},
      {"192.0.2.1:04433", nullptr},
      {"192.0.2.1:00", nullptr},
      {"192.0.2.1:0x1", nullptr},
      {"192.0.2.1:+1", nullptr},
      {"192.0.2.1:-1", nullptr},
      {"192.0.2.1: 1", nullptr},
      {"192.0.2.1:1 ", nullptr},
      {"192.0.2.1:", nullptr},
      {"192.0.2.1", nullptr},
      {"[192.0.2.1]:1", nullptr},
      {"[[::1]]:1", nullptr},
      {"[::1]1", nullptr},
      {"[::1]", nullptr},
      {"[::1:1", nullptr},
      {"::1]:1", nullptr},
      {"::1:1", nullptr},
      {"[]:1", nullptr},
      {":1", nullptr},
      {"", nullptr},
      {"[::1%lo]:1", nullptr},
      {"[fe80::1%25eth0]:1", nullptr},
      {"user@192.0.2.1:1", nullptr},
      {"192.0.2.1:1:2", nullptr},
      {"192.0.2.1:1/x", nullptr},
      {"quic://192.0.2.1:1", nullptr},
  };
  for (const auto& [text, canonical] : kWithPorts) {
    const auto role = Address::parse(text);
    const auto core = net::SocketAddress::parse(text);
    EXPECT_EQ(role ? role->text() : "none", canonical == nullptr ? "none" : canonical) << text;
    EXPECT_EQ(core ? core->text() : "none", canonical == nullptr ? "none" : canonical) << text;
  }
}

// The two readers agree on whatever else somebody may write, and what one of them writes the other one reads.
TEST(AddressSpelling, sec_addr_canonical_for_any_text) {
  base::SeededRandom random(29);
  const auto pick = [&](std::string_view from) { return from[random.below(from.size())]; };
  std::size_t addresses = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text;
    if (i % 2 == 0) {
      for (std::uint64_t size = random.below(24); size > 0; --size) text += pick("0123456789abcdefF::..::x%[] ");
    } else {  // a good one with something changed
      const auto& base = kSpellings[random.below(48)];
      text = base.text;
      if (random.below(3) != 0 && !text.empty()) text[random.below(text.size())] = pick("019af:.%");
      if (random.below(4) == 0) text.insert(random.below(text.size() + 1), 1, pick("0f:."));
    }
    const std::string role = role_text(text);
    ASSERT_EQ(role, core_text(text)) << text;
    if (role == "none") continue;
    ++addresses;
    ASSERT_EQ(role_text(role), role) << text;
    ASSERT_EQ(core_text(role), role) << text;
  }
  EXPECT_GT(addresses, 10'000u);
}

// Whatever the kernel says of where a packet came from is in the one form, too.
TEST(AddressSpelling, sec_addr_canonical_from_the_kernel) {
  for (const SpecialRange& range : kSpecialV4) {
    const auto plain = *net::IpAddress::parse(range.last);
    sockaddr_storage mapped{};
    const socklen_t length = net::SocketAddress{plain, 4433}.to(mapped, true);
    ASSERT_EQ(mapped.ss_family, AF_INET6);
    const auto back = net::SocketAddress::from(reinterpret_cast<const sockaddr*>(&mapped), length);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->text(), with_port(range.last));
  }
}

// --- what is decided by an address is decided on the one form ---

TEST(AddressLists, sec_addr_canonical) {
  for (const SpecialRange& range : kSpecialV4) {
    for (const char* edge : {range.first, range.last}) {
      const auto role = *HostAddress::parse(edge);
      const auto core = *net::IpAddress::parse(edge);
      for (const std::string& text : mapped_spellings(edge)) {
        EXPECT_EQ(HostAddress::parse(text), role) << text;
        EXPECT_EQ(HostAddress::parse(text)->scope(), role.scope()) << text;
        EXPECT_EQ(net::IpAddress::parse(text), core) << text;
        EXPECT_EQ(net::IpAddress::parse(text)->scope(), core.scope()) << text;
      }
      for (const std::string& text : carrying_spellings(edge)) {
        const auto other = HostAddress::parse(text);
        ASSERT_TRUE(other) << text;
        // Never a global host, and nobody's unless it is one of the two that ::/96 itself names.
        EXPECT_NE(other->scope(), Scope::kGlobal) << text;
        EXPECT_NE(net::IpAddress::parse(text)->scope(), net::Scope::kGlobal) << text;
        EXPECT_TRUE(other->scope() == Scope::kNowhere || other->is_loopback()) << text;
      }
      for (const std::string& text : refused_spellings(edge)) {
        EXPECT_EQ(role_text(text), "none") << text;
        EXPECT_EQ(core_text(text), "none") << text;
      }
    }
  }
}

// The registry's list: what is refused plainly is refused in every spelling, what is taken is stored in one.
TEST(AddressLists, sec_addr_canonical_in_the_registry) {
  const auto seen = *HostAddress::parse("8.8.8.8");
  const auto judge = [&](const std::string& host) {
    return bootstrap::judge_address("address", with_port(host), seen, false).address;
  };
  for (const char* plain : {"127.0.0.1", "8.8.4.4", "224.0.0.1", "10.0.0.1", "8.8.8.8", "169.254.169.254"}) {
    const auto verdict = judge(plain);
    for (const std::string& text : mapped_spellings(plain)) EXPECT_EQ(judge(text), verdict) << text;
    for (const std::string& text : carrying_spellings(plain)) EXPECT_FALSE(judge(text)) << text;
    for (const std::string& text : refused_spellings(plain)) EXPECT_FALSE(judge(text)) << text;
  }
  EXPECT_TRUE(judge("8.8.8.8"));
  EXPECT_FALSE(judge("127.0.0.1"));
}

// A limit by prefix: one host has one prefix, and a /24 or a /48 is one however its hosts are written.
TEST(AddressLists, sec_addr_canonical_in_limits_by_prefix) {
  std::map<std::string, std::set<std::string>> prefixes;
  for (unsigned last = 0; last < 256; last += 5) {
    const std::string plain = "198.51.100." + std::to_string(last);
    auto spellings = mapped_spellings(plain.c_str());
    spellings.push_back(plain);
    for (const auto& text : spellings) prefixes["v4"].insert(net::IpAddress::parse(text)->prefix().text());
  }
  for (const char* text : {"2001:db8:7::1", "2001:0DB8:0007:0000::", "2001:db8:7:ffff:ffff:ffff:ffff:ffff",
                           "2001:db8:7::192.0.2.1", "2001:0db8:0007:1:2:3:4:5"}) {
    prefixes["v6"].insert(net::IpAddress::parse(text)->prefix().text());
  }
  EXPECT_EQ(prefixes["v4"], std::set<std::string>{"198.51.100.0"});
  EXPECT_EQ(prefixes["v6"], std::set<std::string>{"2001:db8:7::"});
}

}  // namespace
}  // namespace atlas::attack
