// A NAT may show this node at another port from one datagram to the next. A forwarder takes a routed connection's
// packets from where it last validated us alone, and it learns of a new place from our own connection with it (wire
// protocol, section 8), which may be silent for a minute. So whoever waits for a peer behind a forwarder in vain has
// that connection say something.
#include <algorithm>

#include "quic/connection.h"

namespace atlas::quic {
namespace {

// Nothing of the peer's for this long while it owes us something; then at doubling pauses. Below the time after which a
// direct path is given up, so that the forwarder knows where we are when we come back to it.
constexpr base::MonoNs kFirstPause = 300 * base::kMillisecond, kLongestPause = 10 * base::kSecond;

}  // namespace

// When to show the forwarder where we are; kNever while the peer owes us nothing.
base::MonoNs QuicConnection::watch_forwarder(base::MonoNs now) {
  const bool owes = ng::info_of(conn_.get()).bytes_in_flight > 0 || !streams_.empty();
  if (!owes || ending_ != nullptr) {
    routed_->owed_since = 0;
    return base::kNever;
  }
  if (routed_->owed_since == 0) routed_->owed_since = now;
  const base::MonoNs silent_since = std::max(routed_->heard, routed_->owed_since);
  if (routed_->asked < silent_since) routed_->ask_pause = kFirstPause;
  return base::after(std::max(silent_since, routed_->asked), routed_->ask_pause);
}

void QuicConnection::ask_forwarder(base::MonoNs now) {
  routed_->asked = now;
  routed_->ask_pause = std::min(2 * routed_->ask_pause, kLongestPause);
  const auto [first, last] = worker_.forwarders.equal_range(routed_->forwarder);
  for (auto own = first; own != last; ++own) own->second->show_life();
}

// A PING at once; arm() puts the usual pace back when something is in flight.
void QuicConnection::show_life() {
  if (ending_ != nullptr || ended_) return;
  shows_life_ = true;
  ngtcp2_conn_set_keep_alive_timeout(conn_.get(), base::kMillisecond);
  mark_dirty();
}

}  // namespace atlas::quic
