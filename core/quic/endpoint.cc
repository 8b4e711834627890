#include "quic/endpoint.h"

#include <algorithm>

#include "quic/quic_endpoint.h"

namespace atlas::quic {
namespace {

using base::Fault;

// Flushes of one connection in one turn: a callback in a flush may ask for another.
constexpr int kMostRounds = 4;
// What GnuTLS can negotiate.
constexpr std::size_t kMostAlpnBytes = base::limits::quic_alpn_bytes, kMostProtocols = base::limits::quic_protocols;

}  // namespace

base::Result<std::unique_ptr<Endpoint>> Endpoint::make(Setup setup) {
  if (setup.loop == nullptr || setup.random == nullptr) {
    return base::fail(Fault::kArgument, "a QUIC endpoint needs a loop and a source of random bytes");
  }
  auto tls = TlsContext::make();
  if (!tls) return std::unexpected(tls.error());
  return std::make_unique<QuicEndpoint>(std::move(setup), std::move(*tls));
}

QuicEndpoint::QuicEndpoint(Setup setup, std::unique_ptr<TlsContext> tls)
    : accept_filter_(std::move(setup.accept_filter)),
      on_stun_(std::move(setup.on_stun)),
      tls_(std::move(tls)),
      worker_(*setup.loop, *setup.random, setup.limits, setup.secret),
      forwarding_(worker_),
      expected_(worker_, [this](const net::ReceivedBatch& packet) { first_packet(packet, packet.data, true); }),
      alive_(std::make_shared<QuicEndpoint*>(this)) {
  base::wipe(setup.secret);
  timer_ = worker_.loop.make_timer([this] { on_timer(); });
  worker_.wake = [this] { wake(); };
  worker_.forwarding = &forwarding_;
}

QuicEndpoint::~QuicEndpoint() {
  *alive_ = nullptr;
}

base::Result<void> QuicEndpoint::add_protocol(const Protocol& protocol) {
  if (protocol.alpn.empty() || protocol.alpn.size() > kMostAlpnBytes || protocol.events == nullptr) {
    return base::fail(Fault::kArgument, "a protocol needs a name of 1 to 31 bytes, and somebody to tell");
  }
  if (offers_.size() == kMostProtocols) return base::fail(Fault::kFull, "as many protocols as TLS takes are offered");
  if (offers_.empty() && protocol.key == nullptr) {
    return base::fail(Fault::kArgument, "the first protocol of an endpoint is one of nodes");
  }
  if (worker_.outlets[0].socket != nullptr || worker_.outlets[1].socket != nullptr) {
    return base::fail(Fault::kState, "protocols are added before the first socket opens");
  }
  if (offer_of(protocol.alpn) != nullptr) {
    return base::fail(Fault::kConflict, "the protocol " + protocol.alpn + " is already offered");
  }
  auto offer = std::make_unique<Offer>(Offer{protocol, nullptr});
  if (protocol.key != nullptr) {
    auto credentials = TlsCredentials::make(*protocol.key);
    if (!credentials) return std::unexpected(credentials.error());
    offer->credentials = std::move(*credentials);
  } else {
    offer->protocol.max_stream_window = protocol.stream_window;
    offer->protocol.max_connection_window = protocol.connection_window;
    worker_.widens_windows = worker_.widens_windows || protocol.accepts;
  }
  if (protocol.accepts) {
    worker_.longest_handshake = std::max(worker_.longest_handshake, protocol.handshake_timeout);
  }
  offers_.push_back(std::move(offer));
  list_accepted();
  return {};
}

Offer* QuicEndpoint::offer_of(std::string_view alpn) const {
  const auto found = std::ranges::find_if(offers_, [&](const auto& held) { return held->protocol.alpn == alpn; });
  return found == offers_.end() ? nullptr : found->get();
}

void QuicEndpoint::set_credentials(std::string_view alpn, CredentialsPtr credentials) {
  Offer* offer = offer_of(alpn);
  if (offer == nullptr || offer->between_nodes()) return;
  offer->credentials = std::move(credentials);
  list_accepted();
}

void QuicEndpoint::list_accepted() {
  worker_.alpns.clear();
  for (const auto& offer : offers_) {
    if (offer->protocol.accepts && offer->credentials != nullptr) worker_.alpns.push_back(offer->protocol.alpn);
  }
}

base::Result<Outlet*> QuicEndpoint::open(const net::SocketAddress& bind) {
  Outlet& outlet = worker_.outlet(bind.ip.family());
  net::UdpEvents events;
  events.on_turn_begin = [this] {
    if (forwarding_.size() != 0) forwarding_.look(worker_.now());
  };
  events.on_datagrams = [this](const net::ReceivedBatch& batch) { on_datagrams(batch); };
  events.on_turn_end = [this] { finish_turn(); };
  events.on_writable = [this] { on_writable(); };
  auto socket = worker_.loop.open_udp(bind, {}, std::move(events));
  if (!socket) return std::unexpected(socket.error());
  outlet.socket = std::move(*socket);
  outlet.queue = std::make_unique<SendQueue>(*outlet.socket);
  outlet.local = outlet.socket->local();
  return &outlet;
}

base::Result<net::SocketAddress> QuicEndpoint::listen(const net::SocketAddress& bind) {
  if (bind.ip.family() == net::Family::kNone) return base::fail(Fault::kArgument, "an address to listen on is needed");
  if (offers_.empty()) return base::fail(Fault::kState, "a listener needs a protocol first");
  if (worker_.outlet(bind.ip.family()).socket != nullptr) {
    return base::fail(Fault::kConflict, "a socket of that family is already open; " + bind.text() + " cannot be added");
  }
  const auto outlet = open(bind);
  if (!outlet) return std::unexpected(outlet.error());
  listening_ = true;
  return (*outlet)->local;
}

base::Result<Connection*> QuicEndpoint::dial(const DialOptions& options) {
  Offer* offer = offer_of(options.alpn);
  if (offer == nullptr) return base::fail(Fault::kArgument, "the protocol " + options.alpn + " is not offered");
  if (offer->credentials == nullptr) {
    return base::fail(Fault::kState, "the protocol " + options.alpn + " has no certificate yet");
  }
  if (offer->connections >= offer->protocol.max_connections) {
    ++worker_.counters.refused_protocol;
    return base::fail(Fault::kFull, "the protocol " + options.alpn + " takes no more connections");
  }
  const net::Family family = options.remote.ip.family();
  if (family == net::Family::kNone || options.remote.port == 0) {
    return base::fail(Fault::kArgument, "an address with a port is needed to dial");
  }
  if (family == net::Family::kV6 && options.remote.ip.scope() == net::Scope::kLinkLocal) {
    return base::fail(Fault::kArgument, "a link-local IPv6 address cannot be dialled: it means nothing without a link");
  }
  if (worker_.counters.connections >= worker_.limits.max_connections) {
    return base::fail(Fault::kFull, "transport.max_connections is reached");
  }
  Outlet& outlet = worker_.outlet(family);
  if (outlet.socket == nullptr) {
    const net::IpAddress any = family == net::Family::kV4 ? net::IpAddress::v4({}) : net::IpAddress::v6({});
    if (const auto opened = open({any, 0}); !opened) return std::unexpected(opened.error());
  }
  auto connection = std::make_unique<QuicConnection>(worker_, offers_, Side::kDialler);
  // A dial from a callback of this turn's flush is flushed in the same turn: its clock must not be ahead of the turn's.
  now_ = worker_.now();
  if (!connection->start_dialler(*tls_, *offer, options, outlet.local, now_)) {
    return base::fail(Fault::kInternal, "a connection could not be made: out of memory or TLS failed");
  }
  ++worker_.counters.dialled;
  QuicConnection& kept = keep(std::move(connection));
  kept.mark_dirty();
  return &kept;
}

QuicConnection& QuicEndpoint::keep(std::unique_ptr<QuicConnection> connection) {
  connection->place = connections_.size();
  connections_.push_back(std::move(connection));
  worker_.counters.connections = connections_.size();
  return *connections_.back();
}

void QuicEndpoint::close_all(std::uint64_t code, std::string_view reason) {
  for (const auto& connection : connections_) connection->close(code, reason);
  if (in_turn_) return;
  in_turn_ = true;
  finish_turn();
}

net::UdpCounters QuicEndpoint::udp_counters() const {
  net::UdpCounters sum;
  for (const Outlet& outlet : worker_.outlets) {
    if (outlet.socket == nullptr) continue;
    const net::UdpCounters& one = outlet.socket->counters();
    sum.received_datagrams += one.received_datagrams;
    sum.received_bytes += one.received_bytes;
    sum.receive_calls += one.receive_calls;
    sum.sent_datagrams += one.sent_datagrams;
    sum.sent_bytes += one.sent_bytes;
    sum.send_calls += one.send_calls;
    sum.blocked += one.blocked;
    sum.oversize += one.oversize;
    sum.failed += one.failed;
  }
  return sum;
}

// --- the turn ---

void QuicEndpoint::on_datagrams(const net::ReceivedBatch& batch) {
  in_turn_ = true;
  now_ = worker_.now();
  const std::size_t segment = batch.segment == 0 ? batch.data.size() : batch.segment;
  base::ByteView rest = batch.data;
  do {
    const base::ByteView passed_on =
        forwarding_.size() == 0 ? base::ByteView() : forwarding_.forward(batch, rest, segment, now_);
    if (!passed_on.empty()) {
      rest = rest.subspan(passed_on.size());
      continue;
    }
    const base::ByteView datagram = rest.first(std::min(segment, rest.size()));
    rest = rest.subspan(datagram.size());
    route(batch, datagram);
  } while (!rest.empty());
}

void QuicEndpoint::on_timer() {
  in_turn_ = true;
  finish_turn();
}

void QuicEndpoint::on_writable() {
  in_turn_ = true;
  for (Outlet& outlet : worker_.outlets) {
    if (outlet.queue != nullptr) outlet.queue->flush();
  }
  forwarding_.flush();
  std::vector<QuicConnection*> parked;
  parked.swap(worker_.parked);
  worker_.dirty.insert(worker_.dirty.end(), parked.begin(), parked.end());
  finish_turn();
}

void QuicEndpoint::wake() {
  if (in_turn_ || turn_posted_) return;
  turn_posted_ = true;
  worker_.loop.post([alive = alive_] {
    QuicEndpoint* self = *alive;
    if (self == nullptr) return;
    self->turn_posted_ = false;
    self->in_turn_ = true;
    self->finish_turn();
  });
}

void QuicEndpoint::finish_turn() {
  in_turn_ = true;
  now_ = worker_.now();
  worker_.timers.run(now_);
  flush_dirty();
  for (Outlet& outlet : worker_.outlets) {
    if (outlet.queue != nullptr && !outlet.queue->empty()) outlet.queue->flush();
  }
  forwarding_.turn_ended(now_);
  sweep();
  in_turn_ = false;
  if (!worker_.dirty.empty()) wake();
  timer_->arm(worker_.timers.next());
}

void QuicEndpoint::flush_dirty() {
  for (int i = 0; i < kMostRounds && !worker_.dirty.empty(); ++i) {
    round_.clear();
    round_.swap(worker_.dirty);
    for (QuicConnection* connection : round_) {
      if (connection->take_dirty()) connection->flush(now_);
    }
  }
}

void QuicEndpoint::sweep() {
  for (QuicConnection* connection : worker_.ended) {
    if (connection->take_dirty()) {
      std::erase(worker_.dirty, connection);
      std::erase(worker_.parked, connection);
    }
    const std::size_t place = connection->place;
    std::swap(connections_[place], connections_.back());
    connections_[place]->place = place;
    connections_.pop_back();
    ++worker_.counters.closed;
  }
  worker_.ended.clear();
  worker_.counters.connections = connections_.size();
  worker_.graveyard.sweep();
  forwarding_.sweep();
  expected_.sweep();
}

}  // namespace atlas::quic
