#include "bench/relay_pairs.h"

#include <algorithm>
#include <stdexcept>

#include "atlas/msgpack.hpp"

namespace atlas::bench {
namespace {

constexpr std::uint8_t kShortHeader = 0x40;
constexpr base::MonoNs kPatience = 600 * base::kSecond;

base::Bytes owned(const msgpack::Writer& out) {
  return {out.bytes().begin(), out.bytes().end()};
}

bool read_prefix(const msgpack::View& value, quic::ServerId& out) {
  std::vector<std::uint8_t> bytes;
  if (!value.bytes(bytes, out.size()) || bytes.size() != out.size()) return false;
  std::ranges::copy(bytes, out.begin());
  return true;
}

base::Bytes lead_of(const quic::ServerId& prefix) {
  base::Bytes lead{kShortHeader};
  lead.insert(lead.end(), prefix.begin(), prefix.end());
  return lead;
}

// Requests of `count` peers, some at a time; `start` asks and is told how to say that the answer is there.
void ask_all(Swarm& swarm, std::size_t count, std::size_t in_flight,
             const std::function<void(std::size_t, std::function<void()>)>& start) {
  std::size_t next = 0, done = 0;
  std::function<void()> answered = [&] {
    if (next < count) start(next++, answered);
    if (++done == count) swarm.stop();
  };
  while (next < std::min(in_flight, count)) start(next++, answered);
  if (!swarm.run_for(kPatience)) throw std::runtime_error("the relay did not answer all requests");
}

}  // namespace

base::Bytes relay_announce(const std::string& node_id, std::int64_t unix_s) {
  msgpack::Writer out;
  out.map(2).text("node_id").text(node_id).text("timestamp").integer(unix_s);
  return owned(out);
}

base::Bytes relay_connect(const std::string& source_id, const std::string& target_id) {
  msgpack::Writer out;
  out.map(2).text("source_id").text(source_id).text("target_id").text(target_id);
  return owned(out);
}

std::optional<RelayReady> read_relay_ready(base::ByteView payload) {
  if (msgpack::check(payload) != msgpack::Fault::kNone) return std::nullopt;
  const auto map = msgpack::MapView::of(payload);
  const auto status = map.find("status").text();
  RelayReady out;
  if (status == "waiting") {
    out.waiting = true;
    return out;
  }
  const auto peer = map.find("peer").map().find("node_id").text();
  if (status != "ready" || !peer || !read_prefix(map.find("route"), out.route) ||
      !read_prefix(map.find("peer_route"), out.peer_route)) {
    return std::nullopt;
  }
  out.peer_id = *peer;
  out.bandwidth_limit = map.find("bandwidth_limit").u64().value_or(0);
  return out;
}

std::string read_relay_error(base::ByteView payload) {
  const auto map =
      msgpack::check(payload) == msgpack::Fault::kNone ? msgpack::MapView::of(payload) : msgpack::MapView();
  return std::to_string(map.find("code").u32().value_or(0)) + ": " +
         std::string(map.find("message").text().value_or(""));
}

RelayPairs::RelayPairs(const ServerProcess& relay, std::size_t pairs, std::size_t in_flight)
    : relay_(relay.address()),
      in_flight_(in_flight),
      swarm_(relay_, {.features = {"routes"}, .sockets = 2, .share_ports = true}),
      pairs_(pairs),
      ready_(pairs) {
  swarm_.connect_all(2 * pairs, in_flight);
  ask_all(swarm_, 2 * pairs, in_flight, [&](std::size_t index, const std::function<void()>& done) {
    Peer& peer = swarm_.peer(index);
    peer.request(kRelayAnnounce, relay_announce(peer.node_id(), swarm_.clock().unix_s()),
                 [done](std::uint8_t type, base::ByteView payload, base::MonoNs) {
                   if (type == kRelayError) throw std::runtime_error("not announced, " + read_relay_error(payload));
                   const auto ready = type == kRelayReady ? read_relay_ready(payload) : std::nullopt;
                   if (!ready || !ready->waiting) throw std::runtime_error("the relay takes no announcements");
                   done();
                 });
  });
  swarm_.run_for(base::kSecond);  // what the handshakes left behind is settled
}

void RelayPairs::connect() {
  swarm_.hooks.on_closed = [](Peer& peer, const quic::CloseInfo& info) {
    throw std::runtime_error("agent " + std::to_string(peer.index()) + " was closed: " + info.reason);
  };
  swarm_.hooks.on_pushed = [this](Peer& peer, std::uint8_t type, base::ByteView payload) {
    if (type != kRelayReady) return;
    const auto ready = read_relay_ready(payload);
    if (!ready || peer.index() % 2 == 0) throw std::runtime_error("a RelayReady that nobody can use");
    connected(peer.index() / 2, *ready, /*source=*/false);
  };
  ask_all(swarm_, pairs_.size(), in_flight_, [&](std::size_t index, const std::function<void()>& done) {
    source_of(index).request(kRelayConnect, relay_connect(source_of(index).node_id(), target_of(index).node_id()),
                             [this, index, done](std::uint8_t type, base::ByteView payload, base::MonoNs) {
                               if (type == kRelayError)
                                 throw std::runtime_error("refused, " + read_relay_error(payload));
                               const auto ready = type == kRelayReady ? read_relay_ready(payload) : std::nullopt;
                               if (!ready || ready->waiting) throw std::runtime_error("the relay connects nobody");
                               ready_[index] = *ready;
                               connected(index, *ready, /*source=*/true);
                               done();
                             });
  });
  while (known_ < 2 * pairs_.size()) {
    if (!swarm_.run_for(10 * base::kSecond)) throw std::runtime_error("not all targets were told");
  }
  source_ = std::make_unique<DataSocket>(swarm_.local(0), relay_);
  target_ = std::make_unique<DataSocket>(swarm_.local(1), relay_);
  generator_ = std::make_unique<Generator>(
      clock(), Generator::Hooks{[this](DataSocket& socket, const net::ReceivedBatch& batch) {
                                  swarm_.deliver(&socket == source_.get() ? 0 : 1, batch);
                                },
                                [this] { serve(); }});
}

void RelayPairs::connected(std::size_t index, const RelayReady& ready, bool source) {
  Pair& pair = pairs_[index];
  const quic::ServerId& to_source = source ? ready.route : ready.peer_route;
  const quic::ServerId& to_target = source ? ready.peer_route : ready.route;
  const Peer& other = source ? target_of(index) : source_of(index);
  bool& knows = source ? pair.source_knows : pair.target_knows;
  if (knows || ready.peer_id != other.node_id()) throw std::runtime_error("a RelayReady for another pair");
  if ((pair.source_knows || pair.target_knows) && (pair.to_source != to_source || pair.to_target != to_target)) {
    throw std::runtime_error("the two agents of a pair were told different prefixes");
  }
  pair.to_source = to_source;
  pair.to_target = to_target;
  knows = true;
  if (++known_ == 2 * pairs_.size()) swarm_.stop();
}

Flow RelayPairs::flow(std::size_t index, bool to_target) {
  const Pair& pair = pairs_[index];
  Flow out;
  out.from = to_target ? source_.get() : target_.get();
  out.to = to_target ? target_.get() : source_.get();
  out.lead = out.arrives = lead_of(to_target ? pair.to_target : pair.to_source);
  out.size = kDatagram;
  return out;
}

}  // namespace atlas::bench
