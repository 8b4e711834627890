// Forwarding: pairs of routes between two sessions, from the order to the end that the plugin is told.
#include <stdexcept>

#include "host/live_routes.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kSeven = "atlas_" + std::string(64, '7');
const std::string kEight = "atlas_" + std::string(64, '8');

class Routes : public HostTest {
 protected:
  Routes() {
    network.add_peer(7, kSeven);
    network.add_peer(8, kEight);
  }
  ~Routes() override { host.reset(); }  // tells the ends of what is left

  struct End {
    atlas_route route;
    std::uint32_t why;
    atlas_route_counters last;
  };
  static void note(void* arg, atlas_route route, std::uint32_t why, const atlas_route_counters* last) {
    EXPECT_EQ(last->struct_size, sizeof(atlas_route_counters));
    static_cast<std::vector<End>*>(arg)->push_back({route, why, *last});
  }
  static atlas_route_options options() {
    atlas_route_options out{};
    out.struct_size = sizeof out;
    out.idle_ms = 120'000;
    return out;
  }
  atlas_status add(const atlas_route_options& with, atlas_peer a = 7, atlas_peer b = 8) {
    route = 99;
    return script.routes().add(script.host, a, b, &with, note, &ends, &route, &prefixes);
  }
  atlas_status add() { return add(options()); }
  atlas_status counters(atlas_route of, atlas_route_counters& out) {
    out.struct_size = sizeof out;
    return script.routes().counters(script.host, of, &out);
  }

  atlas_route route = 0;
  atlas_route_prefixes prefixes{};
  std::vector<End> ends;
};

TEST_F(Routes, AddOrdersAPairAndNamesItsPrefixes) {
  start();
  atlas_route_options with = options();
  with.idle_ms = 1000;
  with.bytes_per_second = 512 << 10;
  with.byte_budget = 1 << 30;
  ASSERT_EQ(add(with), ATLAS_OK);
  EXPECT_NE(route, 0u);
  ASSERT_EQ(network.routes.size(), 1u);
  const RouteOrder& order = network.routes[0];
  EXPECT_EQ(order.a, 7u);
  EXPECT_EQ(order.b, 8u);
  EXPECT_TRUE(std::ranges::equal(order.to_a, prefixes.to_a));
  EXPECT_TRUE(std::ranges::equal(order.to_b, prefixes.to_b));
  EXPECT_EQ(order.bytes_per_second, 512u << 10);
  EXPECT_EQ(order.byte_budget, 1u << 30);
  EXPECT_EQ(order.idle, base::kSecond);
  ASSERT_TRUE(order.tally);
  EXPECT_THAT(ends, IsEmpty());
}

TEST_F(Routes, PrefixesAndNamesAreNeverTheSame) {
  start();
  std::set<RoutePrefix> seen;
  std::set<std::uint64_t> names, handles;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(add(), ATLAS_OK);
    handles.insert(route);
  }
  for (const RouteOrder& order : network.routes) {
    names.insert(order.route);
    seen.insert(order.to_a);
    seen.insert(order.to_b);
  }
  EXPECT_EQ(seen.size(), 200u);
  EXPECT_EQ(names.size(), 100u);
  EXPECT_EQ(handles.size(), 100u);
  EXPECT_FALSE(names.contains(0));
}

// The generator of this host gives nothing at first, then the same bytes for both.
class PoorRandom final : public base::Random {
 public:
  void fill(base::MutableBytes out) override { std::ranges::fill(out, static_cast<std::uint8_t>(calls_++ / 3)); }

 private:
  unsigned calls_ = 0;
};

TEST_F(Routes, PrefixesAreDrawnAgainUntilTheyAreTwo) {
  PoorRandom poor;
  HostSetup with = setup();
  with.random = &poor;
  host = std::make_unique<Host>(std::move(with));
  descriptors[0] = Scripted<0>::descriptor(script);
  host->add_linked(&descriptors[0]);
  ASSERT_THAT(host->load({}), IsEmpty());
  host->begin_start();
  settle();
  ASSERT_EQ(add(), ATLAS_OK);
  EXPECT_NE(network.routes[0].to_a, RoutePrefix{});
  EXPECT_NE(network.routes[0].to_b, RoutePrefix{});
  EXPECT_NE(network.routes[0].to_a, network.routes[0].to_b);
}

