// The hash for tables with keys of a peer's choice: SipHash-2-4, keyed, the same for the same key.
#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <set>

namespace atlas::base {
namespace {

// Fills with 00 01 02 ...
class Counting final : public Random {
 public:
  void fill(MutableBytes out) override {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i);
  }
};

// The example of the SipHash paper: key 00..0f, message 00..0e.
TEST(KeyedHash, IsSipHash) {
  Counting random;
  Bytes message(15);
  random.fill(message);
  EXPECT_EQ(KeyedHash(random)(message), 0xa129ca6149be45e5u);
}

TEST(KeyedHash, AnotherKeyGivesAnotherHash) {
  SeededRandom random(1);
  const KeyedHash one(random), two(random);
  EXPECT_EQ(one(as_bytes("id")), one(as_bytes("id")));
  EXPECT_NE(one(as_bytes("id")), two(as_bytes("id")));
  std::set<std::uint64_t> seen;
  for (std::uint8_t i = 0; i < 255; ++i) seen.insert(one(Bytes{i}));
  EXPECT_EQ(seen.size(), 255u);
}

}  // namespace
}  // namespace atlas::base
