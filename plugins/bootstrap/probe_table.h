// An open-addressing hash table of small entries: one flat array, no allocation for an entry, no tombstones.
// The hash must be keyed, or the keys chosen here: peers choose the content. Strand only; owns its entries.
//
// Traits say how an entry looks: bool empty(const Entry&), std::uint64_t hash(const Entry&).
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace bootstrap {

template <class Entry, class Traits>
class ProbeTable {
 public:
  explicit ProbeTable(Traits traits = {}) : traits_(std::move(traits)) {}

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return entries_.capacity() * sizeof(Entry); }

  // The entry with that hash for which is_it says yes, or null.
  template <class F>
  Entry* find(std::uint64_t hash, F&& is_it) {
    if (entries_.empty()) return nullptr;
    for (std::size_t at = hash & mask(); !traits_.empty(entries_[at]); at = (at + 1) & mask()) {
      if (is_it(entries_[at])) return &entries_[at];
    }
    return nullptr;
  }
  // The entry must not be there yet. Pointers to entries end here.
  Entry& insert(std::uint64_t hash, Entry entry) {
    if (size_ + 1 > entries_.size() / 4 * 3) resize(std::max<std::size_t>(16, entries_.size() * 2));
    ++size_;
    return place(hash, std::move(entry));
  }
  void erase(Entry* entry) {
    std::size_t gap = static_cast<std::size_t>(entry - entries_.data());
    entries_[gap] = Entry{};
    --size_;
    // Whoever stands behind the gap and was pushed past it moves back into it.
    for (std::size_t at = (gap + 1) & mask(); !traits_.empty(entries_[at]); at = (at + 1) & mask()) {
      const std::size_t home = traits_.hash(entries_[at]) & mask();
      if (((at - home) & mask()) < ((at - gap) & mask())) continue;
      entries_[gap] = std::exchange(entries_[at], Entry{});
      gap = at;
    }
    if (entries_.size() > 1024 && size_ < entries_.size() / 8) resize(entries_.size() / 4);
  }
  template <class F>
  void each(F&& use) {
    for (Entry& entry : entries_) {
      if (!traits_.empty(entry)) use(entry);
    }
  }

 private:
  std::size_t mask() const { return entries_.size() - 1; }
  Entry& place(std::uint64_t hash, Entry&& entry) {
    std::size_t at = hash & mask();
    while (!traits_.empty(entries_[at])) at = (at + 1) & mask();
    return entries_[at] = std::move(entry);
  }
  void resize(std::size_t size) {  // a power of two
    std::vector<Entry> old(size);
    old.swap(entries_);
    for (Entry& entry : old) {
      if (!traits_.empty(entry)) place(traits_.hash(entry), std::move(entry));
    }
  }

  Traits traits_;
  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

}  // namespace bootstrap
