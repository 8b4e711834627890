#include "net/stun_client.h"

#include <gtest/gtest.h>

#include "sim/sim_world.h"

namespace atlas::net {
namespace {

// A server that answers on the simulated network with what it sees, or as it is told.
struct Server {
  explicit Server(sim::SimNode& node, std::uint16_t port = 3478) {
    UdpEvents events;
    events.on_datagrams = [this](const ReceivedBatch& batch) {
      ++asked;
      if (silent) return;
      base::Bytes out = {0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42};
      out.insert(out.end(), batch.data.begin() + 8, batch.data.begin() + 20);
      if (wrong_transaction) out[10] ^= 1;
      const std::string_view host = batch.remote.ip.bytes();
      const std::uint16_t told = port_told == 0 ? batch.remote.port : port_told;
      out.insert(out.end(), {0, 1, 0, 8, 0, 1, static_cast<std::uint8_t>(told >> 8), static_cast<std::uint8_t>(told)});
      for (const char c : host) out.push_back(static_cast<std::uint8_t>(c));
      const SendBatch answer{batch.remote, {}, 0, out, out.size()};
      socket->send({&answer, 1});
    };
    socket = std::move(node.loop().open_udp(node.at(port), {}, std::move(events)).value());
  }
  SocketAddress address() const { return socket->local(); }
  std::unique_ptr<UdpSocket> socket;
  int asked = 0;
  bool silent = false, wrong_transaction = false;
  std::uint16_t port_told = 0;
};

class StunClientTest : public ::testing::Test {
 protected:
  StunClientTest() : world(5), node(world.add_node("node")), one(world.add_node("one")), two(world.add_node("two")) {
    UdpEvents events;
    events.on_datagrams = [this](const ReceivedBatch& batch) {
      taken += client->on_datagram(batch.remote, batch.data) ? 1 : 0;
    };
    socket = std::move(node.loop().open_udp(node.at(4433), {}, std::move(events)).value());
  }
  void make(std::vector<SocketAddress> servers, base::MonoNs again_after = 0) {
    StunClient::Setup setup;
    setup.loop = &node.loop();
    setup.random = &node.random();
    setup.servers = std::move(servers);
    setup.send = [this](const SocketAddress& to, base::ByteView datagram) {
      std::ranges::copy(datagram, requests.emplace_back().begin());
      const SendBatch batch{to, {}, 0, datagram, datagram.size()};
      socket->send({&batch, 1});
    };
    setup.on_done = [this] { ++done; };
    setup.again_after = again_after;
    client = std::make_unique<StunClient>(std::move(setup));
    client->ask();
  }
  bool until_done(base::MonoNs most = 10 * base::kSecond) {
    return world.run_until([&] { return done > 0; }, most);
  }

  sim::SimWorld world;
  sim::SimNode& node;
  sim::SimNode& one;
  sim::SimNode& two;
  std::unique_ptr<UdpSocket> socket;
  std::unique_ptr<StunClient> client;
  std::vector<StunPacket> requests;
  int done = 0, taken = 0;
};

TEST_F(StunClientTest, TwoServersThatAgree) {
  Server first(one), second(two);
  make({first.address(), second.address()});
  ASSERT_TRUE(until_done());
  EXPECT_EQ(client->mapped(Family::kV4), node.at(4433));
  EXPECT_EQ(client->mapping(Family::kV4), Mapping::kSame);
  EXPECT_FALSE(client->mapped(Family::kV6));
  EXPECT_EQ(client->mapping(Family::kV6), Mapping::kUnknown);
}

TEST_F(StunClientTest, ServersThatSeeDifferentPortsMeanADependentMapping) {
  Server first(one), second(two);
  second.port_told = 999;
  make({first.address(), second.address()});
  ASSERT_TRUE(until_done());
  EXPECT_EQ(client->mapping(Family::kV4), Mapping::kDependent);
}

TEST_F(StunClientTest, OneServerSaysNothingOfTheMapping) {
  Server first(one);
  make({first.address()});
  ASSERT_TRUE(until_done());
  EXPECT_EQ(client->mapping(Family::kV4), Mapping::kUnknown);
}

TEST_F(StunClientTest, GivesUpAfterThreeSeconds) {
  Server first(one), second(two);
  second.silent = true;
  make({first.address(), second.address()});
  const base::MonoNs began = world.now();
  ASSERT_TRUE(until_done());
  EXPECT_EQ(world.now() - began, 3 * base::kSecond);
  EXPECT_EQ(second.asked, 3);
  EXPECT_EQ(first.asked, 1);
  EXPECT_EQ(client->results()[1].failure, "no answer within 3 s");
  EXPECT_TRUE(client->mapped(Family::kV4));
  EXPECT_FALSE(client->busy());
}

TEST_F(StunClientTest, LossIsMadeUpFor) {
  world.set_default_link({.drop = 0.3});
  Server first(one);
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    done = 0;
    make({first.address()});
    ASSERT_TRUE(until_done());
    answered += client->mapped(Family::kV4) ? 1 : 0;
  }
  EXPECT_GT(answered, 40);
}

TEST_F(StunClientTest, AnAnswerNeedsTheTransactionAndTheSender) {
  Server first(one), second(two);
  first.wrong_transaction = true;
  make({first.address()});
  ASSERT_TRUE(until_done());
  EXPECT_EQ(taken, 0);
  EXPECT_FALSE(client->mapped(Family::kV4));
}

// Somebody who sees the request may not answer in the server's place.
TEST_F(StunClientTest, TheRightTransactionFromAnotherAddressIsNoAnswer) {
  Server first(one);
  first.silent = true;
  StunTransaction seen{};
  make({first.address()});
  const StunPacket request = requests.back();
  std::copy_n(request.begin() + 8, seen.size(), seen.begin());
  base::Bytes forged = {0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42};
  forged.insert(forged.end(), seen.begin(), seen.end());
  forged.insert(forged.end(), {0, 1, 0, 8, 0, 1, 0x11, 0x51, 6, 6, 6, 6});
  EXPECT_FALSE(client->on_datagram(two.at(3478), forged));
  EXPECT_FALSE(client->on_datagram({first.address().ip, 1}, forged));
  EXPECT_TRUE(client->on_datagram(first.address(), forged));
  EXPECT_EQ(client->mapped(Family::kV4)->text(), "6.6.6.6:4433");
  EXPECT_FALSE(client->on_datagram(first.address(), forged)) << "one answer to a request";
}

TEST_F(StunClientTest, AsksAgainAfterItsPause) {
  Server first(one);
  make({first.address()}, 60 * base::kSecond);
  ASSERT_TRUE(until_done());
  world.run_for(80 * base::kSecond);
  EXPECT_EQ(first.asked, 2);
}

TEST_F(StunClientTest, NoMoreServersThanTheLimitAreAsked) {
  Server first(one);
  make(std::vector<SocketAddress>(base::limits::stun_asked + 5, first.address()));
  EXPECT_EQ(client->results().size(), base::limits::stun_asked);
  ASSERT_TRUE(until_done());
}

}  // namespace
}  // namespace atlas::net
