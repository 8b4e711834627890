// Arithmetic on what peers say about time and size never wraps (A37), over the whole range.
#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace atlas::base {
namespace {

constexpr std::int64_t kLow = INT64_MIN;
constexpr std::int64_t kHigh = INT64_MAX;

TEST(Saturating, UnsignedStopsAtItsEnds) {
  EXPECT_EQ(saturating_add<std::uint64_t>(UINT64_MAX, 1), UINT64_MAX);
  EXPECT_EQ(saturating_add<std::uint64_t>(UINT64_MAX - 1, 1), UINT64_MAX);
  EXPECT_EQ(saturating_sub<std::uint64_t>(0, 1), 0u);
  EXPECT_EQ(saturating_sub<std::uint64_t>(5, 3), 2u);
  EXPECT_EQ(saturating_mul<std::uint64_t>(UINT64_MAX, 2), UINT64_MAX);
  EXPECT_EQ(saturating_mul<std::uint64_t>(UINT64_MAX, 0), 0u);
  EXPECT_EQ(saturating_mul<std::uint32_t>(65'536, 65'536), UINT32_MAX);
}

TEST(Saturating, SignedStopsAtItsEnds) {
  EXPECT_EQ(saturating_add(kHigh, std::int64_t{1}), kHigh);
  EXPECT_EQ(saturating_add(kLow, std::int64_t{-1}), kLow);
  EXPECT_EQ(saturating_add(kLow, kHigh), -1);
  EXPECT_EQ(saturating_sub(kLow, std::int64_t{1}), kLow);
  EXPECT_EQ(saturating_sub(kHigh, std::int64_t{-1}), kHigh);
  EXPECT_EQ(saturating_sub(std::int64_t{0}, kLow), kHigh);
  EXPECT_EQ(saturating_mul(kLow, std::int64_t{-1}), kHigh);
  EXPECT_EQ(saturating_mul(kHigh, std::int64_t{-2}), kLow);
  EXPECT_EQ(saturating_mul(kLow, kLow), kHigh);
}

TEST(Distance, IsExactOverTheWholeRange) {
  EXPECT_EQ(distance(kLow, kHigh), UINT64_MAX);
  EXPECT_EQ(distance(kHigh, kLow), UINT64_MAX);
  EXPECT_EQ(distance(-1, 1), 2u);
  EXPECT_EQ(distance(7, 7), 0u);
  EXPECT_EQ(distance(kLow, 0), std::uint64_t{1} << 63);
}

TEST(After, NeverReachesNever) {
  EXPECT_EQ(after(1, 2), 3u);
  EXPECT_EQ(after(kNever, 5), kNever - 1);
  EXPECT_EQ(after(5, kNever), kNever - 1);
  EXPECT_EQ(after(kNever - 1, 1), kNever - 1);
}

// Against arithmetic in 128 bits, with values drawn near the ends as well as between them.
TEST(Saturating, AgreesWithWiderArithmetic) {
  __extension__ typedef __int128 Wide;
  SeededRandom random(37);
  const auto draw = [&]() -> std::int64_t {
    const auto near = static_cast<std::int64_t>(random.below(3));
    switch (random.below(4)) {
      case 0:
        return kLow + near;
      case 1:
        return kHigh - near;
      case 2:
        return near - 1;
      default:
        return static_cast<std::int64_t>(random.u64());
    }
  };
  const auto held = [](Wide value) {
    return value < kLow ? kLow : value > kHigh ? kHigh : static_cast<std::int64_t>(value);
  };
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t a = draw();
    const std::int64_t b = draw();
    ASSERT_EQ(saturating_add(a, b), held(Wide{a} + b)) << a << " " << b;
    ASSERT_EQ(saturating_sub(a, b), held(Wide{a} - b)) << a << " " << b;
    ASSERT_EQ(saturating_mul(a, b), held(Wide{a} * b)) << a << " " << b;
    const Wide apart = Wide{a} - b;
    ASSERT_EQ(Wide{distance(a, b)}, apart < 0 ? -apart : apart) << a << " " << b;
  }
}

TEST(SystemClock, MonotonicTimeNeverGoesBackAndIsNotNever) {
  const SystemClock clock;
  MonoNs before = clock.mono_ns();
  for (int i = 0; i < 1'000; ++i) {
    const MonoNs now = clock.mono_ns();
    ASSERT_GE(now, before);
    ASSERT_NE(now, kNever);
    before = now;
  }
  EXPECT_GT(clock.unix_s(), 1'600'000'000) << "milliseconds and seconds are not mixed up";
  EXPECT_LT(clock.unix_s(), 100'000'000'000);
}

}  // namespace
}  // namespace atlas::base
