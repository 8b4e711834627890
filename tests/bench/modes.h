// What atlas-bench can do: each mode runs one kind of work against a server and returns its figures as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "bench/server_process.h"
#include "bench/swarm.h"

namespace atlas::bench {

struct Options {
  std::size_t count = 1000;      // connections or records
  double seconds = 3;            // of steady work
  std::size_t in_flight = 64;    // handshakes or requests at once
  std::size_t connections = 64;  // of the many-connections rows
  bool seen_first = false;       // register: every peer comes by once before memory is looked at
};

// C2 and C3: N authenticated idle connections; memory for each, then one keep-alive exchange on each.
nlohmann::json idle(ServerProcess& server, const Options& options);
// C1: connect, handshake, close, as fast as in_flight allows.
nlohmann::json handshakes(ServerProcess& server, const Options& options);
// D1, D3, D4: N peers connect, register and leave; then registers on held connections.
nlohmann::json register_peers(ServerProcess& server, const Options& options);
// D2: discovers by node id and by skill on held connections, against `count` records.
nlohmann::json discover(ServerProcess& server, const Options& options);
// Ping round trips on one connection, one at a time, and on many.
nlohmann::json echo(ServerProcess& server, const Options& options);
// F2 and F3: N registered peers, the server is killed and started again; until all are back.
nlohmann::json restart(ServerProcess& server, const Options& options);

}  // namespace atlas::bench
