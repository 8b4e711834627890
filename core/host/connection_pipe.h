// One connection of another protocol between its plugin and the network (atlas/ext/protocols.h): what became of it, and
// how many streams the peer allows.
//
// Events wait here, at most one turn of the strand waits for them. DOWN is told when every stream of the connection has
// told its CLOSED.
//
// The plugin's half: any thread, but take() on the strand. The network's half: its thread. Both share the ownership.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "atlas/ext/protocols.h"
#include "base/bytes.h"

namespace atlas::host {

class StreamPipe;

class ConnectionPipe {
 public:
  struct Setup {
    std::uint64_t tag = 0;              // unique in the node
    std::function<void()> wake_strand;  // take() has something; any thread
    // The peer opened a stream; null when there is no room for it. The network's thread.
    std::function<std::shared_ptr<StreamPipe>(bool unidirectional)> arrived;
  };
  ConnectionPipe(Setup setup, std::string remote) : setup_(std::move(setup)), remote_(std::move(remote)) {}
  ConnectionPipe(const ConnectionPipe&) = delete;
  ConnectionPipe& operator=(const ConnectionPipe&) = delete;

  std::uint64_t tag() const { return setup_.tag; }
  std::string remote() const;

  // --- the plugin's half ---
  enum class Outcome : std::uint8_t { kDone, kFull, kNotUp, kGone };
  // Takes one of the streams that the peer allows; the network opens it.
  Outcome reserve_stream(bool unidirectional);
  void return_stream(bool unidirectional);  // it was not begun after all
  void stream_over();                       // its CLOSED has been told
  // Whether the caller is the first to close it.
  bool close();

  struct Event {
    enum class What : std::uint8_t { kVerify, kUp, kDown } what = What::kVerify;
    std::vector<base::Bytes> chain;  // kVerify
    std::uint32_t why = 0;           // kDown: ATLAS_CLOSED_*
    std::uint64_t code = 0;
    std::string reason;
  };
  // The next event. Another turn of the strand has been asked for when more wait.
  std::optional<Event> take();

  // --- the network's half ---
  void on_presented(std::vector<base::Bytes> chain);
  void on_up();
  // In all, counted from the beginning.
  void on_streams_allowed(bool unidirectional, std::uint64_t total);
  void on_moved(std::string remote);
  void on_down(std::uint32_t why, std::uint64_t code, std::string reason);
  std::shared_ptr<StreamPipe> arrived_stream(bool unidirectional);

 private:
  bool has_event() const { return chain_ || up_due_ || (down_ && streams_ == 0); }
  bool note_event() { return has_event() && !std::exchange(woken_, true); }

  const Setup setup_;
  mutable std::mutex mutex_;
  std::string remote_;
  std::optional<std::vector<base::Bytes>> chain_;  // to be judged
  std::optional<Event> down_;                      // to be told
  bool up_due_ = false;                            // to be told
  bool up_ = false, closing_ = false, over_ = false, woken_ = false;
  std::array<std::uint64_t, 2> allowed_{}, opened_{};  // bidirectional, unidirectional
  std::size_t streams_ = 0;                            // whose CLOSED has not been told
};

}  // namespace atlas::host
