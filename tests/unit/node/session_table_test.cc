#include "node/session_table.h"

#include <gtest/gtest.h>

namespace atlas::node {
namespace {

using host::RouteAdmission;

class SessionTableTest : public testing::Test {
 protected:
  SessionInfo& add(host::PeerHandle handle) { return add(handle, "node" + std::to_string(handle)); }
  SessionInfo& add(host::PeerHandle handle, std::string node_id) {
    auto info = std::make_shared<SessionInfo>();
    info->handle = handle;
    info->record.node_id = std::move(node_id);
    info->record.address = "192.0.2.1:" + std::to_string(handle);
    info->routes = true;
    table.add(info);
    return *info;
  }
  SessionTable table;
};

TEST_F(SessionTableTest, RoutesNeedTwoSessions) {
  add(1);
  add(2);
  EXPECT_EQ(table.admits_route(1, 2), RouteAdmission::kYes);
  EXPECT_EQ(table.admits_route(1, 3), RouteAdmission::kGone);
  EXPECT_EQ(table.admits_route(3, 1), RouteAdmission::kGone);
  EXPECT_EQ(table.admits_route(0, 0), RouteAdmission::kGone) << "no session before the same session";
  EXPECT_EQ(table.admits_route(1, 1), RouteAdmission::kSame);
  table.remove(2);
  EXPECT_EQ(table.admits_route(1, 2), RouteAdmission::kGone);
}

TEST_F(SessionTableTest, RoutesDoNotNest) {
  add(1);
  SessionInfo& relayed = add(2);
  relayed.relayed = true;
  relayed.routes = false;
  EXPECT_EQ(table.admits_route(1, 2), RouteAdmission::kRelayed);
  EXPECT_EQ(table.admits_route(2, 1), RouteAdmission::kRelayed);
  relayed.relayed = false;  // it moved to a direct path
  relayed.routes = true;
  EXPECT_EQ(table.admits_route(1, 2), RouteAdmission::kYes);
}

TEST_F(SessionTableTest, RoutesNeedTheFeatureOnBothSides) {
  add(1);
  add(2).routes = false;
  EXPECT_EQ(table.admits_route(1, 2), RouteAdmission::kNoFeature);
  EXPECT_EQ(table.admits_route(2, 1), RouteAdmission::kNoFeature);
}

TEST_F(SessionTableTest, RelayedSessionShowsThatTrustForAsLongAsItIs) {
  SessionInfo& info = add(1);
  info.record.trust = wire::Trust::kBootstrap;
  EXPECT_FALSE(table.peer(1)->relayed);
  EXPECT_EQ(table.peer(1)->record.trust, wire::Trust::kBootstrap);
  info.relayed = true;
  EXPECT_TRUE(table.peer(1)->relayed);
  EXPECT_EQ(table.peer(1)->record.trust, wire::Trust::kRelay);
  EXPECT_EQ(table.peers().front().record.trust, wire::Trust::kRelay);
  info.relayed = false;
  EXPECT_EQ(table.peer(1)->record.trust, wire::Trust::kBootstrap);
}

TEST_F(SessionTableTest, SessionsAreFoundByNodeAndByAddress) {
  add(1).dialled = true;
  add(2);
  EXPECT_EQ(table.find("node2"), 2u);
  EXPECT_EQ(table.find_dialled("192.0.2.1:1"), 1u);
  EXPECT_EQ(table.find_dialled("192.0.2.1:2"), 0u) << "it was not dialled";
  table.moved(1, "192.0.2.7:7");
  EXPECT_EQ(table.find_dialled("192.0.2.7:7"), 1u);
  EXPECT_EQ(table.peer(1)->record.address, "192.0.2.7:7");
  table.remove(1);
  table.remove(1);
  EXPECT_EQ(table.find("node1"), 0u);
  EXPECT_FALSE(table.live(1));
  EXPECT_EQ(table.size(), 1u);
}

// A reconnect is added before the session that it replaces goes.
TEST_F(SessionTableTest, SecondSessionOfANodeKeepsItsName) {
  add(1, "node");
  add(2, "node");
  table.remove(1);
  EXPECT_EQ(table.find("node"), 2u);
}

}  // namespace
}  // namespace atlas::node
