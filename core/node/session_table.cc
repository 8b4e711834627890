#include "node/session_table.h"

namespace atlas::node {

void SessionTable::add(std::shared_ptr<SessionInfo> info) {
  const std::lock_guard lock(mutex_);
  // The key must be the text of the session that is found by it, or it would go with an earlier one.
  by_node_id_.erase(info->record.node_id);
  by_node_id_.emplace(info->record.node_id, info.get());
  by_handle_[info->handle] = std::move(info);
}

void SessionTable::remove(host::PeerHandle handle) {
  const std::lock_guard lock(mutex_);
  const auto found = by_handle_.find(handle);
  if (found == by_handle_.end()) return;
  const auto named = by_node_id_.find(found->second->record.node_id);
  if (named != by_node_id_.end() && named->second == found->second.get()) by_node_id_.erase(named);
  by_handle_.erase(found);
}

void SessionTable::moved(host::PeerHandle handle, std::string address) {
  const std::lock_guard lock(mutex_);
  const auto found = by_handle_.find(handle);
  if (found != by_handle_.end()) found->second->record.address = std::move(address);
}

host::LivePeer SessionTable::snapshot(const SessionInfo& info) {
  host::LivePeer out;
  out.handle = info.handle;
  out.record = info.record;
  out.key = info.key;
  out.record.last_seen = info.last_exchange.load(std::memory_order_relaxed);
  out.dialled = info.dialled;
  out.relayed = info.relayed.load(std::memory_order_relaxed);
  if (out.relayed) out.record.trust = wire::Trust::kRelay;
  out.connected_at = info.connected_at;
  out.rtt_us = info.rtt_us.load(std::memory_order_relaxed);
  return out;
}

std::optional<host::LivePeer> SessionTable::peer(host::PeerHandle handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_handle_.find(handle);
  if (found == by_handle_.end()) return std::nullopt;
  return snapshot(*found->second);
}

bool SessionTable::live(host::PeerHandle handle) const {
  const std::lock_guard lock(mutex_);
  return by_handle_.contains(handle);
}

host::PeerHandle SessionTable::find(std::string_view node_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_node_id_.find(node_id);
  return found == by_node_id_.end() ? 0 : found->second->handle;
}

host::PeerHandle SessionTable::find_dialled(std::string_view address) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, info] : by_handle_) {
    if (info->dialled && !info->relayed && info->record.address == address) return handle;
  }
  return 0;
}

host::RouteAdmission SessionTable::admits_route(host::PeerHandle a, host::PeerHandle b) const {
  const std::lock_guard lock(mutex_);
  const auto first = by_handle_.find(a);
  const auto second = by_handle_.find(b);
  if (first == by_handle_.end() || second == by_handle_.end()) return host::RouteAdmission::kGone;
  if (a == b) return host::RouteAdmission::kSame;
  const SessionInfo& one = *first->second;
  const SessionInfo& other = *second->second;
  if (one.relayed.load(std::memory_order_relaxed) || other.relayed.load(std::memory_order_relaxed)) {
    return host::RouteAdmission::kRelayed;
  }
  return one.routes && other.routes ? host::RouteAdmission::kYes : host::RouteAdmission::kNoFeature;
}

std::vector<host::LivePeer> SessionTable::peers() const {
  const std::lock_guard lock(mutex_);
  std::vector<host::LivePeer> out;
  out.reserve(by_handle_.size());
  for (const auto& [handle, info] : by_handle_) out.push_back(snapshot(*info));
  return out;
}

std::size_t SessionTable::size() const {
  const std::lock_guard lock(mutex_);
  return by_handle_.size();
}

}  // namespace atlas::node
