// Forwarded datagrams while the socket takes nothing: a bounded queue for each route, served in turns by bytes (deficit
// round robin), so that a greedy pair waits for the others and not they for it.
// Loop thread only. A lane belongs to its route and leaves the queue with clear().
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace atlas::quic {

class FairQueue {
 public:
  static constexpr std::size_t kMostBytes = base::limits::quic_forward_queue_bytes;     // of all lanes
  static constexpr std::size_t kMostLaneBytes = base::limits::quic_forward_lane_bytes;  // of one
  // What one lane sends in its turn.
  static constexpr std::size_t kQuantum = 16 << 10;

  // Datagrams of one size (the last may be shorter), copied.
  struct Run {
    base::Bytes data;
    std::size_t segment = 0;
    std::uint8_t ecn = 0;
  };
  class Lane {
   public:
    bool empty() const { return runs_.empty(); }
    std::size_t bytes() const { return bytes_; }

   private:
    friend class FairQueue;
    std::deque<Run> runs_;
    std::size_t bytes_ = 0, deficit_ = 0;
    bool listed_ = false;
  };
  // True: it has left. False: the socket is full, try again later.
  using Send = std::function<bool(Lane&, const Run&)>;

  // Takes as many whole datagrams as there is room for; the number of bytes taken.
  std::size_t put(Lane& lane, base::ByteView data, std::size_t segment, std::uint8_t ecn);
  // Sends until everything has left (true) or the socket is full.
  bool drain(const Send& send);
  void clear(Lane& lane);
  bool empty() const { return turn_.empty(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::deque<Lane*> turn_;
  std::size_t bytes_ = 0;
};

}  // namespace atlas::quic
