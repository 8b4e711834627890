#include "host/pending.h"

namespace atlas::host {

std::uint64_t Pending::add(const Promise& promise) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t handle = closed_ ? 0 : slots_.emplace(promise);
  if (handle != 0 && promise.kind == Promise::Kind::kConnected) ++dials_;
  return handle;
}

std::optional<Promise> Pending::take(std::uint64_t handle) {
  const std::lock_guard lock(mutex_);
  const Promise* found = slots_.find(handle);
  if (found == nullptr) return std::nullopt;
  const Promise out = *found;
  slots_.erase(handle);
  if (out.kind == Promise::Kind::kConnected) --dials_;
  return out;
}

bool Pending::waits(std::uint64_t handle) const {
  const std::lock_guard lock(mutex_);
  return slots_.find(handle) != nullptr;
}

std::vector<Promise> Pending::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<Promise> out;
  std::vector<std::uint64_t> handles;
  slots_.each([&](std::uint64_t handle, const Promise& promise) {
    handles.push_back(handle);
    out.push_back(promise);
  });
  for (const std::uint64_t handle : handles) slots_.erase(handle);
  dials_ = 0;
  return out;
}

std::size_t Pending::size() const {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

std::size_t Pending::unfinished() const {
  const std::lock_guard lock(mutex_);
  return slots_.size() - dials_;
}

}  // namespace atlas::host
