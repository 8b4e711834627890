// A28, outside of the relay role: wherever somebody else names an address, a special one counts only as far as they can
// know it. Bootstrap nodes tell of peers; STUN servers, bootstrap nodes and relays tell how they see this node.
#include <gtest/gtest.h>

#include "attack/addresses/special_ranges.h"
#include "discovery/address.h"
#include "node/public_address.h"
#include "unit/host/host_fixture.h"

namespace atlas::attack {
namespace {

bool is_private_here(const std::string& text) {
  return HostAddress::parse(text)->scope() == Scope::kPrivate;
}

// --- peers that a bootstrap node tells of: these are dialled later ---

TEST(ToldPeers, sec_relay_no_ssrf) {
  const auto outside = *HostAddress::parse("9.9.9.9");
  std::size_t refused = 0;
  for (const std::string& special : special_hosts()) {
    // Agents of one private network meet through a bootstrap node outside of it: private is kept, and nothing else.
    EXPECT_EQ(discovery::is_kept(with_port(special), outside), is_private_here(special)) << special;
    EXPECT_FALSE(discovery::is_kept(with_port(special, 0), outside)) << special;
    refused += !is_private_here(special);
  }
  EXPECT_GT(refused, 500u);
  for (const SpecialRange& range : kSpecialV4) {
    for (const std::string& text : refused_spellings(range.first)) {
      EXPECT_FALSE(discovery::is_kept(with_port(text), outside)) << text;
    }
  }
  for (const char* host : kGlobalHosts) EXPECT_TRUE(discovery::is_kept(with_port(host), outside)) << host;
}

// --- how others see this node: told on to the registry, and so to whoever asks there ---

class ToldOwnAddress : public testing::Test {
 protected:
  ToldOwnAddress() : loop(clock) {}

  void make(std::vector<std::string> servers) {
    sent.clear();
    published.clear();
    address = std::make_unique<node::PublicAddress>(node::PublicAddress::Setup{
        .loop = &loop,
        .random = &random,
        .servers = std::move(servers),
        .send = [this](
                    const net::SocketAddress& to,
                    base::ByteView datagram) { sent.emplace_back(to, base::Bytes(datagram.begin(), datagram.end())); },
        .publish = [this](const std::string& text) { published.push_back(text); },
        .changed = {}});
    address->start();
  }
  // The last server that was asked answers with a plain MAPPED-ADDRESS, port 4433.
  void answer(const HostAddress& host) {
    const auto size = static_cast<std::uint8_t>(host.size());
    base::Bytes out = {0x01, 0x01, 0, static_cast<std::uint8_t>(8 + size), 0x21, 0x12, 0xa4, 0x42};
    out.insert(out.end(), sent.back().second.begin() + 8, sent.back().second.begin() + 20);
    out.insert(out.end(), {0, 1, 0, static_cast<std::uint8_t>(4 + size), 0,
                           static_cast<std::uint8_t>(host.is_v4() ? 1 : 2), 4433 >> 8, 4433 & 0xff});
    out.insert(out.end(), host.bytes().begin(), host.bytes().begin() + size);
    ASSERT_TRUE(address->on_datagram(sent.back().first, out));
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  base::SeededRandom random{1};
  std::unique_ptr<node::PublicAddress> address;
  std::vector<std::pair<net::SocketAddress, base::Bytes>> sent;
  std::vector<std::string> published;
};

TEST_F(ToldOwnAddress, sec_relay_no_ssrf) {
  for (const std::string& special : special_hosts()) {
    make({"9.9.9.9:3478"});
    answer(*HostAddress::parse(special));
    address->on_observed("9.9.9.9:4433", with_port(special), node::PublicAddress::Seen::kByBootstrap);
    EXPECT_TRUE(published.empty()) << special;
  }
  for (const char* host : kGlobalHosts) {
    make({"9.9.9.9:3478"});
    answer(*HostAddress::parse(host));
    EXPECT_EQ(published, std::vector{with_port(HostAddress::parse(host)->text())});
    make({});
    address->on_observed("9.9.9.9:4433", with_port(host), node::PublicAddress::Seen::kByBootstrap);
    EXPECT_EQ(published, std::vector{with_port(HostAddress::parse(host)->text())});
  }
  // In a network of its own a node is seen as what it is there.
  make({"192.168.0.1:3478"});
  answer(*HostAddress::parse("192.168.0.9"));
  EXPECT_EQ(published, std::vector<std::string>{"192.168.0.9:4433"});
}

}  // namespace
}  // namespace atlas::attack
