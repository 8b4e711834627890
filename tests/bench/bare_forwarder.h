// The least that a relay can be: a process that sleeps until a datagram is there, and sends it on. What a round trip
// takes through it is this machine's own price for waking somebody, in the same seconds and on the same processors as
// the relay's; only a relay that never sleeps is below it.
#pragma once

#include <sys/types.h>

#include "bench/data_socket.h"
#include "bench/round_trips.h"

namespace atlas::bench {

class BareForwarder {
 public:
  BareForwarder(const net::IpAddress& loopback, std::size_t size);
  ~BareForwarder();
  BareForwarder(const BareForwarder&) = delete;
  BareForwarder& operator=(const BareForwarder&) = delete;

  pid_t pid() const { return pid_; }
  const End& near() const { return near_; }
  const End& far() const { return far_; }

 private:
  DataSocket a_, b_, between_;
  End near_, far_;
  pid_t pid_ = -1;
};

}  // namespace atlas::bench
