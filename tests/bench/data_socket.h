// A connected UDP socket for raw datagrams: many of one size in one system call, both ways (UDP GSO and GRO).
// One thread. Throws std::runtime_error where the kernel refuses.
#pragma once

#include <cstdint>
#include <functional>

#include "net/udp_open.h"
#include "net/udp_receive.h"

namespace atlas::bench {

// What the kernel cuts into datagrams at most.
inline constexpr std::size_t kMostDatagrams = 64, kMostBytes = 65'507;

class DataSocket {
 public:
  // Bound to `local`, whose port may be that of another socket of this program that shares it: what comes from `remote`
  // then comes here and nowhere else.
  DataSocket(const net::SocketAddress& local, const net::SocketAddress& remote);
  // Not connected yet.
  explicit DataSocket(const net::SocketAddress& local);
  void connect(const net::SocketAddress& remote);

  int fd() const { return opened_.fd.get(); }
  const net::SocketAddress& local() const { return opened_.local; }

  // Datagrams of `size` bytes, the last may be shorter. False: the kernel has no room, nothing was sent.
  bool send(base::ByteView data, std::size_t size);
  // What is there, up to one call's worth; false when nothing was.
  bool receive(net::UdpReceiver& receiver, const std::function<void(const net::ReceivedBatch&)>& take);
  // What receive() finds within this many milliseconds, in one datagram; empty for nothing.
  base::Bytes receive_one(int wait_ms);
  // Messages that came while the socket was full, as the kernel counts them.
  std::uint64_t drops() const;

 private:
  net::OpenedUdp opened_;
};

}  // namespace atlas::bench
