// The C++ wrapper of atlas.routes/1: values cross both ways, the end of a pair runs once and is freed.
#include "atlas/cpp/routes.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "atlas/plugin.hpp"
#include "kit/fake_host.h"

namespace {

using namespace std::chrono_literals;
using atlas::Host;
using atlas::RouteCounters;
using atlas::RouteEnded;
using atlas::kit::FakeHost;
using atlas::kit::node_id;

class RoutesWrapper : public testing::Test {
 protected:
  atlas_peer peer(std::uint64_t number) { return fake.connect_peer({.node_id = node_id(number)}); }

  FakeHost fake{atlas_plugin_v1};
  Host host{fake.c_host()};
};

TEST_F(RoutesWrapper, APairIsAddedAskedAndEndsOnce) {
  const auto a = peer(1), b = peer(2);
  const auto alive = std::make_shared<int>();
  int ends = 0;
  const auto added = host.routes().add(a, b, {5s, 1'000, 2'000}, [&, alive](const RouteEnded& end) {
    ++ends;
    EXPECT_EQ(end.why, static_cast<std::uint32_t>(ATLAS_ROUTE_REMOVED));
    EXPECT_EQ(end.last.bytes_to_b, 44u);
  });
  ASSERT_TRUE(added.status.ok());
  auto& route = fake.routes.at(added.route);
  EXPECT_EQ(route.options.idle_ms, 5'000u);
  EXPECT_EQ(route.options.bytes_per_second, 1'000u);
  EXPECT_EQ(route.options.byte_budget, 2'000u);
  EXPECT_TRUE(std::equal(added.to_a.begin(), added.to_a.end(), route.prefixes.to_a));
  EXPECT_TRUE(std::equal(added.to_b.begin(), added.to_b.end(), route.prefixes.to_b));
  route.counters.bytes_to_b = 44;
  route.counters.dropped_queue = 3;
  route.counters.dropped_share = 4;
  const auto counters = host.routes().counters(added.route);
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->bytes_to_b, 44u);
  EXPECT_EQ(counters->dropped_queue, 3u);
  EXPECT_EQ(counters->dropped_share, 4u);
  EXPECT_TRUE(host.routes().remove(added.route).ok());
  EXPECT_EQ(ends, 0) << "not inside the call";
  fake.settle();
  EXPECT_EQ(ends, 1);
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_EQ(host.routes().remove(added.route).code, ATLAS_E_GONE);
  EXPECT_FALSE(host.routes().counters(added.route));
}

TEST_F(RoutesWrapper, APairThatWasNotAddedDoesNotEnd) {
  const auto alive = std::make_shared<int>();
  const auto added = host.routes().add(peer(1), 99, {}, [alive](const RouteEnded&) { FAIL(); });
  EXPECT_EQ(added.status.code, ATLAS_E_GONE);
  EXPECT_EQ(added.route, 0u);
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_F(RoutesWrapper, TheIdleTimeIsHeldToItsRange) {
  const auto a = peer(1), b = peer(2);
  const auto idle = [&](atlas::Millis time) {
    const auto added = host.routes().add(a, b, {time, 0, 0}, [](const RouteEnded&) {});
    return fake.routes.at(added.route).options.idle_ms;
  };
  EXPECT_EQ(idle(0ms), 1'000u);
  EXPECT_EQ(idle(24h), 3'600'000u);
}

TEST_F(RoutesWrapper, WhatNeverEndedIsFreedWithTheHost) {
  const auto alive = std::make_shared<int>();
  ASSERT_TRUE(host.routes().add(peer(1), peer(2), {}, [alive](const RouteEnded&) {}).status.ok());
  EXPECT_EQ(alive.use_count(), 2);
  host.drop_callbacks();
  EXPECT_EQ(alive.use_count(), 1);
  fake.routes.clear();
}

TEST_F(RoutesWrapper, CountersOfAnOlderHostAreReadAsFarAsTheyGo) {
  fake.tables.routes.counters = [](const atlas_host*, atlas_route, atlas_route_counters* out) -> atlas_status {
    out->struct_size = offsetof(atlas_route_counters, bytes_to_a) + sizeof out->bytes_to_a;
    out->bytes_to_a = 5;
    out->dropped_rate = 6;
    return ATLAS_OK;
  };
  const auto counters = host.routes().counters(1);
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->bytes_to_a, 5u);
  EXPECT_EQ(counters->dropped_rate, 0u);
}

TEST_F(RoutesWrapper, PathsCross) {
  const atlas::RoutePath path{peer(1), {1}, {2}, node_id(7), {"192.0.2.1:1", "[2001:db8::1]:2"}, 99};
  ASSERT_TRUE(host.routes().expect(path).ok());
  const auto& told = fake.expected.at(0);
  EXPECT_EQ(told.via, path.via);
  EXPECT_EQ(told.route, path.route);
  EXPECT_EQ(told.peer_route, path.peer_route);
  EXPECT_EQ(told.node_id, path.node_id);
  EXPECT_EQ(told.observed, path.observed);
  EXPECT_EQ(told.expires, 99);
  fake.reaches[5] = fake.reaches[6] = {};
  EXPECT_TRUE(host.routes().found(5, path).ok());
  EXPECT_EQ(fake.reaches.at(5).path.node_id, path.node_id);
  EXPECT_EQ(host.routes().found(5, path).code, ATLAS_E_GONE);
  EXPECT_TRUE(host.routes().not_found(6, {ATLAS_E_TIMEOUT}, "late").ok());
  EXPECT_EQ(fake.reaches.at(6).status, ATLAS_E_TIMEOUT);
  EXPECT_EQ(fake.reaches.at(6).reason, "late");
}

TEST_F(RoutesWrapper, AHostWithoutRoutesAnswersState) {
  FakeHost lacking(atlas_plugin_v1);
  lacking.missing = {ATLAS_EXT_ROUTES};
  Host without(lacking.c_host());
  EXPECT_EQ(without.routes().add(1, 2, {}, [](const RouteEnded&) {}).status.code, ATLAS_E_STATE);
  EXPECT_EQ(without.routes().remove(1).code, ATLAS_E_STATE);
  EXPECT_FALSE(without.routes().counters(1));
  EXPECT_EQ(without.routes().expect({}).code, ATLAS_E_STATE);
}

}  // namespace
