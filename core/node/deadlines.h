// Every deadline of the node behind one timer of the loop. Loop thread only.
#pragma once

#include <memory>

#include "net/loop.h"
#include "net/timer_heap.h"

namespace atlas::node {

class Deadlines {
 public:
  explicit Deadlines(net::Loop& loop) : loop_(loop), timer_(loop.make_timer([this] { expire(); })) {}

  void set(net::TimerHeap::Entry& entry, base::MonoNs at) {
    heap_.set(entry, at);
    rearm();
  }
  // Keeps an earlier deadline that is set already: for owners that look at all their work when they wake.
  void set_no_later(net::TimerHeap::Entry& entry, base::MonoNs at) {
    if (!entry.armed() || entry.deadline() > at) set(entry, at);
  }
  void clear(net::TimerHeap::Entry& entry) { heap_.remove(entry); }
  base::MonoNs now() const { return loop_.clock().mono_ns(); }

 private:
  void expire() {
    armed_ = base::kNever;
    heap_.run(now());
    rearm();
  }
  // A timer that fires for an entry that has gone costs one empty turn; moving it for each change would cost more.
  void rearm() {
    const base::MonoNs next = heap_.next();
    if (next >= armed_) return;
    armed_ = next;
    timer_->arm(next);
  }

  net::Loop& loop_;
  net::TimerHeap heap_;
  std::unique_ptr<net::Timer> timer_;
  base::MonoNs armed_ = base::kNever;
};

}  // namespace atlas::node
