#include "quic/connection_ids.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace atlas::quic {
namespace {

using Table = RouteTable<ServerId>;

ServerId id(std::uint64_t number) {
  ServerId out;
  std::memcpy(out.data(), &number, out.size());
  return out;
}

TEST(RouteTable, AgreesWithAMapOverRandomSteps) {
  base::SeededRandom random(3);
  Table table(random);
  Route routes[8] = {Route(Route::Kind::kConnection), Route(Route::Kind::kConnection), Route(Route::Kind::kConnection),
                     Route(Route::Kind::kConnection), Route(Route::Kind::kTombstone),  Route(Route::Kind::kConnection),
                     Route(Route::Kind::kConnection), Route(Route::Kind::kConnection)};
  std::map<std::uint64_t, Route*> model;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t key = random.below(2000);
    Route* route = &routes[random.below(8)];
    switch (random.below(3)) {
      case 0:
        table.insert(id(key), route);
        model[key] = route;
        break;
      case 1: {
        table.erase(id(key), route);
        const auto found = model.find(key);
        if (found != model.end() && found->second == route) model.erase(found);
        break;
      }
      default: {
        const auto found = model.find(key);
        ASSERT_EQ(table.find(id(key)), found == model.end() ? nullptr : found->second);
      }
    }
    ASSERT_EQ(table.size(), model.size());
  }
  for (const auto& [key, route] : model) ASSERT_EQ(table.find(id(key)), route);
}

TEST(RouteTable, OnlyTheOwnerTakesAKeyOut) {
  base::SeededRandom random(4);
  Table table(random);
  Route first(Route::Kind::kConnection), second(Route::Kind::kConnection);
  EXPECT_EQ(table.find(id(1)), nullptr);
  table.erase(id(1), &first);
  table.insert(id(1), &first);
  table.insert(id(1), &second);
  table.erase(id(1), &first);
  EXPECT_EQ(table.find(id(1)), &second);
  table.erase(id(1), &second);
  EXPECT_EQ(table.find(id(1)), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

TEST(RouteTable, FirstIdsOfDifferentLengthDiffer) {
  const base::Bytes zeros(20, 0);
  EXPECT_NE(first_id(base::ByteView(zeros).first(8)), first_id(base::ByteView(zeros).first(9)));
  EXPECT_EQ(first_id(base::ByteView(zeros).first(8)), first_id(base::ByteView(zeros).first(8)));
  EXPECT_EQ(first_id({})[0], 0);
}

}  // namespace
}  // namespace atlas::quic
