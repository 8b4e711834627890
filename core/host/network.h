// What the host asks of the network. core/node implements it; tests fake it. Every function is safe on any thread,
// never blocks and never calls back before it returns.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "identity/node_key.h"
#include "net/address.h"
#include "net/route_tally.h"
#include "wire/peer_record.h"

namespace atlas::host {

using PeerHandle = std::uint64_t;
using ReplyHandle = std::uint64_t;

// A live session as any thread may see it: a snapshot.
struct LivePeer {
  PeerHandle handle = 0;
  wire::PeerRecord record;    // address is where the peer is seen now, last_seen the last exchange
  identity::PublicKey key{};  // that it was authenticated with
  bool dialled = false;       // by this side
  bool relayed = false;       // through a forwarder; record.trust says so too
  std::int64_t connected_at = 0;
  std::uint64_t rtt_us = 0;
};

struct Answer {
  base::Fault fault{};  // meaningful when !ok
  bool ok = false;      // an answer came; it may be an Error
  std::uint8_t type = 0;
  std::uint32_t error_code = 0;
  std::string error_text;
  base::Bytes body;
  std::uint64_t rtt_us = 0;
  bool unchecked = false;  // the body's structure is still to be checked, on the strand
};
using AnswerFn = std::move_only_function<void(Answer&&)>;

struct Connected {
  bool ok = false;
  base::Fault fault{};
  std::string error;
  PeerHandle peer = 0;
  std::string node_id;
  bool existing = false;
};
using ConnectedFn = std::move_only_function<void(Connected&&)>;

// How the node is reached (atlas/ext/listener.h).
struct Listener {
  enum class Nat : std::uint32_t { kUnknown, kNone, kMapped, kSymmetric };  // ATLAS_NAT_*
  std::vector<std::string> bound, protocols;
  std::string public_address;
  Nat nat = Nat::kUnknown;

  bool operator==(const Listener&) const = default;
};

// --- raw streams (atlas/ext/streams.h) ---

class StreamPipe;

struct StreamOrder {
  PeerHandle to = 0;
  std::uint8_t type = 0;
  base::Bytes payload;  // of the envelope that opens it
  std::shared_ptr<StreamPipe> pipe;
};

// --- connections of other protocols (atlas/ext/protocols.h) ---

class ConnectionPipe;

// An ALPN that a plugin claimed.
struct ProtocolClaim {
  std::string alpn;
  bool accepts = false;
  bool needs_client_certificate = false;
  std::uint32_t max_connections = 0, max_streams = 0, max_unidirectional = 0;
  base::MonoNs idle = 0, handshake = 0;
  std::uint64_t stream_window = 0, connection_window = 0;
};

struct ProtocolDial {
  std::string alpn;
  net::SocketAddress remote;
  std::string server_name;
  base::MonoNs timeout = 0;
  std::shared_ptr<ConnectionPipe> pipe;
};

// A stream that the peer allows (ConnectionPipe::reserve_stream).
struct ConnectionStreamOrder {
  std::uint64_t connection = 0;  // the pipe's tag
  bool unidirectional = false;
  std::shared_ptr<StreamPipe> pipe;
};

// --- routes and paths (atlas/ext/routes.h) ---

using RoutePrefix = base::ByteArray<8>;

using net::RouteTally;

// Why a pair ended: ATLAS_ROUTE_*.
using RouteEndedFn = std::move_only_function<void(std::uint32_t why)>;

struct RouteOrder {
  std::uint64_t route = 0;  // by which it is removed; unique in the node, chosen by the host
  PeerHandle a = 0, b = 0;
  RoutePrefix to_a{}, to_b{};
  std::uint64_t bytes_per_second = 0, byte_budget = 0;  // 0 = no limit
  base::MonoNs idle = 0;
  std::shared_ptr<RouteTally> tally;
  RouteEndedFn ended;  // on the I/O thread, exactly once, whatever becomes of the order
};

// Why two sessions cannot have routes between them, or that they can.
enum class RouteAdmission : std::uint8_t { kYes, kGone, kSame, kRelayed, kNoFeature };

// A path that a forwarder offered.
struct PathOffer {
  PeerHandle via = 0;
  RoutePrefix route{}, peer_route{};
  std::string node_id;                       // of the other agent
  std::vector<net::SocketAddress> observed;  // of the other agent
  std::int64_t expires = 0;                  // Unix s, 0 unknown
};

class Network {
 public:
  virtual ~Network() = default;

