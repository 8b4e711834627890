// The datapath of a node that gets more to forward than it can: sockets that only count, time that is told, and a
// processor of so many bytes a millisecond.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

#include "base/limits.h"
#include "quic/forwarding.h"

namespace atlas::quic {
namespace {

constexpr std::size_t kDatagram = 1'200, kHonest = 95, kGreedy = 5, kAll = kHonest + kGreedy;
constexpr double kWork = 1'200'000;  // bytes a millisecond
constexpr double kReading = 0.35;    // of the work for a datagram that goes on
constexpr std::uint64_t kRoom = 4'000'000;
constexpr double kFair = kWork / kAll;  // bytes a millisecond

class ToldClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return now; }
  std::int64_t unix_ms() const override { return 0; }
  base::MonoNs now = base::kSecond;
};

class NoLoop final : public net::Loop {
 public:
  explicit NoLoop(const base::Clock& clock) : clock_(clock) {}
  void post(std::move_only_function<void()>) override {}
  std::unique_ptr<net::Timer> make_timer(std::function<void()>) override { return nullptr; }
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress&, const net::UdpOptions&,
                                                         net::UdpEvents) override {
    return base::fail(base::Fault::kInternal, "");
  }
  const base::Clock& clock() const override { return clock_; }

 private:
  const base::Clock& clock_;
};

// What arrives waits in a buffer of kRoom bytes; what is sent is counted by where it goes to.
class CountingSocket final : public net::UdpSocket {
 public:
  net::SocketAddress local() const override { return {}; }
  std::size_t send(std::span<const net::SendBatch> batches) override {
    for (const net::SendBatch& batch : batches) {
      bytes_to[batch.remote.port] += batch.data.size();
      std::uint64_t number;
      std::memcpy(&number, batch.data.data() + 9, sizeof number);
      in_order &= number >= std::exchange(last[batch.remote.port], number);
    }
    return batches.size();
  }
  const net::UdpCounters& counters() const override { return counted; }
  std::optional<net::ReceiveQueue> receive_queue() const override { return queue; }
  bool shed(std::span<const net::ShedRule> given) override {
    if (!can_shed) return given.empty();
    rules.clear();
    for (const net::ShedRule& rule : given) rules[rule.prefix] = rule.keep;
    return true;
  }

  net::UdpCounters counted;
  net::ReceiveQueue queue{0, kRoom, 0};
  std::map<ServerId, double> rules;
  std::map<std::uint16_t, std::uint64_t> bytes_to, last;
  bool can_shed = true, in_order = true;
};

// A session with an agent, as far as the datapath looks at it.
class FixedConnection final : public Connection {
 public:
  explicit FixedConnection(std::uint16_t port) : remote_{net::IpAddress::v4({192, 0, 2, 1}), port} {}
  Side side() const override { return Side::kListener; }
  std::uint64_t number() const override { return remote_.port; }
  const net::SocketAddress& remote() const override { return remote_; }
  const net::SocketAddress& local() const override { return local_; }
  bool relayed() const override { return false; }
  bool routed() const override { return false; }
  void try_path(const net::SocketAddress&) override {}
  const identity::PublicKey& peer_key() const override { return key_; }
  base::MonoNs started() const override { return 0; }
  base::Result<StreamId> open_stream() override { return base::fail(base::Fault::kState, ""); }
  bool write(StreamId, base::ByteView, bool) override { return false; }
  std::size_t unacknowledged(StreamId) const override { return 0; }
  std::size_t unacknowledged() const override { return 0; }
  void consume(StreamId, std::size_t) override {}
  void release(StreamId, std::size_t) override {}
  void watch(StreamId) override {}
  void reset(StreamId, std::uint64_t) override {}
  void reset_sending(StreamId, std::uint64_t) override {}
  void stop_receiving(StreamId, std::uint64_t) override {}
  base::Result<StreamId> open_unidirectional_stream() override { return base::fail(base::Fault::kState, ""); }
  std::uint64_t streams_left(bool) const override { return 0; }
  std::vector<base::Bytes> take_peer_chain() override { return {}; }
  void refuse(std::uint64_t, std::string_view) override {}
  void close(std::uint64_t, std::string_view) override {}
  void mark_verified() override {}
  void keep_alive(base::MonoNs) override {}
  ConnectionStats stats() const override { return {}; }
  void mark_forwarder() override {}
  std::optional<base::ByteArray<16>> loss_token() const override { return std::nullopt; }

