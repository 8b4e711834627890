// The peers table: what was proved stands above what was told, bans outlive both, and the table is bounded.
#include "store/peer_rows.h"

#include <gtest/gtest.h>

#include "store/database_file.h"
#include "unit/store/support.h"

namespace atlas::store {
namespace {

using wire::DialFailure;
using wire::Trust;

constexpr std::int64_t kNow = 1'700'000'000;

class PeerRowsTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_database(folder / "peers.db", 64u << 20, kNow);
    ASSERT_TRUE(opened) << opened.error().text;
    db = std::move(*opened);
    ASSERT_TRUE(db.exec("PRAGMA synchronous=OFF").ok());  // each statement is a commit here
  }
  std::optional<wire::PeerRecord> find(std::uint64_t number) {
    std::optional<wire::PeerRecord> out;
    EXPECT_TRUE(find_peer(db, node_id(number), out).ok());
    return out;
  }
  void proved(const wire::PeerRecord& record) { EXPECT_TRUE(peers.put_proved(db, record, kNow).ok()); }
  void told(const wire::PeerRecord& record) { EXPECT_TRUE(peers.put_told(db, record, kNow).ok()); }
  std::int64_t rows() {
    std::int64_t count = 0;
    EXPECT_TRUE(db.integer("SELECT count(*) FROM peers", count).ok());
    EXPECT_EQ(static_cast<std::uint64_t>(count), peers.rows());
    return count;
  }
  TempFolder folder;
  Connection db;
  PeerWriter peers{6};
};

TEST_F(PeerRowsTest, EveryFieldComesBack) {
  wire::PeerRecord record = peer_record(1, kNow - 5);
  record.public_address = "[2001:db8::1]:4433";
  record.skills = {"a \"quoted\" skill", "ünïcode"};
  record.operator_username = "alice";
  record.trust = Trust::kBootstrap;
  record.relays = {"192.0.2.9:4433"};
  proved(record);
  const auto found = find(1);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->address, record.address);
  EXPECT_EQ(found->public_address, record.public_address);
  EXPECT_EQ(found->name, record.name);
  EXPECT_EQ(found->skills, record.skills);
  EXPECT_EQ(found->operator_username, "alice");
  EXPECT_EQ(found->trust, Trust::kBootstrap);
  EXPECT_EQ(found->last_seen, kNow - 5);
  EXPECT_EQ(found->relays, record.relays);
  EXPECT_EQ(found->last_failure, std::nullopt);
  EXPECT_EQ(found->ban_until, std::nullopt);
}

TEST_F(PeerRowsTest, APersonCanReadTheRows) {
  wire::PeerRecord record = peer_record(1, kNow);
  record.trust = Trust::kVerified;
  proved(record);
  peers.mark_failure(db, node_id(1), DialFailure::kUnreachable);
  EXPECT_EQ(ask(folder / "peers.db", "SELECT name, skills, trust_level, last_failure FROM peers"),
            "peer 1|[\"summarise\",\"translate\"]|verified|unreachable");
}

TEST_F(PeerRowsTest, ToldNeverOverwritesAProvedRowWithOlderOrEqualNews) {
  proved(peer_record(1, kNow - 100));
  for (const std::int64_t seen :
       {kNow - 1000, kNow - 100, std::int64_t{0}, std::int64_t{-5}, std::numeric_limits<std::int64_t>::min()}) {
    wire::PeerRecord lie = peer_record(1, seen);
    lie.address = "203.0.113.66:1";
    lie.name = "evil";
    lie.skills = {"evil"};
    told(lie);
    EXPECT_EQ(find(1)->address, peer_record(1).address) << seen;
    EXPECT_EQ(find(1)->name, "peer 1");
    EXPECT_EQ(find(1)->skills, peer_record(1).skills);
    EXPECT_EQ(find(1)->last_seen, kNow - 100);
  }
}

