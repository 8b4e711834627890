// An endpoint that carries nothing and notes what it was asked for, and a connection that is where a test says.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "quic/endpoint.h"

namespace atlas::node {

class FakeEndpoint final : public quic::Endpoint, private quic::Routes {
 public:
  base::Result<void> add_protocol(const quic::Protocol&) override { return {}; }
  void set_credentials(std::string_view, quic::CredentialsPtr) override {}
  std::span<const std::string> served() const override { return {}; }
  base::Result<net::SocketAddress> listen(const net::SocketAddress& bind) override { return bind; }
  base::Result<quic::Connection*> dial(const quic::DialOptions&) override {
    return base::fail(base::Fault::kUnreachable, "no dials here");
  }
  base::Result<void> expect(const quic::Expectation&) override { return {}; }
  quic::Routes& routes() override { return *this; }
  void announce_loss(const net::SocketAddress& remote, const base::ByteArray<16>&) override {
    told.push_back(remote.text());
  }
  void send_datagram(const net::SocketAddress& remote, base::ByteView datagram) override {
    sent.push_back(remote.text());
    last_datagram.assign(datagram.begin(), datagram.end());
  }
  void stop_accepting() override {}
  void close_all(std::uint64_t, std::string_view) override {}
  const quic::EndpointCounters& counters() const override { return counters_; }
  net::UdpCounters udp_counters() const override { return {}; }

  std::vector<std::string> told, sent;
  base::Bytes last_datagram;

 private:
  base::Result<quic::RouteId> add(quic::RoutePair) override { return base::fail(base::Fault::kFull, "no routes here"); }
  void remove(quic::RouteId) override {}
  std::size_t size() const override { return 0; }

  quic::EndpointCounters counters_;
};

class FakeConnection final : public quic::Connection {
 public:
  explicit FakeConnection(quic::Side side) : side_(side) {}
  quic::Side side() const override { return side_; }
  std::uint64_t number() const override { return 1; }
  const net::SocketAddress& remote() const override { return at; }
  const net::SocketAddress& local() const override { return at; }
  bool relayed() const override { return through_relay; }
  bool routed() const override { return true; }
  void try_path(const net::SocketAddress& remote) override { tried.push_back(remote.text()); }
  const identity::PublicKey& peer_key() const override { return key_; }
  base::MonoNs started() const override { return 0; }
  base::Result<quic::StreamId> open_stream() override { return base::fail(base::Fault::kState, "no streams here"); }
  base::Result<quic::StreamId> open_unidirectional_stream() override { return open_stream(); }
  std::uint64_t streams_left(bool) const override { return 0; }
  std::vector<base::Bytes> take_peer_chain() override { return {}; }
  void refuse(std::uint64_t, std::string_view) override {}
  bool write(quic::StreamId, base::ByteView, bool) override { return false; }
  std::size_t unacknowledged(quic::StreamId) const override { return 0; }
  std::size_t unacknowledged() const override { return 0; }
  void consume(quic::StreamId, std::size_t) override {}
  void release(quic::StreamId, std::size_t) override {}
  void watch(quic::StreamId) override {}
  void reset(quic::StreamId, std::uint64_t) override {}
  void reset_sending(quic::StreamId, std::uint64_t) override {}
  void stop_receiving(quic::StreamId, std::uint64_t) override {}
  void close(std::uint64_t, std::string_view) override {}
  void mark_verified() override {}
  void keep_alive(base::MonoNs) override {}
  void mark_forwarder() override {}
  quic::ConnectionStats stats() const override { return {}; }
  std::optional<base::ByteArray<16>> loss_token() const override { return std::nullopt; }

  net::SocketAddress at;
  bool through_relay = true;
  std::vector<std::string> tried;

 private:
  const quic::Side side_;
  const identity::PublicKey key_{};
};

}  // namespace atlas::node
