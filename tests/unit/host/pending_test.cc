#include "host/pending.h"

#include <gtest/gtest.h>

namespace atlas::host {
namespace {

Promise promise(std::uint64_t tag) {
  Promise out;
  out.tag = tag;
  return out;
}

TEST(Pending, TakenOnce) {
  Pending pending;
  const auto handle = pending.add(promise(5));
  ASSERT_NE(handle, 0u);
  const auto first = pending.take(handle);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->tag, 5u);
  EXPECT_FALSE(pending.take(handle));
  EXPECT_FALSE(pending.take(0));
}

TEST(Pending, IsBounded) {
  Pending pending(2);
  const auto first = pending.add(promise(1));
  EXPECT_NE(pending.add(promise(2)), 0u);
  EXPECT_EQ(pending.add(promise(3)), 0u);
  pending.take(first);
  EXPECT_NE(pending.add(promise(3)), 0u);
}

TEST(Pending, CloseGivesEverythingAndEndsIt) {
  Pending pending;
  const auto handle = pending.add(promise(1));
  pending.add(promise(2));
  EXPECT_EQ(pending.close().size(), 2u);
  EXPECT_EQ(pending.size(), 0u);
  EXPECT_FALSE(pending.take(handle));
  EXPECT_EQ(pending.add(promise(3)), 0u);
}

}  // namespace
}  // namespace atlas::host
