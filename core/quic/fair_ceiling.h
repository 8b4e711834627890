// What one direction of a pair of routes may send while more comes to be forwarded than this node can forward: a rate
// that is found by trying, so that whoever sends less than it loses nothing and the others get it alike (max-min).
//
// Without a ceiling nothing is dropped here. One is set when in two windows, one after the other, datagrams were lost
// in a full receive buffer; it sinks with each window in which the buffer is nearly full, rises with every other, and
// goes when nobody has met it for a while. It never sinks below the mean of what the lanes forward.
//
// Reading costs as well. So lanes that bring several times the ceiling are named, with the part of their datagrams that
// is worth reading: the kernel can drop the rest unread.
//
// Loop thread only; time is passed in. A lane belongs to its route and leaves with forget().
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"

namespace atlas::quic {

class FairCeiling {
 public:
  static constexpr base::MonoNs kWindow = 10 * base::kMillisecond;
  static constexpr int kRoundWindows = 10;  // so many windows are a round, after which it is looked who sheds
  static constexpr std::size_t kMostShed = base::limits::quic_shed_routes;

  class Lane {
   public:
    // The part of what comes that is worth reading.
    double keep() const { return keep_; }

   private:
    friend class FairCeiling;
    std::uint64_t round_ = 0;                 // in which it was last seen
    std::uint64_t seen_ = 0, datagrams_ = 0;  // in that round
    base::MonoNs filled_ = 0;
    double credit_ = 0;   // bytes
    double offered_ = 0;  // bytes/ns, over some rounds; before the kernel drops
    double keep_ = 1, unread_ = 0;
    bool listed_ = false;
  };

  // So many datagrams of a lane were not read, as far as can be told from those that were.
  using Unread = std::function<void(Lane&, std::uint64_t)>;
  explicit FairCeiling(Unread unread) : unread_(std::move(unread)) {}

  // What a window was like.
  struct Load {
    double fullest = 0;  // part of the receive buffer that was in use, at most
    bool lost = false;   // something found no room there
    bool ours = true;    // most of what was read was to be forwarded
  };

  // Of these bytes at the front, in whole datagrams of `segment`, so many go on.
  std::size_t grant(Lane& lane, std::size_t bytes, std::size_t segment, base::MonoNs now);
  bool window_over(base::MonoNs now) const { return now >= base::after(window_began_, kWindow); }
  // True at the end of a round: shed() has changed.
  bool close_window(base::MonoNs now, const Load& load);
  bool active() const { return ceiling_ > 0; }
  double ceiling() const { return ceiling_ * static_cast<double>(base::kSecond); }  // bytes/s; 0: none
  std::uint64_t arrived() const { return arrived_; }                                // bytes in this window
  // Lanes whose keep() may be less than 1, until the next close_window().
  std::span<Lane* const> shed() const { return heavy_; }
  // From now on all is read: the kernel does not drop for us.
  void read_all();
  void forget(Lane& lane);
  // No ceiling, nobody sheds.
  void stop();

 private:
  std::size_t held(Lane& lane, std::size_t bytes, std::size_t segment, base::MonoNs now);
  void look_for_overload(base::MonoNs now, bool overloaded);
  void begin_round(base::MonoNs now);
  void close_round(base::MonoNs now);
  void weigh(Lane& lane, double span);
  void release(Lane& lane);

  const Unread unread_;
  double ceiling_ = 0, floor_ = 0;  // bytes/ns
  base::MonoNs window_began_ = 0, round_began_ = 0, set_at_ = 0;
  std::uint64_t round_ = 1;
  int windows_ = 0, calm_ = 0;  // windows of this round; rounds in which nobody met the ceiling
  bool suspected_ = false;      // the last window was overloaded
  bool sheds_ = true;
  std::uint64_t arrived_ = 0;                                  // bytes of this window
  std::uint64_t lanes_ = 0, most_ = 0, passed_ = 0, cut_ = 0;  // of this round; most_: of one lane, bytes
  std::vector<Lane*> heavy_;
};

}  // namespace atlas::quic
