// One bootstrap node and forty-nine agents for an hour: everybody registers, pings, registers again; then the bootstrap
// node dies and comes back, and the network is whole again without a person.
#include <gtest/gtest.h>

#include "sim/fleet.h"

namespace atlas::sim {
namespace {

constexpr std::size_t kAgents = 49;

std::int64_t metric(Fleet& fleet, std::size_t index, const std::string& name) {
  const auto status = fleet[index].run(fleet.world(), "status");
  return status.result["metrics"].value(name, std::int64_t{-1});
}

class FiftyNodes : public testing::Test {
 protected:
  FiftyNodes() : fleet(2025) {
    auto& bootstrap = fleet.add("bootstrap", {"bootstrap", "keepalive"});
    bootstrap.start();
    for (std::size_t i = 0; i < kAgents; ++i) {
      fleet.add("agent-" + std::to_string(i), {"discovery", "keepalive", "messaging"}, {bootstrap.address().text()})
          .start();
    }
  }
  bool everybody_is_registered() {
    return fleet.world().run_until(
        [&] { return fleet[0].is_up() && fleet[0].node().session_count() == kAgents && records() == kAgents; },
        120 * base::kSecond);
  }
  std::size_t records() { return static_cast<std::size_t>(metric(fleet, 0, "atlas_bootstrap_records")); }

  Fleet fleet;
};

TEST_F(FiftyNodes, AnHourOfKeepaliveAndRegistering) {
  ASSERT_TRUE(everybody_is_registered()) << fleet[0].node().session_count() << " sessions, " << records() << " records";
  const auto before = metric(fleet, 0, "atlas_bootstrap_registers");
  fleet.world().run_for(3600 * base::kSecond);
  EXPECT_EQ(fleet[0].node().session_count(), kAgents);
  EXPECT_EQ(records(), kAgents);
  // Every quarter of an hour, with a fifth of jitter: three to five times each.
  const auto again = metric(fleet, 0, "atlas_bootstrap_registers") - before;
  EXPECT_GE(again, static_cast<std::int64_t>(3 * kAgents));
  EXPECT_LE(again, static_cast<std::int64_t>(5 * kAgents));
  // One ping a minute from each side of each session, with a fifth of jitter.
  EXPECT_GE(metric(fleet, 1, "atlas_keepalive_pongs_received"), 48);
  EXPECT_EQ(metric(fleet, 1, "atlas_keepalive_disconnects"), 0);
}

TEST_F(FiftyNodes, BootstrapNodeDiesAndComesBack) {
  ASSERT_TRUE(everybody_is_registered());
  fleet.world().run_for(120 * base::kSecond);
  fleet[0].kill();
  fleet.world().run_for(30 * base::kSecond);
  fleet[0].start();
  // The new process tells the peers of the old one, and they come back within their first pause: no silence to wait
  // for.
  EXPECT_TRUE(fleet.world().run_until(
      [&] { return fleet[0].node().session_count() == kAgents && records() == kAgents; }, 3 * base::kSecond))
      << fleet[0].node().session_count() << " sessions, " << records() << " records";
}

TEST_F(FiftyNodes, AgentsFindReachAndMessageEachOther) {
  ASSERT_TRUE(everybody_is_registered());
  const auto found = fleet[1].run(fleet.world(), "discover");
  ASSERT_EQ(found.exit_code, 0) << found.error;
  EXPECT_GE(found.result.size(), kAgents - 1);
  const std::string other = fleet[2].node_id();
  const auto ping = fleet[1].run(fleet.world(), "ping", {{"target", other}, {"--count", "3"}});
  ASSERT_EQ(ping.exit_code, 0) << ping.error;
  EXPECT_EQ(ping.result["received"], 3);
  const auto sent = fleet[1].run(fleet.world(), "send", {{"target", other}, {"body", R"({"text":"hello"})"}});
  ASSERT_EQ(sent.exit_code, 0) << sent.error;
  EXPECT_EQ(sent.result["status"], "received");
  const auto inbox = fleet[2].run(fleet.world(), "inbox");
  ASSERT_EQ(inbox.result.size(), 1u);
  EXPECT_EQ(inbox.result[0]["from"], fleet[1].node_id());
  EXPECT_EQ(inbox.result[0]["body"]["text"], "hello");
}

}  // namespace
}  // namespace atlas::sim
