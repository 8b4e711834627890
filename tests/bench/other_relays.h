// R1 to R3 and F1 of other people's relays, driven in the same way and by the same code as ours where their protocol
// allows: what to hold our figures against, in the same hour on the same machine.
#pragma once

#include <nlohmann/json.hpp>

#include "bench/relay_modes.h"

namespace atlas::bench {

// A TURN server without authentication: datagrams of 1 200 bytes from a client's channel to a peer.
nlohmann::json turn(const ServerProcess& server, const RelayOptions& options);
// Syncthing's relay server: streams, the only thing that it forwards.
nlohmann::json stream_relay(const ServerProcess& server, const RelayOptions& options);
// R3 of one that was told to hold each session to `options.limit` bytes a second.
nlohmann::json stream_limit(const ServerProcess& server, const RelayOptions& options);

// F1 of servers that `options.command` starts at that address. `seconds` from the kill until a pair passes traffic
// again, null where that took longer than `patience_s` (`options.seconds`). A TURN client is told nothing and goes on
// with what it has, as one does until its next refresh (RFC 8656, section 8); the clients of the stream relay see their
// streams end and join again at once, which is the best that any client can do.
nlohmann::json turn_restart(const net::SocketAddress& server, const RelayOptions& options);
nlohmann::json stream_restart(const net::SocketAddress& server, const RelayOptions& options);

}  // namespace atlas::bench
