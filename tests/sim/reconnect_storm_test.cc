// A node that hundreds of agents are registered at and reached through is restarted: they come back by themselves,
// spread over time, and their coming costs the node no more than their handshakes.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "node/restart_notice.h"
#include "sim/fleet.h"

namespace atlas::sim {
namespace {

using base::kMillisecond;
using base::kSecond;

constexpr std::size_t kAgents = 500;

// When agents begin to dial a node: the first long-header packet of a connection id that is new. One thread.
class Dials {
 public:
  Dials(SimWorld& world, const SimNode& node) : world_(world) {
    world_.on_departure([this, to = &node](InTransit& datagram) {
      if (datagram.to == to) note(datagram);
      return true;
    });
  }
  ~Dials() { world_.on_departure({}); }

  void clear() {
    times_.clear();
    seen_.clear();
    by_agent_.clear();
  }
  std::size_t count() const { return times_.size(); }
  std::size_t agents() const { return by_agent_.size(); }
  // The most that one agent made.
  std::size_t most_of_one() const {
    return std::ranges::max_element(by_agent_, {}, [](const auto& entry) { return entry.second; })->second;
  }
  // The most that began within any window so long, from then on.
  std::size_t most_within(base::MonoNs window, base::MonoNs from) const {
    std::size_t most = 0;
    const auto begin = static_cast<std::size_t>(std::ranges::lower_bound(times_, from) - times_.begin());
    for (std::size_t first = begin, last = begin; last < times_.size(); ++last) {
      while (times_[last] - times_[first] >= window) ++first;
      most = std::max(most, last - first + 1);
    }
    return most;
  }

 private:
  void note(const InTransit& datagram) {
    constexpr std::size_t kIdLengthAt = 5;
    const auto& data = datagram.data;
    if (data.size() <= kIdLengthAt || (data[0] & 0xf0) != 0xc0) return;  // no Initial
    const std::size_t length = std::min<std::size_t>(data[kIdLengthAt], data.size() - kIdLengthAt - 1);
    // With the source id: the listener's answer changes the destination.
    const std::size_t source_at = kIdLengthAt + 1 + length;
    if (source_at >= data.size()) return;
    const std::size_t source = std::min<std::size_t>(data[source_at], data.size() - source_at - 1);
    base::Bytes id(data.begin() + static_cast<std::ptrdiff_t>(source_at + 1),
                   data.begin() + static_cast<std::ptrdiff_t>(source_at + 1 + source));
    if (!seen_.insert({datagram.from, std::move(id)}).second) return;
    times_.push_back(world_.now());
    ++by_agent_[datagram.from];
  }

  SimWorld& world_;
  std::vector<base::MonoNs> times_;
  std::set<std::pair<const SimNode*, base::Bytes>> seen_;
  std::map<const SimNode*, std::size_t> by_agent_;
};

class Storm : public testing::Test {
 protected:
  Storm() : fleet(39) {
    auto& node = fleet.add("hub", {"bootstrap", "keepalive", "relay"});
    node.config().transport.enable_relay = node.config().transport.offer_relay = true;
    node.config().transport.max_connections = 2 * kAgents;
    node.start();
    for (std::size_t i = 0; i < kAgents; ++i) {
      auto& agent =
          fleet.add("agent-" + std::to_string(i), {"discovery", "keepalive", "relay"}, {hub().address().text()});
      agent.config().transport.enable_relay = true;
      agent.config().network.relays = {hub().address().text()};
      agent.start();
    }
  }
  FleetNode& hub() { return fleet[0]; }
  std::int64_t metric(const std::string& name) {
    const auto status = hub().status(fleet.world());
    return status["metrics"].value(name, std::int64_t{-1});
  }
  // A session, a record and an announcement each.
  bool everybody_is_there(base::MonoNs most) {
    const base::MonoNs end = base::after(fleet.world().now(), most);
    while (true) {
      if (hub().node().session_count() == kAgents && metric("atlas_bootstrap_records") == kAgents &&
          metric("atlas_relay_announced") == kAgents) {
        return true;
      }
      if (fleet.world().now() >= end) return false;
      fleet.world().run_for(100 * kMillisecond);
    }
  }
  void expect_spread_and_bounded(const Dials& dials, base::MonoNs since) {
    const auto& counters = hub().node().endpoint_counters();
    SCOPED_TRACE("back after " + std::to_string((fleet.world().now() - since) / kMillisecond) + " ms, " +
                 std::to_string(dials.count()) + " dials");
    EXPECT_EQ(dials.agents(), kAgents);
    // Whoever is told of the restart comes at once, and no more are told at once than that; the others come when their
    // pauses end. Whoever does not get in the first time comes again at a time of his own.
    EXPECT_LE(dials.most_within(10 * kMillisecond, since), node::kNoticesAtOnce + kAgents / 20);
    EXPECT_LE(dials.most_within(10 * kMillisecond, since + 200 * kMillisecond), kAgents / 10);
    EXPECT_LE(dials.most_within(100 * kMillisecond, since + 200 * kMillisecond), kAgents / 2);
    // The accept path: each handshake that was begun was an agent's, and none needed many.
    EXPECT_LE(counters.accepted, 2 * kAgents);
    EXPECT_LE(dials.most_of_one(), 8u);
  }

  Fleet fleet;
};

// A39. Killed and started again at once: its agents are told by the new process.
TEST_F(Storm, sec_reconnect_storm) {
  ASSERT_TRUE(everybody_is_there(60 * kSecond)) << hub().node().session_count();
  fleet.world().run_for(60 * kSecond);
  for (const base::MonoNs down : {base::MonoNs{0}, 150 * kSecond}) {
    SCOPED_TRACE(down / kSecond);
    Dials dials(fleet.world(), hub().machine());
    hub().kill();
    fleet.world().run_for(down);
    dials.clear();
    const base::MonoNs started = fleet.world().now();
    hub().start();
    EXPECT_TRUE(everybody_is_there(60 * kSecond))
        << hub().node().session_count() << " sessions, " << metric("atlas_bootstrap_records") << " records, "
        << metric("atlas_relay_announced") << " announced";
    expect_spread_and_bounded(dials, started);
    fleet.world().run_for(60 * kSecond);
  }
}

}  // namespace
}  // namespace atlas::sim