 private:
  net::SocketAddress remote_, local_;
  identity::PublicKey key_{};
};

class ForwardingShareTest : public ::testing::Test {
 protected:
  ForwardingShareTest() {
    auto made = std::make_unique<CountingSocket>();
    socket = made.get();
    Outlet& outlet = worker.outlet(net::Family::kV4);
    outlet.socket = std::move(made);
    outlet.queue = std::make_unique<SendQueue>(*outlet.socket);
    worker.wake = [] {};
    for (std::size_t i = 0; i < kAll; ++i) {
      sources.push_back(std::make_unique<FixedConnection>(static_cast<std::uint16_t>(1'000 + i)));
      targets.push_back(std::make_unique<FixedConnection>(static_cast<std::uint16_t>(2'000 + i)));
      tallies.push_back(std::make_shared<net::RouteTally>());
      RoutePair pair;
      pair.a = sources[i].get();
      pair.b = targets[i].get();
      pair.to_a[0] = static_cast<std::uint8_t>(i);
      pair.to_b = to_target(i);
      pair.idle = 3'600 * base::kSecond;
      pair.tally = tallies[i];
      routes.push_back(forwarding.add(std::move(pair)).value());
    }
  }

  static ServerId to_target(std::size_t pair) {
    ServerId out{};
    out[0] = static_cast<std::uint8_t>(pair);
    out[7] = 1;
    return out;
  }

  // Times the fair share, of each.
  void run(double honest, double greedy, base::MonoNs span) {
    for (const base::MonoNs end = clock.now + span; clock.now < end; clock.now += base::kMillisecond) {
      for (std::size_t i = 0; i < kAll; ++i) {
        const std::size_t pair = (i + turn_) % kAll;
        arrive(pair, (pair < kHonest ? honest : greedy) * kFair, pair < kHonest ? 10 : 50);
      }
      turn_ += 7;
      forwarding.look(clock.now);
      worker.timers.run(clock.now);
      read();
    }
  }
  // Each pair's part of the fair share, over this time.
  std::vector<double> shares(double honest, double greedy, base::MonoNs span) {
    socket->bytes_to.clear();
    run(honest, greedy, span);
    std::vector<double> out;
    for (std::size_t i = 0; i < kAll; ++i) {
      out.push_back(static_cast<double>(socket->bytes_to[static_cast<std::uint16_t>(2'000 + i)]) /
                    (kFair * static_cast<double>(span / base::kMillisecond)));
    }
    return out;
  }
  std::uint64_t dropped(std::size_t from, std::size_t to) const {
    std::uint64_t sum = 0;
    for (; from < to; ++from) sum += tallies[from]->dropped_share;
    return sum;
  }

  ToldClock clock;
  NoLoop loop{clock};
  base::SeededRandom random{1};
  EndpointLimits limits;
  Worker worker{loop, random, limits, {}};
  CountingSocket* socket = nullptr;
  Forwarding forwarding{worker};
  std::vector<std::unique_ptr<FixedConnection>> sources, targets;
  std::vector<std::shared_ptr<net::RouteTally>> tallies;
  std::vector<RouteId> routes;

 private:
  struct Arrived {
    std::size_t pair;
    base::Bytes data;
  };

  void arrive(std::size_t pair, double rate, std::size_t burst) {
    const std::size_t bytes = burst * kDatagram;
    for (due_[pair] += rate; due_[pair] >= static_cast<double>(bytes); due_[pair] -= static_cast<double>(bytes)) {
      const auto rule = socket->rules.find(to_target(pair));
      const bool picked = rule != socket->rules.end() && random.below(1'000'000) >= rule->second * 1'000'000;
      if (picked || socket->queue.bytes >= kRoom) {
        ++socket->queue.dropped;
        continue;
      }
      base::Bytes data(bytes, 0x40);
      for (std::size_t at = 0; at < bytes; at += kDatagram) {
        std::ranges::copy(to_target(pair), data.begin() + static_cast<std::ptrdiff_t>(at) + 1);
        std::memcpy(data.data() + at + 9, &sequence_, sizeof sequence_);
        ++sequence_;
      }
      waiting_.push_back({pair, std::move(data)});
      socket->queue.bytes += bytes;
    }
  }

  void read() {
    for (double work = kWork; work > 0 && !waiting_.empty(); waiting_.pop_front()) {
      const Arrived& it = waiting_.front();
      net::ReceivedBatch batch{sources[it.pair]->remote(), {}, 0, it.data, kDatagram};
      socket->queue.bytes -= it.data.size();
      socket->counted.received_bytes += it.data.size();
      const std::uint64_t before = tallies[it.pair]->bytes[1];
      EXPECT_EQ(forwarding.forward(batch, it.data, kDatagram, clock.now).size(), it.data.size());
      const auto passed = static_cast<double>(tallies[it.pair]->bytes[1] - before);
      work -= static_cast<double>(it.data.size()) * kReading + passed * (1 - kReading);
    }
  }

  std::deque<Arrived> waiting_;
  std::array<double, kAll> due_{};
  std::size_t turn_ = 0;
  std::uint64_t sequence_ = 0;
};

TEST_F(ForwardingShareTest, HonestPairsKeepTheirShareBesideGreedyOnes) {
  run(0.95, 20, 2 * base::kSecond);
  const auto kept = shares(0.95, 20, 3 * base::kSecond);
  EXPECT_GE(*std::min_element(kept.begin(), kept.begin() + kHonest), 0.8);
  EXPECT_GE(*std::min_element(kept.begin() + kHonest, kept.end()), 0.5);
  EXPECT_LE(*std::max_element(kept.begin() + kHonest, kept.end()), 2.0);
  EXPECT_FALSE(socket->rules.empty());
  EXPECT_GT(dropped(kHonest, kAll), 100 * dropped(0, kHonest));
  EXPECT_TRUE(socket->in_order);
}

TEST_F(ForwardingShareTest, NothingIsDroppedWithoutOverload) {
  const auto kept = shares(0.5, 9, 3 * base::kSecond);
  EXPECT_GE(*std::min_element(kept.begin(), kept.begin() + kHonest), 0.48);
  EXPECT_GE(*std::min_element(kept.begin() + kHonest, kept.end()), 8.8);
  EXPECT_EQ(dropped(0, kAll), 0u);
  EXPECT_EQ(socket->queue.dropped, 0u);
  EXPECT_TRUE(socket->rules.empty());
}

TEST_F(ForwardingShareTest, ASocketThatCannotShedIsReadInstead) {
  socket->can_shed = false;
  run(0.95, 8, 2 * base::kSecond);
  const auto kept = shares(0.95, 8, 3 * base::kSecond);
  EXPECT_TRUE(socket->rules.empty());
  EXPECT_GE(*std::min_element(kept.begin(), kept.begin() + kHonest), 0.7);
  EXPECT_LE(*std::max_element(kept.begin() + kHonest, kept.end()), 2.0);
}

// The kernel drops for as long as it is not told otherwise.
TEST_F(ForwardingShareTest, TheLastPairTakesTheRulesAlong) {
  run(0.95, 20, 2 * base::kSecond);
  ASSERT_FALSE(socket->rules.empty());
  for (const RouteId route : routes) forwarding.remove(route);
  EXPECT_TRUE(socket->rules.empty());
}

// When everybody falls silent there are no turns but those of timers.
TEST_F(ForwardingShareTest, TheRulesGoWhenNobodySends) {
  run(0.95, 20, 2 * base::kSecond);
  ASSERT_FALSE(socket->rules.empty());
  for (int i = 0; i < 100 && !socket->rules.empty(); ++i) {
    ASSERT_LE(worker.timers.next(), clock.now + 20 * base::kMillisecond);
    clock.now = std::max(clock.now, worker.timers.next());
    worker.timers.run(clock.now);
    socket->queue.bytes = 0;
  }
  EXPECT_TRUE(socket->rules.empty());
}

}  // namespace
}  // namespace atlas::quic
