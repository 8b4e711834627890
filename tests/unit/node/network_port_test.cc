// The host's side of the network: bounded, and safe to use until the host itself is gone.
#include "node/network_port.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "atlas/ext/routes.h"
#include "host/strand.h"
#include "unit/host/host_fixture.h"

namespace atlas::node {
namespace {

class NetworkPortTest : public testing::Test {
 protected:
  NetworkPortTest() : loop(clock), port(std::make_unique<NetworkPort>(loop, table, store, counters)) {}

  void request(std::uint64_t tag) {
    port->request(7, 0x90, {}, base::kSecond, tag,
                  [this](host::Answer&& answer) { faults.push_back(answer.ok ? base::Fault{} : answer.fault); });
  }
  void settle() {
    while (loop.run_once()) {
    }
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  host::test::FakeStore store;
  SessionTable table;
  NodeCounters counters;
  std::unique_ptr<NetworkPort> port;
  std::vector<base::Fault> faults;
};

TEST_F(NetworkPortTest, OrdersAreBounded) {
  for (std::size_t i = 0; i < kMaxOrders; ++i) port->cancel_request(i);
  request(1);
  EXPECT_TRUE(faults.empty()) << "nobody is called back before the call returns";
  settle();
  EXPECT_EQ(faults, std::vector{base::Fault::kFull});
}

TEST_F(NetworkPortTest, WhatExpectsNoAnswerIsToldThatItIsFull) {
  for (std::size_t i = 0; i < kMaxOrders; ++i) EXPECT_TRUE(port->send(7, 0x90, {}));
  EXPECT_FALSE(port->send(7, 0x90, {}));
  EXPECT_FALSE(port->reply(1, 0x91, {}));
  EXPECT_FALSE(port->disconnect(7, 0, ""));
  settle();
  EXPECT_TRUE(port->send(7, 0x90, {}));
}

TEST_F(NetworkPortTest, OrdersAreBoundedInBytes) {
  EXPECT_TRUE(port->send(7, 0x90, base::Bytes(kMaxOrderBytes + 1))) << "one always fits";
  EXPECT_FALSE(port->reply(1, 0x91, base::Bytes(1)));
  EXPECT_TRUE(port->reply(1, 0x91, {})) << "it costs nothing";
  port->request(7, 0x90, base::Bytes(1), base::kSecond, 1,
                [this](host::Answer&& answer) { faults.push_back(answer.fault); });
  EXPECT_TRUE(faults.empty());
  settle();
  EXPECT_EQ(faults, std::vector{base::Fault::kFull});
  EXPECT_TRUE(port->send(7, 0x90, base::Bytes(kMaxOrderBytes - 1))) << "all of it is free again";
  EXPECT_TRUE(port->send(7, 0x90, base::Bytes(1)));
  EXPECT_FALSE(port->send(7, 0x90, base::Bytes(1)));
}

TEST_F(NetworkPortTest, AfterCloseNothingReachesTheSwitchboard) {
  request(1);
  port->reply(1, 0x91, {});
  port->close();
  EXPECT_EQ(faults, std::vector{base::Fault::kStopping}) << "what was waiting is refused";
  // There is no switchboard behind this port: an order that got through would end the test here.
  port->reply(2, 0x91, {});
  port->cancel_request(1);
  port->send(7, 0x90, {});
  port->disconnect(7, 0, "");
  request(2);
  settle();
  EXPECT_EQ(faults, (std::vector{base::Fault::kStopping, base::Fault::kStopping}));
  port->close();
  EXPECT_EQ(faults.size(), 2u);
}

// Runs a callback as a strand would.
class OneStrand final : public host::StrandSink {
 public:
  OneStrand(const base::Clock& clock, NetworkPort& port) : port_(port), strand_(&executor_, &clock, {}, *this) {
    strand_.attach(alive_);
  }
  void run(std::function<void()> callback, bool budgeted = true) {
    strand_.append_task([callback = std::move(callback)](bool) { callback(); }, budgeted);
    executor_.run_all();
  }

 private:
  void run(const host::Item& item, base::ByteView, base::ByteView, base::MonoNs) override {
    strand_.task_of(item)(false);
  }
  void discard(const host::Item&) override {}
  void settle() override { port_.hand_over(); }
  void overrun(const host::Item&, base::MonoNs, bool) override {}

