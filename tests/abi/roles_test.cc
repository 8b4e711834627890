// The roles that ship with atlas, from their files, in the host: what they claim, and a life from start to stop.
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

class Roles : public HostTest {
 protected:
  std::vector<config::Problem> load_roles(Mode mode) {
    HostSetup with = setup(mode);
    if (mode == Mode::kDescribe) {
      with.network = nullptr;
      with.store = nullptr;
      with.loop = nullptr;
      with.executor = nullptr;
    }
    with.search = {ATLAS_BUILD_DIR "/plugins"};
    host = std::make_unique<host::Host>(std::move(with));
    return host->load({"bootstrap", "discovery", "keepalive", "messaging", "relay"});
  }
};

TEST_F(Roles, ClaimWhatTheRegistryGivesThem) {
  const auto problems = load_roles(Mode::kDescribe);
  ASSERT_THAT(problems, IsEmpty()) << problems.front().to_string();
  EXPECT_THAT(
      host->claims(),
      IsSupersetOf({"type 0x10: messaging", "type 0x20: bootstrap", "type 0x21: bootstrap", "type 0xf0: keepalive",
                    "command discover: discovery", "command ping: keepalive", "type 0x30: relay",
                    "command relay status: relay", "command send: messaging", "command inbox: messaging"}));
  for (const PluginRow& row : host->plugins()) {
    EXPECT_EQ(row.state, "ready");
    EXPECT_FALSE(row.summary.empty());
    EXPECT_THAT(row.keys, ::testing::Each(::testing::Field(&PluginKey::doc, ::testing::Not(IsEmpty())))) << row.id;
  }
}

TEST_F(Roles, LiveAndStopWithoutAFault) {
  network.me.record.node_id = "atlas_" + std::string(64, 'c');
  network.me.record.address = "[::]:4433";
  const auto problems = load_roles(Mode::kDaemon);
  ASSERT_THAT(problems, IsEmpty()) << problems.front().to_string();
  host->begin_start();
  settle();
  network.add_peer(7, "atlas_" + std::string(64, 'd'));
  host->peer_event({ATLAS_PEER_UP, 7, "atlas_" + std::string(64, 'd'), 0, true});
  for (int second = 0; second < 130; ++second) {
    pass(base::kSecond);
    store.commit();
  }
  // Pinged once in each minute, give or take the jitter.
  EXPECT_THAT(network.requests, Contains(::testing::Field(&FakeNetwork::Request::sent,
                                                          ::testing::Field(&FakeNetwork::Sent::type, 0xf0))));
  stop();
  for (const PluginRow& row : host->plugins()) {
    EXPECT_EQ(row.state, "stopped") << row.id << ": " << row.reason;
    EXPECT_EQ(row.faults, 0u);
  }
  for (const MetricRow& metric : host->metrics()) {
    if (!metric.name.ends_with("_contract_breaks")) continue;
    EXPECT_EQ(metric.value, 0) << metric.name;
  }
}

}  // namespace
}  // namespace atlas::host::test
