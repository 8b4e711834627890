// What roles are told of how this node is reached (atlas/ext/listener.h), put together from its sockets, the protocols
// that are served, and what others said about its address.
//
// Loop thread only.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "host/network.h"
#include "net/address.h"
#include "node/public_address.h"

namespace atlas::node {

// `behind` is behind_nat() of public_address.h. `published` may be empty.
host::Listener listener_view(std::span<const net::SocketAddress> bound, std::span<const std::string> protocols,
                             std::string published, net::Mapping mapping, std::optional<bool> behind);

}  // namespace atlas::node
