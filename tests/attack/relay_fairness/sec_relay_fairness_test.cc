// A30: a few sessions that send without end through a relay which can forward less. A real endpoint on real sockets;
// one thread does everything, so in each turn of the loop the relay reads no more than kReadsPerTurn lets it, while the
// agents send twice as much. That makes the same overload on a machine of any speed.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "net/udp_receive.h"
#include "net/uv_loop.h"
#include "unit/quic/party.h"

namespace atlas::quic {
namespace {

constexpr std::size_t kHonest = 95, kGreedy = 5, kPairs = kHonest + kGreedy;
// Datagrams that the relay takes in a turn, as none of them can be joined with the next.
constexpr double kCapacity = static_cast<double>(net::kReadsPerTurn * net::UdpReceiver::kBuffers);
constexpr double kFair = kCapacity / kPairs;

struct Flood {
  std::shared_ptr<net::RouteTally> tally = std::make_shared<net::RouteTally>();
  ServerId to_source{}, to_target{};
  double rate = 0, due = 0;  // datagrams a turn
  std::uint64_t sent = 0, sent_before = 0, passed_before = 0;
};

struct Node {
  explicit Node(std::uint8_t seed) : key(key_of(seed)) {}
  identity::NodeKey key;
  Recorder events;
  std::unique_ptr<Endpoint> endpoint;
};

class RelayFairness : public ::testing::Test {
 protected:
  RelayFairness() : floods(kPairs) {
    for (Node* node : {&relay, &alice, &bob}) {
      Endpoint::Setup setup;
      setup.loop = &loop;
      setup.random = &random;
      node->endpoint = std::move(Endpoint::make(std::move(setup)).value());
      Protocol protocol;
      protocol.alpn = "atlas/1";
      protocol.key = &node->key;
      protocol.events = &node->events;
      EXPECT_TRUE(node->endpoint->add_protocol(protocol).has_value());
    }
    address = relay.endpoint->listen({net::IpAddress::v4({127, 0, 0, 1}), 0}).value();
  }
  ~RelayFairness() override {
    for (Node* node : {&alice, &bob, &relay}) node->endpoint.reset();
  }

  // The relay's side of an agent's session.
  Connection* join(Node& agent) {
    const std::size_t before = relay.events.connected.size();
    relay.events.connect_hook = [this](Connection&) { loop.stop(); };
    DialOptions options;
    options.remote = address;
    EXPECT_TRUE(agent.endpoint->dial(options).has_value());
    loop.run();
    relay.events.connect_hook = {};
    return relay.events.connected.size() > before ? relay.events.connected.back() : nullptr;
  }

  void connect() {
    Connection* a = join(alice);
    Connection* b = join(bob);
    ASSERT_NE(a, nullptr);
    ASSERT_NE(b, nullptr);
    for (Flood& flood : floods) {
      random.fill(flood.to_source);
      random.fill(flood.to_target);
      RoutePair pair;
      pair.a = a;
      pair.b = b;
      pair.to_a = flood.to_source;
      pair.to_b = flood.to_target;
      pair.idle = 3'600 * base::kSecond;
      pair.tally = flood.tally;
      ASSERT_TRUE(relay.endpoint->routes().add(std::move(pair)).has_value());
    }
  }

  // One turn's worth from everybody, mixed. Each datagram is larger than the one before it, so that they leave and
  // arrive one by one.
  void send_turn() {
    bool any = true;
    for (Flood& flood : floods) flood.due += flood.rate;
    while (any) {
      any = false;
      for (Flood& flood : floods) {
        if (flood.due < 1) continue;
        flood.due -= 1;
        any = true;
        size_ = size_ == kLargest ? kSmallest : size_ + 1;
        datagram_.resize(size_);
        datagram_[0] = 0x40;
        std::ranges::copy(flood.to_target, datagram_.begin() + 1);
        alice.endpoint->send_datagram(address, datagram_);
        ++flood.sent;
      }
    }
  }

  // Ratios settle by turns and by the windows of the relay's clock: both are given time.
  void flood_for(std::size_t turns, base::MonoNs span) {
    const base::MonoNs until = clock.mono_ns() + span;
    std::size_t done = 0;
    loop.before_sleep([&, until] {
      if (++done >= turns && clock.mono_ns() >= until) return loop.stop();
      send_turn();
    });
    loop.post([] {});
    loop.run();
    loop.before_sleep({});
    turns_ = done;
  }
  void measure() {
    for (Flood& flood : floods) {
      flood.sent_before = flood.sent;
      flood.passed_before = flood.tally->datagrams[1];
    }
    flood_for(600, base::kSecond);
  }
  double kept(const Flood& flood) const {
    return static_cast<double>(flood.tally->datagrams[1] - flood.passed_before) /
           static_cast<double>(flood.sent - flood.sent_before);
  }
  double of_fair_share(const Flood& flood) const {
    return static_cast<double>(flood.tally->datagrams[1] - flood.passed_before) / (kFair * static_cast<double>(turns_));
  }
  void set_rates(double honest, double greedy) {
    for (std::size_t i = 0; i < kPairs; ++i) floods[i].rate = (i < kHonest ? honest : greedy) * kFair;
  }

  base::SystemClock clock;
  base::SystemRandom random;
  net::UvLoop loop{clock};
  Node relay{9}, alice{1}, bob{2};
  net::SocketAddress address;
  std::vector<Flood> floods;

 private:
  static constexpr std::size_t kSmallest = 200, kLargest = 1'200;

  base::Bytes datagram_;
  std::size_t size_ = kLargest, turns_ = 0;
};

TEST_F(RelayFairness, sec_relay_fairness) {
  connect();
  set_rates(0.98, 22);  // twice what the relay takes, more than half of it from the greedy ones
  flood_for(600, base::kSecond);
  measure();
  std::uint64_t over = 0;
  for (const Flood& flood : floods) over += flood.tally->dropped_share;
  EXPECT_GT(over, 0u);
  std::vector<double> honest, greedy;
  for (std::size_t i = 0; i < kPairs; ++i) (i < kHonest ? honest : greedy).push_back(of_fair_share(floods[i]));
  std::ranges::sort(honest);
  EXPECT_GE(honest[kHonest / 20], 0.8) << "least " << honest.front() << ", median " << honest[kHonest / 2];
  for (const double share : greedy) {
    EXPECT_LE(share, 4.0);
    EXPECT_GT(share, 0.2);  // held back, not shut out
  }
}

// The same pairs when they send what fits: nobody loses anything, the eager ones included.
TEST_F(RelayFairness, WhoeverFitsInIsLeftAlone) {
  connect();
  set_rates(0.5, 5);
  flood_for(600, base::kSecond);
  measure();
  for (const Flood& flood : floods) {
    EXPECT_EQ(flood.tally->dropped_share, 0u);
    EXPECT_GE(kept(flood), 0.95);
  }
}

}  // namespace
}  // namespace atlas::quic
