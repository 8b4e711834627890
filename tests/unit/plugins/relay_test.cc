// The relay role as a whole: what it claims, what its keys are, and that it starts and stops in every mode.
#include "atlas/plugin.hpp"
#include "relay/role_fixture.h"

namespace relay_test {
namespace {

class RelayClientMode : public RelayRole {
 protected:
  RelayClientMode() : RelayRole(ATLAS_MODE_CLIENT) {}
};

TEST_F(RelayRole, ClaimsItsTypesAndItsCommand) {
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.claimed,
            (std::map<std::uint8_t, std::uint32_t>{
                {0x30, ATLAS_HANDLE_ANSWERS}, {0x31, ATLAS_HANDLE_ANSWERS}, {0x32, 0}, {0x33, ATLAS_HANDLE_ANSWERS}}));
  EXPECT_EQ(host.commands.at("relay status").where, static_cast<std::uint32_t>(ATLAS_CLI_DAEMON));
  EXPECT_TRUE(host.provides_paths());
}

TEST_F(RelayRole, DeclaresItsKeysWithTheirBounds) {
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_EQ(host.asked, (std::map<std::string, std::string>{{"max_sessions", "integer 1000 1 20000"},
                                                            {"sessions_per_node", "integer 16 1 20000"},
                                                            {"sessions_per_prefix", "integer 64 1 20000"},
                                                            {"max_announced", "integer 10000 1 1000000"},
                                                            {"notices_per_minute", "integer 40 1 1000000"}}));
}

TEST_F(RelayRole, PathsAreProvidedOnlyWhereRelaysAreUsed) {
  host.node_keys["transport.enable_relay"] = {"false"};
  ASSERT_EQ(host.init(), ATLAS_OK);
  EXPECT_FALSE(host.provides_paths());
}

TEST_F(RelayRole, AnotherProviderOfPathsIsAConflict) {
  ASSERT_EQ(host.init(), ATLAS_OK);
  FakeHost lacking(atlas_plugin_v1);
  lacking.node_keys = host.node_keys;
  lacking.tables.routes.provide = [](const atlas_host*, auto) -> atlas_status { return ATLAS_E_CONFLICT; };
  EXPECT_EQ(lacking.init(), ATLAS_E_CONFLICT);
}

TEST_F(RelayRole, StatusShowsWhatHappensWithoutAnyRelay) {
  host.run();
  const auto shown = status();
  EXPECT_EQ(shown.at("offered"), false);
  EXPECT_EQ(shown.at("sessions").size(), 0u);
  EXPECT_EQ(shown.at("relays").size(), 0u);
  EXPECT_EQ(shown.at("more_sessions"), false);
}

TEST_F(RelayClientMode, ACommandIsNobodysRelay) {
  host.node_keys["transport.offer_relay"] = {"true"};
  host.run();
  const auto peer = host.connect_peer({.node_id = node_id(1)});
  const auto reply = host.deliver(peer, 0x30, relay::encode(relay::Announce{node_id(1), 0}));
  EXPECT_EQ(relay::decode_error(MapView::of(reply.body))->code, 5u);
}

}  // namespace
}  // namespace relay_test
