#include "host/replies.h"

#include <algorithm>

namespace atlas::host {

std::uint64_t OpenReplies::open(ReplyHandle network, PeerHandle from, bool promised, base::MonoNs deadline) {
  const std::lock_guard lock(mutex_);
  std::uint32_t index = free_first_;
  if (index != kNone) {
    free_first_ = slots_[index].newer;
    if (free_first_ == kNone) free_last_ = kNone;
  } else {
    if (slots_.size() >= most_) return 0;
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  Slot& slot = slots_[index];
  slot.network = network;
  slot.from = from;
  slot.deadline = deadline;
  slot.promised = promised;
  if (promised) ++promised_;
  slot.used = true;
  slot.older = newest_;
  slot.newer = kNone;
  (newest_ == kNone ? oldest_ : slots_[newest_].newer) = index;
  newest_ = index;
  return std::uint64_t{slot.generation} << 32 | (index + 1);
}

std::uint32_t OpenReplies::index_of(std::uint64_t handle) const {
  const std::uint64_t low = handle & UINT32_MAX;
  if (low == 0 || low > slots_.size()) return kNone;
  const auto index = static_cast<std::uint32_t>(low - 1);
  return slots_[index].used && slots_[index].generation == handle >> 32 ? index : kNone;
}

void OpenReplies::end(std::uint32_t index, End how) {
  Slot& slot = slots_[index];
  (slot.older == kNone ? oldest_ : slots_[slot.older].newer) = slot.newer;
  (slot.newer == kNone ? newest_ : slots_[slot.newer].older) = slot.older;
  slot.used = false;
  if (slot.promised) --promised_;
  slot.last_end = how;
  slot.newer = kNone;
  if (slot.generation++ == UINT32_MAX) return;  // used up: never handed out again
  (free_last_ == kNone ? free_first_ : slots_[free_last_].newer) = index;
  free_last_ = index;
}

OpenReplies::Taken OpenReplies::take(std::uint64_t handle, ReplyHandle* network) {
  return answer(handle, [network](ReplyHandle open) {
    *network = open;
    return true;
  });
}

OpenReplies::Taken OpenReplies::how_it_went(std::uint64_t handle) const {
  const std::uint64_t low = handle & UINT32_MAX;
  if (low == 0 || low > slots_.size()) return Taken::kGone;
  const Slot& slot = slots_[low - 1];
  const bool last_one = static_cast<std::uint32_t>(slot.generation - 1) == handle >> 32 && (slot.generation != 0);
  return last_one && slot.last_end == End::kAnswered ? Taken::kAnswered : Taken::kGone;
}

bool OpenReplies::is_open(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  return index_of(handle) != kNone;
}

void OpenReplies::peer_gone(PeerHandle peer) {
  const std::lock_guard lock(mutex_);
  for (std::uint32_t index = oldest_; index != kNone;) {
    const std::uint32_t next = slots_[index].newer;
    if (slots_[index].from == peer) end(index, End::kGone);
    index = next;
  }
}

base::MonoNs OpenReplies::expire(base::MonoNs now, std::vector<Overdue>& out) {
  const std::lock_guard lock(mutex_);
  while (oldest_ != kNone && slots_[oldest_].deadline <= now) {
    out.push_back({slots_[oldest_].network, slots_[oldest_].promised});
    end(oldest_, End::kAnswered);
  }
  return oldest_ == kNone ? base::kNever : slots_[oldest_].deadline;
}

base::MonoNs OpenReplies::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return oldest_ == kNone ? base::kNever : slots_[oldest_].deadline;
}

std::size_t OpenReplies::promised() const {
  const std::lock_guard lock(mutex_);
  return promised_;
}

std::size_t OpenReplies::size() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::ranges::count_if(slots_, &Slot::used));
}

std::vector<ReplyHandle> OpenReplies::close_all() {
  const std::lock_guard lock(mutex_);
  std::vector<ReplyHandle> out;
  while (oldest_ != kNone) {
    out.push_back(slots_[oldest_].network);
    end(oldest_, End::kAnswered);
  }
  return out;
}

}  // namespace atlas::host
