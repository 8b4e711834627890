// One QUIC connection over ngtcp2.
//
// How it stays out of the library's way: ngtcp2 forbids most calls inside its callbacks and all of them after a fatal
// error. So a library call (read, write, expiry) only notes what happened; stream data alone is handed up at once, for
// its bytes do not outlive the call. After the call the notes become callbacks of ConnectionEvents. What those ask for
// (write, consume, reset, close) is noted in turn and carried out in flush() at the end of the turn. Ending is a note,
// too: `ending_` is set, nothing is read or written any more, and flush() says goodbye.
//
// Loop thread only. Owned by the endpoint; destroyed at the end of the turn in which flush() called end().
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/timer_heap.h"
#include "quic/compat.h"
#include "quic/connection_ids.h"
#include "quic/endpoint.h"
#include "quic/frame_guard.h"
#include "quic/stream.h"
#include "quic/tls.h"
#include "quic/worker.h"

namespace atlas::quic {

struct ConnectionDelete {
  void operator()(ngtcp2_conn* conn) const { ngtcp2_conn_del(conn); }
};

class QuicConnection final : public Connection, public Route, public net::TimerHeap::Entry, public TlsUser {
 public:
  // A listener's, for a first packet that passed the accept path.
  struct Accepted {
    const ngtcp2_pkt_hd* initial;
    std::optional<ngtcp2_cid> original_id;  // the address was validated by Retry
    net::SocketAddress remote, local;
    const Expectation* expectation;  // null: nobody announced it
  };
  QuicConnection(Worker& worker, const std::vector<std::unique_ptr<Offer>>& offers, Side side);
  ~QuicConnection();

  // False when memory or TLS fails; the object is then to be dropped.
  bool start_listener(const TlsContext& tls, const Accepted& accepted, base::MonoNs now);
  bool start_dialler(const TlsContext& tls, Offer& offer, const DialOptions& options, const net::SocketAddress& local,
                     base::MonoNs now);

  // --- the endpoint's half ---
  // False when the library asks for a Retry in answer (the connection is over then).
  bool receive(const net::ReceivedBatch& batch, base::ByteView datagram, base::MonoNs now);
  // Carries out what was asked for, sends, and re-arms the timer; ends the connection when that is what is due.
  void flush(base::MonoNs now);
  void on_expire(base::MonoNs now) override;
  void mark_dirty();
  bool take_dirty() { return std::exchange(dirty_, false); }
  // Where the endpoint keeps it.
  std::size_t place = 0;

  // --- Connection ---
  Side side() const override { return side_; }
  std::uint64_t number() const override { return number_; }
  const net::SocketAddress& remote() const override { return remote_; }
  const net::SocketAddress& local() const override { return local_; }
  bool relayed() const override { return routed_ != nullptr && remote_ == routed_->forwarder; }
  bool routed() const override { return routed_ != nullptr; }
  void try_path(const net::SocketAddress& remote) override;
  const identity::PublicKey& peer_key() const override { return peer_key_; }
  base::MonoNs started() const override { return started_; }
  base::Result<StreamId> open_stream() override;
  base::Result<StreamId> open_unidirectional_stream() override;
  std::uint64_t streams_left(bool unidirectional) const override;
  std::vector<base::Bytes> take_peer_chain() override { return std::move(peer_chain_); }
  bool write(StreamId stream, base::ByteView data, bool fin) override;
  std::size_t unacknowledged(StreamId stream) const override;
  std::size_t unacknowledged() const override { return unacknowledged_; }
  void consume(StreamId stream, std::size_t bytes) override;
  void release(StreamId stream, std::size_t bytes) override;
  void watch(StreamId stream) override;
  void reset(StreamId stream, std::uint64_t code) override;
  void reset_sending(StreamId stream, std::uint64_t code) override;
  void stop_receiving(StreamId stream, std::uint64_t code) override;
  void refuse(std::uint64_t code, std::string_view reason) override;
  void close(std::uint64_t code, std::string_view reason) override;
  void mark_verified() override;
  void mark_forwarder() override;
  void keep_alive(base::MonoNs idle) override;
  ConnectionStats stats() const override;
  std::optional<base::ByteArray<16>> loss_token() const override;

  // --- TlsUser ---
  ngtcp2_conn* transport() override { return conn_.get(); }
  bool accept_key(const identity::PublicKey& key) override;
  void refuse_certificate(std::string why) override;
  std::string_view dialled_protocol() const override;
  const TlsCredentials* choose_protocol(std::string_view alpn) override;
  bool between_nodes() const override { return offer_ == nullptr || offer_->between_nodes(); }
  // Not one of another protocol that has still to be accepted.
  bool is_judged() const { return verified_ || between_nodes(); }
  bool needs_client_certificate() const override {
    return side_ == Side::kDialler || offer_->protocol.needs_client_certificate;
  }
  void accept_chain(std::vector<base::Bytes> chain) override;
  bool install_application_keys(base::ByteView read, base::ByteView write) override;

 private:
  friend struct Callbacks;  // ngtcp2's, in connection_callbacks.cc