  NetworkPort& port_;
  host::test::ManualExecutor executor_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(1);
  host::Strand strand_;
};

TEST_F(NetworkPortTest, OrdersOfOneTurnCrossTogether) {
  OneStrand strand(clock, *port);
  const std::size_t before = loop.posts;
  strand.run([&] {
    port->cancel_request(1);
    port->cancel_request(2);
    EXPECT_EQ(loop.posts, before) << "the loop sleeps on while the callback runs";
  });
  EXPECT_EQ(loop.posts, before + 1);
  request(3);
  EXPECT_EQ(loop.posts, before + 1) << "one wake-up is on its way already";
  settle();
  request(4);
  EXPECT_EQ(loop.posts, before + 2) << "other threads wake the loop at once";
}

TEST_F(NetworkPortTest, TurnThatAsksForMuchIsHandedOverEarly) {
  OneStrand strand(clock, *port);
  const std::size_t before = loop.posts;
  strand.run([&] {
    for (std::size_t i = 0; i + 1 < kMaxOrders / 4; ++i) port->cancel_request(i);
    EXPECT_EQ(loop.posts, before);
    port->cancel_request(1);
    EXPECT_EQ(loop.posts, before + 1);
    settle();
    port->send(7, 0x90, base::Bytes(kMaxOrderBytes / 4));
    EXPECT_EQ(loop.posts, before + 2);
  });
}

TEST_F(NetworkPortTest, CallbacksThatMayTakeTheirTimeHoldNothingBack) {
  OneStrand strand(clock, *port);
  const std::size_t before = loop.posts;
  strand.run(
      [&] {
        port->cancel_request(1);
        EXPECT_EQ(loop.posts, before + 1);
      },
      false);
}

// A peer that was discovered a moment ago may still wait for the disk.
TEST_F(NetworkPortTest, UnknownPeerIsLookedForAgainBehindWhatWaitsForTheDisk) {
  port->connect("atlas_" + std::string(64, 'a'), base::kSecond, [](host::Connected&&) {});
  EXPECT_EQ(store.flushed, 1);
  port->connect("127.0.0.1:4433", base::kSecond, [](host::Connected&&) {});
  EXPECT_EQ(store.flushed, 1) << "an address needs no row";
  port->close();
}

class RoutesOfThePort : public NetworkPortTest {
 protected:
  bool add(std::uint64_t route) {
    host::RouteOrder order;
    order.route = route;
    order.tally = std::make_shared<host::RouteTally>();
    order.ended = [this, route](std::uint32_t why) { ends.emplace_back(route, why); };
    return port->add_route(std::move(order));
  }
  static host::PathOffer offer() {
    host::PathOffer out;
    out.via = 7;
    return out;
  }
  using Ends = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
  Ends ends;
};

TEST_F(RoutesOfThePort, RefusedOrderIsNotToldOf) {
  for (std::size_t i = 0; i < kMaxOrders; ++i) port->cancel_request(i);
  EXPECT_FALSE(add(1));
  EXPECT_FALSE(port->path_found(1, offer()));
  EXPECT_FALSE(port->path_not_found(1, base::Fault::kDenied, "no"));
  EXPECT_FALSE(port->expect_path(offer()));
  settle();
  EXPECT_TRUE(ends.empty());
}

TEST_F(RoutesOfThePort, RemovalIsTakenHoweverMuchWaits) {
  for (std::size_t i = 0; i < kMaxOrders; ++i) port->cancel_request(i);
  EXPECT_TRUE(port->remove_route(1));
  port->close();
  EXPECT_FALSE(port->remove_route(1)) << "nothing is forwarded any more";
}

TEST_F(RoutesOfThePort, ReasonsCountAsPayload) {
  EXPECT_TRUE(port->path_not_found(1, base::Fault::kDenied, std::string(kMaxOrderBytes, 'x')));
  EXPECT_FALSE(port->path_not_found(1, base::Fault::kDenied, "x"));
  EXPECT_TRUE(port->path_not_found(1, base::Fault::kDenied, ""));
  settle();
  EXPECT_TRUE(port->path_not_found(1, base::Fault::kDenied, "x"));
}

TEST_F(RoutesOfThePort, CloseEndsWhatWaitsOnce) {
  EXPECT_TRUE(add(1));
  EXPECT_TRUE(add(2));
  EXPECT_TRUE(ends.empty());
  port->close();
  const Ends both{{1, ATLAS_ROUTE_PEER_GONE}, {2, ATLAS_ROUTE_PEER_GONE}};
  EXPECT_EQ(ends, both);
  EXPECT_FALSE(add(3));
  EXPECT_FALSE(port->expect_path(offer()));
  settle();
  port->close();
  EXPECT_EQ(ends, both);
}

// There is no switchboard behind this port, as when an order before this one closed it.
TEST_F(RoutesOfThePort, OrderThatComesTooLateHasEnded) {
  EXPECT_TRUE(add(1));
  EXPECT_TRUE(port->remove_route(1));
  EXPECT_TRUE(port->path_found(1, offer()));
  EXPECT_TRUE(port->path_not_found(1, base::Fault::kDenied, "no"));
  EXPECT_TRUE(port->expect_path(offer()));
  settle();
  EXPECT_EQ(ends, (Ends{{1, ATLAS_ROUTE_PEER_GONE}}));
}

TEST_F(RoutesOfThePort, TableSaysWhoMayHaveThem) {
  const auto info = std::make_shared<SessionInfo>();
  info->handle = 7;
  info->record.node_id = "seven";
  table.add(info);
  EXPECT_EQ(port->admits_route(7, 8), host::RouteAdmission::kGone);
  EXPECT_EQ(port->admits_route(7, 7), host::RouteAdmission::kSame);
}

TEST_F(NetworkPortTest, WhatWasPostedFindsItGone) {
  port->cancel_request(1);
  port.reset();
  settle();
  EXPECT_TRUE(faults.empty());
}

}  // namespace
}  // namespace atlas::node
