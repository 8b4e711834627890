// The event loop as the floors above see it: one thread, one timer, file descriptors, work from other threads, and UDP
// sockets that move datagrams in batches. core/net/uv_loop.h implements it over libuv, tests/sim over virtual time.
//
// Everything is called on the loop's thread, except post().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "net/address.h"

namespace atlas::net {

// One datagram, or several of equal size (the last may be shorter) that the kernel handed over in one buffer (UDP GRO).
// Never empty: datagrams without a payload are counted and go no further. Borrowed for the call.
struct ReceivedBatch {
  SocketAddress remote;
  SocketAddress local;   // the address that it was sent to, with our port
  std::uint8_t ecn = 0;  // the two ECN bits of the IP header
  base::ByteView data;
  std::size_t segment = 0;  // size of each datagram; data.size() when there is one
};

// Datagrams of one size for one destination that leave in one system call (UDP GSO); the last may be shorter.
struct SendBatch {
  SocketAddress remote;
  SocketAddress local;  // source address; unspecified lets the kernel choose
  std::uint8_t ecn = 0;
  base::ByteView data;
  std::size_t segment = 0;  // size of each datagram; 0 means data.size()
};

struct UdpOptions {
  int receive_buffer = 4 << 20;  // bytes asked of the kernel; it may grant less
  int send_buffer = 4 << 20;
  bool v6_only = true;
  bool reuse_port = false;
};

struct UdpCounters {
  std::uint64_t received_datagrams = 0, received_bytes = 0, receive_calls = 0;
  std::uint64_t received_empty = 0;  // datagrams without a payload, also in received_datagrams
  std::uint64_t receive_errors = 0;  // errors that the kernel reported on receive, ICMP among them
  std::uint64_t sent_datagrams = 0, sent_bytes = 0, send_calls = 0;
  std::uint64_t blocked = 0;      // EAGAIN on send
  std::uint64_t oversize = 0;     // EMSGSIZE: path MTU probes that do not fit; dropped
  std::uint64_t failed = 0;       // any other error on send; dropped
  std::uint64_t gso_refused = 0;  // times the kernel would not segment; it is not asked again on this socket
};

// The kernel's receive buffer, as it is now.
struct ReceiveQueue {
  std::uint64_t bytes = 0, room = 0;  // taken, and in all; with what the kernel needs beside the payload
  std::uint64_t dropped = 0;          // since the socket was opened: what found no room, and what shed() dropped
};

// Part of the datagrams with this beginning of the destination connection id, picked by chance.
struct ShedRule {
  base::ByteArray<8> prefix{};
  double keep = 1;  // 0..1
};

class UdpSocket {
 public:
  using Receive = std::function<void(const ReceivedBatch&)>;

  virtual ~UdpSocket() = default;
  virtual SocketAddress local() const = 0;
  // Sends in order and returns how many batches were taken. Fewer than given: the kernel's buffer is full, and
  // on_writable (below) is called once when it is not. Errors of one destination are counted and count as taken. What
  // is taken needs no buffer of the caller's any more.
  virtual std::size_t send(std::span<const SendBatch> batches) = 0;
  virtual const UdpCounters& counters() const = 0;
  // Nothing where it cannot be told.
  virtual std::optional<ReceiveQueue> receive_queue() const { return std::nullopt; }
  // Has the kernel drop the rest of these before they take room; replaces what was asked before. False where it cannot
  // be had: nothing is dropped then.
  virtual bool shed(std::span<const ShedRule> rules) { return rules.empty(); }
};

// What the owner of a socket is told. A turn of the loop is: any number of on_datagrams, then one on_turn_end.
struct UdpEvents {
  std::function<void()> on_turn_begin = {};  // before the first read, when the receive buffer is at its fullest
  std::function<void(const ReceivedBatch&)> on_datagrams = {};
  std::function<void()> on_turn_end = {};  // after the last batch of this wake-up: flush answers here
  std::function<void()> on_writable = {};  // after send() took less than it was given
};

class Timer {
 public:
  virtual ~Timer() = default;
  // Runs the callback once at or after `at` (monotonic); a new arm replaces the old. kNever disarms.
  virtual void arm(base::MonoNs at) = 0;
};

class Loop {
 public:
  virtual ~Loop() = default;
  // Any thread. FIFO for one caller. Wakes the loop once however many are queued.
  virtual void post(std::move_only_function<void()> task) = 0;
  // A wish: until then (monotonic) look for events without sleeping between them. It costs a core and saves the
  // wake-up.
  virtual void stay_awake(base::MonoNs until) { static_cast<void>(until); }
  virtual std::unique_ptr<Timer> make_timer(std::function<void()> callback) = 0;
  virtual base::Result<std::unique_ptr<UdpSocket>> open_udp(const SocketAddress& bind, const UdpOptions& options,
                                                            UdpEvents events) = 0;
  virtual const base::Clock& clock() const = 0;
};

}  // namespace atlas::net
