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
    static constexpr std::uint32_t kDue = 1u << 31;  // slot_ is a place in due_
    base::MonoNs deadline_ = base::kNever;
    std::uint32_t slot_ = kOut;
  };

  // kNever takes the entry out.
  void set(Entry& entry, base::MonoNs deadline);
  void remove(Entry& entry);
  // Inside run() this is the first deadline after what that call expires.
  base::MonoNs next() const { return heap_.empty() ? base::kNever : heap_[0].deadline; }
  // Expires what is due, in order of deadline; an entry that is set again for a time <= now waits for the next call.
  // on_expire may set, remove and destroy any entry. Does nothing when called from on_expire.
  void run(base::MonoNs now);
  std::size_t size() const { return heap_.size() + due_left_; }

 private:
  // The deadline is kept beside the pointer so that a comparison does not touch the entry.
  struct Place {
    base::MonoNs deadline;
    Entry* entry;
  };

  void push(Entry& entry);
  void take_out(std::size_t at);
  void sift_up(std::size_t at, Place moving);
  void sift_down(std::size_t at, Place moving);
  void put(std::size_t at, Place place);

  std::vector<Place> heap_;
  std::vector<Entry*> due_;  // being expired by run(); null where one was set again or removed meanwhile
  std::size_t due_left_ = 0;
};

}  // namespace atlas::net
