// Pairs of sockets that a TURN server relays between (RFC 8656): the one end has an allocation and a channel there, the
// other is a plain socket that the server sees as the peer. Just as much of TURN as a server without authentication
// asks for.
//
// One thread. Throws std::runtime_error when the server says no or nothing.
#pragma once

#include <memory>
#include <vector>

#include "bench/data_socket.h"
#include "bench/round_trips.h"
#include "bench/traffic.h"

namespace atlas::bench {

class TurnPairs {
 public:
  TurnPairs(const net::SocketAddress& server, std::size_t pairs);

  std::size_t size() const { return pairs_.size(); }
  // Channel data of the client that the peer gets as datagrams of `size` bytes.
  Flow flow(std::size_t pair, std::size_t size);
  End client(std::size_t pair, std::size_t size);
  End peer(std::size_t pair, std::size_t size);

 private:
  struct Pair {
    std::unique_ptr<DataSocket> client, peer;
  };
  std::vector<Pair> pairs_;
};

}  // namespace atlas::bench
