// Handles of base::Slots: stale ones find nothing, and used-up generations retire their slot.
#include "base/slots.h"

#include <gtest/gtest.h>

#include <string>

namespace atlas::base {
namespace {

TEST(Slots, StaleHandleFindsNothing) {
  Slots<std::string> slots;
  const auto first = slots.emplace("one");
  ASSERT_NE(slots.find(first), nullptr);
  EXPECT_EQ(*slots.find(first), "one");
  EXPECT_TRUE(slots.erase(first));
  EXPECT_EQ(slots.find(first), nullptr);
  EXPECT_FALSE(slots.erase(first));
  const auto second = slots.emplace("two");
  EXPECT_NE(first, second);
  EXPECT_EQ(slots.find(first), nullptr);
  EXPECT_EQ(slots.size(), 1u);
}

TEST(Slots, NoneAndMadeUpHandlesFindNothing) {
  Slots<int> slots;
  slots.emplace(7);
  EXPECT_EQ(slots.find(0), nullptr);
  EXPECT_EQ(slots.find(99), nullptr);
  EXPECT_EQ(slots.find(UINT64_MAX), nullptr);
}

TEST(Slots, UsedUpGenerationsRetireTheSlot) {
  Slots<int, 3> slots;
  std::vector<std::uint64_t> seen;
  for (int i = 0; i < 20; ++i) {
    const auto handle = slots.emplace(i);
    for (auto old : seen) {
      EXPECT_NE(old, handle);
      EXPECT_EQ(slots.find(old), nullptr);
    }
    seen.push_back(handle);
    slots.erase(handle);
  }
}

TEST(Slots, CapacityIsAHardEnd) {
  Slots<int> slots(2);
  EXPECT_NE(slots.emplace(1), 0u);
  const auto second = slots.emplace(2);
  EXPECT_EQ(slots.emplace(3), 0u);
  slots.erase(second);
  EXPECT_NE(slots.emplace(3), 0u);
}

}  // namespace
}  // namespace atlas::base
