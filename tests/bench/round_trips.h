// One message there and back, one at a time. Both ends are this thread's, which looks again and again until the message
// is there: nobody here sleeps, so what a way through a server takes longer than a direct one is that server's own
// waking up and forwarding.
//
// Spins; blocks the caller. The sockets do not wait, and are the caller's.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/data_socket.h"
#include "bench/server_process.h"

namespace atlas::bench {

struct End {
  int fd = -1;               // connected: a datagram socket or a stream
  base::Bytes message;       // what it sends; the last eight bytes are the number of the round
  std::size_t expected = 0;  // bytes of what it receives; other datagrams are passed over
};

struct RoundTrips {
  std::vector<base::MonoNs> samples;
  std::uint64_t lost = 0;
};

// Adds to `out` for this long.
void round_trips(const base::Clock& clock, const End& near, const End& far, base::MonoNs span, RoundTrips& out);

// Two sockets of this process that are connected to each other, and their ends.
struct DirectWay {
  DirectWay(const net::SocketAddress& loopback, std::size_t size);
  DataSocket a, b;
  End near, far;
};

// Round trips by three ways in turns: through the relay, directly, and through a process that does nothing but forward
// (bare_forwarder.h). The relay and that process have one processor and this process another; `between` runs in
// between. relayed_us, direct_us, bare_us; added_us and bare_added_us, the differences of the percentiles to the direct
// way; lost, apart.
nlohmann::json compare_ways(const base::Clock& clock, const ServerProcess& server, const End& near, const End& far,
                            const End& direct_near, const End& direct_far, base::MonoNs span,
                            const std::function<void()>& between = {});

}  // namespace atlas::bench
