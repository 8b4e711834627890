// QUIC v1 over the loop's UDP sockets: many connections, as server and as client at once, each side with a certificate
// of its Ed25519 key. The only floor that knows ngtcp2 and GnuTLS; none of their types shows here.
//
// Loop thread only. Callbacks never nest: what a callback asks for (write, close, open) is recorded and leaves in the
// flush at the end of the turn, so a callback may do anything but destroy the endpoint.
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
#include "base/limits.h"
#include "base/random.h"
#include "base/result.h"
#include "identity/node_key.h"
#include "net/address.h"
#include "net/loop.h"
#include "quic/routes.h"

namespace atlas::quic {

using StreamId = std::int64_t;

enum class Side : std::uint8_t { kListener, kDialler };

// Why a connection ended.
struct CloseInfo {
  enum class By : std::uint8_t {
    kLocal,          // close() here
    kPeer,           // CONNECTION_CLOSE of the application, code is its
    kPeerTransport,  // CONNECTION_CLOSE of the transport, code is its (0x100 + alert for TLS)
    kTransport,      // a protocol fault of the peer that this side closed for
    kIdle,           // idle timeout
    kHandshakeTimeout,
    kReset,     // stateless reset
    kIdentity,  // the peer's certificate was refused here (wrong key type, or not the node dialled)
  };
  By by = By::kLocal;
  std::uint64_t code = 0;
  std::string reason;  // for the log; already escaped and bounded
};

struct ConnectionStats {
  base::MonoNs smoothed_rtt = 0;
  std::uint64_t bytes_sent = 0, bytes_received = 0;
  std::size_t streams = 0;
};

// One connection. A pointer is valid from the first callback (or from dial()) until on_closed returns.
class Connection {
 public:
  virtual Side side() const = 0;
  virtual std::uint64_t number() const = 0;              // unique for the life of the endpoint; for logs and maps
  virtual const net::SocketAddress& remote() const = 0;  // follows migration
  virtual const net::SocketAddress& local() const = 0;
  // It runs through a forwarder now: remote() is the forwarder's address, not the peer's.
  virtual bool relayed() const = 0;
  // It was made through one, and its ids lead through it.
  virtual bool routed() const = 0;
  // Dialler of a routed connection: tries to reach the peer at this address, and moves there when the path validates
  // (on_path). One at a time; nothing is told when it does not. When nothing comes back on a path that was taken,
  // the connection returns to the forwarder by itself, and on_path tells.
  virtual void try_path(const net::SocketAddress& remote) = 0;
  // Set once the TLS handshake is complete on this side.
  virtual const identity::PublicKey& peer_key() const = 0;
  // When this side got or sent its first Initial.
  virtual base::MonoNs started() const = 0;

  // A new bidirectional stream; kFull when the peer's stream limit is reached (try again later, nobody tells when),
  // kState before on_connected and while closing.
  virtual base::Result<StreamId> open_stream() = 0;
  // Queues a copy. False when the stream is gone or its send side has ended. `fin` ends our side.
  virtual bool write(StreamId stream, base::ByteView data, bool fin) = 0;
  // Bytes queued or in flight on this stream that the peer has not acknowledged.
  virtual std::size_t unacknowledged(StreamId stream) const = 0;
  virtual std::size_t unacknowledged() const = 0;
  // Gives receive credit back for bytes that on_data delivered.
  virtual void consume(StreamId stream, std::size_t bytes) = 0;
  // Of what on_data delivered and is not consumed: it need not keep the peer from sending on other streams. The floor
  // above bounds what it holds.
  virtual void release(StreamId stream, std::size_t bytes) = 0;
  // From now on on_acknowledged tells of this stream.
  virtual void watch(StreamId stream) = 0;
  // RESET_STREAM and STOP_SENDING with this code. Nothing more of the stream is delivered but its on_stream_closed.
  virtual void reset(StreamId stream, std::uint64_t code) = 0;
  // RESET_STREAM alone: our side is over, what the peer has not got is lost.
  virtual void reset_sending(StreamId stream, std::uint64_t code) = 0;
  // STOP_SENDING alone: no more data is delivered; the peer answers with its reset, if it has not finished.
  virtual void stop_receiving(StreamId stream, std::uint64_t code) = 0;
  // As open_stream(), but only this side writes.
  virtual base::Result<StreamId> open_unidirectional_stream() = 0;
  // How many streams of a kind open_stream() would give now.
  virtual std::uint64_t streams_left(bool unidirectional) const = 0;
  // Of a protocol without a key: what the peer showed, its own certificate first, in DER. Empty: none. Once, in
  // on_connected.
  virtual std::vector<base::Bytes> take_peer_chain() = 0;
  // CONNECTION_CLOSE of the transport with this code (RFC 9000, section 20.1); else as close().
  virtual void refuse(std::uint64_t code, std::string_view reason) = 0;
  // Sends CONNECTION_CLOSE; on_closed follows at the end of the turn. Data not yet sent is lost: let on_written tell
  // that a last message arrived.
  virtual void close(std::uint64_t code, std::string_view reason) = 0;
  // The connection has passed authentication above this floor: a listener's no longer counts as half-open (Retry), and
  // the peer may use the whole of the connection's first window.
  virtual void mark_verified() = 0;
  // Never let NAT bindings and idle timers run out: send PING when idle for this long (0 = off).
  virtual void keep_alive(base::MonoNs idle) = 0;
  virtual ConnectionStats stats() const = 0;
  // The peer is one that announces connections (Endpoint::expect): first packets from its address that are for nobody
  // yet wait a moment for their announcement, for as long as this connection lives.
  virtual void mark_forwarder() = 0;
  // What tells the peer that this connection is lost, should this process die: kept by the floor above and handed to
  // announce_loss() after a restart. Nothing for a dialler, whose peer has no such token. A secret between the two.
  virtual std::optional<base::ByteArray<16>> loss_token() const = 0;

