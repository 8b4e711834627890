#include "host/open_paths.h"

#include <utility>

namespace atlas::host {

bool WantedPaths::add(std::uint64_t reach, std::string node_id, base::MonoNs now) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  if (open_.size() >= most_) {
    std::erase_if(open_, [&](const auto& entry) { return entry.second.deadline <= now; });
    if (open_.size() >= most_) return false;
  }
  open_.insert_or_assign(reach, Open{std::move(node_id), base::after(now, kWantedPathLife)});
  return true;
}

bool WantedPaths::is_open(std::uint64_t reach, base::MonoNs now) const {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(reach);
  return found != open_.end() && found->second.deadline > now;
}

void WantedPaths::drop(std::uint64_t reach) {
  const std::lock_guard lock(mutex_);
  open_.erase(reach);
}

std::size_t WantedPaths::size() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::vector<std::uint64_t> WantedPaths::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  std::vector<std::uint64_t> out;
  for (const auto& [reach, open] : open_) out.push_back(reach);
  open_.clear();
  return out;
}

}  // namespace atlas::host
