// Many deadlines behind one Timer: a 4-ary heap that knows where each entry sits, so that moving one is O(log n) and
// costs no allocation. Loop thread only. Entries are embedded in their owners.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace atlas::net {

class TimerHeap {
 public:
  // Embed or derive; must be out of the heap before it is destroyed. on_expire runs with the entry already out.
  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    virtual ~Entry() = default;
    virtual void on_expire(base::MonoNs now) = 0;
    base::MonoNs deadline() const { return deadline_; }
    bool armed() const { return slot_ != kOut; }

   private:
    friend class TimerHeap;
    static constexpr std::uint32_t kOut = UINT32_MAX;
    base::MonoNs deadline_ = base::kNever;
    std::uint32_t slot_ = kOut;
  };

  // kNever takes the entry out.
  void set(Entry& entry, base::MonoNs deadline);
  void remove(Entry& entry);
  base::MonoNs next() const { return heap_.empty() ? base::kNever : heap_[0]->deadline_; }
  // Expires what is due, in order of deadline; an entry that is set again for a time <= now waits for the next call.
  void run(base::MonoNs now);
  std::size_t size() const { return heap_.size(); }

 private:
  void sift_up(std::size_t at);
  void sift_down(std::size_t at);
  void place(Entry* entry, std::size_t at);

  std::vector<Entry*> heap_;
};

}  // namespace atlas::net
