// Which way a connection goes: a listener follows its peer; a dialler that began through a forwarder moves to a direct
// path when one is found, and back when it goes silent (wire protocol, section 8).
#include <algorithm>

#include "quic/connection.h"
#include "quic/forwarding.h"
#include "quic/path.h"

namespace atlas::quic {
namespace {

// Nothing at all on a direct path for this long, while something of ours waits to be acknowledged: it is dead.
constexpr base::MonoNs kPathSilence = base::kSecond;
// A direct path is asked for a sign of life: soon where a stream may be waiting, else often enough that no NAT forgets
// us (RFC 4787, REQ-5 allows two minutes; many take less).
constexpr base::MonoNs kPingBusy = 500 * base::kMillisecond, kPingIdle = 10 * base::kSecond;
constexpr std::size_t kMostLabels = 8;  // candidates of one peer; the oldest goes

}  // namespace

void QuicConnection::follow_path() {
  path_validated_ = false;
  const ngtcp2_path* path = ngtcp2_conn_get_path(conn_.get());
  const net::SocketAddress remote = address_of(path->remote);
  if (remote == remote_ || (side_ == Side::kDialler && !routed_)) return;
  remote_ = remote;
  local_ = address_of(path->local);
  if (routed_) {
    routed_->heard = worker_.last_now;
    routed_->silent_move = true;
  }
  worker_.forwarding->moved(*this);
  if (told_connected_ && ending_ == nullptr) offer_->protocol.events->on_path(*this);
}

net::SocketAddress QuicConnection::label_of(const net::SocketAddress& remote) {
  if (!routed_ || remote == routed_->forwarder) return bound_;
  const auto known = std::ranges::find(routed_->labels, remote, &Routed::Label::remote);
  return known == routed_->labels.end() ? bound_ : known->local;
}

void QuicConnection::try_path(const net::SocketAddress& remote) {
  if (!routed_ || side_ != Side::kDialler || ending_ != nullptr) return;
  routed_->wanted = remote;
  mark_dirty();
}

// Between packets only, as all that changes the library's paths.
void QuicConnection::change_path(base::MonoNs now) {
  if (!routed_->wanted) return;
  const net::SocketAddress remote = *routed_->wanted;
  const Outlet& outlet = worker_.outlet(remote.ip.family());
  if (remote == remote_ || remote == routed_->forwarder || outlet.socket == nullptr) return routed_->wanted.reset();
  if (std::ranges::find(routed_->labels, remote, &Routed::Label::remote) == routed_->labels.end()) {
    if (routed_->labels.size() == kMostLabels) routed_->labels.erase(routed_->labels.begin());
    // Any port but those in use will do: it never leaves this process.
    const std::uint16_t last = routed_->labels.empty() ? bound_.port : routed_->labels.back().local.port;
    std::uint16_t port = static_cast<std::uint16_t>(last + 1);
    if (port == 0 || port == bound_.port) port = static_cast<std::uint16_t>(bound_.port + 1);
    routed_->labels.push_back({remote, {outlet.local.ip, port}});
  }
  const Path path(label_of(remote), remote);
  const int begun = ngtcp2_conn_initiate_migration(conn_.get(), path.get(), now);
  // The handshake is not confirmed yet, or the peer's spare ids are used up: more of both is on its way.
  if (begun == NGTCP2_ERR_INVALID_STATE || begun == NGTCP2_ERR_CONN_ID_BLOCKED) return;
  routed_->wanted.reset();
  ack_may_wait_ = false;
}

void QuicConnection::return_to_forwarder(base::MonoNs now) {
  const Path path(bound_, routed_->forwarder);
  if (ngtcp2_conn_initiate_immediate_migration(conn_.get(), path.get(), now) != 0) {
    routed_->in_flight_since = now;  // no spare id of the peer's: again after another silence
    return;
  }
  remote_ = routed_->forwarder;
  routed_->in_flight_since = 0;
  mark_dirty();
  if (told_connected_ && ending_ == nullptr) offer_->protocol.events->on_path(*this);
}

// When to give the direct path up, as things are; kNever on the forwarder's.
base::MonoNs QuicConnection::watch_path(base::MonoNs now) {
  if (side_ != Side::kDialler || relayed() || ending_ != nullptr) return base::kNever;
  const bool in_flight = ng::info_of(conn_.get()).bytes_in_flight > 0;
  if (in_flight) routed_->silent_move = false;
  const base::MonoNs every = routed_->silent_move ? base::kMillisecond : streams_.empty() ? kPingIdle : kPingBusy;
  if (routed_->pinged_every != every) {
    routed_->pinged_every = every;
    ngtcp2_conn_set_keep_alive_timeout(conn_.get(), every);
  }
  if (!in_flight) {
    routed_->in_flight_since = 0;
    return base::kNever;
  }
  if (routed_->in_flight_since == 0) routed_->in_flight_since = now;
  return base::after(std::max(routed_->heard, routed_->in_flight_since), kPathSilence);
}

}  // namespace atlas::quic
