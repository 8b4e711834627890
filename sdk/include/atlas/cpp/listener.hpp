// atlas/cpp/listener.hpp - where this node listens and how it is seen; Setup::watch_listener() tells of changes.
//
// Any thread; plain values.
#pragma once

#include "../ext/listener.h"
#include "host.hpp"

namespace atlas {

struct Listener {
  bool listening = false;
  std::vector<std::string> bound;      // "ip:port" of each socket
  std::vector<std::string> protocols;  // ALPNs
  std::string public_address;          // may be empty
  std::uint32_t nat = ATLAS_NAT_UNKNOWN;
};

// Nothing before start() and where there is no node.
inline std::optional<Listener> Host::listener() const {
  const auto* t = table<atlas_ext_listener>(ATLAS_EXT_LISTENER);
  Listener out;
  const auto each = [](void* arg, const atlas_listener_info* info) {
    Listener& to = *static_cast<Listener*>(arg);
    const auto take = [](std::vector<std::string>& list, const atlas_text* texts, std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) list.emplace_back(view(texts[i]));
    };
    to.listening = info->listening != 0;
    take(to.bound, info->bound, info->bound_count);
    take(to.protocols, info->protocols, info->protocol_count);
    to.public_address = view(info->public_address);
    to.nat = info->nat;
  };
  if (ATLAS_CALL(t, atlas_ext_listener, info, c_, &out, each) < 0) return std::nullopt;
  return out;
}

}  // namespace atlas
