// Datagrams: to the connection that owns their id, or, for a first packet, through the checks of the accept path in the
// order of their cost. Until an address is validated under load, nothing is kept of it.
#include <algorithm>

#include "net/stun_message.h"
#include "quic/quic_endpoint.h"

namespace atlas::quic {
namespace {

constexpr std::uint8_t kLongHeader = 0x80;
constexpr std::uint8_t kNotQuicMask = 0xc0;
constexpr std::size_t kRoomForAnswer = 1500;

// fe80::/10 means nothing without the link that it is on, and net::SocketAddress keeps no scope id: an answer would
// have nowhere to go, and the connection would stay half-open until its handshake times out.
bool cannot_be_answered(const net::IpAddress& remote) {
  return remote.family() == net::Family::kV6 && remote.scope() == net::Scope::kLinkLocal;
}

bool takes_prefixes(const Route& owner) {
  switch (owner.kind) {
    case Route::Kind::kConnection:
      return static_cast<const QuicConnection&>(owner).routed();
    case Route::Kind::kTombstone:
      return static_cast<const Tombstone&>(owner).epitaph().routed;
    case Route::Kind::kExpected:
      return true;
    case Route::Kind::kForward:
      return false;
  }
  return false;
}

}  // namespace

void QuicEndpoint::route(const net::ReceivedBatch& batch, base::ByteView datagram) {
  ngtcp2_version_cid header{};
  if (datagram.empty()) {
    ++worker_.counters.dropped_malformed;
    return;
  }
  // The older library offers to have the bit that marks QUIC greased (RFC 9287): the first byte alone does not tell.
  if ((datagram[0] & kNotQuicMask) == 0 && net::is_stun(datagram)) {
    if (on_stun_) on_stun_(batch.remote, datagram);
    return;
  }
  const int decoded = ngtcp2_pkt_decode_version_cid(&header, datagram.data(), datagram.size(), kIdLength);
  if (decoded != 0 && decoded != NGTCP2_ERR_VERSION_NEGOTIATION) {
    ++worker_.counters.dropped_malformed;
    return;
  }
  const bool is_long = (datagram[0] & kLongHeader) != 0;
  if (is_long && header.version != 0 && header.version != kVersion) return negotiate_version(batch, datagram, header);
  if (Route* owner = find(header, datagram)) return deliver(*owner, batch, datagram);
  if (!is_long) return unknown_short(batch, datagram, header);
  first_packet(batch, datagram);
}

Route* QuicEndpoint::find(const ngtcp2_version_cid& header, base::ByteView datagram) const {
  const bool is_long = (datagram[0] & kLongHeader) != 0;
  if (header.dcidlen >= kIdLength) {
    ServerId id;
    std::copy_n(header.dcid, kIdLength, id.begin());
    Route* owner = worker_.ids.find(id);
    // A longer id is one of a route only: its first bytes are not for a connection with ids of its own.
    if (owner != nullptr && (header.dcidlen == kIdLength || takes_prefixes(*owner))) return owner;
  }
  if (!is_long || header.dcidlen > NGTCP2_MAX_CIDLEN) return nullptr;
  return worker_.first_ids.find(first_id({header.dcid, header.dcidlen}));
}

void QuicEndpoint::deliver(Route& owner, const net::ReceivedBatch& batch, base::ByteView datagram) {
  if (owner.kind == Route::Kind::kTombstone) {
    auto& tombstone = static_cast<Tombstone&>(owner);
    if (!tombstone.answers(batch.remote, datagram.size())) return;
    const Tombstone::Epitaph& epitaph = tombstone.epitaph();
    worker_.outlet(batch.remote.ip.family()).queue->put(epitaph.packet, epitaph.remote, epitaph.local);
    return;
  }
  if (owner.kind == Route::Kind::kExpected) return expected_packet(static_cast<Expected&>(owner), batch, datagram);
  auto& connection = static_cast<QuicConnection&>(owner);
  if (connection.receive(batch, datagram, now_) || connection.routed()) return;
  ngtcp2_pkt_hd initial{};
  if (datagram.size() < kLeastInitial || ngtcp2_accept(&initial, datagram.data(), datagram.size()) != 0) return;
  if (ng::token_of(initial).empty()) send_retry(batch, initial);
}

// A reset carries a made-up id: it is known by its last bytes. Anything else here is of a connection that we do not
// know any more, and its peer is told so.
void QuicEndpoint::unknown_short(const net::ReceivedBatch& batch, base::ByteView datagram,
                                 const ngtcp2_version_cid& header) {
  if (datagram.size() >= kLeastReset) {
    ResetToken token;
    std::copy_n(datagram.end() - token.size(), token.size(), token.begin());
    if (Route* owner = worker_.reset_tokens.find(token)) return deliver(*owner, batch, datagram);
  }
  ++worker_.counters.dropped_unknown_id;
  std::uint8_t packet[kMostReset];
  const std::size_t length =
      worker_.stateless.write_reset(packet, {header.dcid, header.dcidlen}, datagram.size(), now_);
  if (length == 0) return;
  ++worker_.counters.stateless_reset_sent;
  answer(batch, {packet, length});
}

void QuicEndpoint::first_packet(const net::ReceivedBatch& batch, base::ByteView datagram, bool was_held) {
  EndpointCounters& counters = worker_.counters;
  const bool is_initial = (datagram[0] & 0x30) == 0;
  if (!is_initial || !listening_) {
    ++counters.dropped_unknown_id;
    return;
  }
  if (datagram.size() < kLeastInitial) {
    ++counters.dropped_small_initial;
    return;
  }
  ngtcp2_pkt_hd initial{};
  if (ngtcp2_accept(&initial, datagram.data(), datagram.size()) != 0) {
    ++counters.dropped_malformed;
    return;
  }
  if (was_held) {
    // What it waited for may have come, or the one before it have made a connection.
    ngtcp2_version_cid header{};
    header.dcid = initial.dcid.data;
    header.dcidlen = initial.dcid.datalen;
    if (Route* owner = find(header, datagram)) return deliver(*owner, batch, datagram);
  } else if (expected_.hold(batch, datagram, {initial.dcid.data, initial.dcid.datalen}, now_)) {
    return;
  }
  admit(batch, datagram, initial);
}

// A stranger's, or as good as one.
void QuicEndpoint::admit(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_pkt_hd& initial) {
  EndpointCounters& counters = worker_.counters;
  if (cannot_be_answered(batch.remote.ip) || (accept_filter_ && !accept_filter_(batch.remote))) {
    ++counters.refused_by_filter;
    return;
  }
  std::optional<ngtcp2_cid> original_id;
  if (Stateless::is_retry_token(ng::token_of(initial))) {
    original_id = worker_.stateless.check_retry_token(initial, batch.remote, now_);
    if (!original_id) {
      ++counters.token_refused;
      return refuse(batch, initial, NGTCP2_INVALID_TOKEN);
    }
  }
  if (!accepting_ || counters.connections >= worker_.limits.max_connections) {
    ++counters.refused_full;
    return refuse(batch, initial, NGTCP2_CONNECTION_REFUSED);
  }
  if (counters.half_open >= worker_.limits.max_half_open) {
    ++counters.refused_half_open;
    return refuse(batch, initial, NGTCP2_CONNECTION_REFUSED);
  }
  const bool busy = worker_.limits.retry_always || counters.half_open > worker_.limits.max_half_open / 2;
  if (busy && !original_id) return send_retry(batch, initial);
  accept(batch, datagram, initial, original_id);
}

base::Result<void> QuicEndpoint::expect(const Expectation& expectation) {
  now_ = worker_.now();  // what has come already is read here
  return expected_.add(expectation);
}

// What was announced comes through a forwarder with which there is a session: no Retry, which could not be routed
// either, and no filter, for the address is not the peer's.
void QuicEndpoint::expected_packet(Expected& expected, const net::ReceivedBatch& batch, base::ByteView datagram) {
  EndpointCounters& counters = worker_.counters;
  ngtcp2_pkt_hd initial{};
  if (batch.remote != expected.expectation().forwarder || datagram.size() < kLeastInitial ||
      (datagram[0] & kLongHeader) == 0 || ngtcp2_accept(&initial, datagram.data(), datagram.size()) != 0) {
    ++counters.dropped_malformed;
    return;
  }
  if (!accepting_ || counters.connections >= worker_.limits.max_connections) {
    ++counters.refused_full;
    return refuse(batch, initial, NGTCP2_CONNECTION_REFUSED);
  }
  if (counters.half_open >= worker_.limits.max_half_open) {
    ++counters.refused_half_open;
    return refuse(batch, initial, NGTCP2_CONNECTION_REFUSED);
  }
  const Expectation expectation = expected_.take(expected);
  accept(batch, datagram, initial, std::nullopt, &expectation);
}

void QuicEndpoint::accept(const net::ReceivedBatch& batch, base::ByteView datagram, const ngtcp2_pkt_hd& initial,
                          const std::optional<ngtcp2_cid>& original_id, const Expectation* expectation) {
  auto connection = std::make_unique<QuicConnection>(worker_, offers_, Side::kListener);
  if (!connection->start_listener(*tls_, {&initial, original_id, batch.remote, batch.local, expectation}, now_)) {
    ++worker_.counters.dropped_malformed;
    return;
  }
  ++worker_.counters.accepted;
  QuicConnection& kept = keep(std::move(connection));
  // Only an address that was not validated yet can be asked to prove itself.
  if (!kept.receive(batch, datagram, now_) && !original_id && expectation == nullptr) send_retry(batch, initial);
}

void QuicEndpoint::send_retry(const net::ReceivedBatch& batch, const ngtcp2_pkt_hd& initial) {
  std::uint8_t packet[kRoomForAnswer];
  const std::size_t length = worker_.stateless.write_retry(packet, initial, batch.remote, now_);
  if (length == 0) return;
  ++worker_.counters.retry_sent;
  answer(batch, {packet, length});
}

void QuicEndpoint::refuse(const net::ReceivedBatch& batch, const ngtcp2_pkt_hd& initial, std::uint64_t code) {
  std::uint8_t packet[kRoomForAnswer];
  const std::size_t length = Stateless::write_refusal(packet, initial, code);
  if (length > 0) answer(batch, {packet, length});
}

void QuicEndpoint::negotiate_version(const net::ReceivedBatch& batch, base::ByteView datagram,
                                     const ngtcp2_version_cid& header) {
  if (datagram.size() < kLeastInitial || !listening_) {
    ++worker_.counters.dropped_small_initial;
    return;
  }
  std::uint8_t packet[kRoomForAnswer];
  const std::size_t length = worker_.stateless.write_version_negotiation(packet, header);
  if (length == 0) return;
  ++worker_.counters.version_negotiation_sent;
  answer(batch, {packet, length});
}

void QuicEndpoint::announce_loss(const net::SocketAddress& remote, const base::ByteArray<16>& token) {
  Outlet& outlet = worker_.outlet(remote.ip.family());
  if (outlet.queue == nullptr) return;
  std::uint8_t packet[kMostReset];
  const std::size_t length = worker_.stateless.write_reset(packet, token);
  ++worker_.counters.stateless_reset_sent;
  outlet.queue->put({packet, length}, remote, {});
  wake();
}

void QuicEndpoint::send_datagram(const net::SocketAddress& remote, base::ByteView datagram) {
  Outlet& outlet = worker_.outlet(remote.ip.family());
  if (outlet.queue == nullptr) return;
  outlet.queue->put(datagram, remote, {});
  wake();
}

void QuicEndpoint::answer(const net::ReceivedBatch& batch, base::ByteView datagram) {
  worker_.outlet(batch.remote.ip.family()).queue->put(datagram, batch.remote, batch.local);
}

}  // namespace atlas::quic
