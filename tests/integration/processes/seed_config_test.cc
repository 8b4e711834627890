// The two config files that people run bootstrap and relay nodes with, byte for byte: a node starts with each of them
// and does what the file says. What takes more than a few seconds (the minute of the rate limit, an idle session) runs
// on virtual time with the same file; that a ban ends when its time is over is in limits_test.cc.
#include <gtest/gtest.h>

#include <algorithm>

#include "integration/node_test.h"
#include "integration/processes/live_peer.h"
#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::LivePeer;
using kit::NodeProcess;
using kit::RawLine;

// What a reader of the file expects.
struct Seed {
  const char* name;
  std::uint64_t streams;
  base::MonoNs idle_timeout;
  std::size_t per_minute;
  int exec_line;      // of `enabled` under [exec]
  std::size_t roles;  // there is no [plugins]: discovery, keepalive, messaging, and relay where it is switched on
};
constexpr Seed kSeeds[] = {
    {"bootstrap", 50, 120 * base::kSecond, 60, 23, 3},
    {"relay", 100, 300 * base::kSecond, 120, 23, 4},
};
constexpr std::size_t kConnections = 200, kHalfOpen = 50;
constexpr std::int64_t kDrift = 300, kBan = 3600;

std::string bytes_of(const Seed& seed) {
  const auto folder = std::filesystem::path(ATLAS_SOURCE_DIR) / "tests" / "unit" / "config" / "seeds";
  return kit::contents(folder / (std::string(seed.name) + ".toml"));
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const auto at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("no \"" + what + "\" in the file");
  return text.replace(at, what.size(), with);
}

std::string name_of(const testing::TestParamInfo<Seed>& info) {
  return info.param.name;
}

class SeedConfig : public testing::TestWithParam<Seed> {
 protected:
  SeedConfig() : node(home, "node") { node.write_config(bytes_of(seed())); }
  static const Seed& seed() { return GetParam(); }
  std::string file() const { return kit::contents(node.root() / "state" / "config.toml"); }
  nlohmann::json connections() const { return node.run({"net", "status", "--json"}).json()["connections"]; }
  std::size_t sessions() const { return node.run({"net", "status", "--json"}).json()["sessions"]; }

  kit::TemporaryHome home;
  NodeProcess node;
};

TEST_P(SeedConfig, NodeRunsWithItAndStopsCleanly) {
  const Finished checked = node.run({"config", "check"});
  EXPECT_EQ(checked.exit_code, 0) << checked.err;
  EXPECT_EQ(checked.err, "");
  node.start();
  EXPECT_EQ(file(), bytes_of(seed())) << "a daemon writes nothing into its config";
  const auto status = node.run({"net", "status", "--json"}).json();
  ASSERT_EQ(status["plugins"].size(), GetParam().roles);
  for (const auto& plugin : status["plugins"]) EXPECT_EQ(plugin["state"], "running") << plugin;
  EXPECT_EQ(node.stop(), 0) << node.log();
  EXPECT_FALSE(std::filesystem::exists(node.root() / "run" / "control.sock"));
  EXPECT_EQ(node.log().find(" error "), std::string::npos) << node.log();
  // Nothing to complain of but a role that is asked for and not there.
  EXPECT_EQ(node.log().find(" warn "), std::string::npos) << node.log();
}

TEST_P(SeedConfig, MaxConnectionsAreServedAndOneMoreIsRefused) {
  node.start();
  LivePeer peer(node.address());
  RawLine* first = nullptr;
  for (std::size_t i = 0; i < kConnections; ++i) {
    const auto key = peer.new_key();
    RawLine& line = peer.session(&key);
    if (first == nullptr) first = &line;
  }
  EXPECT_EQ(sessions(), kConnections);
  EXPECT_EQ(connections()["refused_full"], 0);
  RawLine& extra = peer.dial();
  ASSERT_TRUE(peer.wait_closed(extra));
  EXPECT_FALSE(extra.connected);
  EXPECT_EQ(extra.closed->by, quic::CloseInfo::By::kPeerTransport);
  EXPECT_EQ(extra.closed->code, 2u) << "CONNECTION_REFUSED";
  EXPECT_GE(connections()["refused_full"], 1);
  EXPECT_EQ(sessions(), kConnections) << "those that are there stay";
  first->connection->close(0, "bye");
  ASSERT_TRUE(peer.wait_closed(*first));
  ASSERT_TRUE(kit::eventually([&] { return connections()["open"] < kConnections; }));
  peer.session();
}