TEST_F(PeerRowsTest, NewerNewsMovesAProvedRowButNotItsTrustOrOperator) {
  wire::PeerRecord known = peer_record(1, kNow - 100);
  known.trust = Trust::kVerified;
  known.operator_username = "alice";
  proved(known);
  wire::PeerRecord news = peer_record(1, kNow - 50);
  news.address = "198.51.100.7:4433";
  news.trust = Trust::kBootstrap;
  news.operator_username = "mallory";
  told(news);
  EXPECT_EQ(find(1)->address, "198.51.100.7:4433");
  EXPECT_EQ(find(1)->trust, Trust::kVerified);
  EXPECT_EQ(find(1)->operator_username, "alice");
  EXPECT_EQ(ask(folder / "peers.db", "SELECT proved FROM peers"), "1");
}

TEST_F(PeerRowsTest, ToldRowsAreNeverTrustedAndNeverFromTheFuture) {
  wire::PeerRecord news = peer_record(1, std::numeric_limits<std::int64_t>::max());
  news.trust = Trust::kVerified;
  told(news);
  EXPECT_EQ(find(1)->trust, Trust::kUnknown);
  EXPECT_EQ(find(1)->last_seen, kNow);
}

TEST_F(PeerRowsTest, ProvedOverwritesAndClearsTheFailureButNotTheBan) {
  told(peer_record(1, kNow));
  EXPECT_TRUE(peers.mark_failure(db, node_id(1), DialFailure::kReset).ok());
  EXPECT_EQ(find(1)->last_failure, DialFailure::kReset);
  EXPECT_TRUE(peers.set_ban(db, node_id(1), kNow + 600, "3 violations", kNow).ok());
  wire::PeerRecord record = peer_record(1, kNow - 500);
  record.name = "new name";
  proved(record);
  EXPECT_EQ(find(1)->name, "new name");
  EXPECT_EQ(find(1)->last_seen, kNow - 500);
  EXPECT_EQ(find(1)->last_failure, std::nullopt);
  EXPECT_EQ(find(1)->ban_until, kNow + 600);
  EXPECT_EQ(find(1)->ban_reason, "3 violations");
}

TEST_F(PeerRowsTest, ProvedWithoutPublicAddressOrRelaysKeepsWhatWasTold) {
  wire::PeerRecord news = peer_record(1, kNow - 5);
  news.public_address = "198.51.100.7:4433";
  news.relays = {"192.0.2.9:4433"};
  told(news);
  proved(peer_record(1, kNow));
  EXPECT_EQ(find(1)->public_address, "198.51.100.7:4433");
  EXPECT_EQ(find(1)->relays, news.relays);
}

TEST_F(PeerRowsTest, FailureOrTouchOfAStrangerMakesNoRow) {
  EXPECT_TRUE(peers.mark_failure(db, node_id(1), DialFailure::kReset).ok());
  EXPECT_TRUE(peers.touch(db, node_id(1), kNow).ok());
  EXPECT_EQ(rows(), 0);
}

TEST_F(PeerRowsTest, TouchOnlyMovesForward) {
  proved(peer_record(1, kNow));
  EXPECT_TRUE(peers.touch(db, node_id(1), kNow - 10).ok());
  EXPECT_EQ(find(1)->last_seen, kNow);
  EXPECT_TRUE(peers.touch(db, node_id(1), kNow + 10).ok());
  EXPECT_EQ(find(1)->last_seen, kNow + 10);
}

TEST_F(PeerRowsTest, CapTakesHearsayBeforeProofAndOldBeforeNew) {
  for (std::uint64_t i = 1; i <= 3; ++i) proved(peer_record(i, kNow - 1000 + static_cast<std::int64_t>(i)));
  for (std::uint64_t i = 11; i <= 13; ++i) told(peer_record(i, kNow - 500 + static_cast<std::int64_t>(i)));
  EXPECT_EQ(rows(), 6);
  told(peer_record(14, kNow));
  EXPECT_FALSE(find(11));
  proved(peer_record(4, kNow));
  EXPECT_FALSE(find(12));
  EXPECT_TRUE(find(1) && find(2) && find(3) && find(4) && find(13) && find(14));
  EXPECT_EQ(rows(), 6);
  EXPECT_EQ(peers.evicted(), 2u);
}

