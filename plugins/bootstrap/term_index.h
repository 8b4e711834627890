// Which slots have a skill, or an operator: for each term a sorted list of slot numbers.
//
// Terms are known by their keyed 64-bit hash alone; who looks something up compares the text in the record. A term that
// one or two records have costs no allocation of its own. Strand only; owns its lists.
#pragma once

#include <algorithm>
#include <span>

#include "probe_table.h"

namespace bootstrap {

using Slot = std::uint32_t;

// Slot numbers in rising order; up to two of them inside the object.
class SlotList {
 public:
  SlotList() = default;
  SlotList(SlotList&& other) noexcept { swap(other); }
  SlotList& operator=(SlotList&& other) noexcept {
    SlotList(std::move(other)).swap(*this);
    return *this;
  }
  ~SlotList();

  std::span<const Slot> view() const { return {data(), size_}; }
  std::size_t size() const { return size_; }
  void insert(Slot slot);
  void erase(Slot slot);
  template <class F>
  void erase_if(F&& is_gone) {
    Slot* const end = std::remove_if(data(), data() + size_, is_gone);
    size_ = static_cast<std::uint32_t>(end - data());
    shrink();
  }

 private:
  static constexpr std::uint32_t kInside = 2;
  Slot* data() { return capacity_ == kInside ? inside_ : outside_; }
  const Slot* data() const { return capacity_ == kInside ? inside_ : outside_; }
  void swap(SlotList& other) noexcept;
  void reallocate(std::uint32_t capacity);
  void shrink();

  std::uint32_t size_ = 0, capacity_ = kInside;
  union {
    Slot inside_[kInside] = {};
    Slot* outside_;
  };
};

class TermIndex {
 public:
  void insert(std::uint64_t term, Slot slot);
  void erase(std::uint64_t term, Slot slot);
  // Takes all slots out for which is_gone says yes, in one pass over that term.
  template <class F>
  void erase_if(std::uint64_t term, F&& is_gone) {
    Entry* const entry = find(term);
    if (entry == nullptr) return;
    entry->slots.erase_if(is_gone);
    if (entry->slots.size() == 0) table_.erase(entry);
  }
  // Borrowed until the next change.
  std::span<const Slot> slots(std::uint64_t term) {
    const Entry* const entry = find(term);
    return entry == nullptr ? std::span<const Slot>() : entry->slots.view();
  }
  std::size_t size() const { return table_.size(); }

 private:
  struct Entry {
    std::uint64_t term = 0;
    SlotList slots;
  };
  struct Traits {
    bool empty(const Entry& entry) const { return entry.slots.size() == 0; }
    std::uint64_t hash(const Entry& entry) const { return entry.term; }
  };
  Entry* find(std::uint64_t term) {
    return table_.find(term, [term](const Entry& entry) { return entry.term == term; });
  }
  ProbeTable<Entry, Traits> table_;
};

}  // namespace bootstrap
