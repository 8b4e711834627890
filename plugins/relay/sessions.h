// The pairs of agents that this relay forwards between, and who may have how many of them.
// Strand only; plain values.
#pragma once

#include <array>
#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "caps.h"

namespace relay {

// Where a source comes from: its IPv4 /24 or its IPv6 /48.
class Prefix {
 public:
  Prefix() = default;
  explicit Prefix(const atlas::HostAddress& host) {
    bytes_[0] = host.is_v4() ? 4 : 6;
    std::copy_n(host.bytes().begin(), host.is_v4() ? 3 : 6, bytes_.begin() + 1);
  }
  auto operator<=>(const Prefix&) const = default;

 private:
  std::array<std::uint8_t, 7> bytes_{};
};

struct Session {
  std::uint64_t number = 0;  // what the agents are told; chosen at random
  atlas::Route route = 0;
  std::string source, target;  // node ids
  Prefix prefix = {};          // of the source
  atlas::Millis begun{0};
  // Bytes that are in the metric already; shared with the end of the route.
  std::shared_ptr<std::uint64_t> counted = nullptr;
  std::uint64_t datagrams = 0;                   // as many as were counted with them
  atlas::Peer source_peer = 0, target_peer = 0;  // the sessions that the two have with this relay
  atlas::Millis busy{0};                         // when more than keep-alives was last seen to pass
};

class Sessions {
 public:
  struct Caps {
    std::size_t all = kMaxSessions, per_node = kSessionsPerNode, per_prefix = kSessionsPerPrefix;
  };
  enum class Room { kYes, kNone, kNoneForNode, kNoneForPrefix };
  explicit Sessions(Caps caps) : caps_(caps) {}

  // Whether a session from this source to this target finds room, as far as the source goes: one between the same two
  // that is there already makes way.
  Room room_for_source(std::string_view source, std::string_view target, const Prefix& prefix) const {
    const Session* old = find(source, target);
    if (sessions_.size() - (old != nullptr) >= caps_.all) return Room::kNone;
    if (of_node(source) - (old != nullptr) >= caps_.per_node) return Room::kNoneForNode;
    const bool same_prefix = old != nullptr && old->prefix == prefix;
    return of_prefix(prefix) - same_prefix >= caps_.per_prefix ? Room::kNoneForPrefix : Room::kYes;
  }
  bool room_for_target(std::string_view source, std::string_view target) const {
    return of_node(target) - (find(source, target) != nullptr) < caps_.per_node;
  }

  // The session over which nothing but keep-alives has gone for the longest time, at least since `before`: of this
  // node, or with an empty id of all. 0: there is none.
  atlas::Route quietest(std::string_view node_id, atlas::Millis before) const {
    if (node_id.empty()) {
      return by_busy_.empty() || by_busy_.begin()->first > before ? 0 : by_busy_.begin()->second;
    }
    const auto found = by_node_.find(node_id);
    if (found == by_node_.end()) return 0;
    const Session* out = nullptr;
    for (const atlas::Route route : found->second) {
      const Session& it = sessions_.at(route);
      if (it.busy <= before && (out == nullptr || it.busy < out->busy)) out = &it;
    }
    return out == nullptr ? 0 : out->route;
  }
  // So many datagrams have passed in all; those since the last call were more than keep-alives, or were not.
  void passed(atlas::Route route, std::uint64_t datagrams, bool busy, atlas::Millis now) {
    const auto found = sessions_.find(route);
    if (found == sessions_.end()) return;
    Session& it = found->second;
    it.datagrams = datagrams;
    if (!busy) return;
    by_busy_.erase({it.busy, route});
    it.busy = now;
    by_busy_.insert({now, route});
  }
  // Those of one node's session with this relay.
  std::vector<atlas::Route> of(std::string_view node_id, atlas::Peer peer) const {
    std::vector<atlas::Route> out;
    const auto found = by_node_.find(node_id);
    if (found == by_node_.end()) return out;
    for (const atlas::Route route : found->second) {
      const Session& it = sessions_.at(route);
      if (it.source_peer == peer || it.target_peer == peer) out.push_back(route);
    }
    return out;
  }
  const Session* find(atlas::Route route) const {
    const auto found = sessions_.find(route);
    return found == sessions_.end() ? nullptr : &found->second;
  }

  // Gives the route of the session that made way, or 0.
  atlas::Route add(Session session) {
    const Session* old = find(session.source, session.target);
    const atlas::Route replaced = old == nullptr ? 0 : old->route;
    remove(replaced);
    by_node_[session.source].insert(session.route);
    by_node_[session.target].insert(session.route);
    by_busy_.insert({session.busy, session.route});
    ++by_prefix_[session.prefix];
    by_pair_[{session.source, session.target}] = session.route;
    const atlas::Route route = session.route;
    sessions_.emplace(route, std::move(session));
    return replaced;
  }
  void remove(atlas::Route route) {
    const auto found = sessions_.find(route);
    if (found == sessions_.end()) return;
    const Session& it = found->second;
    release(it.source, route);
    release(it.target, route);
    by_busy_.erase({it.busy, route});
    if (const auto prefix = by_prefix_.find(it.prefix); --prefix->second == 0) by_prefix_.erase(prefix);
    by_pair_.erase({it.source, it.target});
    sessions_.erase(found);
  }
  std::size_t size() const { return sessions_.size(); }
  // By their routes.
  const std::map<atlas::Route, Session>& all() const { return sessions_; }
  const Caps& caps() const { return caps_; }
  // Entries of all tables together; 0 when nothing is forwarded.
  std::size_t entries() const {
    return sessions_.size() + by_pair_.size() + by_node_.size() + by_prefix_.size() + by_busy_.size();
  }

 private:
  const Session* find(std::string_view source, std::string_view target) const {
    const auto found = by_pair_.find(std::pair(source, target));
    return found == by_pair_.end() ? nullptr : &sessions_.at(found->second);
  }
  std::size_t of_node(std::string_view node_id) const {
    const auto found = by_node_.find(node_id);
    return found == by_node_.end() ? 0 : found->second.size();
  }
  std::size_t of_prefix(const Prefix& prefix) const {
    const auto found = by_prefix_.find(prefix);
    return found == by_prefix_.end() ? 0 : found->second;
  }
  void release(std::string_view node_id, atlas::Route route) {
    const auto found = by_node_.find(node_id);
    found->second.erase(route);
    if (found->second.empty()) by_node_.erase(found);
  }
  struct ByTexts {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      const std::string_view a1(a.first), b1(b.first);
      return a1 != b1 ? a1 < b1 : std::string_view(a.second) < std::string_view(b.second);
    }
  };

  Caps caps_;
  std::map<atlas::Route, Session> sessions_;
  std::map<std::pair<std::string, std::string>, atlas::Route, ByTexts> by_pair_;
  std::map<std::string, std::set<atlas::Route>, std::less<>> by_node_;  // as source or as target
  std::set<std::pair<atlas::Millis, atlas::Route>> by_busy_;            // the quietest first
  std::map<Prefix, std::size_t> by_prefix_;
};

}  // namespace relay
