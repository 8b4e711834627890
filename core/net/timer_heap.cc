#include "net/timer_heap.h"

#include <algorithm>

namespace atlas::net {
namespace {
constexpr std::size_t kChildren = 4;
}

void TimerHeap::set(Entry& entry, base::MonoNs deadline) {
  if (deadline == base::kNever) return remove(entry);
  if (entry.slot_ == Entry::kOut || (entry.slot_ & Entry::kDue) != 0) {
    remove(entry);
    entry.deadline_ = deadline;
    return push(entry);
  }
  const bool earlier = deadline < entry.deadline_;
  entry.deadline_ = deadline;
  const Place moving{deadline, &entry};
  if (earlier) {
    sift_up(entry.slot_, moving);
  } else {
    sift_down(entry.slot_, moving);
  }
}

void TimerHeap::remove(Entry& entry) {
  if (entry.slot_ == Entry::kOut) return;
  if ((entry.slot_ & Entry::kDue) != 0) {
    due_[entry.slot_ & ~Entry::kDue] = nullptr;
    --due_left_;
  } else {
    take_out(entry.slot_);
  }
  entry.slot_ = Entry::kOut;
  entry.deadline_ = base::kNever;
}

void TimerHeap::run(base::MonoNs now) {
  if (!due_.empty()) return;
  // First all that is due leaves the heap, then the callbacks run: whatever they set is for the next call.
  while (!heap_.empty() && heap_[0].deadline <= now) {
    Entry* entry = heap_[0].entry;
    take_out(0);
    entry->slot_ = Entry::kDue | static_cast<std::uint32_t>(due_.size());
    due_.push_back(entry);
  }
  due_left_ = due_.size();
  for (std::size_t i = 0; i < due_.size(); ++i) {
    Entry* entry = due_[i];
    if (entry == nullptr) continue;
    due_[i] = nullptr;
    --due_left_;
    entry->slot_ = Entry::kOut;
    entry->deadline_ = base::kNever;
    entry->on_expire(now);
  }
  due_.clear();
}

void TimerHeap::push(Entry& entry) {
  heap_.emplace_back();
  sift_up(heap_.size() - 1, {entry.deadline_, &entry});
}

void TimerHeap::take_out(std::size_t at) {
  const Place last = heap_.back();
  const base::MonoNs old = heap_[at].deadline;
  heap_.pop_back();
  if (at == heap_.size()) return;
  if (last.deadline < old) {
    sift_up(at, last);
  } else {
    sift_down(at, last);
  }
}

void TimerHeap::sift_up(std::size_t at, Place moving) {
  while (at > 0) {
    const std::size_t parent = (at - 1) / kChildren;
    if (heap_[parent].deadline <= moving.deadline) break;
    put(at, heap_[parent]);
    at = parent;
  }
  put(at, moving);
}

void TimerHeap::sift_down(std::size_t at, Place moving) {
  for (;;) {
    const std::size_t first = at * kChildren + 1;
    if (first >= heap_.size()) break;
    const std::size_t end = std::min(first + kChildren, heap_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (heap_[child].deadline < heap_[least].deadline) least = child;
    }
    if (heap_[least].deadline >= moving.deadline) break;
    put(at, heap_[least]);
    at = least;
  }
  put(at, moving);
}

void TimerHeap::put(std::size_t at, Place place) {
  heap_[at] = place;
  place.entry->slot_ = static_cast<std::uint32_t>(at);
}

}  // namespace atlas::net
