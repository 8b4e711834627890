// Generation-checked slots: a handle is a number that stops working when its object goes, never a dangling pointer.
// Not thread-safe; the owner's thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace atlas::base {

// A handle is (generation << 32 | index + 1); 0 is none. GenerationBits is small in tests so that wrap-around is seen:
// a slot whose generations are used up is retired and never handed out again.
template <class T, unsigned GenerationBits = 32>
class Slots {
 public:
  using Handle = std::uint64_t;

  explicit Slots(std::size_t capacity = UINT32_MAX - 1) : capacity_(capacity) {}

  // 0 when the capacity is reached.
  template <class... Args>
  Handle emplace(Args&&... args) {
    std::uint32_t index;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else {
      if (slots_.size() >= capacity_) return 0;
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    }
    slots_[index].value.emplace(std::forward<Args>(args)...);
    ++live_;
    return handle_of(index);
  }

  // Null for a stale or made-up handle. Valid until the next emplace.
  T* find(Handle handle) {
    const auto index = index_of(handle);
    if (!index) return nullptr;
    return &*slots_[*index].value;
  }

  bool erase(Handle handle) {
    const auto index = index_of(handle);
    if (!index) return false;
    Slot& slot = slots_[*index];
    slot.value.reset();
    --live_;
    if (slot.generation++ < kLastGeneration) free_.push_back(*index);
    return true;
  }

  std::size_t size() const { return live_; }

  template <class Visitor>
  void each(Visitor&& visit) {
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      if (slots_[i].value) visit(handle_of(i), *slots_[i].value);
    }
  }

 private:
  static constexpr std::uint64_t kLastGeneration = (std::uint64_t{1} << GenerationBits) - 1;
  struct Slot {
    std::optional<T> value;
    std::uint64_t generation = 0;
  };

  Handle handle_of(std::uint32_t index) const { return slots_[index].generation << 32 | (std::uint64_t{index} + 1); }
  std::optional<std::uint32_t> index_of(Handle handle) const {
    const std::uint64_t low = handle & UINT32_MAX;
    if (low == 0 || low > slots_.size()) return std::nullopt;
    const auto index = static_cast<std::uint32_t>(low - 1);
    const Slot& slot = slots_[index];
    if (!slot.value || slot.generation != handle >> 32) return std::nullopt;
    return index;
  }

  std::size_t capacity_;
  std::size_t live_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace atlas::base
