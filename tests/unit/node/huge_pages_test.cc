// When the heap is offered for huge pages, and which part of it.
#include "node/huge_pages.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace atlas::node {
namespace {

class NotedHeap final : public Heap {
 public:
  std::uintptr_t end() override { return at; }
  void grow_in_steps_of(std::size_t bytes) override { steps.push_back(bytes); }
  void use_huge_pages(std::uintptr_t from, std::size_t bytes) override { offers.emplace_back(from, bytes); }

  std::uintptr_t at = 100 * kHugePage + 4096;
  std::vector<std::size_t> steps;
  std::vector<std::pair<std::uintptr_t, std::size_t>> offers;
};

TEST(HugePages, LeavesASmallHeapAlone) {
  NotedHeap heap;
  HugePages pages(heap);
  pages.look();
  heap.at += kHugeFrom - 1;
  pages.look();
  EXPECT_TRUE(heap.offers.empty());
  EXPECT_TRUE(heap.steps.empty());
}

TEST(HugePages, OffersWholePagesOfAHeapThatHasGrown) {
  NotedHeap heap;
  HugePages pages(heap);
  heap.at += kHugeFrom;
  pages.look();
  EXPECT_EQ(heap.steps, std::vector<std::size_t>{kHugeStep});
  ASSERT_EQ(heap.offers.size(), 1u);
  EXPECT_EQ(heap.offers[0], std::pair(101 * kHugePage, kHugeFrom - kHugePage));
  pages.look();
  EXPECT_EQ(heap.offers.size(), 1u) << "nothing has grown";
  heap.at += kHugeStep;
  pages.look();
  ASSERT_EQ(heap.offers.size(), 2u);
  EXPECT_EQ(heap.offers[1], std::pair(100 * kHugePage + kHugeFrom, kHugeStep));
}

TEST(HugePages, AHeapThatShrinksBelowItsBeginningIsSmall) {
  NotedHeap heap;
  HugePages pages(heap);
  heap.at -= 4096;
  pages.look();
  heap.at -= 8 * kHugePage;
  pages.look();
  EXPECT_TRUE(heap.offers.empty());
  EXPECT_TRUE(heap.steps.empty());
}

TEST(HugePages, AHeapThatCannotBeAskedAnyMoreIsLeftAlone) {
  NotedHeap heap;
  HugePages pages(heap);
  pages.look();
  heap.at = 0;
  pages.look();
  EXPECT_TRUE(heap.offers.empty());
  EXPECT_TRUE(heap.steps.empty());
}

TEST(HugePages, OffersAgainWhatWasGivenBack) {
  NotedHeap heap;
  HugePages pages(heap);
  heap.at += kHugeFrom;
  pages.look();
  heap.at -= 4 * kHugePage;
  pages.look();
  heap.at += 4 * kHugePage;
  pages.look();
  ASSERT_EQ(heap.offers.size(), 2u);
  EXPECT_EQ(heap.offers[1], std::pair(96 * kHugePage + kHugeFrom, 4 * kHugePage));
}

TEST(HugePages, AreAskedOfThisSystem) {
  Heap& heap = system_heap();
  HugePages pages(heap);
  pages.look();  // whatever this allocator is
  SUCCEED() << heap.end();
}

}  // namespace
}  // namespace atlas::node
