// The payloads of a trial keep the protocol's structure where they say so, and only there.
#include "trial/bodies.h"

#include <gtest/gtest.h>

#include <set>

#include "atlas/msgpack.hpp"
#include "wire/envelope.h"

namespace atlas::trial {
namespace {

const std::vector<std::string> kWords = {"ts", "echo", "name"};

TEST(Bodies, CrookedOnesAreWellFormedMapsWithEveryWord) {
  std::set<std::string> names;
  std::size_t with_words = 0;
  for (const Body& body : crooked_bodies(kWords)) {
    EXPECT_TRUE(names.insert(body.name).second) << body.name;
    const auto map = msgpack::MapView::of(body.bytes);
    with_words += map.size() == kWords.size();
  }
  EXPECT_GE(with_words, 20u);
}

TEST(Bodies, HugeOnesFitAnEnvelope) {
  for (const Body& body : huge_bodies(kWords)) {
    EXPECT_LE(body.bytes.size(), wire::kMaxPayload) << body.name;
    EXPECT_GT(body.bytes.size(), wire::kMaxPayload - 100) << body.name;
  }
}

TEST(Bodies, RandomOnesRepeatForTheSameSeed) {
  base::SeededRandom one(3), other(3);
  EXPECT_EQ(random_body(kWords, one).bytes, random_body(kWords, other).bytes);
}

TEST(Bodies, NoWordsAreNoTrouble) {
  EXPECT_FALSE(crooked_bodies({}).empty());
  EXPECT_FALSE(huge_bodies({}).empty());
}

}  // namespace
}  // namespace atlas::trial
