// Numbered datagrams over any number of flows, sent and received by one thread: each flow at its pace or as fast as the
// way takes it, counted where they arrive.
//
// One thread; borrows the sockets, the swarm that shares their ports, and the clock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "bench/data_socket.h"

namespace atlas::bench {

// One direction of a pair. A datagram is `lead`, a number of ours, and padding; it arrives as `arrives`, that number
// and the same padding. The datagrams of all flows of a run are of one size.
struct Flow {
  DataSocket* from = nullptr;
  DataSocket* to = nullptr;
  base::Bytes lead, arrives;
  std::size_t size = 1200;  // as sent, bytes
  std::size_t burst = 1;    // datagrams that leave together
  // Bytes a second. 0: as many as fit into the window that all such flows share.
  double rate = 0;
  bool ignore_window = false;  // without a rate: on and on, whatever becomes of it
};

struct FlowCount {
  std::uint64_t sent = 0, arrived = 0;  // datagrams
};

struct Traffic {
  double seconds = 0;            // during which something was sent
  std::uint64_t size = 0;        // of a datagram, bytes
  std::vector<FlowCount> flows;  // in the order given
  std::uint64_t sent = 0, arrived = 0;
  std::uint64_t arrived_in_time = 0;  // before the last one was sent
  std::vector<std::uint64_t> tenths;  // of these, in each tenth of a second
  std::uint64_t altered = 0;          // of ours, but not as they were sent or not where they were sent to
  std::uint64_t refused = 0;          // bursts for which our own kernel had no room; not sent
  std::uint64_t stalls = 0;           // times that a full window was given up for lost
  std::uint64_t socket_drops = 0;     // messages that came to our sockets while these were full
  base::MonoNs latest = 0;            // how far behind its time a paced burst left at worst

  double gbit() const { return static_cast<double>(arrived * size) * 8 / 1e9; }
  double gbit_per_s() const { return static_cast<double>(arrived_in_time * size) * 8 / 1e9 / seconds; }
  double offered_gbit_per_s() const { return static_cast<double>(sent * size) * 8 / 1e9 / seconds; }
  double loss() const { return sent == 0 ? 0 : 1 - static_cast<double>(arrived) / static_cast<double>(sent); }
};

class Generator {
 public:
  // `foreign` is given what comes to a socket and is not of a flow; `now_and_then` runs every 20 ms.
  struct Hooks {
    std::function<void(DataSocket&, const net::ReceivedBatch&)> foreign = {};
    std::function<void()> now_and_then = {};
  };
  Generator(const base::Clock& clock, Hooks hooks);

  // Bytes that flows without a rate have under way, all together.
  std::size_t window = 2 << 20;

  // Sends for this long, then waits for what is under way.
  Traffic run(const std::vector<Flow>& flows, base::MonoNs span);

 private:
  struct Run;

  const base::Clock& clock_;
  const Hooks hooks_;
  net::UdpReceiver receiver_;
};

}  // namespace atlas::bench
