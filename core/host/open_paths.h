// Paths through a forwarder that are on their way: dials that wait for the plugin which finds one, and connections of
// others that a plugin announced (atlas/ext/routes.h). Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"

namespace atlas::host {

// Addresses of the other agent that are kept of one path; the rest is left out.
inline constexpr std::size_t kMaxObserved = base::limits::plugins_observed_addresses;

// Of the node; what comes on top is not asked for.
inline constexpr std::size_t kMaxWantedPaths = base::limits::plugins_wanted_paths;
// The time that a dial gives each candidate: an answer after it finds nobody.
inline constexpr base::MonoNs kWantedPathLife = 5 * base::kSecond;

class WantedPaths {
 public:
  explicit WantedPaths(std::size_t most = kMaxWantedPaths) : most_(most) {}

  // False at the cap and after close().
  bool add(std::uint64_t reach, std::string node_id, base::MonoNs now);
  bool is_open(std::uint64_t reach, base::MonoNs now) const;
  // The dial is over.
  void drop(std::uint64_t reach);

  enum class Answered : std::uint8_t { kYes, kGone, kOtherNode, kRefused };
  // Hands the answer on through `send`, a bool() that runs under our lock. Unless kYes the dial still waits.
  // `node_id`: whom the path leads to; empty where there is none.
  template <class Send>
  Answered answer(std::uint64_t reach, std::string_view node_id, base::MonoNs now, Send&& send) {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(reach);
    if (found == open_.end() || found->second.deadline <= now) return Answered::kGone;
    if (!node_id.empty() && node_id != found->second.node_id) return Answered::kOtherNode;
    if (!send()) return Answered::kRefused;
    open_.erase(found);
    return Answered::kYes;
  }
  // What still waits; nothing can be added afterwards.
  std::vector<std::uint64_t> close();
  std::size_t size() const;

 private:
  struct Open {
    std::string node_id;
    base::MonoNs deadline;
  };
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Open> open_;  // what is overdue goes when its place is needed
  bool closed_ = false;
};

inline constexpr std::size_t kMaxExpectedPaths =
    base::limits::plugins_expected_paths;  // per plugin, in kExpectedPathLife; ATLAS_E_FULL
inline constexpr base::MonoNs kExpectedPathLife = 10 * base::kSecond;

// Counts every announcement for as long as it may be in force.
class ExpectedPaths {
 public:
  explicit ExpectedPaths(std::size_t most = kMaxExpectedPaths) : most_(most) {}

  // Announces one through `send`, a bool() that runs under our lock. False: there are too many, or it said false.
  template <class Send>
  bool announce(base::MonoNs now, Send&& send) {
    const std::lock_guard lock(mutex_);
    while (!ends_.empty() && ends_.front() <= now) ends_.pop_front();
    if (ends_.size() >= most_ || !send()) return false;
    ends_.push_back(base::after(now, kExpectedPathLife));
    return true;
  }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::deque<base::MonoNs> ends_;
};

}  // namespace atlas::host
