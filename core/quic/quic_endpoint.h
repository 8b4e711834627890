// The endpoint behind endpoint.h. A turn of the loop: datagrams are routed and read (accept.cc for those that no
// connection owns), timers expire, then every connection that has something to do is flushed once and all that they
// wrote leaves together. Requests from outside a turn ask the loop for a turn of their own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "quic/connection.h"
#include "quic/expected.h"
#include "quic/forwarding.h"
#include "quic/worker.h"

namespace atlas::quic {

class QuicEndpoint final : public Endpoint {
 public:
  QuicEndpoint(Setup setup, std::unique_ptr<TlsContext> tls);
  ~QuicEndpoint() override;

  base::Result<void> add_protocol(const Protocol& protocol) override;
  void set_credentials(std::string_view alpn, CredentialsPtr credentials) override;
  std::span<const std::string> served() const override { return worker_.alpns; }
  base::Result<net::SocketAddress> listen(const net::SocketAddress& bind) override;
  base::Result<Connection*> dial(const DialOptions& options) override;
  base::Result<void> expect(const Expectation& expectation) override;
  Routes& routes() override { return forwarding_; }
  void announce_loss(const net::SocketAddress& remote, const base::ByteArray<16>& token) override;
  void send_datagram(const net::SocketAddress& remote, base::ByteView datagram) override;
  void stop_accepting() override { accepting_ = false; }
  void close_all(std::uint64_t code, std::string_view reason) override;
  const EndpointCounters& counters() const override { return worker_.counters; }
  net::UdpCounters udp_counters() const override;

 private:
  Offer* offer_of(std::string_view alpn) const;
  void list_accepted();
  base::Result<Outlet*> open(const net::SocketAddress& bind);
  QuicConnection& keep(std::unique_ptr<QuicConnection> connection);

  // endpoint.cc: the turn
  void on_datagrams(const net::ReceivedBatch& batch);
  void on_timer();
  void on_writable();
  void wake();
  void finish_turn();
  void flush_dirty();
  void sweep();

  // accept.cc
  void route(const net::ReceivedBatch& batch, base::ByteView datagram);
  Route* find(const ngtcp2_version_cid& header, base::ByteView datagram) const;
  void deliver(Route& route, const net::ReceivedBatch& batch, base::ByteView datagram);
  void unknown_short(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_version_cid& header);
  void first_packet(const net::ReceivedBatch& batch, base::ByteView datagram, bool was_held = false);
  void admit(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_pkt_hd& initial);
  void expected_packet(Expected& expected, const net::ReceivedBatch& batch, base::ByteView datagram);
  void accept(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_pkt_hd& initial,
              const std::optional<ngtcp2_cid>& original_id, const Expectation* expectation = nullptr);
  void send_retry(const net::ReceivedBatch& batch, const ngtcp2_pkt_hd& initial);
  void refuse(const net::ReceivedBatch& batch, const ngtcp2_pkt_hd& initial, std::uint64_t code);
  void negotiate_version(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_version_cid& header);
  void answer(const net::ReceivedBatch& batch, base::ByteView datagram);

  // Sessions keep pointers into credentials and priorities, connections into all of it: the order is that of the ends.
  const std::function<bool(const net::SocketAddress&)> accept_filter_;
  const std::function<void(const net::SocketAddress&, base::ByteView)> on_stun_;
  const std::unique_ptr<TlsContext> tls_;
  std::vector<std::unique_ptr<Offer>> offers_;
  Worker worker_;
  Forwarding forwarding_;
  ExpectedConnections expected_;
  std::vector<std::unique_ptr<QuicConnection>> connections_;
  std::vector<QuicConnection*> round_;  // being flushed
  std::unique_ptr<net::Timer> timer_;
  std::shared_ptr<QuicEndpoint*> alive_;  // null inside once we are gone; posted work looks
  base::MonoNs now_ = 0;                  // of the batch or turn at hand
  bool accepting_ = true;
  bool listening_ = false;
  bool in_turn_ = false;
  bool turn_posted_ = false;
};

}  // namespace atlas::quic
