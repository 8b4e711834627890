// atlas/cpp/peers.hpp - sessions with other nodes and the peer database, as C++ values.
#pragma once

#include <algorithm>
#include <optional>

#include "../ext/peers.h"
#include "base.hpp"

namespace atlas {

using Peer = atlas_peer;  // one live session; 0 is none

enum class Trust : std::uint32_t {
  kUnknown = ATLAS_TRUST_UNKNOWN,
  kVerified = ATLAS_TRUST_VERIFIED,
  kBootstrap = ATLAS_TRUST_BOOTSTRAP,
  kRelay = ATLAS_TRUST_RELAY
};
inline std::string_view to_text(Trust trust) {
  switch (trust) {
    case Trust::kVerified:
      return "verified";
    case Trust::kBootstrap:
      return "bootstrap";
    case Trust::kRelay:
      return "relay";
    case Trust::kUnknown:
      break;
  }
  return "unknown";
}
inline Trust trust_from(std::string_view text) {
  return text == "verified"    ? Trust::kVerified
         : text == "bootstrap" ? Trust::kBootstrap
         : text == "relay"     ? Trust::kRelay
                               : Trust::kUnknown;
}

// A peer as the host shows it: borrowed, valid inside the callback that was given it.
class PeerView {
 public:
  explicit PeerView(const atlas_peer_info& info) : info_(info) {}
  Peer peer() const { return info_.peer; }
  std::string_view node_id() const { return view(info_.node_id); }
  std::string_view address() const { return view(info_.address); }
  std::string_view public_address() const { return view(info_.public_address); }
  std::string_view name() const { return view(info_.name); }
  std::span<const atlas_text> skills() const { return {info_.skills, info_.skill_count}; }
  std::string_view operator_username() const { return view(info_.operator_username); }
  std::span<const atlas_text> relays() const { return {info_.relays, info_.relay_count}; }
  Trust trust() const { return static_cast<Trust>(info_.trust); }
  bool dialled() const { return info_.dialled != 0; }
  std::int64_t last_seen() const { return info_.last_seen; }        // Unix seconds
  std::int64_t connected_at() const { return info_.connected_at; }  // Unix seconds
  std::uint64_t rtt_us() const { return info_.rtt_us; }

 private:
  const atlas_peer_info& info_;
};

// The same, to keep, and to hand to upsert().
struct PeerInfo {
  Peer peer = 0;
  std::string node_id, address, public_address, name;
  std::vector<std::string> skills;
  std::string operator_username;
  std::vector<std::string> relays;
  Trust trust = Trust::kUnknown;
  bool dialled = false;
  std::int64_t last_seen = 0;     // Unix seconds
  std::int64_t connected_at = 0;  // Unix seconds
  std::uint64_t rtt_us = 0;

  PeerInfo() = default;
  explicit PeerInfo(const PeerView& from)
      : peer(from.peer()),
        node_id(from.node_id()),
        address(from.address()),
        public_address(from.public_address()),
        name(from.name()),
        operator_username(from.operator_username()),
        trust(from.trust()),
        dialled(from.dialled()),
        last_seen(from.last_seen()),
        connected_at(from.connected_at()),
        rtt_us(from.rtt_us()) {
    for (const atlas_text skill : from.skills()) skills.emplace_back(view(skill));
    for (const atlas_text relay : from.relays()) relays.emplace_back(view(relay));
  }
};

struct PeerEvent {
  std::uint32_t what;  // ATLAS_PEER_*; ignore others
  Peer peer;
  std::string_view node_id;
  std::uint32_t reason;  // DOWN: the Disconnect reason
  bool dialled;
};

// What connect() came to; borrowed.
struct Connected {
  Status status;
  Peer peer;
  std::string_view node_id;
  std::string_view error;  // for people
  bool existing;           // a session was there already

