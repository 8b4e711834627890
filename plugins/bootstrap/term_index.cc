#include "term_index.h"

namespace bootstrap {

SlotList::~SlotList() {
  if (capacity_ != kInside) delete[] outside_;
}

void SlotList::swap(SlotList& other) noexcept {
  static_assert(sizeof inside_ == sizeof outside_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  std::swap(inside_, other.inside_);  // the same bytes, whichever member they are
}

void SlotList::reallocate(std::uint32_t capacity) {
  SlotList grown;
  if (capacity > kInside) {
    grown.outside_ = new Slot[capacity];
    grown.capacity_ = capacity;
  }
  std::copy(data(), data() + size_, grown.data());
  grown.size_ = size_;
  swap(grown);
}

void SlotList::shrink() {
  if (capacity_ > kInside && size_ < capacity_ / 4) reallocate(std::max(size_ + size_ / 2, kInside));
}

void SlotList::insert(Slot slot) {
  if (size_ == capacity_) reallocate(capacity_ + capacity_ / 2 + 1);
  Slot* const end = data() + size_;
  Slot* const place = std::lower_bound(data(), end, slot);
  std::copy_backward(place, end, end + 1);
  *place = slot;
  ++size_;
}

void SlotList::erase(Slot slot) {
  Slot* const end = data() + size_;
  Slot* const place = std::lower_bound(data(), end, slot);
  if (place == end || *place != slot) return;
  std::copy(place + 1, end, place);
  --size_;
  shrink();
}

void TermIndex::insert(std::uint64_t term, Slot slot) {
  if (Entry* const entry = find(term)) return entry->slots.insert(slot);
  Entry entry{term, {}};
  entry.slots.insert(slot);
  table_.insert(term, std::move(entry));
}

void TermIndex::erase(std::uint64_t term, Slot slot) {
  Entry* const entry = find(term);
  if (entry == nullptr) return;
  entry->slots.erase(slot);
  if (entry->slots.size() == 0) table_.erase(entry);
}

}  // namespace bootstrap
