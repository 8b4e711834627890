// What the modes of a relay share: a relay with its limits out of the way, the flows through it, and what a stretch of
// sending cost.
#pragma once

#include <vector>

#include "bench/relay_modes.h"
#include "bench/relay_pairs.h"

namespace atlas::bench {

inline constexpr std::size_t kLargeBurst = kMostBytes / kDatagram;  // as many as one system call takes
inline constexpr base::MonoNs kWarmUp = 200 * base::kMillisecond;

base::MonoNs span_of(const RelayOptions& options, double usual);
std::size_t pairs_of(const RelayOptions& options, std::size_t usual);
void set_window(Generator& generator, const RelayOptions& options);

ServerProcess start_relay(const RelayOptions& options, std::uint64_t limit);

// At a rate, what comes due in a millisecond leaves together.
std::size_t burst_of(const RelayOptions& options, double rate);
std::vector<Flow> flows_to_targets(RelayPairs& pairs, double rate, std::size_t burst);

// What the relay itself says it forwarded and dropped, all sessions together.
nlohmann::json relay_says(const ServerProcess& server);

// Delivered / configured over every `stretch` of tenths of a second, one in the middle of the other; `tenths` are
// bytes.
nlohmann::json against_limit(const std::vector<double>& tenths, std::size_t stretch, double configured);

// A stretch of sending and what it cost the server.
struct Cost {
  Traffic traffic;
  double server_cpu_s = 0, own_cpu_s = 0, other_cores = 0;
  std::uint64_t server_socket_drops = 0;
};
Cost measure(const ServerProcess& server, const base::Clock& clock, Generator& generator,
             const std::vector<Flow>& flows, base::MonoNs span);
Cost measure(const ServerProcess& server, RelayPairs& pairs, const std::vector<Flow>& flows, base::MonoNs span);
// The same figures for every relay: srv_cpu_s_per_gbit, server_busy, delivered_gbit_per_s, loss ...
void report(nlohmann::json& out, const Cost& cost);

}  // namespace atlas::bench