TEST_F(PeerRowsTest, HearsayCannotPushOutWhatWasProved) {
  for (std::uint64_t i = 1; i <= 6; ++i) proved(peer_record(i, kNow - 100'000));
  for (std::uint64_t i = 100; i < 200; ++i) told(peer_record(i, kNow));
  for (std::uint64_t i = 1; i <= 6; ++i) EXPECT_TRUE(find(i)) << i;
  EXPECT_EQ(rows(), 6);
  proved(peer_record(7, kNow));  // proof can, the oldest first
  EXPECT_TRUE(find(7));
  EXPECT_EQ(rows(), 6);
}

TEST_F(PeerRowsTest, StuffingTheTableLiftsNoBan) {
  EXPECT_TRUE(peers.set_ban(db, node_id(1), kNow + 600, "x", kNow).ok());
  for (std::uint64_t i = 100; i < 200; ++i) proved(peer_record(i, kNow));
  EXPECT_EQ(find(1)->ban_until, kNow + 600);
  EXPECT_EQ(rows(), 6);
}

TEST_F(PeerRowsTest, BansTakeAtMostHalfOfTheTable) {
  for (std::uint64_t i = 1; i <= 3; ++i) proved(peer_record(i, kNow));
  for (std::uint64_t i = 100; i < 200; ++i) {
    EXPECT_TRUE(peers.set_ban(db, node_id(i), kNow + static_cast<std::int64_t>(i), "x", kNow).ok());
  }
  EXPECT_TRUE(find(1) && find(2) && find(3));
  EXPECT_TRUE(find(199) && find(198) && find(197));  // those that end last stay
  EXPECT_EQ(rows(), 6);
}

TEST_F(PeerRowsTest, BansThatAreOverMakeRoomFirst) {
  EXPECT_TRUE(peers.set_ban(db, node_id(1), kNow - 1, "x", kNow - 100).ok());
  for (std::uint64_t i = 11; i <= 15; ++i) told(peer_record(i, kNow));
  told(peer_record(16, kNow));
  EXPECT_FALSE(find(1));
  for (std::uint64_t i = 11; i <= 16; ++i) EXPECT_TRUE(find(i)) << i;
}

TEST_F(PeerRowsTest, LongerBanWins) {
  proved(peer_record(1));
  peers.set_ban(db, node_id(1), kNow + 600, "long", kNow);
  peers.set_ban(db, node_id(1), kNow + 60, "short", kNow);
  EXPECT_EQ(find(1)->ban_until, kNow + 600);
  EXPECT_EQ(find(1)->ban_reason, "long");
  peers.set_ban(db, node_id(1), kNow + 6000, "longer", kNow);
  EXPECT_EQ(find(1)->ban_reason, "longer");
  peers.set_ban(db, node_id(1), kNow + 60000, std::string(1000, 'r'), kNow);
  EXPECT_EQ(find(1)->ban_reason->size(), kMaxBanReasonBytes);
}

TEST_F(PeerRowsTest, BansAreListedWhileTheyLastAndStrangersAreNoPeers) {
  proved(peer_record(1));
  peers.set_ban(db, node_id(1), kNow + 600, "x", kNow);
  peers.set_ban(db, node_id(2), kNow + 600, "stranger", kNow);
  peers.set_ban(db, node_id(3), kNow + 5, "short", kNow);
  std::vector<wire::PeerRecord> bans, all;
  ASSERT_TRUE(banned_peers(db, kNow + 5, bans).ok());
  EXPECT_EQ(bans.size(), 2u);
  ASSERT_TRUE(newest_peers(db, 100, all).ok());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].node_id, node_id(1));
}