TEST_P(SeedConfig, PeerCanHaveAsManyStreamsAsTheFileSays) {
  node.start();
  LivePeer peer(node.address());
  RawLine& line = peer.session();
  // The handshake's own stream was one of them; VerifyAck has given it back.
  std::uint64_t opened = 0;
  while (opened <= seed().streams && peer.say(line, {}, false)) ++opened;
  EXPECT_EQ(opened, seed().streams);
  EXPECT_FALSE(line.closed);
}

TEST_P(SeedConfig, HelloFromAnotherTimeIs1002) {
  node.start();
  LivePeer peer(node.address());
  // Time goes on between here and the node's look at its clock: that brings the one below nearer and takes the other
  // one further away.
  wire::Hello hello = peer.hello();
  hello.timestamp = peer.unix_s() + kDrift;
  const auto taken = peer.send_hello(peer.dial(), hello);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->type, wire::kHelloAck);
  hello.timestamp = peer.unix_s() - kDrift - 1;
  RawLine& late = peer.dial();
  const auto refused = peer.send_hello(late, hello);
  ASSERT_TRUE(refused);
  ASSERT_EQ(refused->type, wire::kError);
  EXPECT_EQ(wire::decode_error(refused->payload)->code, 1002u);
  ASSERT_TRUE(peer.wait_closed(late));
  EXPECT_TRUE(late.closed_by_peer_with(3)) << late.closed->code;
}

TEST_P(SeedConfig, HandshakesBeyondTheLimitAreRefused) {
  node.start();
  LivePeer peer(node.address());
  RawLine& session = peer.session();
  std::vector<RawLine*> unfinished;
  for (std::size_t i = 0; i < kHalfOpen; ++i) unfinished.push_back(&peer.dial());
  const auto all_connected = [&] {
    return std::ranges::all_of(unfinished, [](const RawLine* line) { return line->connected; });
  };
  ASSERT_TRUE(peer.wait(all_connected)) << "Retry delays, it does not refuse";
  RawLine& extra = peer.dial();
  ASSERT_TRUE(peer.wait_closed(extra));
  EXPECT_FALSE(extra.connected);
  EXPECT_EQ(extra.closed->by, quic::CloseInfo::By::kPeerTransport);
  EXPECT_EQ(extra.closed->code, 2u) << "CONNECTION_REFUSED";
  const auto counted = connections();
  EXPECT_GE(counted["refused_half_open"], 1) << counted;
  EXPECT_GE(counted["retry_sent"], kHalfOpen - kHalfOpen / 2 - 1) << "from half of the limit on: " << counted;
  EXPECT_FALSE(session.closed) << "a session is not half open";
}

TEST_P(SeedConfig, ThreeViolationsAreABanOfAnHour) {
  node.start();
  LivePeer peer(node.address());
  RawLine& line = peer.session();
  const std::int64_t before = peer.unix_s();
  const base::Bytes ping = wire::seal(node::kPing, node::ping_payload());
  // More than five at once are a violation, which counts once a second.
  const auto closed = [&] { return line.closed.has_value(); };
  for (int round = 0; round < 300 && !closed(); ++round) {
    for (int i = 0; i < 6; ++i) peer.say(line, ping, true);
    peer.wait(closed, 100 * base::kMillisecond);
  }
  ASSERT_TRUE(line.closed) << "no ban";
  EXPECT_TRUE(line.closed_by_peer_with(2)) << line.closed->code;
  const std::int64_t after = peer.unix_s();
  const auto verdict = peer.greet(peer.dial());
  ASSERT_TRUE(verdict);
  EXPECT_FALSE(verdict->ok);
  nlohmann::json until;
  EXPECT_TRUE(kit::eventually([&] {
    for (const auto& row : node.run({"net", "peers", "--json"}).json()) {
      if (row["node_id"] == peer.node_id()) until = row["ban_until"];
    }
    return until.is_number();
  }));
  EXPECT_GE(until, before + kBan);
  EXPECT_LE(until, after + kBan);
}

