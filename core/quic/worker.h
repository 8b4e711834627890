// What the connections of one loop share: the way out, the id tables, timers, packet keys, and the list of those that
// have something to do at the end of the turn. One thread, no locks; outlives every connection.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/timer_heap.h"
#include "quic/endpoint.h"
#include "quic/packet_keys.h"
#include "quic/send_queue.h"
#include "quic/stateless.h"
#include "quic/stream.h"
#include "quic/tls.h"
#include "quic/tombstone.h"

namespace atlas::quic {

class Forwarding;
class QuicConnection;

// Timers are rounded up to this, so that connections with near deadlines share a wake-up.
inline constexpr base::MonoNs kTick = base::kMillisecond;
// An acknowledgement waits until the end of a tick for something that takes it along: of a short one while data of ours
// is in flight, for the packet may tell of a loss; else of a long one. The peer allows 25 ms (RFC 9000, section 18.2,
// max_ack_delay).
inline constexpr base::MonoNs kQuietTick = 10 * base::kMillisecond;

// A protocol of the endpoint with what was made of it.
struct Offer {
  Protocol protocol;
  CredentialsPtr credentials;     // null: not yet
  std::uint32_t connections = 0;  // of this protocol, from its choice to its end

  bool between_nodes() const { return protocol.key != nullptr; }
};

// Something the library reported inside a call, told to the floor above right after that call.
struct StreamEvent {
  enum class Kind : std::uint8_t { kAcknowledged, kWritten, kReset, kStopped, kClosed };
  Kind kind;
  Stream* stream;
  std::uint64_t code = 0;
};

struct Outlet {
  std::unique_ptr<net::UdpSocket> socket;
  std::unique_ptr<SendQueue> queue;
  net::SocketAddress local;
};

struct Worker {
  Worker(net::Loop& event_loop, base::Random& source, const EndpointLimits& bounds, const base::ByteArray<32>& secret)
      : loop(event_loop),
        random(source),
        limits(bounds),
        stateless(secret, source),
        ids(source),
        first_ids(source),
        reset_tokens(source) {}

  // Never backwards, whatever the clock does: the library asserts it.
  base::MonoNs now() {
    const base::MonoNs read = loop.clock().mono_ns();
    if (read > last_now) last_now = read;
    return last_now;
  }

  Outlet& outlet(net::Family family) { return outlets[family == net::Family::kV6 ? 1 : 0]; }

  net::Loop& loop;
  base::Random& random;
  const EndpointLimits limits;
  EndpointCounters counters;
  Stateless stateless;
  PacketKeys packet_keys;
  RouteTable<ServerId> ids;
  RouteTable<FirstId> first_ids;
  RouteTable<ResetToken> reset_tokens;
  net::TimerHeap timers;
  Graveyard graveyard{ids, first_ids, timers};
  std::array<Outlet, 2> outlets;        // IPv4, IPv6
  std::vector<std::string> alpns;       // of all offers that are accepted now
  bool widens_windows = false;          // of listeners, for the library knows of no protocol when it begins
  base::MonoNs longest_handshake = 0;   // of all offers
  std::vector<QuicConnection*> dirty;   // to be flushed in this turn, each once
  std::vector<QuicConnection*> parked;  // dirty, but their socket takes nothing now
  std::vector<QuicConnection*> ended;   // out of every table, to be destroyed at the end of the turn
  std::vector<StreamEvent> events;      // of the connection whose library call is running
  std::multimap<net::SocketAddress, QuicConnection*> forwarders;  // those marked; ordered, no keys to choose
  Forwarding* forwarding = nullptr;                               // the endpoint's
  std::function<void()> wake;  // asks for a flush in a turn of its own; cheap to call again
  base::MonoNs last_now = 0;
  std::uint64_t next_number = 1;
};

}  // namespace atlas::quic
