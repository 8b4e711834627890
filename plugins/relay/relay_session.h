// What the client half asks about a session with a relay, and how it words what the relay refuses.
// Strand only; pure functions.
#pragma once

#include <atlas/address.hpp>
#include <atlas/plugin.hpp>
#include <string>

#include "caps.h"
#include "messages.h"

namespace relay {

// True for a session that runs through a relay: it shows the relay's address, and another agent is at its end.
inline bool is_relayed(const atlas::Host& host, atlas::Peer peer) {
  bool out = false;
  static_cast<void>(
      host.peers().info(peer, [&](const atlas::PeerView& info) { out = info.trust() == atlas::Trust::kRelay; }));
  return out;
}

// Where the relay is; 0.0.0.0 when the session has ended.
inline atlas::HostAddress host_of(const atlas::Host& host, atlas::Peer peer) {
  atlas::HostAddress out;
  static_cast<void>(host.peers().info(peer, [&](const atlas::PeerView& info) {
    if (const auto address = atlas::Address::parse(info.address())) out = address->host;
  }));
  return out;
}

inline std::string cut(std::string text) {
  if (text.size() > kMaxProblem) text.resize(kMaxProblem);
  return text;
}

// In our words: the relay's may be anything.
inline std::string why_refused(const Error& error) {
  switch (static_cast<Code>(error.code)) {
    case Code::kNotAnnounced:
      return "the target is not announced there";
    case Code::kBusy:
      return "the target is busy there";
    case Code::kFull:
      return "the relay is full";
    case Code::kDenied:
      return "the relay denies it";
    case Code::kNotOffered:
      return "it is not offered there";
  }
  return atlas::concat("the relay refuses with code ", error.code);
}

inline atlas::Status status_of(const Error& error) {
  switch (static_cast<Code>(error.code)) {
    case Code::kNotAnnounced:
      return {ATLAS_E_UNREACHABLE};
    case Code::kBusy:
    case Code::kFull:
      return {ATLAS_E_FULL};
    case Code::kDenied:
    case Code::kNotOffered:
      break;
  }
  return {ATLAS_E_DENIED};
}

}  // namespace relay
