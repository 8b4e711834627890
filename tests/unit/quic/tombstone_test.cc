#include "quic/tombstone.h"

#include <gtest/gtest.h>

namespace atlas::quic {
namespace {

const net::SocketAddress kPeer{net::IpAddress::v4({192, 0, 2, 1}), 1}, kOther{net::IpAddress::v4({192, 0, 2, 1}), 2};

Tombstone::Epitaph epitaph(std::uint8_t number, std::size_t packet) {
  Tombstone::Epitaph out;
  out.ids = {ServerId{number}, ServerId{number, 1}};
  out.first_id = first_id(base::Bytes(8, number));
  out.packet = base::Bytes(packet, 0xee);
  out.remote = kPeer;
  return out;
}

TEST(Tombstone, AnswersEverMoreSeldom) {
  Tombstone stone(epitaph(1, 40), [](Tombstone&) {});
  std::vector<int> answered;
  for (int i = 1; i <= 40; ++i) {
    if (stone.answers(kPeer, 100)) answered.push_back(i);
  }
  EXPECT_EQ(answered, (std::vector<int>{1, 2, 4, 8, 16, 32}));
}

TEST(Tombstone, AnswersNoStrangerAndDoesNotAmplify) {
  Tombstone stone(epitaph(1, 301), [](Tombstone&) {});
  EXPECT_FALSE(stone.answers(kOther, 1000));
  EXPECT_FALSE(stone.answers(kPeer, 100));
  EXPECT_TRUE(stone.answers(kPeer, 101));
  Tombstone silent(epitaph(1, 0), [](Tombstone&) {});
  EXPECT_FALSE(silent.answers(kPeer, 1000));
}

TEST(Graveyard, KeepsIdsUntilTheirTimeIsOver) {
  base::SeededRandom random(1);
  RouteTable<ServerId> ids(random);
  RouteTable<FirstId> first_ids(random);
  net::TimerHeap timers;
  Graveyard graveyard(ids, first_ids, timers);
  graveyard.bury(epitaph(1, 40), 100);
  graveyard.bury(epitaph(2, 40), 200);
  ASSERT_NE(ids.find(ServerId{1, 1}), nullptr);
  EXPECT_EQ(ids.find(ServerId{1, 1})->kind, Route::Kind::kTombstone);
  EXPECT_EQ(ids.find(ServerId{1}), first_ids.find(first_id(base::Bytes(8, 1))));
  timers.run(100);
  graveyard.sweep();
  EXPECT_EQ(ids.find(ServerId{1}), nullptr);
  EXPECT_EQ(first_ids.find(first_id(base::Bytes(8, 1))), nullptr);
  EXPECT_NE(ids.find(ServerId{2}), nullptr);
  EXPECT_EQ(graveyard.size(), 1u);
  timers.run(200);
  graveyard.sweep();
  EXPECT_EQ(ids.size() + first_ids.size() + graveyard.size() + timers.size(), 0u);
}

TEST(Graveyard, IsBounded) {
  base::SeededRandom random(1);
  RouteTable<ServerId> ids(random);
  RouteTable<FirstId> first_ids(random);
  net::TimerHeap timers;
  Graveyard graveyard(ids, first_ids, timers);
  for (std::size_t i = 0; i < Graveyard::kMostTombstones + 50; ++i) graveyard.bury(epitaph(1, 40), 1000);
  EXPECT_EQ(graveyard.size(), Graveyard::kMostTombstones);
}

}  // namespace
}  // namespace atlas::quic
