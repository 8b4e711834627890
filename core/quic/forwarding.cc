#include "quic/forwarding.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "quic/connection.h"

namespace atlas::quic {
namespace {

// How often the receive buffers are looked at: a system call.
constexpr base::MonoNs kLook = base::kMillisecond;

constexpr std::uint8_t kLongHeader = 0x80;
constexpr std::size_t kShortIdAt = 1, kLongIdLengthAt = 5, kLongIdAt = 6;

// The first bytes of the destination connection id (RFC 8999, sections 5.1 and 5.2), null when there are too few.
const std::uint8_t* prefix_of(base::ByteView datagram) {
  if (datagram.size() <= kShortIdAt + kIdLength) return nullptr;
  if ((datagram[0] & kLongHeader) == 0) return datagram.data() + kShortIdAt;
  const bool fits = datagram[kLongIdLengthAt] >= kIdLength && datagram.size() > kLongIdAt + kIdLength;
  return fits ? datagram.data() + kLongIdAt : nullptr;
}

std::uint64_t datagrams_in(std::size_t bytes, std::size_t segment) {
  return (bytes + segment - 1) / segment;
}

}  // namespace

TokenBucket::TokenBucket(std::uint64_t per_second, base::MonoNs now)
    : per_ns_(static_cast<double>(per_second) / static_cast<double>(base::kSecond)),
      // A limit so low that its burst holds no datagram would pass none for ever.
      most_(std::max(per_ns_ * static_cast<double>(kRouteBurst), 1500.0)),
      left_(std::min(most_, static_cast<double>(kRouteFirstBurst))),
      filled_(now) {}

std::size_t TokenBucket::take(std::size_t wanted, std::size_t piece, base::MonoNs now) {
  if (now > filled_) left_ = std::min(most_, left_ + per_ns_ * static_cast<double>(now - filled_));
  filled_ = std::max(filled_, now);
  std::size_t granted = wanted;
  if (static_cast<double>(wanted) > left_) {
    granted = static_cast<std::size_t>(left_);
    granted -= granted % piece;
  }
  left_ -= static_cast<double>(granted);
  return granted;
}

struct Forwarding::Pair final : net::TimerHeap::Entry {
  Pair(Forwarding& owner, RouteId id, RoutePair given, base::MonoNs now)
      : owner(owner), id(id), given(std::move(given)), bucket(this->given.bytes_per_second, now), last(now) {
    for (const std::uint8_t end : {0, 1}) {
      to[end].pair = this;
      to[end].end = end;
      follow(end);
    }
  }
  const Connection& connection(std::uint8_t end) const { return end == 0 ? *given.a : *given.b; }
  const ServerId& prefix(std::uint8_t end) const { return end == 0 ? given.to_a : given.to_b; }
  void follow(std::uint8_t end) {
    remote[end] = connection(end).remote();
    local[end] = connection(end).local();
  }
  void on_expire(base::MonoNs now) override {
    const base::MonoNs due = base::after(last, given.idle);
    if (now >= due) return owner.end(*this, RouteEnded::kIdle);
    owner.worker_.timers.set(*this, due);
  }

