// Memory of many connections is touched all over, a little at a time: with pages of 4 KiB a good part of what such a
// touch costs is the search for the page. A heap that has grown past kHugeFrom is offered to the kernel for pages of
// 2 MiB, and grows in steps of kHugeStep from then on; a small node stays as it is. Where the kernel gives none,
// nothing changes.
//
// One instance a process, on the thread whose memory it is about: the loop's, in the daemon.
#pragma once

#include <cstddef>
#include <cstdint>

namespace atlas::node {

inline constexpr std::size_t kHugePage = 2u << 20;
inline constexpr std::size_t kHugeFrom = 32u << 20;  // bytes of heap
inline constexpr std::size_t kHugeStep = 32u << 20;  // bytes; only address space until it is used

// What is asked of the system; tests put their own in.
class Heap {
 public:
  virtual ~Heap() = default;
  virtual std::uintptr_t end() = 0;  // 0: this allocator has no such heap
  virtual void grow_in_steps_of(std::size_t bytes) = 0;
  virtual void use_huge_pages(std::uintptr_t from, std::size_t bytes) = 0;  // both multiples of kHugePage
};
Heap& system_heap();

class HugePages {
 public:
  explicit HugePages(Heap& heap) : heap_(heap), start_(heap.end()) {}
  // Often, for it costs a comparison: once a turn of the loop. What was used before it is offered stays in small pages.
  void look();

 private:
  Heap& heap_;
  const std::uintptr_t start_;
  std::uintptr_t seen_ = 0;     // the end, last time
  std::uintptr_t offered_ = 0;  // up to here; 0: not begun
};

}  // namespace atlas::node