  void* user = nullptr;  // the floor above's own

 protected:
  ~Connection() = default;
};

class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  // TLS is done and peer_key() is known. For a dialler it does not yet mean that the listener accepted us.
  virtual void on_connected(Connection& connection) = 0;
  // Bytes in order; `fin` with the last (possibly empty) piece. A stream of the peer's begins with its first piece.
  virtual void on_data(Connection& connection, StreamId stream, base::ByteView data, bool fin) = 0;
  // Everything written on the stream, FIN included, has been acknowledged. Needs a FIN. (A FIN that was lost and sent
  // again together with data may be told only when the whole stream is over.)
  virtual void on_written(Connection& connection, StreamId stream) = 0;
  // Of a watched stream: the peer has so many bytes more.
  virtual void on_acknowledged(Connection&, StreamId, std::size_t) {}
  // The peer reset its side or refused ours; no more data comes. The stream may be one of which nothing was seen
  // before.
  virtual void on_reset(Connection& connection, StreamId stream, std::uint64_t code) = 0;
  // The peer refused our side, and that is over. False: whoever listens does not tell the two apart, and on_reset
  // follows, if it was not told yet.
  virtual bool on_stopped(Connection&, StreamId, std::uint64_t) { return false; }
  // Both sides are over; the id means nothing from now on. Always after on_written or on_reset or the last on_data.
  virtual void on_stream_closed(Connection& connection, StreamId stream) = 0;
  // The peer allows so many streams of a kind in all, counted from the beginning.
  virtual void on_streams_allowed(Connection&, bool /*unidirectional*/, std::uint64_t /*total*/) {}
  // The connection moved to another address, here or there, and it has been validated; or back to the forwarder.
  virtual void on_path(Connection& connection) = 0;
  // Exactly once for each connection that was dialled or connected; its streams are over with it, untold. What was
  // delivered on a stream and not consumed when it closed is credited back.
  virtual void on_closed(Connection& connection, const CloseInfo& info) = 0;
};

// A certificate chain and the key of its first certificate.
class TlsCredentials;
using CredentialsPtr = std::shared_ptr<const TlsCredentials>;
// DER, and PKCS #8 in DER: Ed25519, ECDSA with P-256, or RSA of 2048 bits and more. kArgument: they do not parse, are
// too many or too large, or do not belong together. Any thread.
base::Result<CredentialsPtr> make_credentials(std::span<const base::ByteView> chain, base::ByteView key);

// One ALPN on the endpoint: who we are, what we offer, who hears of it.
struct Protocol {
  std::string alpn;  // "atlas/1"
  // Outlives the endpoint. Null: this is no protocol between nodes. Peers then show any certificate that TLS can check,
  // `events` decide who they are (Connection::take_peer_chain), and until Endpoint::set_credentials() nobody is
  // accepted or dialled.
  const identity::NodeKey* key = nullptr;
  ConnectionEvents* events = nullptr;  // outlives the endpoint
  // Bidirectional streams that a peer may have open at once.
  std::uint32_t max_streams = base::limits::transport_max_streams_per_conn;
  base::MonoNs idle_timeout = base::limits::transport_idle_timeout * base::kSecond;
  base::MonoNs handshake_timeout = base::limits::session_handshake_timeout * base::kSecond;
  std::uint64_t stream_window = 64 << 10;  // first receive window, bytes
  std::uint64_t connection_window = 256 << 10;
  std::uint64_t max_stream_window = base::limits::quic_stream_window_bytes;  // auto-tuned up to these
  std::uint64_t max_connection_window = base::limits::quic_connection_window_bytes;
  // Of one without a key; the windows are then what they are at first for ever.
  bool accepts = true;
  bool needs_client_certificate = true;
  std::uint32_t max_unidirectional = 0;
  std::uint32_t max_connections = UINT32_MAX;
};

