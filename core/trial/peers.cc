#include "trial/peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "atlas/ext/routes.h"

namespace atlas::trial {

std::string node_id_of(std::uint64_t number) {
  return fmt::format("atlas_{:064x}", number);
}

bool Peers::send(host::PeerHandle, std::uint8_t, base::Bytes) {
  return true;
}

void Peers::request(host::PeerHandle to, std::uint8_t, base::Bytes, base::MonoNs timeout, std::uint64_t tag,
                    host::AnswerFn done) {
  const std::lock_guard lock(mutex_);
  asked_.push_back({to, tag, base::after(clock_.mono_ns(), timeout), std::move(done)});
}

void Peers::cancel_request(std::uint64_t tag) {
  const std::lock_guard lock(mutex_);
  std::erase_if(asked_, [tag](const Asked& asked) { return asked.tag == tag; });
}

bool Peers::reply(host::ReplyHandle to, std::uint8_t, base::Bytes) {
  const std::lock_guard lock(mutex_);
  ++replies_[to];
  return true;
}

void Peers::connect(std::string, base::MonoNs timeout, host::ConnectedFn done) {
  const std::lock_guard lock(mutex_);
  dialled_.push_back({base::after(clock_.mono_ns(), timeout), std::move(done)});
}

bool Peers::disconnect(host::PeerHandle peer, std::uint32_t reason, std::string) {
  const std::lock_guard lock(mutex_);
  disconnects_.emplace_back(peer, reason);
  return true;
}

host::RouteAdmission Peers::admits_route(host::PeerHandle a, host::PeerHandle b) const {
  const std::lock_guard lock(mutex_);
  if (!live_.contains(a) || !live_.contains(b)) return host::RouteAdmission::kGone;
  return a == b ? host::RouteAdmission::kSame : host::RouteAdmission::kYes;
}

bool Peers::add_route(host::RouteOrder order) {
  const std::lock_guard lock(mutex_);
  routes_.emplace(order.route, std::move(order));
  return true;
}

bool Peers::remove_route(std::uint64_t route) {
  const std::lock_guard lock(mutex_);
  const auto found = routes_.find(route);
  if (found == routes_.end()) return true;
  ended_.push_back([end = std::move(found->second.ended)]() mutable { end(ATLAS_ROUTE_REMOVED); });
  routes_.erase(found);
  return true;
}

bool Peers::open_stream(host::StreamOrder order) {
  far_ends_.open(std::move(order.pipe), {FarEnds::kInSession, order.to});
  return true;
}

bool Peers::dial_protocol(host::ProtocolDial dial) {
  far_ends_.dial(std::move(dial));
  return true;
}

bool Peers::open_connection_stream(host::ConnectionStreamOrder order) {
  far_ends_.open(std::move(order.pipe), {FarEnds::kInConnection, order.connection});
  return true;
}

host::LivePeer Peers::self() const {
  host::LivePeer me;
  me.record.node_id = node_id_of(0xfeed);
  me.record.address = "[::]:4433";
  me.record.name = "trial";
  return me;
}

std::optional<host::LivePeer> Peers::peer(host::PeerHandle handle) const {
  const std::lock_guard lock(mutex_);
  const auto found = live_.find(handle);
  return found == live_.end() ? std::nullopt : std::optional(found->second);
}

host::PeerHandle Peers::find(std::string_view node_id) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [handle, live] : live_) {
    if (live.record.node_id == node_id) return handle;
  }
  return 0;
}

std::vector<host::LivePeer> Peers::peers() const {
  const std::lock_guard lock(mutex_);
  std::vector<host::LivePeer> out;
  for (const auto& [handle, live] : live_) out.push_back(live);
  return out;
}

host::PeerHandle Peers::add(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  host::LivePeer live;
  live.handle = ++last_handle_;
  live.record.node_id = node_id_of(number);
  live.record.address = fmt::format("192.0.2.{}:4433", number % 250 + 1);
  live.record.name = fmt::format("peer {}", number);
  live.record.skills = {"echo"};
  live.record.last_seen = clock_.unix_s();
  live.connected_at = clock_.unix_s();
  live.dialled = number % 2 == 0;
  live.rtt_us = 20'000;
  live_[live.handle] = live;
  return live.handle;
}