  Forwarding& owner;
  const RouteId id;
  RoutePair given;
  std::array<Forward, 2> to;
  std::array<net::SocketAddress, 2> remote, local;
  TokenBucket bucket;
  std::uint64_t passed = 0;  // bytes, for the budget
  base::MonoNs last;         // when something was last forwarded
};

Forwarding::Forwarding(Worker& worker)
    : worker_(worker),
      prefixes_(worker.random),
      ceiling_([](FairCeiling::Lane& lane, std::uint64_t datagrams) {
        net::RouteTally::add(static_cast<Forward&>(lane).pair->given.tally->dropped_share, datagrams);
      }),
      poll_(worker.limits.forward_poll) {}

Forwarding::~Forwarding() {
  worker_.timers.remove(watch_);
  for (const auto& [id, pair] : pairs_) worker_.timers.remove(*pair);
}

base::Result<RouteId> Forwarding::add(RoutePair given) {
  if (pairs_.size() >= base::limits::quic_routes) return base::fail(base::Fault::kFull, "too many routes");
  if (given.to_a == given.to_b || prefixes_.find(given.to_a) != nullptr || prefixes_.find(given.to_b) != nullptr) {
    return base::fail(base::Fault::kConflict, "a route with that prefix is there already");
  }
  const RouteId id = next_++;
  const base::MonoNs now = worker_.now();
  auto made = std::make_unique<Pair>(*this, id, std::move(given), now);
  Pair& pair = *made;
  pairs_.emplace(id, std::move(made));
  for (const std::uint8_t end : {0, 1}) {
    prefixes_.insert(pair.prefix(end), &pair.to[end]);
    by_connection_.emplace(&pair.connection(end), &pair);
  }
  worker_.timers.set(pair, base::after(now, pair.given.idle));
  worker_.wake();
  return id;
}

void Forwarding::remove(RouteId route) {
  const auto found = pairs_.find(route);
  if (found != pairs_.end()) end(*found->second, RouteEnded::kRemoved);
}

void Forwarding::end(Pair& pair, RouteEnded why) {
  worker_.timers.remove(pair);
  for (const std::uint8_t end : {0, 1}) {
    prefixes_.erase(pair.prefix(end), &pair.to[end]);
    waiting_.clear(pair.to[end]);
    ceiling_.forget(pair.to[end]);
    const auto [first, last] = by_connection_.equal_range(&pair.connection(end));
    by_connection_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == &pair; }));
  }
  const auto held = pairs_.find(pair.id);
  ended_.push_back(std::move(held->second));
  pairs_.erase(held);
  if (pairs_.empty()) {
    ceiling_.stop();
    shed();
  }
  worker_.wake();
  if (pair.given.ended) pair.given.ended(why);
}

void Forwarding::moved(const QuicConnection& connection) {
  const auto [first, last] = by_connection_.equal_range(&connection);
  for (auto entry = first; entry != last; ++entry) {
    Pair& pair = *entry->second;
    pair.follow(pair.given.a == &connection ? 0 : 1);
  }
}

void Forwarding::gone(const QuicConnection& connection) {
  for (auto entry = by_connection_.find(&connection); entry != by_connection_.end();
       entry = by_connection_.find(&connection)) {
    end(*entry->second, RouteEnded::kPeerGone);
  }
}

void Forwarding::sweep() {
  ended_.clear();
}

// --- the datapath ---

base::ByteView Forwarding::forward(const net::ReceivedBatch& batch, base::ByteView rest, std::size_t segment,
                                   base::MonoNs now) {
  const std::uint8_t* prefix = prefix_of(rest.first(std::min(segment, rest.size())));
  if (prefix == nullptr) return {};
  ServerId id;
  std::memcpy(id.data(), prefix, id.size());
  Route* found = prefixes_.find(id);
  if (found == nullptr) return {};
  std::size_t size = std::min(segment, rest.size());
  while (size < rest.size()) {
    const base::ByteView next = rest.subspan(size, std::min(segment, rest.size() - size));
    const std::uint8_t* same = prefix_of(next);
    if (same == nullptr || !std::equal(id.begin(), id.end(), same)) break;
    size += next.size();
  }
  const base::ByteView run = rest.first(size);
  pass(static_cast<Forward&>(*found), batch, run, std::min(segment, size), now);
  return run;
}

void Forwarding::pass(Forward& forward, const net::ReceivedBatch& batch, base::ByteView run, std::size_t segment,
                      base::MonoNs now) {
  Pair& pair = *forward.pair;
  net::RouteTally& tally = *pair.given.tally;
  if (batch.remote != pair.remote[1 - forward.end]) {
    return net::RouteTally::add(tally.dropped_source, datagrams_in(run.size(), segment));
  }
  const std::size_t share = ceiling_.grant(forward, run.size(), segment, now);
  if (share < run.size()) net::RouteTally::add(tally.dropped_share, datagrams_in(run.size() - share, segment));
  std::size_t allowed = share;
  if (pair.given.bytes_per_second != 0) {
    allowed = pair.bucket.take(share, segment, now);
    if (allowed < share) net::RouteTally::add(tally.dropped_rate, datagrams_in(share - allowed, segment));
  }
  if (allowed == 0) return;
  pair.last = now;
  forwarded_ = true;
  pair.passed = base::saturating_add(pair.passed, std::uint64_t{allowed});
  hand_out(forward, run.first(allowed), segment, batch.ecn);
  if (pair.given.byte_budget != 0 && pair.passed >= pair.given.byte_budget) end(pair, RouteEnded::kBudget);
}

