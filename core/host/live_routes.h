// Pairs of routes that a plugin has added and not been told the end of (atlas/ext/routes.h). Each is taken out exactly
// once: when its end is told on the strand, or when the plugin goes. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "atlas/ext/routes.h"
#include "base/limits.h"
#include "base/slots.h"
#include "host/network.h"

namespace atlas::host {

inline constexpr std::size_t kMaxLiveRoutes = base::limits::plugins_routes;  // per plugin; ATLAS_E_FULL

struct LiveRoute {
  std::uint64_t tag = 0;  // the network's name for it
  std::shared_ptr<RouteTally> tally;
  atlas_route_ended_fn ended = nullptr;
  void* argument = nullptr;
  std::uint32_t why = 0;  // ATLAS_ROUTE_*; 0 while datagrams are forwarded
  bool removing = false;  // the network was asked to end it
};

class LiveRoutes {
 public:
  explicit LiveRoutes(std::size_t most = kMaxLiveRoutes) : slots_(most) {}

  enum class Outcome : std::uint8_t { kDone, kGone, kFull, kRefused, kClosed };
  // Orders it through `order`, a bool(std::uint64_t handle) that runs under our lock, so that neither its end nor the
  // plugin's overtakes the order. kRefused: it said false, and the route is gone again.
  template <class Order>
  Outcome add(LiveRoute route, Order&& order) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Outcome::kClosed;
    const std::uint64_t handle = slots_.emplace(std::move(route));
    if (handle == 0) return Outcome::kFull;
    if (order(handle)) return Outcome::kDone;
    slots_.erase(handle);
    return Outcome::kRefused;
  }
  // The same with a bool(std::uint64_t tag), which runs once however often this is asked. The end comes by ended().
  template <class Order>
  Outcome remove(std::uint64_t handle, Order&& order) {
    const std::lock_guard lock(mutex_);
    LiveRoute* route = slots_.find(handle);
    if (route == nullptr || route->why != 0) return Outcome::kGone;
    if (!route->removing && !order(route->tag)) return Outcome::kRefused;
    route->removing = true;
    return Outcome::kDone;
  }
  // Null when it has ended.
  std::shared_ptr<const RouteTally> tally(std::uint64_t handle) const;

  // Nothing is forwarded any more; false when nobody is to be told.
  bool ended(std::uint64_t handle, std::uint32_t why);
  // By whoever tells the plugin.
  std::optional<LiveRoute> take(std::uint64_t handle);
  // Everything, with its handle; nothing can be added afterwards.
  std::vector<std::pair<std::uint64_t, LiveRoute>> close();
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  mutable base::Slots<LiveRoute> slots_;
  bool closed_ = false;
};

// The figures of one moment.
atlas_route_counters counters_of(const RouteTally& tally);

}  // namespace atlas::host
