// ALPNs that plugins claimed, and connections of theirs whose end has not been told (atlas/ext/protocols.h). A
// connection is taken out exactly once: when its DOWN is told on the strand, when it is refused, or when the plugin
// goes. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "atlas/ext/protocols.h"
#include "base/limits.h"
#include "base/slots.h"
#include "host/connection_pipe.h"
#include "host/network.h"

namespace atlas::host {

struct Plugin;

// Lives as long as its plugin's record, which is as long as the host.
struct ProtocolSpec {
  Plugin* plugin = nullptr;
  ProtocolClaim claim;
  atlas_status (*verify)(void* self, const atlas_presented* presented, atlas_verdict* verdict) = nullptr;
  void (*event)(void* self, const atlas_connection_event* event) = nullptr;
  atlas_stream_event_fn stream = nullptr;
  std::atomic<bool> has_credentials{false};
  std::atomic<std::uint32_t> live{0};  // connections in the table
};

struct LiveConnection {
  std::shared_ptr<ConnectionPipe> pipe;
  ProtocolSpec* spec = nullptr;
  void* argument = nullptr;
  bool dialled = false;
  bool accepted = false;  // by verify: its DOWN is owed
  std::array<std::uint8_t, sizeof(atlas_verdict::identity)> identity{};
  std::uint32_t identity_size = 0;

  bool is_owed_down() const { return dialled || accepted; }
};

class LiveConnections {
 public:
  enum class Outcome : std::uint8_t { kDone, kFull, kClosed, kRefused };
  // Makes it through `make`, a bool(std::uint64_t handle, LiveConnection&) that runs under our lock, so that no event
  // overtakes it. kRefused: it said false, and the connection is gone again. kFull: as many as the claim allows.
  template <class Make>
  Outcome add(ProtocolSpec& spec, Make&& make) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Outcome::kClosed;
    if (spec.live >= spec.claim.max_connections) return Outcome::kFull;
    const std::uint64_t handle = slots_.emplace();
    LiveConnection& connection = *slots_.find(handle);
    connection.spec = &spec;
    if (!make(handle, connection)) {
      slots_.erase(handle);
      return Outcome::kRefused;
    }
    ++spec.live;
    return Outcome::kDone;
  }
  std::optional<LiveConnection> find(std::uint64_t handle) const;
  void mark_accepted(std::uint64_t handle, const atlas_verdict& verdict);
  std::optional<LiveConnection> take(std::uint64_t handle);
  // Everything, with its handle; nothing can be added afterwards.
  std::vector<std::pair<std::uint64_t, LiveConnection>> close();
  std::size_t size() const;
  // Of all that are in it.
  std::vector<std::shared_ptr<ConnectionPipe>> pipes() const;

 private:
  mutable std::mutex mutex_;
  mutable base::Slots<LiveConnection> slots_;
  bool closed_ = false;
};

}  // namespace atlas::host
