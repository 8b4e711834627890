// One message there and back, one at a time: the one end here, the other on a thread of its own that only answers.
// Blocks the caller. The sockets wait (DataSocket::set_blocking or the like), and are the caller's.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "bench/data_socket.h"

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

// Round trips by both ways in turns; `between` runs in between. relayed_us, direct_us, added_us (the difference of the
// percentiles), lost.
nlohmann::json compare_ways(const base::Clock& clock, const End& near, const End& far, const End& direct_near,
                            const End& direct_far, base::MonoNs span, const std::function<void()>& between = {});

}  // namespace atlas::bench