struct EndpointLimits {
  // [transport] max_connections: connections in all, both sides.
  std::uint32_t max_connections = base::limits::transport_max_connections;
  // [security] handshake_limit: listener connections without mark_verified.
  std::uint32_t max_half_open = base::limits::security_handshake_limit;
  bool retry_always = false;  // tests
  // [transport] relay_poll_us: how long to look for the next datagram to forward before the thread sleeps; 0: not.
  base::MonoNs forward_poll = 0;
};

// Every refusal names its rule here; the node exports them as metrics.
struct EndpointCounters {
  std::uint64_t accepted = 0, dialled = 0, closed = 0;
  std::uint64_t retry_sent = 0, token_refused = 0, version_negotiation_sent = 0, stateless_reset_sent = 0;
  std::uint64_t refused_full = 0;       // max_connections
  std::uint64_t refused_half_open = 0;  // handshake_limit
  std::uint64_t refused_by_filter = 0;  // accept filter (bans)
  std::uint64_t refused_protocol = 0;   // Protocol::max_connections
  std::uint64_t dropped_small_initial = 0, dropped_unknown_id = 0, dropped_malformed = 0;
  std::uint64_t guarded_frames = 0;              // connections closed by the frame guard
  std::uint64_t stripped_datagrams = 0;          // early short-header packets withheld from a dialler
  std::uint64_t half_open = 0, connections = 0;  // gauges
};

// The way to a peer through a forwarder.
struct Via {
  ServerId route{};       // leads to us
  ServerId peer_route{};  // leads to the peer
};

// A connection that a peer is about to dial through a forwarder.
struct Expectation {
  ServerId route{};              // leads to us
  net::SocketAddress forwarder;  // from whose address it comes
  std::string node_id;           // the peer's; another key ends it with CloseInfo::By::kIdentity
  base::MonoNs until = 0;        // monotonic
};

struct DialOptions {
  net::SocketAddress remote = {};
  std::string alpn = "atlas/1";
  // Checked inside TLS: another key ends the dial with CloseInfo::By::kIdentity before anything is sent.
  std::optional<std::string> expected_node_id = std::nullopt;
  void* user = nullptr;  // becomes Connection::user
  // Another identity than the protocol's, for programs that play many nodes; must live until the handshake is over.
  const identity::NodeKey* key = nullptr;
  // `remote` is then the forwarder's address.
  std::optional<Via> via = std::nullopt;
  std::string server_name = {};        // SNI; empty: none
  base::MonoNs handshake_timeout = 0;  // 0: the protocol's
};

class Endpoint {
 public:
  struct Setup {
    net::Loop* loop = nullptr;
    base::Random* random = nullptr;
    EndpointLimits limits;
    // Keys Retry tokens and stateless resets; the same over restarts, so that peers notice a restart at once.
    base::ByteArray<32> secret{};
    // False refuses a first packet from that address before it costs anything. May be empty.
    std::function<bool(const net::SocketAddress&)> accept_filter;
    // What came to a socket and is STUN, not QUIC (RFC 9443); dropped when empty.
    std::function<void(const net::SocketAddress& from, base::ByteView datagram)> on_stun = {};
  };

  static base::Result<std::unique_ptr<Endpoint>> make(Setup setup);
  virtual ~Endpoint() = default;

  // Before listen() and dial(). A second claim of an ALPN is kConflict.
  virtual base::Result<void> add_protocol(const Protocol& protocol) = 0;
  // Of a protocol without a key; new connections get these. Null: nobody is accepted or dialled any more.
  virtual void set_credentials(std::string_view alpn, CredentialsPtr credentials) = 0;
  // The ALPNs that are accepted now, in the order in which they were added.
  virtual std::span<const std::string> served() const = 0;
  // One socket for each family at most; a second bind of the same family is kConflict. Port 0 picks one.
  virtual base::Result<net::SocketAddress> listen(const net::SocketAddress& bind) = 0;
  // Uses the listening socket of the address's family, or opens one on an ephemeral port.
  virtual base::Result<Connection*> dial(const DialOptions& options) = 0;
  // Once, until it came or the time is over. kFull when base::limits::quic_expected others are expected, kConflict when
  // the route is taken.
  virtual base::Result<void> expect(const Expectation& expectation) = 0;
  virtual Routes& routes() = 0;
  // A stateless reset (RFC 9000, 10.3) for a connection of an earlier process on this port: its peer learns at once
  // what it would else learn from silence. Bounded by the caller.
  virtual void announce_loss(const net::SocketAddress& remote, const base::ByteArray<16>& token) = 0;
  // A datagram that is no QUIC, from the socket of that address's family; dropped when there is none or it is full.
  virtual void send_datagram(const net::SocketAddress& remote, base::ByteView datagram) = 0;
  // Not accepting new connections any more; what is open goes on.
  virtual void stop_accepting() = 0;
  // Closes everything with this code and flushes; on_closed runs for each.
  virtual void close_all(std::uint64_t code, std::string_view reason) = 0;
  virtual const EndpointCounters& counters() const = 0;
  virtual net::UdpCounters udp_counters() const = 0;
};

}  // namespace atlas::quic
