// Opening and setting up the file descriptor of a UDP socket. Any thread.
#pragma once

#include "base/result.h"
#include "net/loop.h"

namespace atlas::net {

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  int release();
  void reset();

 private:
  int fd_;
};

struct OpenedUdp {
  Descriptor fd;
  SocketAddress local;  // with the port that the kernel chose
  bool gso = false;     // the kernel knows UDP_SEGMENT
};

// Non-blocking, bound, with packet info, ECN, GRO and path MTU probing (don't fragment, no cached MTU) switched on.
// kConflict: the port is taken; kDenied: not permitted; kArgument: not an address of this machine, or its family is
// not available here.
base::Result<OpenedUdp> open_udp_socket(const SocketAddress& bind, const UdpOptions& options);

}  // namespace atlas::net
