// A pair of addresses in the form ngtcp2 wants, and back.
// Plain values; the path points into its own object, so it does not move.
#pragma once

#include "net/address.h"
#include "quic/compat.h"

namespace atlas::quic {

class Path {
 public:
  Path(const net::SocketAddress& local, const net::SocketAddress& remote) {
    path_.local = {reinterpret_cast<ngtcp2_sockaddr*>(&local_), local.to(local_)};
    path_.remote = {reinterpret_cast<ngtcp2_sockaddr*>(&remote_), remote.to(remote_)};
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;

  const ngtcp2_path* get() const { return &path_; }

 private:
  sockaddr_storage local_{}, remote_{};
  ngtcp2_path path_{};
};

inline net::SocketAddress address_of(const ngtcp2_addr& address) {
  return net::SocketAddress::from(address.addr, address.addrlen).value_or(net::SocketAddress{});
}

}  // namespace atlas::quic