TEST_F(PeerRowsTest, LiftingABanKeepsThePeerAndForgetsTheStranger) {
  proved(peer_record(1));
  peers.set_ban(db, node_id(1), kNow + 600, "x", kNow);
  peers.set_ban(db, node_id(2), kNow + 600, "x", kNow);
  EXPECT_TRUE(peers.lift_ban(db, node_id(1)).ok());
  EXPECT_TRUE(peers.lift_ban(db, node_id(2)).ok());
  EXPECT_TRUE(peers.lift_ban(db, node_id(3)).ok());
  EXPECT_EQ(find(1)->ban_until, std::nullopt);
  EXPECT_EQ(find(1)->ban_reason, std::nullopt);
  EXPECT_FALSE(find(2));
  EXPECT_EQ(rows(), 1);
}

TEST_F(PeerRowsTest, BanEndingKeepsCountsRight) {
  proved(peer_record(1));
  peers.set_ban(db, node_id(1), kNow + 10, "x", kNow);
  peers.set_ban(db, node_id(2), kNow + 10, "x", kNow);
  EXPECT_TRUE(peers.end_bans(db, kNow + 10).ok());
  EXPECT_EQ(rows(), 1);
  PeerWriter fresh(6);
  EXPECT_TRUE(fresh.recount(db).ok());
  EXPECT_EQ(fresh.rows(), peers.rows());
}

TEST_F(PeerRowsTest, NewestFirstAndNoMoreThanAsked) {
  for (std::uint64_t i = 1; i <= 5; ++i) told(peer_record(i, kNow - static_cast<std::int64_t>(i * 7 % 5)));
  std::vector<wire::PeerRecord> found;
  ASSERT_TRUE(newest_peers(db, 3, found).ok());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_GE(found[0].last_seen, found[1].last_seen);
  EXPECT_GE(found[1].last_seen, found[2].last_seen);
  EXPECT_EQ(found[0].node_id, node_id(5));
}

TEST_F(PeerRowsTest, RowsThatSomebodyEditedStillRead) {
  proved(peer_record(1));
  ask(folder / "peers.db", "UPDATE peers SET skills = 'not json', relays = '[1]'");
  EXPECT_TRUE(find(1)->skills.empty());
  EXPECT_TRUE(find(1)->relays.empty());
}

TEST(IsStorable, HoldsEveryFieldToItsLimit) {
  const auto breaks = [](auto change) {
    wire::PeerRecord record = peer_record(1);
    change(record);
    return !is_storable(record);
  };
  EXPECT_FALSE(breaks([](auto&) {}));
  EXPECT_TRUE(breaks([](auto& r) { r.node_id = "atlas_x"; }));
  EXPECT_TRUE(breaks([](auto& r) { r.address.clear(); }));
  EXPECT_TRUE(breaks([](auto& r) { r.address = std::string(kMaxAddressBytes + 1, '1'); }));
  EXPECT_TRUE(breaks([](auto& r) { r.public_address = std::string(kMaxAddressBytes + 1, '1'); }));
  EXPECT_TRUE(breaks([](auto& r) { r.name = std::string(65, 'n'); }));
  EXPECT_TRUE(breaks([](auto& r) { r.name = "\xff"; }));
  EXPECT_TRUE(breaks([](auto& r) { r.skills.assign(33, "s"); }));
  EXPECT_TRUE(breaks([](auto& r) { r.skills = {std::string(65, 's')}; }));
  EXPECT_TRUE(breaks([](auto& r) { r.skills = {"\xc0\x80"}; }));
  EXPECT_TRUE(breaks([](auto& r) { r.operator_username = std::string(65, 'u'); }));
  EXPECT_TRUE(breaks([](auto& r) { r.relays.assign(kMaxRelays + 1, "192.0.2.1:1"); }));
  EXPECT_FALSE(breaks([](auto& r) {
    r.name = std::string(64, 'n');
    r.skills.assign(32, std::string(64, 's'));
    r.relays.assign(kMaxRelays, node_id(1));
  }));
}

}  // namespace
}  // namespace atlas::store