TEST_P(SeedConfig, ExecIsAnErrorWhileNoRoleProvidesIt) {
  node.write_config(replaced(bytes_of(seed()), "[exec]\nenabled = false", "[exec]\nenabled = true"));
  const Finished refused = node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(refused.exit_code, 3);
  const std::string place = "config.toml:" + std::to_string(seed().exec_line) + ":11: exec.enabled: ";
  EXPECT_NE(refused.err.find(place), std::string::npos) << refused.err;
}

INSTANTIATE_TEST_SUITE_P(Files, SeedConfig, testing::ValuesIn(kSeeds), name_of);

TEST(RelayConfig, OfferWithoutEnableIsAnErrorAtItsPlace) {
  kit::TemporaryHome home;
  NodeProcess node(home, "node");
  node.write_config(replaced(bytes_of(kSeeds[1]), "enable_relay = true", "enable_relay = false"));
  const Finished refused = node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("config.toml:11:15: transport.offer_relay: "), std::string::npos) << refused.err;
}

class SeedInTime : public node::NodeTest, public testing::WithParamInterface<Seed> {
 protected:
  // The same file on the simulated network; where to listen and which roles run is the simulation's.
  void start_with(const Seed& seed) {
    start([&](config::Config& config) {
      auto loaded = config::parse(bytes_of(seed), "config.toml");
      ASSERT_TRUE(loaded.problems.empty());
      loaded.config.network = config.network;
      loaded.config.plugins = config.plugins;
      loaded.config.plugin_tables = config.plugin_tables;
      config = loaded.config;
    });
  }
  std::uint32_t error_of_ping(RawLine& line) {
    return peer().ask(line, node::kPing, node::ping_payload()).error_code();
  }
};

TEST_P(SeedInTime, RequestBeyondThoseOfAMinuteIs4001) {
  start_with(GetParam());
  RawLine& line = peer().session(address());
  // As fast as the figure for seconds allows: all of them within half of a minute.
  const base::MonoNs began = world().now();
  for (std::size_t i = 0; i < GetParam().per_minute; ++i) {
    ASSERT_EQ(error_of_ping(line), 0u) << i;
    world().run_for(200 * base::kMillisecond);
  }
  ASSERT_LT(world().now() - began, 30 * base::kSecond);
  EXPECT_EQ(error_of_ping(line), 4001u);
  EXPECT_EQ(counter("refused_per_minute"), 1u);
  EXPECT_EQ(counter("refused_per_second"), 0u);
  world().run_for(60 * base::kSecond);
  EXPECT_EQ(error_of_ping(line), 0u);
}

TEST_P(SeedInTime, SessionIsOverWhenItWasIdleForThatLong) {
  start_with(GetParam());
  RawLine& line = peer().session(address());
  world().run_for(GetParam().idle_timeout - 2 * base::kSecond);
  EXPECT_EQ(sessions(), 1u);
  EXPECT_FALSE(line.closed);
  world().run_for(4 * base::kSecond);
  EXPECT_EQ(sessions(), 0u);
  ASSERT_TRUE(line.closed);
  EXPECT_EQ(line.closed->by, quic::CloseInfo::By::kIdle);
}

INSTANTIATE_TEST_SUITE_P(Files, SeedInTime, testing::ValuesIn(kSeeds), name_of);

}  // namespace
}  // namespace atlas