void Forwarding::hand_out(Forward& forward, base::ByteView run, std::size_t segment, std::uint8_t ecn) {
  const Pair& pair = *forward.pair;
  net::RouteTally& tally = *pair.given.tally;
  std::size_t taken = run.size();
  if (!waiting_.empty() || !send(pair, forward.end, run, segment, ecn)) {
    taken = waiting_.put(forward, run, segment, ecn);
    const std::size_t lost = run.size() - taken;
    if (lost > 0) net::RouteTally::add(tally.dropped_queue, datagrams_in(lost, segment));
  }
  net::RouteTally::add(tally.datagrams[forward.end], datagrams_in(taken, segment));
  net::RouteTally::add(tally.bytes[forward.end], taken);
}

bool Forwarding::send(const Pair& pair, std::uint8_t end, base::ByteView run, std::size_t segment, std::uint8_t ecn) {
  Outlet& outlet = worker_.outlet(pair.remote[end].ip.family());
  if (outlet.queue == nullptr || outlet.queue->blocked()) return false;
  const net::SendBatch batch{pair.remote[end], pair.local[end], ecn, run, segment};
  return outlet.socket->send({&batch, 1}) == 1;
}

void Forwarding::flush() {
  waiting_.drain([this](FairQueue::Lane& lane, const FairQueue::Run& run) {
    const auto& forward = static_cast<const Forward&>(lane);
    return send(*forward.pair, forward.end, run.data, run.segment, run.ecn);
  });
}

void Forwarding::turn_ended(base::MonoNs now) {
  if (!std::exchange(forwarded_, false) || worker_.limits.forward_poll == 0) return;
  if (const auto until = poll_.forwarded(now)) worker_.loop.stay_awake(*until);
}

// --- more to forward than can be ---

void Forwarding::look(base::MonoNs now) {
  if (now < next_look_) return;
  next_look_ = base::after(now, kLook);
  for (const Outlet& outlet : worker_.outlets) {
    const auto queue = outlet.socket != nullptr ? outlet.socket->receive_queue() : std::nullopt;
    if (!queue || queue->room == 0) continue;
    fullest_ = std::max(fullest_, static_cast<double>(queue->bytes) / static_cast<double>(queue->room));
  }
  if (ceiling_.window_over(now)) close_window(now);
}

void Forwarding::close_window(base::MonoNs now) {
  std::uint64_t received = 0, dropped = 0;
  for (const Outlet& outlet : worker_.outlets) {
    if (outlet.socket == nullptr) continue;
    received += outlet.socket->counters().received_bytes;
    dropped += outlet.socket->receive_queue().value_or(net::ReceiveQueue{}).dropped;
  }
  const bool ours = ceiling_.arrived() >= (received - received_) / 2;
  if (ceiling_.close_window(now, {.fullest = fullest_, .lost = dropped != dropped_, .ours = ours})) shed();
  fullest_ = 0;
  received_ = received;
  dropped_ = dropped;
  if (ceiling_.active()) worker_.timers.set(watch_, base::after(now, FairCeiling::kWindow));
}

void Forwarding::shed() {
  const bool none = rules_.empty();
  rules_.clear();
  for (const FairCeiling::Lane* lane : ceiling_.shed()) {
    const auto& forward = static_cast<const Forward&>(*lane);
    if (lane->keep() < 1) rules_.push_back({forward.pair->prefix(forward.end), lane->keep()});
  }
  if (none && rules_.empty()) return;
  const auto tell = [&](std::span<const net::ShedRule> rules) {
    bool all = true;
    for (const Outlet& outlet : worker_.outlets) all &= outlet.socket == nullptr || outlet.socket->shed(rules);
    return all;
  };
  if (tell(rules_)) return;
  ceiling_.read_all();
  rules_.clear();
  tell(rules_);
}

}  // namespace atlas::quic