  // For people: why status is not ok, without the target that error may begin with.
  std::string why(std::string_view target) const {
    std::string_view out = error.empty() ? status.text() : error;
    if (out.starts_with(target) && out.substr(target.size()).starts_with(": ")) out.remove_prefix(target.size() + 2);
    return std::string(out);
  }
};

namespace detail {

// A function object as the `arg` of a listing callback: it is called before the host call returns.
template <class F>
void each_peer(void* arg, const atlas_peer_info* info) noexcept {
  try {
    (*static_cast<F*>(arg))(PeerView(*info));
  } catch (...) {  // out of memory, at most: the caller sees nothing rather than half
  }
}
template <class F>
atlas_status each_listed_peer(void* arg, const atlas_peer_info* info) noexcept {
  try {
    return (*static_cast<F*>(arg))(PeerView(*info)) ? ATLAS_OK : ATLAS_E_STATE;
  } catch (...) {
    return ATLAS_E_INTERNAL;
  }
}

}  // namespace detail

class Peers {
 public:
  Peers(const atlas_host* host, const atlas_ext_peers* table) : host_(host), table_(table) {}

  // This node. use(const PeerView&) runs before the call returns.
  template <class F>
  Status self(F&& use) const {
    return {
        ATLAS_CALL(table_, atlas_ext_peers, self, host_, as_arg(use), &detail::each_peer<std::remove_reference_t<F>>)};
  }
  PeerInfo self() const {
    PeerInfo out;
    static_cast<void>(self([&](const PeerView& it) { out = PeerInfo(it); }));
    return out;
  }
  // One live session. GONE when it has ended.
  template <class F>
  Status info(Peer peer, F&& use) const {
    return {ATLAS_CALL(table_, atlas_ext_peers, info, host_, peer, as_arg(use),
                       &detail::each_peer<std::remove_reference_t<F>>)};
  }
  std::optional<PeerInfo> info(Peer peer) const {
    std::optional<PeerInfo> out;
    static_cast<void>(info(peer, [&](const PeerView& it) { out.emplace(it); }));
    return out;
  }
  // The live session with a node id, or 0.
  Peer find(std::string_view node_id) const {
    Peer out = 0;
    return ATLAS_CALL(table_, atlas_ext_peers, find, host_, c_text(node_id), &out) < 0 ? 0 : out;
  }
  // which: ATLAS_PEERS_LIVE or ATLAS_PEERS_KNOWN. use(const PeerView&) returns false to end the listing.
  template <class F>
  Status list(std::uint32_t which, F&& use) const {
    return {ATLAS_CALL(table_, atlas_ext_peers, list, host_, which, as_arg(use),
                       &detail::each_listed_peer<std::remove_reference_t<F>>)};
  }
  std::vector<PeerInfo> list(std::uint32_t which) const {
    std::vector<PeerInfo> out;
    static_cast<void>(list(which, [&](const PeerView& it) { return out.emplace_back(it), true; }));
    return out;
  }
  Status disconnect(Peer peer, std::uint32_t reason, std::string_view note) const {
    return {ATLAS_CALL(table_, atlas_ext_peers, disconnect, host_, peer, reason, c_text(note))};
  }
  // A record that somebody told us of.
  Status upsert(const PeerInfo& record) const;

 private:
  const atlas_host* host_;
  const atlas_ext_peers* table_;
};

inline Status Peers::upsert(const PeerInfo& record) const {
  std::vector<atlas_text> skills, relays;
  for (const auto& skill : record.skills) skills.push_back(c_text(skill));
  for (const auto& relay : record.relays) relays.push_back(c_text(relay));
  atlas_peer_info info{};
  info.struct_size = sizeof info;
  info.node_id = c_text(record.node_id);
  info.address = c_text(record.address);
  info.public_address = c_text(record.public_address);
  info.name = c_text(record.name);
  info.skills = skills.data();
  info.skill_count = skills.size();
  info.operator_username = c_text(record.operator_username);
  info.relays = relays.data();
  info.relay_count = relays.size();
  info.trust = static_cast<std::uint32_t>(record.trust);
  info.last_seen = record.last_seen;
  return {ATLAS_CALL(table_, atlas_ext_peers, upsert, host_, &info)};
}

}  // namespace atlas