bool Peers::remove(host::PeerHandle peer) {
  {
    const std::lock_guard lock(mutex_);
    if (live_.erase(peer) == 0) return false;
  }
  far_ends_.end({FarEnds::kInSession, peer});
  const std::lock_guard lock(mutex_);
  for (Asked& asked : asked_) {
    if (asked.to == peer) asked.deadline = 0;
  }
  end_routes_of(peer);
  return true;
}

void Peers::end_routes_of(host::PeerHandle peer) {
  for (auto at = routes_.begin(); at != routes_.end();) {
    if (at->second.a != peer && at->second.b != peer) {
      ++at;
      continue;
    }
    ended_.push_back([end = std::move(at->second.ended)]() mutable { end(ATLAS_ROUTE_PEER_GONE); });
    at = routes_.erase(at);
  }
}

std::vector<std::pair<host::PeerHandle, std::uint32_t>> Peers::take_disconnects() {
  const std::lock_guard lock(mutex_);
  return std::exchange(disconnects_, {});
}

bool Peers::waits() const {
  const std::lock_guard lock(mutex_);
  return !asked_.empty() || !dialled_.empty();
}

std::size_t Peers::replied(host::ReplyHandle to) const {
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(to);
  return found == replies_.end() ? 0 : found->second;
}

host::Answer Peers::answer() {
  host::Answer out;
  out.ok = true;
  out.rtt_us = 1000;
  if (manner_ == Manner::kRefuses || nonsense_.empty()) {
    out.type = 0xe0;
    out.error_code = 2003;
    out.error_text = "refused in a trial";
    return out;
  }
  out.body = nonsense_[answers_++ % nonsense_.size()];
  out.type = static_cast<std::uint8_t>(answers_ * 7);
  if (out.type == 0xe0) out.type = 0x01;
  out.unchecked = true;
  return out;
}

bool Peers::settle_request(std::unique_lock<std::mutex>& lock) {
  const base::MonoNs now = clock_.mono_ns();
  const auto due = std::ranges::find_if(
      asked_, [&](const Asked& asked) { return manner_ != Manner::kSilent || asked.deadline <= now; });
  if (due == asked_.end()) return false;
  host::AnswerFn done = std::move(due->done);
  host::Answer told;
  if (due->deadline == 0) {
    told.fault = base::Fault::kGone;
  } else if (due->deadline <= now) {
    told.fault = base::Fault::kTimeout;
  } else {
    told = answer();
  }
  asked_.erase(due);
  lock.unlock();
  done(std::move(told));
  return true;
}

bool Peers::settle_dial(std::unique_lock<std::mutex>& lock) {
  const base::MonoNs now = clock_.mono_ns();
  const auto due = std::ranges::find_if(
      dialled_, [&](const Dialled& dial) { return manner_ != Manner::kSilent || dial.deadline <= now; });
  if (due == dialled_.end()) return false;
  host::ConnectedFn done = std::move(due->done);
  host::Connected told;
  const auto first = live_.begin();
  told.ok = manner_ == Manner::kTalksNonsense && first != live_.end();
  told.fault = due->deadline <= now ? base::Fault::kTimeout : base::Fault::kUnreachable;
  told.error = "nobody there, in a trial";
  if (told.ok) {
    told.peer = first->first;
    told.node_id = first->second.record.node_id;
    told.existing = true;
  }
  dialled_.erase(due);
  lock.unlock();
  done(std::move(told));
  return true;
}

bool Peers::turn() {
  std::unique_lock lock(mutex_);
  if (!ended_.empty()) {
    auto tell = std::move(ended_.front());
    ended_.pop_front();
    lock.unlock();
    tell();
    return true;
  }
  if (settle_request(lock)) return true;
  if (lock.owns_lock() && settle_dial(lock)) return true;
  if (lock.owns_lock()) lock.unlock();
  return far_ends_.turn();
}

base::MonoNs Peers::next_deadline() const {
  const std::lock_guard lock(mutex_);
  base::MonoNs next = base::kNever;
  for (const Asked& asked : asked_) next = std::min(next, asked.deadline);
  for (const Dialled& dial : dialled_) next = std::min(next, dial.deadline);
  return std::min(next, far_ends_.next_deadline());
}

}  // namespace atlas::trial
