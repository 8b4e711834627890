#include "host/bus.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/plugin.h"

namespace atlas::host {

bool is_bus_name(std::string_view name) {
  constexpr std::size_t kShortest = 3, kLongest = 128;
  if (name.size() < kShortest || name.size() > kLongest) return false;
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == name.size()) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' || c == '/';
  });
}

bool is_bus_name_of(std::string_view plugin, std::string_view name) {
  return is_bus_name(name) && name.starts_with(plugin) && name[plugin.size()] == '/';
}

void Bus::add(const Subscription& subscription) {
  const std::lock_guard lock(mutex_);
  subscriptions_.emplace(subscription.topic, &subscription);
}

void Bus::add(const BusService& service) {
  const std::lock_guard lock(mutex_);
  services_.emplace(service.name, &service);
}

std::vector<BusCall> Bus::release(const Plugin& plugin) {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscriptions_, [&](const auto& entry) { return entry.second->plugin == &plugin; });
  std::erase_if(services_, [&](const auto& entry) { return entry.second->plugin == &plugin; });
  std::vector<BusCall> unanswered;
  std::vector<std::uint64_t> over;
  calls_.each([&](std::uint64_t handle, const BusCall& call) {
    if (call.server != &plugin && call.asker != &plugin) return;
    over.push_back(handle);
    deadlines_.erase({call.deadline, handle});
    if (call.server == &plugin) unanswered.push_back(call);
  });
  for (const std::uint64_t handle : over) calls_.erase(handle);
  return unanswered;
}

void Bus::each_subscriber(std::string_view topic, const std::function<void(const Subscription&)>& tell) const {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = subscriptions_.equal_range(topic);
  for (auto entry = first; entry != last; ++entry) tell(*entry->second);
}

const BusService* Bus::find(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : found->second;
}

std::uint64_t Bus::open(const BusCall& call) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t handle = calls_.emplace(call);
  if (handle != 0) deadlines_.emplace(call.deadline, handle);
  return handle;
}

std::optional<BusCall> Bus::take(std::uint64_t call, const Plugin& server) {
  const std::lock_guard lock(mutex_);
  const BusCall* found = calls_.find(call);
  if (found == nullptr || found->server != &server) return std::nullopt;
  const BusCall out = *found;
  calls_.erase(call);
  deadlines_.erase({out.deadline, call});
  return out;
}

base::MonoNs Bus::expire(base::MonoNs now, std::vector<BusCall>& out) {
  const std::lock_guard lock(mutex_);
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t handle = deadlines_.begin()->second;
    out.push_back(*calls_.find(handle));
    calls_.erase(handle);
    deadlines_.erase(deadlines_.begin());
  }
  return deadlines_.empty() ? base::kNever : deadlines_.begin()->first;
}

base::MonoNs Bus::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return deadlines_.empty() ? base::kNever : deadlines_.begin()->first;
}

std::vector<std::string> Bus::snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [topic, subscription] : subscriptions_) {
    out.push_back(fmt::format("bus topic {}: {}", topic, subscription->plugin->id));
  }
  for (const auto& [name, service] : services_) {
    out.push_back(fmt::format("bus service {}: {}", name, service->plugin->id));
  }
  return out;
}

std::size_t Bus::open_calls() const {
  const std::lock_guard lock(mutex_);
  return calls_.size();
}

void BusWatch::watch(base::MonoNs deadline) {
  if (!driver_) return;
  {
    const std::lock_guard lock(mutex_);
    if (armed_for_ <= deadline) return;
    armed_for_ = deadline;
  }
  driver_->arm(shared_from_this(), deadline);
}

base::MonoNs BusWatch::ring(base::MonoNs now) {
  std::vector<BusCall> overdue;
  base::MonoNs next = base::kNever;
  {
    // A call that opens meanwhile finds us armed for what it wants, or arms us again.
    const std::lock_guard lock(mutex_);
    next = bus_->expire(now, overdue);
    armed_for_ = next;
  }
  for (const BusCall& call : overdue) queue_bus_answer(call, ATLAS_E_TIMEOUT, {}, "no answer in time");
  return next;
}

bool queue_bus_answer(const BusCall& call, atlas_status status, base::ByteView body, std::string_view error) {
  Plugin& asker = *call.asker;
  if (!asker.pending.waits(call.promise)) return false;
  Item item;
  item.kind = ItemKind::kBusAnswer;
  item.a = call.promise;
  item.status = status;
  const Appended appended = asker.strand.append(item, body, base::as_bytes(error), Admission::kCompletion);
  if (appended != Appended::kFull) return appended == Appended::kQueued;
  // No room for the body: the promise is kept, the plugin learns why it gets nothing.
  item.status = ATLAS_E_FULL;
  asker.strand.append(item, {}, {}, Admission::kCompletion);
  return true;
}

}  // namespace atlas::host
