// One connection as the node sees it, from its first byte to its last: TLS, handshake, session, farewell.
// Loop thread only; owned by the switchboard, found again through quic::Connection::user.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "host/network.h"
#include "net/timer_heap.h"
#include "node/connection_streams.h"
#include "node/dialler.h"
#include "node/path_upgrade.h"
#include "node/route_keeper.h"
#include "node/session_table.h"
#include "quic/endpoint.h"
#include "session/exchange.h"
#include "session/handshake.h"
#include "session/limits.h"
#include "wire/envelope.h"

namespace atlas::node {

class Switchboard;

enum class Phase : std::uint8_t {
  kTls,       // not connected yet
  kGreeting,  // the Atlas handshake of section 5
  kSession,
  kFarewell,  // the last message is on its way; then the connection closes
  kClosed,
};

// The handshake in progress. Freed when it ends.
struct Greeting {
  explicit Greeting(session::ListenerHandshake side) : state(std::move(side)) {}
  explicit Greeting(session::DiallerHandshake side) : state(std::move(side)) {}

  std::variant<session::ListenerHandshake, session::DiallerHandshake> state;
  quic::StreamId stream = -1;  // -1: the peer has not opened it yet
  wire::EnvelopeReader reader{wire::kMaxHandshakePayload};
  // A dialler can get requests of its new peer before VerifyAck when packets change places: kept, within bounds. One
  // entry a stream, with all that it brought so far.
  struct Early {
    explicit Early(quic::StreamId id) : stream(id) {}
    quic::StreamId stream;
    base::Bytes data;
    bool fin = false;
    bool given_up = false;  // refused, or reset by the peer: it still counts as a stream
  };
  Early* find_early(quic::StreamId id);
  void give_up_early(quic::StreamId id);
  std::vector<Early> early;
  std::size_t early_bytes = 0;
};

// A request of ours that waits for its answer.
struct Asked {
  std::uint64_t tag = 0;
  host::AnswerFn done;  // empty for a one-way message
  base::MonoNs started = 0;
  session::OutboundExchange exchange;
  std::size_t unread = 0;  // of a large request: bytes that the peer had not acknowledged when last looked at
};

// A request of the peer's: being received, waiting for the role's answer, or with the answer on its way.
struct Answering {
  session::InboundExchange exchange;
  host::ReplyHandle reply = 0;
  bool refused = false;       // an Error is on its way while the peer may still be sending
  bool sending = false;       // the last of the answer is written
  std::size_t unread = 0;     // bytes of it that the peer had not acknowledged when last looked at
  std::size_t size = 0;       // bytes of it, as counted in LiveSession::unread
  base::MonoNs deadline = 0;  // until then some of them must be
  std::size_t buffered = 0;   // of the request, as counted in LiveSession::unfinished
};

struct Exchange {
  quic::StreamId stream;
  std::variant<std::unique_ptr<Asked>, std::unique_ptr<Answering>> part;
};

// A stream of the peer's whose envelope is not complete and begins a raw stream, or may.
struct Opening {
  Opening(quic::StreamId id, base::MonoNs until) : stream(id), deadline(until) {}
  const quic::StreamId stream;
  base::MonoNs deadline;
  base::Bytes head;  // until the type is known
  bool head_known = false;
  wire::EnvelopeReader reader{wire::kMaxOpening};
};

struct LiveSession {
  session::PeerIdentity peer;
  std::shared_ptr<SessionInfo> info;
  session::PeerBudget budget;
  base::MonoNs established = 0;
  std::vector<Exchange> exchanges;
  std::size_t unfinished = 0;  // bytes of requests that are held
  std::size_t unread = 0;      // bytes of large answers that the peer has not acknowledged to the end
  std::vector<std::unique_ptr<Opening>> openings;
  std::unique_ptr<ConnectionStreams> streams;  // only while there are some
};

struct Farewell {
  quic::StreamId awaited = -1;  // -1: nothing; the deadline closes
  std::uint64_t code = 0;
  std::string note;
};

struct Link final : net::TimerHeap::Entry {
  explicit Link(Switchboard& owner) : owner(owner) {}
  void on_expire(base::MonoNs now) override;

  Switchboard& owner;
  quic::Connection* connection = nullptr;
  Phase phase = Phase::kTls;
  quic::StreamId handshake_stream = -1;
  DialTicket ticket;
  host::PeerHandle via = 0;                  // the session with the forwarder that it runs through, 0: none
  std::vector<net::SocketAddress> observed;  // where the forwarder sees the peer
  quic::ServerId peer_route{};               // of the dialler: the prefix that leads to the peer
  base::MonoNs keep_route = 0;               // how often the routes want a datagram
  bool forwards = false;                     // a forwarder of ours, that others may run through
  std::uint64_t moved = 0;                   // bytes, when forwarder_watch.cc last looked
  base::MonoNs moved_at = 0;
  std::unique_ptr<PathUpgrade> upgrade;
  std::unique_ptr<RouteKeeper> keeper;
  std::unique_ptr<Greeting> greeting;
  std::unique_ptr<LiveSession> session;
  std::unique_ptr<Farewell> farewell;
};

}  // namespace atlas::node
