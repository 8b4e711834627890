#include "host/live_routes.h"

#include <gtest/gtest.h>

namespace atlas::host {
namespace {

using Outcome = LiveRoutes::Outcome;

LiveRoute route(std::uint64_t tag) {
  LiveRoute out;
  out.tag = tag;
  out.tally = std::make_shared<RouteTally>();
  return out;
}

// The handle of one more, 0 when it was refused.
std::uint64_t add(LiveRoutes& routes, std::uint64_t tag) {
  std::uint64_t out = 0;
  const Outcome outcome = routes.add(route(tag), [&](std::uint64_t handle) {
    out = handle;
    return true;
  });
  return outcome == Outcome::kDone ? out : 0;
}

TEST(LiveRoutes, AreTakenOnce) {
  LiveRoutes routes;
  const auto handle = add(routes, 5);
  ASSERT_NE(handle, 0u);
  EXPECT_EQ(routes.size(), 1u);
  const auto first = routes.take(handle);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->tag, 5u);
  EXPECT_FALSE(routes.take(handle));
  EXPECT_FALSE(routes.take(0));
  EXPECT_EQ(routes.size(), 0u);
}

TEST(LiveRoutes, AreBounded) {
  LiveRoutes routes(2);
  const auto first = add(routes, 1);
  EXPECT_NE(add(routes, 2), 0u);
  bool ordered = false;
  EXPECT_EQ(routes.add(route(3),
                       [&](std::uint64_t) {
                         ordered = true;
                         return true;
                       }),
            Outcome::kFull);
  EXPECT_FALSE(ordered);
  routes.ended(first, ATLAS_ROUTE_IDLE);
  EXPECT_EQ(add(routes, 3), 0u) << "its end is still to be told";
  routes.take(first);
  EXPECT_NE(add(routes, 3), 0u);
}

TEST(LiveRoutes, RefusedOrderLeavesNothing) {
  LiveRoutes routes;
  EXPECT_EQ(routes.add(route(1), [](std::uint64_t) { return false; }), Outcome::kRefused);
  EXPECT_EQ(routes.size(), 0u);
}

TEST(LiveRoutes, AreRemovedByOneOrder) {
  LiveRoutes routes;
  const auto handle = add(routes, 5);
  EXPECT_EQ(routes.remove(handle, [](std::uint64_t) { return false; }), Outcome::kRefused);
  std::vector<std::uint64_t> asked;
  const auto ask = [&](std::uint64_t tag) {
    asked.push_back(tag);
    return true;
  };
  EXPECT_EQ(routes.remove(handle, ask), Outcome::kDone);
  EXPECT_EQ(routes.remove(handle, ask), Outcome::kDone);
  EXPECT_EQ(asked, std::vector<std::uint64_t>{5});
  EXPECT_TRUE(routes.tally(handle)) << "it has not ended yet";
  EXPECT_TRUE(routes.ended(handle, ATLAS_ROUTE_REMOVED));
  EXPECT_EQ(routes.remove(handle, ask), Outcome::kGone);
  EXPECT_EQ(asked.size(), 1u);
}

TEST(LiveRoutes, EndOnceAndKeepTheFirstReason) {
  LiveRoutes routes;
  const auto handle = add(routes, 5);
  EXPECT_TRUE(routes.ended(handle, ATLAS_ROUTE_BUDGET));
  EXPECT_FALSE(routes.ended(handle, ATLAS_ROUTE_IDLE));
  EXPECT_FALSE(routes.tally(handle));
  const auto told = routes.take(handle);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->why, static_cast<std::uint32_t>(ATLAS_ROUTE_BUDGET));
  EXPECT_FALSE(routes.ended(handle, ATLAS_ROUTE_IDLE));
}

TEST(LiveRoutes, CloseGivesEverythingAndEndsIt) {
  LiveRoutes routes;
  const auto first = add(routes, 1);
  add(routes, 2);
  routes.ended(first, ATLAS_ROUTE_IDLE);
  const auto left = routes.close();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].first, first);
  EXPECT_EQ(left[0].second.why, static_cast<std::uint32_t>(ATLAS_ROUTE_IDLE));
  EXPECT_EQ(left[1].second.tag, 2u);
  EXPECT_FALSE(routes.take(first));
  bool ordered = false;
  EXPECT_EQ(routes.add(route(3),
                       [&](std::uint64_t) {
                         ordered = true;
                         return true;
                       }),
            Outcome::kClosed);
  EXPECT_FALSE(ordered);
  EXPECT_TRUE(routes.close().empty());
}

TEST(LiveRoutes, CountersAreTheTallys) {
  RouteTally tally;
  tally.datagrams[0] = 1;
  tally.bytes[0] = 2;
  tally.datagrams[1] = 3;
  tally.bytes[1] = 4;
  tally.dropped_rate = 5;
  tally.dropped_source = 6;
  tally.dropped_queue = 7;
  tally.dropped_share = 8;
  const atlas_route_counters counters = counters_of(tally);
  EXPECT_EQ(counters.struct_size, sizeof counters);
  EXPECT_EQ(counters.datagrams_to_a, 1u);
  EXPECT_EQ(counters.bytes_to_a, 2u);
  EXPECT_EQ(counters.datagrams_to_b, 3u);
  EXPECT_EQ(counters.bytes_to_b, 4u);
  EXPECT_EQ(counters.dropped_rate, 5u);
  EXPECT_EQ(counters.dropped_source, 6u);
  EXPECT_EQ(counters.dropped_queue, 7u);
  EXPECT_EQ(counters.dropped_share, 8u);
}

}  // namespace
}  // namespace atlas::host
