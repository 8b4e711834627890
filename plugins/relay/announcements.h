// Who is reachable through this relay: one announcement for each node, as long as its session lasts.
// Strand only; plain values.
#pragma once

#include <algorithm>
#include <atlas/plugin.hpp>
#include <map>
#include <string>
#include <string_view>

#include "caps.h"

namespace relay {

// How often a target may be sent a notice: a few at once, then so many a minute, and of those of one minute one source
// has a part only, so that nobody keeps a target from being reached by others.
class NoticeBudget {
 public:
  enum class Taken { kYes, kNoneLeft, kShareIsUsed };
  NoticeBudget(std::int64_t per_minute, atlas::Millis now)
      : per_minute_(per_minute), share_(std::max(per_minute / kNoticeShare, kLeastShare)), last_(now), minute_(now) {}

  // Nothing is taken but with kYes.
  Taken take(std::string_view source, atlas::Millis now) {
    const std::int64_t passed = std::clamp<std::int64_t>((now - last_).count(), 0, kMinute);
    last_ = now;
    level_ = std::min(level_ + passed * per_minute_, kNoticeBurst * kMinute);
    if (now < minute_ || now - minute_ >= atlas::Millis(kMinute)) {
      minute_ = now;
      by_source_.clear();
    }
    if (level_ < kMinute) return Taken::kNoneLeft;
    const auto found = by_source_.find(source);
    if (found != by_source_.end() && found->second >= share_) return Taken::kShareIsUsed;
    level_ -= kMinute;
    if (found != by_source_.end()) {
      ++found->second;
    } else if (by_source_.size() < kRememberedSources) {
      by_source_.emplace(source, 1);
    }
    return Taken::kYes;
  }
  std::size_t remembered() const { return by_source_.size(); }

 private:
  static constexpr std::int64_t kMinute = 60'000;  // a notice, in parts of which per_minute_ come each millisecond
  std::int64_t per_minute_, share_, level_ = kNoticeBurst * kMinute;
  atlas::Millis last_, minute_;
  std::map<std::string, std::int64_t, std::less<>> by_source_;  // of the minute that began at minute_
};

class Announcements {
 public:
  struct Entry {
    atlas::Peer peer;
    NoticeBudget notices;
  };
  Announcements(std::size_t most, std::int64_t notices_per_minute) : most_(most), per_minute_(notices_per_minute) {}

  // A node that is there already moves to its new session. False when there is no room.
  bool put(std::string_view node_id, atlas::Peer peer, atlas::Millis now) {
    const auto found = by_id_.find(node_id);
    if (found == by_id_.end()) {
      if (by_id_.size() >= most_) return false;
      by_peer_[peer] = by_id_.emplace(node_id, Entry{peer, {per_minute_, now}}).first->first;
      return true;
    }
    by_peer_.erase(found->second.peer);
    found->second.peer = peer;
    by_peer_[peer] = found->first;
    return true;
  }
  // The session has ended.
  void drop(atlas::Peer peer) {
    const auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;
    by_id_.erase(found->second);
    by_peer_.erase(found);
  }
  Entry* find(std::string_view node_id) {
    const auto found = by_id_.find(node_id);
    return found == by_id_.end() ? nullptr : &found->second;
  }
  std::size_t size() const { return by_id_.size(); }

 private:
  std::size_t most_;
  std::int64_t per_minute_;
  std::map<std::string, Entry, std::less<>> by_id_;  // ordered: nobody can choose ids that make it slow
  std::map<atlas::Peer, std::string> by_peer_;
};

}  // namespace relay
