#include "node/huge_pages.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

namespace atlas::node {
namespace {

class SystemHeap final : public Heap {
 public:
  std::uintptr_t end() override {
    void* const at = ::sbrk(0);
    return at == reinterpret_cast<void*>(-1) ? 0 : reinterpret_cast<std::uintptr_t>(at);
  }
  void grow_in_steps_of(std::size_t bytes) override { ::mallopt(M_TOP_PAD, static_cast<int>(bytes)); }
  void use_huge_pages(std::uintptr_t from, std::size_t bytes) override {
    // A kernel without them refuses, and all stays as it was.
    static_cast<void>(::madvise(reinterpret_cast<void*>(from), bytes, MADV_HUGEPAGE));
  }
};

}  // namespace

Heap& system_heap() {
  static SystemHeap heap;
  return heap;
}

void HugePages::look() {
  const std::uintptr_t heap_end = heap_.end();
  if (heap_end == seen_) return;
  seen_ = heap_end;
  const std::uintptr_t end = heap_end / kHugePage * kHugePage;
  if (offered_ == 0) {
    // The heap may end below where it began: what was free at its top has been given back.
    if (heap_end < start_ + kHugeFrom) return;
    heap_.grow_in_steps_of(kHugeStep);
    offered_ = (start_ + kHugePage - 1) / kHugePage * kHugePage;
  }
  offered_ = std::min(offered_, end);  // it may have shrunk
  if (end == offered_) return;
  heap_.use_huge_pages(offered_, end - offered_);
  offered_ = end;
}

}  // namespace atlas::node
