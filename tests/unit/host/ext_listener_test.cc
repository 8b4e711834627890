// atlas.listener/1
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;

class ListenerTest : public HostTest {
 protected:
  ListenerTest() {
    script.init = [this] { return table().watch(script.host, changed); };
  }
  ~ListenerTest() override { host.reset(); }

  const atlas_ext_listener& table() const { return *script.table<atlas_ext_listener>(ATLAS_EXT_LISTENER); }
  static void changed(void* self) { static_cast<Script*>(self)->calls.emplace_back("changed"); }
};

TEST_F(ListenerTest, TellsWhatTheNetworkKnows) {
  start();
  network.listening = {{"[::]:4433", "0.0.0.0:4433"}, {"atlas/1"}, "198.51.100.7:4433", Listener::Nat::kSymmetric};
  std::vector<std::string> seen;
  const auto each = [](void* arg, const atlas_listener_info* info) {
    auto& out = *static_cast<std::vector<std::string>*>(arg);
    EXPECT_EQ(info->listening, 1u);
    EXPECT_EQ(info->nat, std::uint32_t{ATLAS_NAT_SYMMETRIC});
    for (std::size_t i = 0; i < info->bound_count; ++i) out.emplace_back(view(info->bound[i]));
    for (std::size_t i = 0; i < info->protocol_count; ++i) out.emplace_back(view(info->protocols[i]));
    out.emplace_back(view(info->public_address));
  };
  EXPECT_EQ(table().info(script.host, &seen, each), ATLAS_OK);
  EXPECT_THAT(seen, ElementsAre("[::]:4433", "0.0.0.0:4433", "atlas/1", "198.51.100.7:4433"));
  EXPECT_EQ(table().info(script.host, &seen, nullptr), ATLAS_E_ARG);
}

TEST_F(ListenerTest, ChangesAreToldOnceForAll) {
  start();
  host->listener_changed();
  host->listener_changed();
  settle();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "changed"));
  host->listener_changed();
  settle();
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "changed", "changed"));
  stop();
  host->listener_changed();
  settle();
  EXPECT_EQ(script.calls.back(), "stop");
}

TEST_F(ListenerTest, IsWatchedOnceAndFromInit) {
  script.init = [this] {
    EXPECT_EQ(table().info(script.host, nullptr, [](void*, const atlas_listener_info*) {}), ATLAS_E_STATE);
    EXPECT_EQ(table().watch(script.host, nullptr), ATLAS_E_ARG);
    EXPECT_EQ(table().watch(script.host, changed), ATLAS_OK);
    EXPECT_EQ(table().watch(script.host, changed), ATLAS_E_CONFLICT);
    return ATLAS_OK;
  };
  start();
  EXPECT_EQ(table().watch(script.host, changed), ATLAS_E_STATE);
}

}  // namespace
}  // namespace atlas::host::test
