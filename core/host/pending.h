// Callbacks that a plugin was promised: answers, dials and commits. Each is taken out exactly once, by whoever comes
// first: the event, a cancel, or the plugin's end. Any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "atlas/ext/bus.h"
#include "atlas/ext/messages.h"
#include "atlas/ext/peers.h"
#include "atlas/ext/store.h"
#include "base/limits.h"
#include "base/slots.h"

namespace atlas::host {

inline constexpr std::size_t kMaxPending = base::limits::plugins_pending;  // per plugin; ATLAS_E_FULL

struct Promise {
  enum class Kind : std::uint8_t { kAnswer, kConnected, kDurable, kBusAnswer } kind = Kind::kAnswer;
  std::uint64_t tag = 0;  // kAnswer: the network's name for the request
  union {
    atlas_answer_fn answer = nullptr;
    atlas_connected_fn connected;
    atlas_durable_fn durable;
    atlas_bus_answer_fn bus_answer;
  };
  void* argument = nullptr;
};

class Pending {
 public:
  explicit Pending(std::size_t most = kMaxPending) : slots_(most) {}
  // 0 at the cap and after close().
  std::uint64_t add(const Promise& promise);
  std::optional<Promise> take(std::uint64_t handle);
  bool waits(std::uint64_t handle) const;
  // Everything that waits, in no order; nothing can be added afterwards.
  std::vector<Promise> close();
  std::size_t size() const;
  // Answers and commits: what a role waits for to finish its work. A dial only begins some.
  std::size_t unfinished() const;

 private:
  mutable std::mutex mutex_;
  mutable base::Slots<Promise> slots_;
  std::size_t dials_ = 0;
  bool closed_ = false;
};

}  // namespace atlas::host
