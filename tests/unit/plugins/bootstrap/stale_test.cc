// How long records stay: last seen, and what goes first at capacity (protocol.md, section 7).
#include "role_fixture.h"

namespace bootstrap::test {
namespace {

TEST_F(Bootstrap, StaleExactlyAnHourAfterLastSeen) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'599'000);
  EXPECT_THAT(discover().ids, ElementsAre(node_id(1)));
  host.advance(1'000);
  EXPECT_TRUE(discover().ids.empty());
  EXPECT_TRUE(discover({.id = node_id(1)}).ids.empty());
  EXPECT_TRUE(discover({.limit = 10}).ids.empty());
  host.advance(31'000);
  EXPECT_EQ(host.metric("records"), 0);
  EXPECT_EQ(host.metric("evicted"), 1);
}

TEST_F(Bootstrap, ARegisterRefreshes) {
  host.run();
  const auto peer = add(1);
  host.advance(3'000'000);
  send(peer, {.node_id = node_id(1)});
  host.lose_peer(peer, 1);
  host.advance(3'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3000);
}

TEST_F(Bootstrap, AnyExchangeOnALiveSessionRefreshes) {
  host.run();
  const auto peer = add(1);
  host.advance(3'000'000);
  host.peers.at(peer).last_seen = host.unix_seconds();  // a ping, a message, whatever it was
  host.advance(3'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3000);
  host.advance(600'000);
  EXPECT_TRUE(discover().ids.empty());
}

TEST_F(Bootstrap, WhatAnEndedSessionHadSeenIsKept) {
  host.run();
  const auto peer = add(1);
  host.advance(3'500'000);
  host.peers.at(peer).last_seen = host.unix_seconds();
  host.advance(60'000);
  host.lose_peer(peer, 1);  // idle: nothing was heard at the end
  host.advance(200'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 260);
}

TEST_F(Bootstrap, TheEndOfASessionRefreshesNothingWhateverItsReason) {
  host.run();
  for (const std::uint32_t reason : {0u, 1u, 2u, 3u, 4u, 5u}) {
    const auto peer = add(reason);
    host.advance(3'000'000);
    host.lose_peer(peer, reason);
    EXPECT_EQ(discover({.id = node_id(reason)}).record(node_id(reason)).find("last_seen").i64(),
              host.unix_seconds() - 3000)
        << reason;
    host.advance(600'000);
    EXPECT_TRUE(discover({.id = node_id(reason)}).ids.empty()) << reason;
  }
}

TEST_F(Bootstrap, ANewSessionRefreshesItsRecordWithItsFirstExchangeOnly) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'000'000);
  const auto peer = join(1);
  host.advance(60'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 3060);
  host.peers.at(peer).last_seen = host.unix_seconds();
  host.advance(1'000'000);
  EXPECT_EQ(discover().record(node_id(1)).find("last_seen").i64(), host.unix_seconds() - 1000);
}

TEST_F(Bootstrap, ANewSessionWithoutAnExchangeSavesNoRecord) {
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(3'000'000);
  join(1);
  host.advance(600'000);
  EXPECT_TRUE(discover().ids.empty());
}

TEST_F(Bootstrap, AJumpOfTheWallClockMakesNobodyStale) {
  host.run();
  host.lose_peer(add(1), 1);
  const std::int64_t ten_years = 10LL * 365 * 86'400'000;
  for (const std::int64_t jump : {ten_years, -ten_years}) {
    host.wall_jump_ms = jump;
    host.advance(60'000);
    EXPECT_EQ(discover().ids.size(), 1u);
  }
}

TEST_F(Bootstrap, AFullRegistryRefusesNewcomersOnly) {
  host.config["max_records"] = std::int64_t{3};
  host.run();
  const auto first = add(1);
  add(2);
  add(3);
  const FakeReply reply = send(join(4), {.node_id = node_id(4)});
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_EQ(reply.error_text, "registry full");
  EXPECT_EQ(host.metric("refused_full"), 1);
  EXPECT_EQ(send(first, {.node_id = node_id(1), .address = "0.0.0.0:9"}).type, 0x11);
  EXPECT_EQ(host.metric("records"), 3);
}

TEST_F(Bootstrap, AtCapacityTheStaleGoFirst) {
  host.config["max_records"] = std::int64_t{3};
  host.run();
  host.lose_peer(add(1), 1);
  host.advance(1'800'000);
  host.lose_peer(add(2), 1);
  add(3);
  const auto late = join(4);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).error_text, "registry full");
  host.advance(1'799'000);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).error_text, "registry full");
  host.advance(1'000);
  EXPECT_EQ(send(late, {.node_id = node_id(4)}).type, 0x11);
  const Listing all = discover();
  EXPECT_EQ(std::set(all.ids.begin(), all.ids.end()), (std::set{node_id(2), node_id(3), node_id(4)}));
}

TEST_F(Bootstrap, ALiveSessionIsNotEvictedForItsOldRegister) {
  host.config["max_records"] = std::int64_t{1};
  host.run();
  const auto peer = add(1);
  for (int i = 0; i < 5; ++i) {
    host.advance(1'800'000);
    host.peers.at(peer).last_seen = host.unix_seconds();
    const auto other = join(2);
    EXPECT_EQ(send(other, {.node_id = node_id(2)}).error_text, "registry full");
    host.lose_peer(other);
  }
}

}  // namespace
}  // namespace bootstrap::test