  // What a connection through a forwarder has besides.
  struct Routed {
    ServerId prefix{};  // of a route that leads here: all our ids begin with it
    std::uint32_t ids_made = 0;
    net::SocketAddress forwarder;
    // Dialler: the library tells paths apart by their local address, so each remote gets one that differs in the port.
    struct Label {
      net::SocketAddress remote, local;
    };
    std::vector<Label> labels;
    std::optional<net::SocketAddress> wanted;  // by try_path()
    base::MonoNs heard = 0;                    // on the path in use
    base::MonoNs in_flight_since = 0;          // 0: nothing is
    base::MonoNs pinged_every = 0;             // as the library was last told
    base::MonoNs owed_since = 0;               // the peer owes us a sign of life; 0: it does not
    base::MonoNs asked = 0;                    // when the forwarder was last shown where we are
    base::MonoNs ask_pause = 0;                // until it is again
    bool silent_move = false;                  // the peer follows with the first packet that is more than a probe
  };
  // How a connection that is over is left.
  struct Ending {
    enum class Farewell : std::uint8_t { kNone, kClose, kDrain };
    CloseInfo info;
    Farewell farewell = Farewell::kNone;
    ngtcp2_ccerr error;  // for kClose; its reason points into info.reason
  };
  // What the dialler waits for in TLS, and how TLS failed; gone once the handshake is over.
  struct Handshake {
    CredentialsPtr credentials;  // outlive the session
    TlsSession session;
    std::string expected_node_id;
    std::string refusal;
    bool full = false;  // the protocol takes no more connections
    base::MonoNs timeout = 0;
  };

  ngtcp2_cid make_id();
  void claim_id(const ngtcp2_cid& id);

  // connection_paths.cc
  net::SocketAddress label_of(const net::SocketAddress& remote);
  void follow_path();
  void change_path(base::MonoNs now);
  void return_to_forwarder(base::MonoNs now);
  base::MonoNs watch_path(base::MonoNs now);

  // connection_forwarder.cc
  base::MonoNs watch_forwarder(base::MonoNs now);
  void ask_forwarder(base::MonoNs now);
  void show_life();

  Stream* find(StreamId id) const;
  Stream& add_stream(StreamId id);
  void drop_stream(Stream& stream);
  void list(Stream& stream);

  void after_library(int result);
  void tell_connected();
  void note_stops();
  void tell_events();
  void tell(const StreamEvent& event);
  void tell_streams_allowed();
  void fail(int error);
  void drained();
  void end_with(CloseInfo info, Ending::Farewell farewell);
  void finish_handshake();
  base::MonoNs handshake_deadline() const;
  void choose(Offer& offer);
  void end(base::MonoNs now);
  void release_ids(std::vector<ServerId>* out);
  void leave_half_open();
  void say_goodbye(base::MonoNs now);

  void carry_out();
  void give_credit(std::uint64_t bytes);
  void give_left(std::uint64_t bytes);
  void give_back(Stream& stream);
  void return_streams();
  void hold_ack(base::MonoNs now);
  void send(base::MonoNs now);
  void park();
  ngtcp2_ssize write_packet(base::MonoNs now);
  Stream* next_to_send(bool packet_begun);
  void note_sent(Stream& stream, std::size_t accepted, bool fin, std::size_t offered);
  void commit(const ngtcp2_path& path, const ngtcp2_pkt_info& info, base::MutableBytes room, std::size_t length);
  void arm(base::MonoNs now);

  Worker& worker_;
  const std::vector<std::unique_ptr<Offer>>& offers_;
  Offer* offer_ = nullptr;
  const Side side_;
  const std::uint64_t number_;
  base::MonoNs started_ = 0;
  net::SocketAddress remote_, local_;
  net::SocketAddress forwarder_;  // as counted in worker_.forwarders, port 0: not
  net::SocketAddress bound_;      // dialler: what the library knows as our address, whatever route the kernel takes
  identity::PublicKey peer_key_{};
  std::vector<base::Bytes> peer_chain_;
  ReceiveWindow window_;                            // of the connection
  std::array<std::uint64_t, 2> streams_allowed_{};  // by the peer, in all: bidirectional, unidirectional
  FrameGuard guard_;
  std::unique_ptr<Handshake> handshake_;
  std::unique_ptr<ngtcp2_conn, ConnectionDelete> conn_;
  std::unique_ptr<Ending> ending_;

  std::vector<std::unique_ptr<Stream>> streams_;  // by id
  WorkList work_;
  std::size_t unacknowledged_ = 0;
  // Of the peer's: over, but it has not been told; and given back before their end was acknowledged.
  std::uint32_t streams_over_ = 0, streams_ahead_ = 0, unidirectional_over_ = 0;
  std::vector<ServerId> ids_;             // in worker_.ids
  std::unique_ptr<Routed> routed_;        // only of a connection that was made through a forwarder
  std::vector<ResetToken> reset_tokens_;  // in worker_.reset_tokens
  FirstId first_id_{};                    // in worker_.first_ids until the handshake is over
  std::uint64_t bytes_sent_ = 0, bytes_received_ = 0;
  std::uint64_t withheld_ = 0;  // of the connection's window, until the peer is judged
  base::MonoNs keep_alive_ = 0;

  std::uint32_t unanswered_datagrams_ = 0;  // received since something was last sent
  bool ack_may_wait_ = false;               // what came asks for nothing but an acknowledgement, and that not at once
  bool was_in_flight_ = false;              // something of ours, when the first of them came

  bool dirty_ = false;
  bool has_key_ = false;         // or, of another protocol, its chain
  bool widens_windows_ = false;  // not the library
  bool verified_ = false;
  bool streams_allowed_changed_ = false;
  bool completed_ = false;  // TLS is done on this side
  bool told_connected_ = false;
  bool early_ = false;  // dialler: our Finished has not left yet
  bool half_open_ = false;
  bool was_reset_ = false;       // by a stateless reset
  bool path_validated_ = false;  // look whether the path has changed
  bool keep_alive_asked_ = false;
  bool shows_life_ = false;  // a PING is to leave at once
  bool ended_ = false;
};

// The table of callbacks for one side; static storage.
const ngtcp2_callbacks& callbacks_of(Side side);

}  // namespace atlas::quic
