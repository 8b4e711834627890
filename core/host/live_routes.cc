#include "host/live_routes.h"

namespace atlas::host {

std::shared_ptr<const RouteTally> LiveRoutes::tally(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const LiveRoute* route = slots_.find(handle);
  return route == nullptr || route->why != 0 ? nullptr : route->tally;
}

bool LiveRoutes::ended(std::uint64_t handle, std::uint32_t why) {
  const std::lock_guard lock(mutex_);
  LiveRoute* route = slots_.find(handle);
  if (route == nullptr || route->why != 0) return false;
  route->why = why;
  return true;
}

std::optional<LiveRoute> LiveRoutes::take(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  LiveRoute* route = slots_.find(handle);
  if (route == nullptr) return std::nullopt;
  std::optional<LiveRoute> out(std::move(*route));
  slots_.erase(handle);
  return out;
}

std::vector<std::pair<std::uint64_t, LiveRoute>> LiveRoutes::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<std::pair<std::uint64_t, LiveRoute>> out;
  out.reserve(slots_.size());
  slots_.each([&](std::uint64_t handle, LiveRoute& route) { out.emplace_back(handle, std::move(route)); });
  for (const auto& [handle, route] : out) slots_.erase(handle);
  return out;
}

std::size_t LiveRoutes::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

atlas_route_counters counters_of(const RouteTally& tally) {
  atlas_route_counters out{};
  out.struct_size = sizeof out;
  out.datagrams_to_a = tally.datagrams[0].load(std::memory_order_relaxed);
  out.bytes_to_a = tally.bytes[0].load(std::memory_order_relaxed);
  out.datagrams_to_b = tally.datagrams[1].load(std::memory_order_relaxed);
  out.bytes_to_b = tally.bytes[1].load(std::memory_order_relaxed);
  out.dropped_rate = tally.dropped_rate.load(std::memory_order_relaxed);
  out.dropped_source = tally.dropped_source.load(std::memory_order_relaxed);
  out.dropped_queue = tally.dropped_queue.load(std::memory_order_relaxed);
  out.dropped_share = tally.dropped_share.load(std::memory_order_relaxed);
  return out;
}

}  // namespace atlas::host