TEST_F(Routes, RefusesSessionsThatCannotHaveThem) {
  network.add_peer(9, "atlas_" + std::string(64, '9'));
  network.live_peers[9].relayed = true;
  network.add_peer(10, "atlas_" + std::string(64, 'a'));
  network.without_routes.insert(10);
  start();
  EXPECT_EQ(add(options(), 7, 77), ATLAS_E_GONE);
  EXPECT_EQ(add(options(), 0, 7), ATLAS_E_GONE);
  EXPECT_EQ(add(options(), 7, 7), ATLAS_E_DENIED);
  EXPECT_EQ(add(options(), 9, 7), ATLAS_E_DENIED);
  EXPECT_EQ(add(options(), 7, 9), ATLAS_E_DENIED);
  EXPECT_EQ(script.last_error(), "one of the two is itself reached through a forwarder");
  EXPECT_EQ(add(options(), 7, 10), ATLAS_E_STATE);
  EXPECT_EQ(route, 0u);
  EXPECT_THAT(network.routes, IsEmpty());
  EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 0) << "peers come and go, the plugin did nothing wrong";
}

TEST_F(Routes, RefusesWhatTheHeaderForbids) {
  start();
  atlas_route_options with = options();
  with.idle_ms = 999;
  EXPECT_EQ(add(with), ATLAS_E_ARG);
  with.idle_ms = 3'600'001;
  EXPECT_EQ(add(with), ATLAS_E_ARG);
  with.idle_ms = 3'600'000;
  EXPECT_EQ(add(with), ATLAS_OK);
  with.struct_size = offsetof(atlas_route_options, idle_ms);
  EXPECT_EQ(add(with), ATLAS_E_ARG) << "what is not there counts as 0";
  with = options();
  const auto& table = script.routes();
  EXPECT_EQ(table.add(script.host, 7, 8, nullptr, note, &ends, &route, &prefixes), ATLAS_E_ARG);
  EXPECT_EQ(table.add(script.host, 7, 8, &with, nullptr, &ends, &route, &prefixes), ATLAS_E_ARG);
  EXPECT_EQ(table.add(script.host, 7, 8, &with, note, &ends, nullptr, &prefixes), ATLAS_E_ARG);
  EXPECT_EQ(table.add(script.host, 7, 8, &with, note, &ends, &route, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(metric("atlas_plugin0_contract_breaks"), 7);
  EXPECT_EQ(network.routes.size(), 1u);
}

TEST_F(Routes, OldOptionsHaveNoLimits) {
  start();
  atlas_route_options with = options();
  with.struct_size = offsetof(atlas_route_options, bytes_per_second);
  with.bytes_per_second = with.byte_budget = 4711;
  ASSERT_EQ(add(with), ATLAS_OK);
  EXPECT_EQ(network.routes[0].bytes_per_second, 0u);
  EXPECT_EQ(network.routes[0].byte_budget, 0u);
}

TEST_F(Routes, NothingIsForwardedBeforeStartOrAfterStop) {
  script.init = [&] {
    EXPECT_EQ(add(), ATLAS_E_STATE);
    return ATLAS_OK;
  };
  script.stop = [&] { EXPECT_EQ(add(), ATLAS_E_STOPPING); };
  start();
  stop();
  EXPECT_EQ(add(), ATLAS_E_STOPPING);
  EXPECT_THAT(network.routes, IsEmpty());
  EXPECT_THAT(script.calls, ElementsAre("init", "start", "stop"));
}

TEST_F(Routes, EndIsToldOnceOnTheStrandWithTheLastCounters) {
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  RouteOrder& order = network.routes[0];
  order.tally->datagrams[0] = 3;
  order.tally->bytes[0] = 3600;
  order.tally->datagrams[1] = 1;
  order.tally->bytes[1] = 1200;
  order.tally->dropped_source = 2;
  order.ended(ATLAS_ROUTE_IDLE);
  EXPECT_THAT(ends, IsEmpty()) << "not on the I/O thread";
  atlas_route_counters now{};
  EXPECT_EQ(counters(route, now), ATLAS_E_GONE);
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_E_GONE);
  settle();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].route, route);
  EXPECT_EQ(ends[0].why, static_cast<std::uint32_t>(ATLAS_ROUTE_IDLE));
  EXPECT_EQ(ends[0].last.datagrams_to_a, 3u);
  EXPECT_EQ(ends[0].last.bytes_to_a, 3600u);
  EXPECT_EQ(ends[0].last.datagrams_to_b, 1u);
  EXPECT_EQ(ends[0].last.bytes_to_b, 1200u);
  EXPECT_EQ(ends[0].last.dropped_source, 2u);
  stop();
  EXPECT_EQ(ends.size(), 1u);
  EXPECT_THAT(network.removed_routes, IsEmpty());
}

