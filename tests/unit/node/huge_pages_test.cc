// When the heap is offered for huge pages, and which part of it.
#include "node/huge_pages.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
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

TEST(HugePages, TheKernelHearsOfThem) {
  if (::access("/sys/kernel/mm/transparent_hugepage", F_OK) != 0) GTEST_SKIP() << "this kernel has no huge pages";
  void* const map = ::mmap(nullptr, 2 * kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(map, MAP_FAILED);
  const auto from = (reinterpret_cast<std::uintptr_t>(map) + kHugePage - 1) / kHugePage * kHugePage;
  system_heap().use_huge_pages(from, kHugePage);
  char first[32];
  std::snprintf(first, sizeof first, "%lx-", static_cast<unsigned long>(from));
  std::ifstream maps("/proc/self/smaps");
  std::string flags;
  bool here = false;
  for (std::string line; flags.empty() && std::getline(maps, line);) {
    here = here || line.starts_with(first);
    if (here && line.starts_with("VmFlags:")) flags = line + ' ';
  }
  EXPECT_NE(flags.find(" hg "), std::string::npos) << flags;
  ::munmap(map, 2 * kHugePage);
}

}  // namespace
}  // namespace atlas::node
