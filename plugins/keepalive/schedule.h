// Who is to be pinged next, for any number of peers: one ordered set instead of a timer for each.
// Strand only; a plain value.
#pragma once

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "atlas/plugin.hpp"

namespace keepalive {

class Schedule {
 public:
  struct Watch {
    atlas::Millis due{0};
    std::uint32_t unanswered = 0;  // pings since the last sign of life
  };

  // Adds a peer, or moves its next ping.
  void set(atlas::Peer peer, atlas::Millis due) {
    Watch& watch = watches_[peer];
    order_.erase({watch.due, peer});
    watch.due = due;
    order_.insert({due, peer});
  }
  void remove(atlas::Peer peer) {
    const auto found = watches_.find(peer);
    if (found == watches_.end()) return;
    order_.erase({found->second.due, peer});
    watches_.erase(found);
  }
  // Null for a peer that is not watched (any more).
  Watch* find(atlas::Peer peer) {
    const auto found = watches_.find(peer);
    return found == watches_.end() ? nullptr : &found->second;
  }
  std::size_t size() const { return watches_.size(); }
  // When the first ping is due, and for whom.
  std::optional<std::pair<atlas::Millis, atlas::Peer>> first() const {
    if (order_.empty()) return std::nullopt;
    return *order_.begin();
  }

 private:
  std::unordered_map<atlas::Peer, Watch> watches_;  // handles are the host's own numbers, no peer can choose them
  std::set<std::pair<atlas::Millis, atlas::Peer>> order_;
};

}  // namespace keepalive
