// The filter on real sockets of loopback: what it lets pass, and what not.
#include "net/udp_shed.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "net/udp_open.h"

namespace atlas::net {
namespace {

base::ByteArray<8> prefix(std::uint32_t number) {
  base::ByteArray<8> out{};
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>((number * 2'654'435'761U) >> (4 * (i % 8)));
  return out;
}

class UdpShedTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto receiver = open_udp_socket({*IpAddress::parse(GetParam()), 0}, {});
    if (!receiver) GTEST_SKIP() << "this machine has no " << GetParam();
    auto sender = open_udp_socket({*IpAddress::parse(GetParam()), 0}, {});
    ASSERT_TRUE(sender);
    to_ = std::move(*receiver);
    from_ = std::move(*sender);
    sockaddr_storage address{};
    const socklen_t length = to_.local.to(address);
    ASSERT_EQ(::connect(from_.fd.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  }

  // Whether it comes through.
  bool passes(base::ByteView datagram) {
    EXPECT_EQ(::send(from_.fd.get(), datagram.data(), datagram.size(), 0), static_cast<ssize_t>(datagram.size()));
    std::uint8_t buffer[2'000];
    const ssize_t got = ::recv(to_.fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return got == static_cast<ssize_t>(datagram.size());
  }
  static base::Bytes short_header(const base::ByteArray<8>& id) {
    base::Bytes out{0x40};
    out.insert(out.end(), id.begin(), id.end());
    out.resize(100);
    return out;
  }
  static base::Bytes long_header(const base::ByteArray<8>& id) {
    base::Bytes out{0xc0, 0, 0, 0, 1, 8};
    out.insert(out.end(), id.begin(), id.end());
    out.resize(100);
    return out;
  }
  bool attach(std::span<const ShedRule> rules) { return attach_shed(to_.fd.get(), rules); }

  OpenedUdp to_, from_;
};

INSTANTIATE_TEST_SUITE_P(Loopback, UdpShedTest, testing::Values("127.0.0.1", "::1"));

TEST_P(UdpShedTest, DropsWhatIsListedInBothKindsOfHeader) {
  const ShedRule rule{prefix(1), 0};
  ASSERT_TRUE(attach({&rule, 1}));
  EXPECT_FALSE(passes(short_header(prefix(1))));
  EXPECT_FALSE(passes(long_header(prefix(1))));
  EXPECT_TRUE(passes(short_header(prefix(2))));
  EXPECT_TRUE(passes(long_header(prefix(2))));
  auto other = prefix(1);
  other[7] ^= 1;  // the second half counts as well
  EXPECT_TRUE(passes(short_header(other)));
}

TEST_P(UdpShedTest, KeepsAPartByChance) {
  const ShedRule rules[] = {{prefix(1), 0.25}, {prefix(2), 1}};
  ASSERT_TRUE(attach(rules));
  int kept = 0;
  for (int i = 0; i < 4'000; ++i) kept += passes(short_header(prefix(1)));
  EXPECT_GT(kept, 700);  // ten standard deviations from 1 000
  EXPECT_LT(kept, 1'300);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(passes(short_header(prefix(2))));
}

TEST_P(UdpShedTest, FindsEachOfAsManyAsThereMayBe) {
  std::vector<ShedRule> rules;
  for (std::uint32_t i = 0; i < kMostShed; ++i) rules.push_back({prefix(i), 0});
  EXPECT_LE(shed_program(rules).size(), 4'096u);
  ASSERT_TRUE(attach(rules));
  for (std::uint32_t i = 0; i < kMostShed; ++i) EXPECT_FALSE(passes(short_header(prefix(i)))) << i;
  for (std::uint32_t i = 10'000; i < 10'100; ++i) EXPECT_TRUE(passes(short_header(prefix(i)))) << i;
}

TEST_P(UdpShedTest, MoreRulesThanThereMayBeAreLeftOut) {
  std::vector<ShedRule> rules;
  for (std::uint32_t i = 0; i < kMostShed + 50; ++i) rules.push_back({prefix(i), 0});
  ASSERT_TRUE(attach(rules));
  EXPECT_FALSE(passes(short_header(prefix(0))));
  EXPECT_TRUE(passes(short_header(prefix(kMostShed + 10))));
}

TEST_P(UdpShedTest, NoRulesTakeItOff) {
  const ShedRule rule{prefix(1), 0};
  ASSERT_TRUE(attach({}));
  ASSERT_TRUE(attach({&rule, 1}));
  ASSERT_FALSE(passes(short_header(prefix(1))));
  ASSERT_TRUE(attach({}));
  EXPECT_TRUE(passes(short_header(prefix(1))));
  EXPECT_TRUE(passes(base::Bytes{0x01}));
}

}  // namespace
}  // namespace atlas::net
