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
                             .publish = [this](const std::string& text) { published.push_back(text); }});
    address->start();
  }
  // The server that was asked as number `i` says: 192.0.2.<host>:<port>.
  void answer(std::size_t i, std::uint8_t host, std::uint8_t port) {
    base::Bytes out = {0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42};
    out.insert(out.end(), sent[i].second.begin() + 8, sent[i].second.begin() + 20);
    out.insert(out.end(), {0, 1, 0, 8, 0, 1, 0, port, 192, 0, 2, host});
    EXPECT_TRUE(address->on_datagram(sent[i].first, out));
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  base::SeededRandom random{1};
  std::unique_ptr<PublicAddress> address;
  std::vector<std::pair<net::SocketAddress, base::Bytes>> sent;
  std::vector<std::string> published;
};

TEST_F(PublicAddressTest, WhatABootstrapNodeSawIsPublishedOnce) {
  make({});
  address->on_observed("192.0.2.1:1");
  address->on_observed("192.0.2.1:1");
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1"));
}

TEST_F(PublicAddressTest, StunCountsForMore) {
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  address->on_observed("192.0.2.1:1");
  answer(0, 7, 7);
  answer(1, 7, 7);
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1", "192.0.2.7:7"));
  address->on_observed("192.0.2.1:2");
  EXPECT_THAT(published, ElementsAre("192.0.2.1:1", "192.0.2.7:7"));
}

TEST_F(PublicAddressTest, AnAddressThatDependsOnWhoLooksIsNotPublished) {
  make({"198.51.100.1:3478", "198.51.100.2:3478"});
  answer(0, 7, 7);
  answer(1, 7, 8);
  EXPECT_THAT(published, IsEmpty());
}

TEST_F(PublicAddressTest, ServersThatAreNoAddressesAreNotAsked) {
  make({"stun.example.org:3478", "198.51.100.1:3478"});
  EXPECT_EQ(sent.size(), 1u);
}

}  // namespace
}  // namespace atlas::node