  // What returns bool says false when too much waits already: then nothing was begun. The callbacks run on the I/O
  // thread, exactly once; the host hands them to the right strand.
  virtual bool send(PeerHandle to, std::uint8_t type, base::Bytes payload) = 0;
  virtual void request(PeerHandle to, std::uint8_t type, base::Bytes payload, base::MonoNs timeout, std::uint64_t tag,
                       AnswerFn done) = 0;
  // A request by the tag it was given: its callback will not be called by later events.
  virtual void cancel_request(std::uint64_t tag) = 0;
  // Answers one request and finishes the stream; several in one turn leave in one batch.
  virtual bool reply(ReplyHandle to, std::uint8_t type, base::Bytes payload) = 0;
  virtual void connect(std::string target, base::MonoNs timeout, ConnectedFn done) = 0;
  virtual bool disconnect(PeerHandle peer, std::uint32_t reason, std::string note) = 0;

  // Any thread, from the table of sessions.
  virtual RouteAdmission admits_route(PeerHandle a, PeerHandle b) const = 0;
  // In force before anything that is sent after this call. False: nothing was begun and `ended` will not run.
  virtual bool add_route(RouteOrder order) = 0;
  virtual bool remove_route(std::uint64_t route) = 0;
  // Answers a dial that asked for a path (Host::want_path). An answer to a dial that is over is dropped.
  virtual bool path_found(std::uint64_t reach, PathOffer offer) = 0;
  virtual bool path_not_found(std::uint64_t reach, base::Fault fault, std::string reason) = 0;
  // The other agent is about to dial over that path.
  virtual bool expect_path(PathOffer offer) = 0;

  // Whatever becomes of it is told to the pipe. False: nothing was begun and nothing is told.
  virtual bool open_stream(StreamOrder order) = 0;
  // The pipe of that tag has orders. Never refused: no pipe asks again before it was served.
  virtual void serve_stream(std::uint64_t tag) = 0;

  // Any thread; parsed before it returns.
  virtual base::Result<void> set_credentials(const std::string& alpn, std::span<const base::ByteView> chain,
                                             base::ByteView key) = 0;
  // Nobody is accepted or dialled any more. Never refused.
  virtual void drop_credentials(const std::string& alpn) = 0;
  // Whatever becomes of these is told to their pipes. False: nothing was begun and nothing is told.
  virtual bool dial_protocol(ProtocolDial dial) = 0;
  virtual bool open_connection_stream(ConnectionStreamOrder order) = 0;
  // Once for each connection. Never refused, nor the close.
  virtual void judge_connection(std::uint64_t tag, bool accepted) = 0;
  virtual void close_connection(std::uint64_t tag, std::uint64_t code, std::string reason) = 0;

  // What strands asked for so far must not wait any longer; called once after many calls above. An implementation that
  // acts at once needs none.
  virtual void hand_over() {}

  // A payload that was handed on unchecked turned out malformed: the refusal is counted where all are.
  virtual void refused_structure() {}

  // Snapshots, from a table that the I/O thread keeps up to date under a lock of its own.
  virtual LivePeer self() const = 0;
  virtual Listener listener() const { return {}; }
  virtual std::optional<LivePeer> peer(PeerHandle handle) const = 0;
  // Whether peer(handle) would find one; asked before every send, so an override that copies nothing is worth it.
  virtual bool live(PeerHandle handle) const { return peer(handle).has_value(); }
  virtual PeerHandle find(std::string_view node_id) const = 0;  // 0: no session
  virtual std::vector<LivePeer> peers() const = 0;
};

}  // namespace atlas::host