TEST_F(Routes, RemoveAsksTheNetworkOnceAndTheEndFollows) {
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_OK);
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_OK) << "its end has not come yet";
  settle();
  EXPECT_THAT(network.removed_routes, ElementsAre(network.routes[0].route));
  EXPECT_THAT(ends, IsEmpty());
  network.routes[0].ended(ATLAS_ROUTE_REMOVED);
  settle();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].why, static_cast<std::uint32_t>(ATLAS_ROUTE_REMOVED));
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_E_GONE);
  EXPECT_EQ(script.routes().remove(script.host, 0), ATLAS_E_GONE);
}

TEST_F(Routes, CountersAreReadAnyTimeAndAsFarAsThePluginKnows) {
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  network.routes[0].tally->bytes[1] = 5;
  network.routes[0].tally->dropped_queue = 6;
  struct {
    atlas_route_counters known;
    std::uint64_t later;
  } bigger{};
  bigger.later = 7;
  bigger.known.struct_size = sizeof bigger;
  EXPECT_EQ(script.routes().counters(script.host, route, &bigger.known), ATLAS_OK);
  EXPECT_EQ(bigger.known.struct_size, sizeof(atlas_route_counters));
  EXPECT_EQ(bigger.known.bytes_to_b, 5u);
  EXPECT_EQ(bigger.known.dropped_queue, 6u);
  EXPECT_EQ(bigger.later, 7u);
  // One that was built before dropped_share was there.
  network.routes[0].tally->dropped_share = 8;
  atlas_route_counters smaller{};
  smaller.struct_size = offsetof(atlas_route_counters, dropped_share);
  EXPECT_EQ(script.routes().counters(script.host, route, &smaller), ATLAS_OK);
  EXPECT_EQ(smaller.struct_size, offsetof(atlas_route_counters, dropped_share));
  EXPECT_EQ(smaller.dropped_queue, 6u);
  EXPECT_EQ(smaller.dropped_share, 0u);
  atlas_route_counters unset{};
  EXPECT_EQ(script.routes().counters(script.host, route, &unset), ATLAS_E_ARG);
  EXPECT_EQ(script.routes().counters(script.host, route, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(counters(4711, unset), ATLAS_E_GONE);
}

TEST_F(Routes, RoutesOfAPluginAreBounded) {
  start();
  for (std::size_t i = 0; i < kMaxLiveRoutes; ++i) ASSERT_EQ(add(), ATLAS_OK);
  EXPECT_EQ(add(), ATLAS_E_FULL);
  EXPECT_THAT(script.last_error(), HasSubstr("20000 pairs of routes"));
  EXPECT_EQ(network.routes.size(), kMaxLiveRoutes);
  network.routes[0].ended(ATLAS_ROUTE_PEER_GONE);
  EXPECT_EQ(add(), ATLAS_E_FULL) << "until its end is told";
  settle();
  EXPECT_EQ(add(), ATLAS_OK);
}

TEST_F(Routes, FullNetworkBeginsNothing) {
  start();
  network.full = true;
  EXPECT_EQ(add(), ATLAS_E_FULL);
  EXPECT_EQ(route, 0u);
  network.full = false;
  ASSERT_EQ(add(), ATLAS_OK);
  network.full = true;
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_E_FULL);
  network.full = false;
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_OK);
  EXPECT_EQ(network.removed_routes.size(), 1u);
  stop();
  EXPECT_EQ(ends.size(), 1u) << "the one that was refused is not told of";
}

