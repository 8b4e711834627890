// A seeded source repeats, a system source does not, and below() is fair and bounded.
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace atlas::base {
namespace {

Bytes draw(Random& random, std::size_t size) {
  Bytes out(size);
  random.fill(out);
  return out;
}

TEST(SeededRandom, RepeatsForTheSameSeed) {
  SeededRandom one(1), same(1), other(2);
  for (const std::size_t size : {1u, 8u, 32u, 1000u}) {
    const Bytes bytes = draw(one, size);
    EXPECT_EQ(bytes, draw(same, size));
    const Bytes different = draw(other, size);
    EXPECT_TRUE(size < 8 || bytes != different);
  }
}

TEST(SeededRandom, DoesNotRepeatItself) {
  SeededRandom random(1);
  const Bytes first = draw(random, 32);
  EXPECT_NE(first, draw(random, 32));
  draw(random, 0);
  EXPECT_NE(first, draw(random, 32));
}

TEST(SystemRandom, TwoSourcesDiffer) {
  SystemRandom one, two;
  EXPECT_NE(draw(one, 32), draw(two, 32));
  EXPECT_NE(one.u64(), one.u64());
}

TEST(Below, StaysBelowAndReachesEverything) {
  SeededRandom random(3);
  std::array<int, 10> seen{};
  for (int i = 0; i < 10'000; ++i) ++seen.at(random.below(10));
  for (const int count : seen) {
    EXPECT_GT(count, 800);
    EXPECT_LT(count, 1200);
  }
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_LT(random.below(UINT64_MAX), UINT64_MAX);
}

// Gives a list of numbers, the last one for ever.
class Listed final : public Random {
 public:
  explicit Listed(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  void fill(MutableBytes out) override {
    const std::uint64_t value = numbers_.at(std::min(next_++, numbers_.size() - 1));
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(value >> 8 * i);
  }

 private:
  std::vector<std::uint64_t> numbers_;
  std::size_t next_ = 0;
};

// The topmost numbers would make small results more likely; they are drawn again.
TEST(Below, DropsWhatWouldBeUnfair) {
  Listed random({UINT64_MAX, UINT64_MAX - 1, 25});
  EXPECT_EQ(random.below(10), 5u);
}

}  // namespace
}  // namespace atlas::base
