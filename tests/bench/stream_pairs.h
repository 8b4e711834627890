// Pairs of TCP streams that Syncthing's relay server proxies between: two devices meet over its protocol (each with a
// TLS certificate that is its identity), and join the session that the server invites them to.
//
// One thread. Throws std::runtime_error when the server says no or nothing.
#pragma once

#include <memory>
#include <vector>

#include "base/bytes.h"
#include "net/address.h"
#include "net/udp_open.h"

namespace atlas::bench {

// Connected, without delay of small writes.
net::Descriptor connect_stream(const net::SocketAddress& to);
// Two streams of this process that are connected to each other.
std::pair<net::Descriptor, net::Descriptor> direct_streams(const net::IpAddress& loopback);
// From now on recv(2) waits, but no longer than this; or neither it nor send(2) wait.
void set_waiting(int fd, int receive_ms);
void set_not_waiting(int fd);

class StreamPairs {
 public:
  struct Pair {
    net::Descriptor source, target;
  };
  StreamPairs(const net::SocketAddress& server, std::size_t pairs);
  ~StreamPairs();
  const std::vector<Pair>& pairs() const { return pairs_; }

 private:
  class Device;
  static Pair meet(const net::SocketAddress& server, Device& target);

  std::vector<std::unique_ptr<Device>> targets_;  // their sessions end with them
  std::vector<Pair> pairs_;
};

}  // namespace atlas::bench
