// Which of what others say is published.
#include "node/public_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/host/host_fixture.h"

namespace atlas::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PublicAddressTest : public testing::Test {
 protected:
  PublicAddressTest() : loop(clock) {}

  void make(std::vector<std::string> servers) {
    address = std::make_unique<PublicAddress>(
        PublicAddress::Setup{.loop = &loop,
                             .random = &random,
                             .servers = std::move(servers),
                             .send =
                                 [this](const net::SocketAddress& to, base::ByteView datagram) {
                                   sent.push_back({to, base::Bytes(datagram.begin(), datagram.end())});
                                 },
                             .publish = [this](const std::string& text) { published.push_back(text); },
                             .changed = [this] { ++changes; }});
    address->start();
  }
  // The server that was asked as number `i` says: 192.0.2.<host>:<port>.
  void answer(std::size_t i, std::uint8_t host, std::uint8_t port) {
    base::Bytes out = {0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42};
    out.insert(out.end(), sent[i].second.begin() + 8, sent[i].second.begin() + 20);
    out.insert(out.end(), {0, 1, 0, 8, 0, 1, 0, port, 192, 0, 2, host});
    EXPECT_TRUE(address->on_datagram(sent[i].first, out));
  }

  void saw(const std::string& where, const std::string& by = "198.51.100.9:4433",
           PublicAddress::Seen seen = PublicAddress::Seen::kByBootstrap) {
    address->on_observed(by, where, seen);
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  base::SeededRandom random{1};
  std::unique_ptr<PublicAddress> address;
  std::vector<std::pair<net::SocketAddress, base::Bytes>> sent;
  std::vector<std::string> published;
  int changes = 0;
};

TEST_F(PublicAddressTest, WhatABootstrapNodeSawIsPublishedOnce) {
  make({});
  saw("192.0.2.1:1");
  saw("192.0.2.1:1");
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1"));
}

TEST_F(PublicAddressTest, StunCountsForMore) {
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  saw("192.0.2.1:1");
  answer(0, 7, 7);
  answer(1, 7, 7);
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1", "192.0.2.7:7"));
  saw("192.0.2.1:2");
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1", "192.0.2.7:7"));
}

TEST_F(PublicAddressTest, AnAddressThatDependsOnWhoLooksIsNotPublished) {
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  answer(0, 7, 7);
  answer(1, 7, 8);
  EXPECT_THAT(published, IsEmpty());
}

TEST_F(PublicAddressTest, WhatARelaySawIsNotPublished) {
  make({});
  saw("192.0.2.1:1", "198.51.100.1:4433", PublicAddress::Seen::kByRelay);
  EXPECT_THAT(published, IsEmpty());
  EXPECT_EQ(changes, 1);
  EXPECT_THAT(address->seen_at(), ElementsAre(*net::SocketAddress::parse("192.0.2.1:1")));
}

TEST_F(PublicAddressTest, TwoWhoSeeTwoPortsOfOneHostSeeASymmetricNat) {
  make({});
  saw("192.0.2.1:1", "198.51.100.1:4433");
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kUnknown);
  saw("192.0.2.1:1", "198.51.100.2:4433", PublicAddress::Seen::kByRelay);
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kSame);
  saw("192.0.2.1:2", "198.51.100.3:4433", PublicAddress::Seen::kByRelay);
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kDependent);
  EXPECT_EQ(address->mapping(net::Family::kV6), net::Mapping::kUnknown);
}

TEST_F(PublicAddressTest, OneWhoSeesAnotherPortLaterSeesAnotherMapping) {
  make({});
  saw("192.0.2.1:1", "198.51.100.1:4433");
  saw("192.0.2.1:2", "198.51.100.1:4433");
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kUnknown) << "the same node";
  clock.advance(kSeenTogether + 1);
  saw("192.0.2.1:3", "198.51.100.2:4433");
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kUnknown) << "at another time";
  saw("192.0.2.7:2", "198.51.100.3:4433");
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kUnknown) << "another host";
}

TEST_F(PublicAddressTest, StunKnowsTheMappingBetter) {
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  saw("192.0.2.1:1", "198.51.100.1:4433");
  saw("192.0.2.1:2", "198.51.100.2:4433");
  answer(0, 7, 7);
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kDependent);
  answer(1, 7, 7);
  EXPECT_EQ(address->mapping(net::Family::kV4), net::Mapping::kSame);
}

TEST_F(PublicAddressTest, SightingsAreBounded) {
  make({});
  for (int i = 0; i < 100; ++i) saw("192.0.2.1:" + std::to_string(i + 1), "198.51.100.1:" + std::to_string(i + 1));
  EXPECT_EQ(address->seen_at().size(), kMostSightings);
  saw("no address", "198.51.100.2:1");
  EXPECT_EQ(address->seen_at().back().text(), "192.0.2.1:100");
}

TEST_F(PublicAddressTest, SilenceIsKnownWhenEveryServerIsGivenUp) {
  make({});
  EXPECT_FALSE(address->stun_is_silent()) << "nobody was asked";
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  EXPECT_FALSE(address->stun_is_silent());
  for (int i = 0; i < 40; ++i) {
    clock.advance(100 * base::kMillisecond);
    while (loop.run_once()) {
    }
  }
  EXPECT_TRUE(address->stun_is_silent());
}

class BehindNat : public testing::Test {
 protected:
  static std::optional<bool> judged(const std::string& seen, const std::string& bound,
                                    const std::vector<std::string>& interfaces = {}) {
    std::vector<net::IpAddress> own;
    for (const auto& text : interfaces) own.push_back(*net::IpAddress::parse(text));
    return behind_nat({*net::SocketAddress::parse(seen)}, {*net::SocketAddress::parse(bound)}, own);
  }
};

TEST_F(BehindNat, ItsOwnAddressAndPortAreNone) {
  EXPECT_EQ(judged("198.41.0.4:4433", "198.41.0.4:4433"), false);
  EXPECT_EQ(judged("198.41.0.4:4433", "0.0.0.0:4433", {"127.0.0.1", "198.41.0.4"}), false);
}

TEST_F(BehindNat, AnotherHostOrPortIsOne) {
  EXPECT_EQ(judged("198.41.0.4:20001", "198.41.0.4:4433"), true);
  EXPECT_EQ(judged("198.41.0.4:20001", "0.0.0.0:4433"), true);
  EXPECT_EQ(judged("198.41.0.4:4433", "192.168.1.5:4433"), true);
  EXPECT_EQ(judged("198.41.0.4:4433", "0.0.0.0:4433", {"127.0.0.1", "192.168.1.5"}), true);
}

TEST_F(BehindNat, WhatCannotBeToldIsNotGuessed) {
  EXPECT_EQ(judged("198.41.0.4:4433", "0.0.0.0:4433"), std::nullopt) << "no interface is known";
  EXPECT_EQ(judged("192.168.1.5:4433", "0.0.0.0:4433", {"10.0.0.1"}), std::nullopt) << "seen from inside";
  EXPECT_EQ(behind_nat({}, {}, {}), std::nullopt);
}

TEST_F(PublicAddressTest, ServersThatAreNoAddressesAreNotAsked) {
  make({"stun.example.org:3478", "198.51.100.1:3478"});
  EXPECT_EQ(sent.size(), 1u);
}

}  // namespace
}  // namespace atlas::node
