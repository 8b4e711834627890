// The half that uses relays: is announced at each configured one, takes their notices, and finds the path for a dial
// that falls back on a relay.
// Strand only; owns the presences and what dials wait for.
#pragma once

#include <atlas/json.hpp>
#include <atlas/plugin.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "messages.h"
#include "presence.h"

namespace relay {

class Client {
 public:
  // With `enabled` false it announces nothing and expects nothing.
  Client(atlas::Setup& setup, bool enabled, std::vector<std::string> relays);

  void start();
  void drain();
  void session_is_down(atlas::Peer peer);
  void path_has_changed(const atlas::PeerEvent& event);
  // RelayReady that a relay sends by itself: somebody is about to dial this node through it, or it has stopped
  // forwarding between this node and another.
  void on_notice(const atlas::Incoming& notice);
  // Finds a path, and tells the core in time for the candidate of its dial.
  void find_path(const atlas::PathRequest& request);

  void show(atlas::json::Object& out, const std::function<void(std::string)>& line) const;

 private:
  // One dial that waits for a path.
  struct Search {
    atlas::Reach reach;
    std::string target, relay;
    atlas::Millis deadline;
    atlas::Peer peer = 0;
    std::size_t asked = 0;
    atlas::Timer again = {};
  };
  // Through which pair an agent was last offered a way.
  struct KnownPair {
    atlas::Peer via = 0;
    std::uint64_t session = 0;
    bool over = false;  // the relay forwards nothing any more
  };
  using SearchPtr = std::shared_ptr<Search>;
  bool is_this_node(const std::string& relay) const;
  void connected(const SearchPtr& search, const atlas::Connected& result);
  void ask(const SearchPtr& search);
  bool ask_again(const SearchPtr& search);
  void remember(atlas::Peer via, const Forwarding& forwarding);
  void pair_is_over(atlas::Peer via, const Over& over);
  void ask_for_life(atlas::Peer peer);
  void answered(const SearchPtr& search, const atlas::Answer& answer);
  void found(const SearchPtr& search, const Forwarding& forwarding);
  void not_found(SearchPtr search, atlas::Status why, std::string_view reason);
  atlas::RoutePath path_of(atlas::Peer via, const Forwarding& forwarding) const;
  void count_announced();

  atlas::Host& host_;
  const bool enabled_;
  const std::vector<std::string> relays_;
  std::vector<std::unique_ptr<Presence>> presences_;
  std::set<SearchPtr> searches_;
  std::map<std::string, KnownPair, std::less<>> pairs_;  // by node id
  bool draining_ = false;
  atlas::Gauge announced_at_;
  atlas::Counter presence_lost_, pairs_lost_, notices_, notices_refused_, notices_from_strangers_, paths_found_,
      paths_not_found_;
};

}  // namespace relay
