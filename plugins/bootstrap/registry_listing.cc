// Listings of the registry: a random sample, or pages that together are complete.
#include <algorithm>

#include "registry.h"

namespace bootstrap {

namespace {

// The numbers below n in random order, one at a time, at a cost of those that were asked for.
class RandomOrder {
 public:
  RandomOrder(std::size_t n, const Registry::RandomBelow& random) : n_(n), random_(random) {}
  std::optional<std::size_t> next() {
    if (drawn_ == n_) return std::nullopt;
    const std::size_t at = drawn_ + random_(n_ - drawn_);
    const std::size_t value = stands_at(at);
    if (at != drawn_) moved_[at] = stands_at(drawn_);
    ++drawn_;
    return value;
  }

 private:
  std::size_t stands_at(std::size_t place) const {
    const auto found = moved_.find(place);
    return found == moved_.end() ? place : found->second;
  }
  std::size_t n_, drawn_ = 0;
  const Registry::RandomBelow& random_;
  std::unordered_map<std::size_t, std::size_t> moved_;
};

}  // namespace

bool Registry::matches(const Filter& filter, Slot slot, Seconds now) {
  const PackedRecord& record = at(slot).record;
  if (!record || is_stale(slot, now)) return false;
  if (filter.skill && !record.has_skill(*filter.skill)) return false;
  if (filter.operator_username && record.operator_username() != *filter.operator_username) return false;
  note_session(entries_[slot]);
  return true;
}

bool Registry::give(Slot slot, const Take& take) const {
  const Entry& entry = at(slot);
  return take({entry.record.unpack(), entry.last_seen, entry.session != 0});
}

void Registry::sample(const Filter& filter, std::size_t most, Seconds now, const RandomBelow& random,
                      const Take& take) {
  Slot single = 0;
  std::optional<std::span<const Slot>> list = candidates(filter, single);
  std::vector<Slot> all;
  if (!list && (size_ <= most || size_ < entries_.size() / 2)) {  // few, or many gaps: drawing would find mostly gaps
    for (Slot slot = 0; slot < entries_.size(); ++slot) {
      if (at(slot).record) all.push_back(slot);
    }
    list = all;
  }
  std::size_t given = 0;
  const auto offer = [&](Slot slot) {
    if (!matches(filter, slot, now)) return true;
    if (!give(slot, take)) return false;
    return ++given < most;
  };
  if (list && list->size() <= most) {
    for (const Slot slot : *list) {
      if (!offer(slot)) return;
    }
    return;
  }
  RandomOrder order(list ? list->size() : entries_.size(), random);
  while (const auto drawn = order.next()) {
    if (!offer(list ? (*list)[*drawn] : static_cast<Slot>(*drawn))) return;
  }
}

Slot Registry::next_candidate(const std::optional<std::span<const Slot>>& list, Slot from) const {
  if (list) {
    const auto found = std::lower_bound(list->begin(), list->end(), from);
    return found == list->end() ? kNoSlot : *found;
  }
  while (from < entries_.size() && !at(from).record) ++from;
  return from < entries_.size() ? from : kNoSlot;
}

Cursor Registry::first_page(const RandomBelow& random) const {
  const auto start = entries_.empty() ? Slot{0} : static_cast<Slot>(random(entries_.size()));
  return {start, start, false};
}

std::optional<Cursor> Registry::page(const Filter& filter, const Cursor& from, std::size_t most, Seconds now,
                                     const Take& take) {
  Slot single = 0;
  const auto list = candidates(filter, single);
  Cursor at = from;
  for (std::size_t given = 0;;) {
    const Slot slot = next_candidate(list, at.next);
    if (slot == kNoSlot && !at.wrapped) {
      at.wrapped = true;
      at.next = 0;
      continue;
    }
    if (slot == kNoSlot || (at.wrapped && slot >= at.start)) return std::nullopt;
    at.next = slot;
    if (matches(filter, slot, now)) {
      if (given == most || !give(slot, take)) return at;
      ++given;
    }
    at.next = slot + 1;
  }
}

std::vector<std::uint8_t> Registry::seal(const Cursor& cursor, const Filter& filter) const {
  return bootstrap::seal(cursor, filter_hash(filter), hash_);
}

std::optional<Cursor> Registry::unseal(std::span<const std::uint8_t> bytes, const Filter& filter) const {
  return bootstrap::unseal(bytes, filter_hash(filter), hash_);
}

}  // namespace bootstrap