TEST_F(Routes, AnotherPluginCannotTouchThem) {
  start(2);
  ASSERT_EQ(add(), ATLAS_OK);
  Script& other = scripts[1];
  atlas_route_counters now{};
  now.struct_size = sizeof now;
  EXPECT_EQ(other.routes().remove(other.host, route), ATLAS_E_GONE);
  EXPECT_EQ(other.routes().counters(other.host, route, &now), ATLAS_E_GONE);
  EXPECT_THAT(network.removed_routes, IsEmpty());
}

TEST_F(Routes, StopRemovesThemAndTellsTheirEndFirst) {
  std::size_t told = 0;
  script.stop = [&] { told = ends.size(); };
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  ASSERT_EQ(add(), ATLAS_OK);
  network.routes[1].tally->bytes[0] = 9;
  EXPECT_EQ(script.routes().remove(script.host, route), ATLAS_OK);
  stop();
  EXPECT_EQ(told, 2u);
  EXPECT_THAT(network.removed_routes, ElementsAre(network.routes[1].route, network.routes[0].route))
      << "the second was asked for already";
  for (const End& end : ends) EXPECT_EQ(end.why, static_cast<std::uint32_t>(ATLAS_ROUTE_REMOVED));
  EXPECT_EQ(ends[1].last.bytes_to_a, 9u);
  for (RouteOrder& order : network.routes) order.ended(ATLAS_ROUTE_REMOVED);  // the network carries it out
  settle();
  EXPECT_EQ(ends.size(), 2u);
  host.reset();
  EXPECT_EQ(ends.size(), 2u);
}

TEST_F(Routes, FaultRemovesThemAndAnEndThatWaitsKeepsItsReason) {
  script.peer_event = [](const atlas_peer_event&) { throw std::runtime_error("out of cheese"); };
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  ASSERT_EQ(add(), ATLAS_OK);
  host->peer_event({ATLAS_PEER_UP, 7, kSeven, 0, false});
  network.routes[0].ended(ATLAS_ROUTE_BUDGET);  // waits behind the event
  settle();
  EXPECT_EQ(row().state, "faulted");
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].why, static_cast<std::uint32_t>(ATLAS_ROUTE_BUDGET));
  EXPECT_EQ(ends[1].why, static_cast<std::uint32_t>(ATLAS_ROUTE_REMOVED));
  EXPECT_THAT(network.removed_routes, ElementsAre(network.routes[1].route));
  EXPECT_EQ(add(), ATLAS_E_STOPPING);
}

TEST_F(Routes, ExceptionAtAnEndIsTheOnlyOnesOfItsPlugin) {
  start();
  const auto boom = [](void*, atlas_route, std::uint32_t, const atlas_route_counters*) {
    throw std::runtime_error("out of cheese");
  };
  const auto with = options();
  ASSERT_EQ(script.routes().add(script.host, 7, 8, &with, boom, nullptr, &route, &prefixes), ATLAS_OK);
  ASSERT_EQ(add(), ATLAS_OK);
  network.routes[0].ended(ATLAS_ROUTE_IDLE);
  settle();
  EXPECT_EQ(row().reason, "exception in end of a route: out of cheese");
  EXPECT_EQ(ends.size(), 1u);
}

TEST_F(Routes, TheyKeepNoDrainWaiting) {
  start();
  ASSERT_EQ(add(), ATLAS_OK);
  bool done = false;
  host->begin_drain(clock.mono_ns() + 500 * base::kMillisecond, [&] { done = true; });
  settle();
  EXPECT_TRUE(done);
  EXPECT_EQ(add(), ATLAS_OK);
  stop();
  EXPECT_EQ(ends.size(), 2u);
}

}  // namespace
}  // namespace atlas::host::test
