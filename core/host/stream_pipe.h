// One raw stream between a plugin and the network (atlas/ext/streams.h): what has come and waits for the plugin, what
// the plugin asked for and waits for the network, and how each direction ended.
//
// Nothing here is queued twice: however much gathers, at most one turn of the strand and one order to the network wait
// for it. What waits for the plugin is bounded by the receive window, for credit is given by the plugin only; what
// waits for the peer is bounded by kSendBudget.
//
// The plugin's half: any thread, but take() on the strand. The network's half: its thread. Both share the ownership.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "atlas/ext/streams.h"
#include "base/bytes.h"
#include "base/limits.h"

namespace atlas::host {

class StreamPipe {
 public:
  // Written and not acknowledged; ATLAS_E_FULL.
  static constexpr std::size_t kSendBudget = base::limits::plugins_stream_send_bytes;
  // Of one DATA event.
  static constexpr std::size_t kMostPiece = 256 << 10;

  struct Setup {
    std::uint64_t tag = 0;                             // unique in the node
    bool reads = true, writes = true;                  // false: the direction does not exist
    std::function<void()> wake_strand;                 // take() has something; any thread
    std::function<void()> wake_network;                // take_orders() has something; any thread
    std::shared_ptr<std::atomic<std::uint64_t>> held;  // of the plugin: bytes that wait for it
  };
  explicit StreamPipe(Setup setup);
  ~StreamPipe();
  StreamPipe(const StreamPipe&) = delete;
  StreamPipe& operator=(const StreamPipe&) = delete;

  std::uint64_t tag() const { return setup_.tag; }

  // --- the plugin's half ---
  enum class Outcome : std::uint8_t { kDone, kFull, kEnded, kTooMuch };
  // kFull: over the budget, WRITABLE follows. kEnded: this direction is over, or there is none.
  Outcome write(base::ByteView data);
  Outcome finish();
  Outcome reset(std::uint64_t code);
  Outcome stop(std::uint64_t code);
  // kTooMuch: more than was delivered.
  Outcome credit(std::uint64_t bytes);
  // The plugin goes: whatever is not finished is given up. Nothing is told any more.
  void abandon(std::uint64_t code);

  struct Event {
    std::uint32_t what = 0;  // ATLAS_STREAM_*
    base::Bytes data;
    bool fin = false;
    atlas_status status = ATLAS_OK;
    std::uint64_t code = 0;
  };
  // The next event. Another turn of the strand has been asked for when more wait.
  std::optional<Event> take();

  // --- the network's half ---
  struct Orders {
    base::Bytes data;
    bool fin = false, abandoned = false;
    std::optional<std::uint64_t> reset, stop;
    std::uint64_t credit = 0;
  };
  Orders take_orders();
  void on_data(base::ByteView data, bool fin);
  void on_acknowledged(std::size_t bytes);
  void on_reset(std::uint64_t code);
  void on_stopped(std::uint64_t code);
  // Once; later ones count for nothing.
  void on_closed(atlas_status status, std::uint64_t code);

 private:
  // Both want the lock held and say whether somebody is to be woken without it.
  bool note_event() { return !abandoned_ && !std::exchange(strand_woken_, true); }
  bool note_order() { return !closed_ && !std::exchange(network_woken_, true); }
  bool has_event() const;
  void drop_incoming();

  const Setup setup_;
  std::mutex mutex_;

  // From the peer.
  std::deque<base::Bytes> incoming_;
  std::uint64_t received_ = 0, delivered_ = 0, credited_ = 0;
  bool fin_came_ = false, fin_told_ = false;
  std::optional<std::uint64_t> reset_, stopped_;  // to be told
  std::optional<Event> closed_event_;             // to be told
  bool writable_ = false;                         // to be told
  bool read_over_ = false;                        // stop() was called

  // To the peer.
  base::Bytes outgoing_;
  std::size_t unacknowledged_ = 0;
  std::size_t wanted_ = 0;     // room that a write() did not find; 0: none is waited for
  bool write_over_ = false;    // nothing can be written
  bool sending_lost_ = false;  // given up here or refused there
  Orders orders_;

  bool strand_woken_ = false, network_woken_ = false;
  bool abandoned_ = false, closed_ = false;
};

}  // namespace atlas::host
