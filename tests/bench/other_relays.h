// R1 and R2 of other people's relays, driven in the same way and by the same code as ours where their protocol allows:
// what to hold our figures against, in the same hour on the same machine.
#pragma once

#include <nlohmann/json.hpp>

#include "bench/relay_modes.h"

namespace atlas::bench {

// A TURN server without authentication: datagrams of 1 200 bytes from a client's channel to a peer.
nlohmann::json turn(const ServerProcess& server, const RelayOptions& options);
// Syncthing's relay server: streams, the only thing that it forwards.
nlohmann::json stream_relay(const ServerProcess& server, const RelayOptions& options);

}  // namespace atlas::bench
