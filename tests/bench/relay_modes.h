// What a relay costs and keeps to, measured with raw datagrams of 1 200 bytes, so that nothing but its datapath is:
// each mode starts relays of its own and returns its figures as JSON.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/server_process.h"
#include "bench/traffic.h"

namespace atlas::bench {

struct RelayOptions {
  std::filesystem::path atlas;
  std::size_t pairs = 0;                  // of agents; 0: what the mode is made for
  double rate = 0;                        // bytes a second of each pair; 0: as fast as it goes
  double seconds = 0;                     // of sending; 0: what the mode is made for
  std::uint64_t limit = 0;                // transport.relay_bandwidth_limit, bytes a second; 0: none
  std::size_t burst = 0;                  // datagrams that an agent sends together; 0: by its rate
  std::size_t window = 0;                 // bytes under way, of all pairs without a rate; 0: what the mode is made for
  std::size_t in_flight = 64;             // handshakes or requests at once
  bool pin = false;                       // the relay on one processor, this tool on another
  std::string log = "warn";               // of the nodes that the mode starts
  std::vector<std::string> command = {};  // that starts somebody else's relay
};

// R1: CPU of the relay for each Gbit that arrives, the rate, what is lost and where.
nlohmann::json relay(const RelayOptions& options);
// R2: round trips through the relay and without it.
nlohmann::json relay_rtt(const RelayOptions& options);
// R3: what arrives of twice the limit, for the three limits that the configuration names as examples, and for none.
nlohmann::json relay_limit(const RelayOptions& options);
// What 5 % of the pairs that send without end leave to the others, who send their share of what the relay can do.
nlohmann::json relay_fair(const RelayOptions& options);
// Memory of pairs that send nothing, and what one that does costs among them.
nlohmann::json relay_idle(const RelayOptions& options);
// F1: two nodes that can meet only at a relay, which is killed and started again (`seconds` later; 0: at once); until
// they pass traffic again.
nlohmann::json relay_restart(const RelayOptions& options);
// Agents that come, are connected and leave again, `pairs` times: what that leaves behind at the relay.
nlohmann::json relay_cycles(const RelayOptions& options);

}  // namespace atlas::bench
