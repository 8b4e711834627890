#include "host/live_connections.h"

#include <algorithm>
#include <iterator>

namespace atlas::host {

std::optional<LiveConnection> LiveConnections::find(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  const LiveConnection* connection = slots_.find(handle);
  return connection == nullptr ? std::nullopt : std::optional(*connection);
}

void LiveConnections::mark_accepted(std::uint64_t handle, const atlas_verdict& verdict) {
  const std::lock_guard lock(mutex_);
  LiveConnection* connection = slots_.find(handle);
  if (connection == nullptr) return;
  connection->accepted = true;
  connection->identity_size = verdict.identity_size;
  std::copy(std::begin(verdict.identity), std::end(verdict.identity), connection->identity.begin());
}

std::optional<LiveConnection> LiveConnections::take(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  LiveConnection* connection = slots_.find(handle);
  if (connection == nullptr) return std::nullopt;
  std::optional<LiveConnection> out(std::move(*connection));
  slots_.erase(handle);
  --out->spec->live;
  return out;
}

std::vector<std::pair<std::uint64_t, LiveConnection>> LiveConnections::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<std::pair<std::uint64_t, LiveConnection>> out;
  out.reserve(slots_.size());
  slots_.each(
      [&](std::uint64_t handle, LiveConnection& connection) { out.emplace_back(handle, std::move(connection)); });
  for (const auto& [handle, connection] : out) {
    slots_.erase(handle);
    --connection.spec->live;
  }
  return out;
}

std::vector<std::shared_ptr<ConnectionPipe>> LiveConnections::pipes() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ConnectionPipe>> out;
  slots_.each([&](std::uint64_t, const LiveConnection& connection) { out.push_back(connection.pipe); });
  return out;
}

std::size_t LiveConnections::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

}  // namespace atlas::host
