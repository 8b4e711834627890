// A QUIC peer that says what it likes: a real handshake by the same library, and then any frames in its packets.
// It lives on the simulated network; one connection for each object. The certificate and the list of protocols are
// free, too. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "attack/quic_hostile/certificates.h"
#include "quic/compat.h"
#include "quic/packet_keys.h"
#include "sim/sim_world.h"

namespace atlas::hostile {

class Peer {
 public:
  struct Options {
    Certificate* certificate = nullptr;  // null: none is shown
    std::size_t chain = 1;               // so often it is shown
    std::string alpn = "atlas/1";
    std::size_t padding = 0;           // bytes of an extension that nobody knows: they make the ClientHello long
    base::Bytes first = {};            // frames of its first Initial, instead of a ClientHello
    bool early = false;                // a listener that sends stream data before the handshake is over
    quic::PacketKeys* keys = nullptr;  // instead of the library helper's
    std::optional<net::SocketAddress> preferred = std::nullopt;  // a listener that would rather be reached there; IPv4
  };

  Peer(sim::SimNode& node, Options options);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  net::SocketAddress address() const { return socket_->local(); }
  void dial(const net::SocketAddress& remote);

  // Puts these frames into a packet of their own instead of what the library wanted to say there.
  void inject(base::Bytes frames);
  // Stream data, honestly.
  void send(std::size_t bytes);
  bool update_keys();
  // From now on its packets leave through this socket, as if from there; null: its own again. What comes back is the
  // business of whoever owns the socket.
  void leave_through(net::UdpSocket* socket) { outlet_ = socket; }
  // Bytes that are no packet of its connection.
  void send_raw(const net::SocketAddress& to, base::ByteView datagram);
  std::size_t received() const { return received_; }

  bool completed() const { return completed_; }
  bool over() const { return over_; }
  // What the other side closed with.
  const std::optional<quic::ng::PeerClose>& closed() const { return closed_; }
  std::size_t injected() const { return injected_; }

 private:
  friend struct PeerCallbacks;

  void on_datagrams(const net::ReceivedBatch& batch);
  void begin(bool listener, const net::SocketAddress& remote, const ngtcp2_pkt_hd* initial);
  void begin_tls(bool listener);
  void read(const net::SocketAddress& remote, base::ByteView datagram);
  void write();
  void arm();

  sim::SimNode& node_;
  Options options_;
  std::unique_ptr<net::UdpSocket> socket_;
  net::UdpSocket* outlet_ = nullptr;  // instead of socket_
  std::unique_ptr<net::Timer> timer_;
  ngtcp2_crypto_conn_ref reference_{};
  ngtcp2_conn* conn_ = nullptr;
  gnutls_session_t session_ = nullptr;
  gnutls_certificate_credentials_t credentials_ = nullptr;
  quic::FrameGuard guard_;
  std::deque<base::Bytes> pending_;
  std::int64_t stream_ = -1;
  std::size_t to_send_ = 0, received_ = 0, injected_ = 0;
  bool completed_ = false, over_ = false;
  std::optional<quic::ng::PeerClose> closed_;
};

}  // namespace atlas::hostile
