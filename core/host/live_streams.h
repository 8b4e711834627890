// Raw streams of a plugin that it has not been told the end of (atlas/ext/streams.h). Each is taken out exactly once:
// when its CLOSED is told on the strand, or when the plugin goes. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "atlas/ext/streams.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/slots.h"
#include "host/network.h"
#include "host/stream_pipe.h"

namespace atlas::host {

struct StreamRoute;

inline constexpr std::size_t kMaxLiveStreams = base::limits::plugins_streams;     // per plugin; ATLAS_E_FULL
inline constexpr std::size_t kMaxHeldBytes = base::limits::plugins_stream_bytes;  // then peers open no new ones

struct LiveStream {
  std::shared_ptr<StreamPipe> pipe;
  atlas_stream_event_fn event = nullptr;
  void* argument = nullptr;
  // A peer opened it, and the plugin has not heard of it yet.
  bool arrived = false;
  // Of one in a session.
  const StreamRoute* route = nullptr;
  PeerHandle from = 0;
  std::shared_ptr<const base::Bytes> opening;
  // Of one in a connection of another protocol; the handle of that, else 0.
  std::uint64_t connection = 0;
  std::shared_ptr<ConnectionPipe> carrier;
  bool unidirectional = false;
};

class LiveStreams {
 public:
  explicit LiveStreams(std::size_t most = kMaxLiveStreams) : slots_(most) {}

  enum class Outcome : std::uint8_t { kDone, kFull, kClosed, kRefused };
  // Makes it through `make`, a bool(std::uint64_t handle, LiveStream&) that runs under our lock, so that no event
  // overtakes it. kRefused: it said false, and the stream is gone again.
  template <class Make>
  Outcome add(Make&& make) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Outcome::kClosed;
    const std::uint64_t handle = slots_.emplace();
    if (handle == 0) return Outcome::kFull;
    if (make(handle, *slots_.find(handle))) return Outcome::kDone;
    slots_.erase(handle);
    return Outcome::kRefused;
  }
  std::optional<LiveStream> find(std::uint64_t handle) const;
  std::shared_ptr<StreamPipe> pipe(std::uint64_t handle) const;  // null when it is gone
  bool set_argument(std::uint64_t handle, void* argument);
  // The plugin has heard of it.
  void mark_told(std::uint64_t handle);
  // By whoever tells the plugin.
  std::optional<LiveStream> take(std::uint64_t handle);
  // Everything, with its handle; nothing can be added afterwards.
  std::vector<std::pair<std::uint64_t, LiveStream>> close();
  std::size_t size() const;
  // Of all that are in it.
  std::vector<std::shared_ptr<StreamPipe>> pipes() const;

  // Bytes of all of them that wait for the plugin.
  const std::shared_ptr<std::atomic<std::uint64_t>> held = std::make_shared<std::atomic<std::uint64_t>>(0);

 private:
  mutable std::mutex mutex_;
  mutable base::Slots<LiveStream> slots_;
  bool closed_ = false;
};

}  // namespace atlas::host
