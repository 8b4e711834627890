// The pairs of agents that this relay forwards between, and who may have how many of them.
// Strand only; plain values.
#pragma once

#include <array>
#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  std::shared_ptr<std::uint64_t> counted =
      nullptr;  // bytes that are in the metric already; shared with the end of the route
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
    if (count(by_node_, source) - (old != nullptr) >= caps_.per_node) return Room::kNoneForNode;
    const bool same_prefix = old != nullptr && old->prefix == prefix;
    return count(by_prefix_, prefix) - same_prefix >= caps_.per_prefix ? Room::kNoneForPrefix : Room::kYes;
  }
  bool room_for_target(std::string_view source, std::string_view target) const {
    return count(by_node_, target) - (find(source, target) != nullptr) < caps_.per_node;
  }

  // Gives the route of the session that made way, or 0.
  atlas::Route add(Session session) {
    const Session* old = find(session.source, session.target);
    const atlas::Route replaced = old == nullptr ? 0 : old->route;
    remove(replaced);
    ++by_node_[session.source];
    ++by_node_[session.target];
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
    release(by_node_, it.source);
    release(by_node_, it.target);
    release(by_prefix_, it.prefix);
    by_pair_.erase({it.source, it.target});
    sessions_.erase(found);
  }
  std::size_t size() const { return sessions_.size(); }
  // By their routes.
  const std::map<atlas::Route, Session>& all() const { return sessions_; }
  const Caps& caps() const { return caps_; }
  // Entries of all tables together; 0 when nothing is forwarded.
  std::size_t entries() const { return sessions_.size() + by_pair_.size() + by_node_.size() + by_prefix_.size(); }

 private:
  const Session* find(std::string_view source, std::string_view target) const {
    const auto found = by_pair_.find(std::pair(source, target));
    return found == by_pair_.end() ? nullptr : &sessions_.at(found->second);
  }
  template <class Map, class Key>
  static std::size_t count(const Map& map, const Key& key) {
    const auto found = map.find(key);
    return found == map.end() ? 0 : found->second;
  }
  template <class Map, class Key>
  static void release(Map& map, const Key& key) {
    const auto found = map.find(key);
    if (--found->second == 0) map.erase(found);
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
  std::map<std::string, std::size_t, std::less<>> by_node_;  // as source or as target
  std::map<Prefix, std::size_t> by_prefix_;
};

}  // namespace relay
