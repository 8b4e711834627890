#include "sim/sim_world.h"

#include <algorithm>
#include <cstring>

namespace atlas::sim {
namespace {

Fate fate_of(SimLink::Fate fate) {
  switch (fate) {
    case SimLink::Fate::kPassed:
      return Fate::kDelivered;
    case SimLink::Fate::kLost:
      return Fate::kLost;
    case SimLink::Fate::kTooLarge:
      return Fate::kTooLarge;
    case SimLink::Fate::kQueueFull:
      return Fate::kQueueFull;
  }
  return Fate::kLost;
}

std::uint64_t digest(base::ByteView data) {
  std::uint64_t value = data.size();
  while (!data.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(data.size(), sizeof word);
    std::memcpy(&word, data.data(), size);
    value = mix(value, word);
    data = data.subspan(size);
  }
  return value;
}

net::IpAddress automatic_address(std::size_t index) {
  const std::size_t number = index + 1;
  return net::IpAddress::v4({20, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
                             static_cast<std::uint8_t>(number)});
}

// A NAT translates the family of its outside address; in the other family its nodes are on the open network.
Nat* realm(Nat* nat, const net::IpAddress& ip) {
  return nat != nullptr && nat->outside().family() == ip.family() ? nat : nullptr;
}

}  // namespace

const char* text(Fate fate) {
  switch (fate) {
    case Fate::kDelivered:
      return "delivered";
    case Fate::kLost:
      return "lost";
    case Fate::kTooLarge:
      return "too large";
    case Fate::kQueueFull:
      return "queue full";
    case Fate::kPartitioned:
      return "partitioned";
    case Fate::kFiltered:
      return "filtered";
    case Fate::kNoRoute:
      return "no route";
    case Fate::kNoPort:
      return "no port";
  }
  return "";
}

SimNode::SimNode(SimWorld& world, std::size_t index, std::string name, std::vector<net::IpAddress> addresses,
                 std::uint64_t seed, std::int64_t unix_start_ms)
    : world_(world),
      index_(index),
      name_(std::move(name)),
      clock_(world.time(), unix_start_ms),
      loop_(world.time(), clock_, *this, std::move(addresses)),
      random_(seed),
      executor_(loop_) {}

void SimNode::crash() {
  up_ = false;
  loop_.forget_tasks();
}

void SimNode::carry(const SimSocket& from, const net::SendBatch& batch) {
  world_.carry(*this, from.source_of(batch), batch);
}

SimWorld::SimWorld(std::uint64_t seed) : seed_(seed) {}

SimNode& SimWorld::add_node(std::string name, std::vector<net::IpAddress> addresses, Nat* nat) {
  const std::size_t index = nodes_.size();
  if (addresses.empty()) addresses.push_back(automatic_address(index));
  nodes_.push_back(std::make_unique<SimNode>(*this, index, std::move(name), std::move(addresses),
                                             mix(mix(seed_, 1), index), kUnixStartMs));
  place(*nodes_.back(), nat);
  return *nodes_.back();
}

Nat& SimWorld::add_nat(const net::IpAddress& outside, NatPolicy policy, Nat* behind) {
  nats_.push_back(std::make_unique<Nat>(outside, policy, behind));
  return *nats_.back();
}

void SimWorld::place(SimNode& node, Nat* nat) {
  for (const net::IpAddress& ip : node.loop().addresses()) {
    places_.erase({realm(node.nat_, ip), ip});
    places_[{realm(nat, ip), ip}] = &node;
  }
  node.nat_ = nat;
}

SimNode* SimWorld::find(const Nat* in, const net::IpAddress& ip) const {
  const auto found = places_.find({in, ip});
  return found == places_.end() ? nullptr : found->second;
}

Nat* SimWorld::nat_at(const Nat* in, const net::IpAddress& ip) const {
  const auto found = std::find_if(nats_.begin(), nats_.end(), [&](const auto& candidate) {
    return candidate->behind() == in && candidate->outside() == ip;
  });
  return found == nats_.end() ? nullptr : found->get();
}

void SimWorld::set_link(const SimNode& from, const SimNode& to, const LinkPolicy& policy) {
  pair(from, to).policy = policy;
}

void SimWorld::set_links(const SimNode& a, const SimNode& b, const LinkPolicy& policy) {
  set_link(a, b, policy);
  set_link(b, a, policy);
}

void SimWorld::partition(const std::vector<std::vector<const SimNode*>>& groups) {
  groups_.emplace(nodes_.size(), 0);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const SimNode* node : groups[i]) (*groups_)[node->index()] = i + 1;
  }
}

void SimWorld::cut(const SimNode& a, const SimNode& b, bool on) {
  pair(a, b).cut = on;
  pair(b, a).cut = on;
}

void SimWorld::heal() {
  groups_.reset();
  for (auto& [_, between] : pairs_) between.cut = false;
}

void SimWorld::rebind(SimNode& node, std::optional<net::IpAddress> outside) {
  if (node.nat_ == nullptr) {
    const NatPolicy open{.filter = NatPolicy::Filter::kNone, .idle = base::kNever};
    place(node, &add_nat(outside.value_or(node.address()), open));
  }
  node.nat_->rebind(outside);
}

void SimWorld::jump_clocks(std::int64_t ms) {
  for (const auto& node : nodes_) node->clock().jump(ms);
}

SimWorld::Pair& SimWorld::pair(const SimNode& from, const SimNode& to) {
  const std::pair key{from.index(), to.index()};
  const auto found = pairs_.find(key);
  if (found != pairs_.end()) return found->second;
  const std::uint64_t seed = mix(mix(mix(seed_, 2), key.first), key.second);
  return pairs_.emplace(key, Pair{SimLink(seed), std::nullopt, false}).first->second;
}

bool SimWorld::connected(const SimNode& from, const SimNode& to) {
  if (!from.up() || !to.up() || pair(from, to).cut) return false;
  if (!groups_) return true;
  const auto group = [this](const SimNode& node) {
    return node.index() < groups_->size() ? (*groups_)[node.index()] : 0;
  };
  return group(from) != 0 && group(from) == group(to);
}

// Outwards through each NAT that the sender is behind until the address is found, then inwards again.
SimWorld::Route SimWorld::route(SimNode& from, const net::SocketAddress& source,
                                const net::SocketAddress& destination) {
  Route out{.source = source, .destination = destination};
  Nat* here = realm(from.nat_, destination.ip);
  Nat* left = nullptr;
  while (true) {
    out.to = find(here, destination.ip);
    if (out.to != nullptr) return out;
    out.through = nat_at(here, destination.ip);
    if (out.through != nullptr || here == nullptr) break;
    out.source = here->outbound(out.source, destination, now());
    left = here;
    here = here->behind();
  }
  if (out.through == nullptr || (out.through == left && !left->policy().hairpin)) {
    out.through = nullptr;
    return out;
  }
  net::SocketAddress inside = destination;
  for (Nat* nat = out.through; nat != nullptr && out.to == nullptr; nat = nat_at(nat, inside.ip)) {
    const auto owner = nat->owner(inside.port);
    if (!owner) return out;
    inside = *owner;
    out.to = find(nat, inside.ip);
  }
  return out;
}

void SimWorld::carry_inside(SimNode& node, const net::SocketAddress& source, const net::SendBatch& batch) {
  Flight flight{
      &node, {&node, nullptr, source, batch.remote}, batch.ecn, batch.segment, {batch.data.begin(), batch.data.end()}};
  time_.at(now() + SimLoop::kTurn, [this, flight = std::move(flight)]() mutable { arrive(std::move(flight)); });
}

void SimWorld::carry(SimNode& from, const net::SocketAddress& source, const net::SendBatch& batch) {
  const auto& own = from.loop().addresses();
  if (batch.remote.ip.scope() == net::Scope::kLoopback ||
      std::find(own.begin(), own.end(), batch.remote.ip) != own.end()) {
    return carry_inside(from, source, batch);
  }
  const Route way = route(from, source, batch.remote);
  const auto lose = [&](Fate fate) { note(from, way, batch.data, batch.segment, fate); };
  if (way.to == nullptr) return lose(way.through == nullptr ? Fate::kNoRoute : Fate::kFiltered);
  if (!connected(from, *way.to)) return lose(Fate::kPartitioned);

  Pair& between = pair(from, *way.to);
  const LinkPolicy& policy = between.policy ? *between.policy : default_policy_;
  Flight flight{&from, way, batch.ecn, batch.segment, {}};
  base::MonoNs flight_arrival = 0;
  const auto depart = [&] {
    if (flight_arrival == 0) return;
    time_.at(flight_arrival, [this, gone = std::move(flight)]() mutable { arrive(std::move(gone)); });
    flight = {&from, way, batch.ecn, batch.segment, {}};
    flight_arrival = 0;
  };
  std::size_t at = 0;
  do {
    base::ByteView one = batch.data.subspan(at, std::min(batch.segment, batch.data.size() - at));
    const std::size_t size = one.size();
    at += std::max<std::size_t>(size, 1);
    InTransit seen;
    if (on_departure_) {
      seen = {&from, way.to, way.source, way.destination, way.through, {one.begin(), one.end()}};
      if (!on_departure_(seen)) {
        note(from, way, one, size, Fate::kLost);
        continue;
      }
      one = seen.data;
    }
    const SimLink::Verdict verdict = between.link.judge(policy, one.size(), now());
    if (verdict.fate != SimLink::Fate::kPassed) {
      note(from, way, one, one.size(), fate_of(verdict.fate));
      continue;
    }
    if (one.size() != size) {  // it fits in with no others
      inject(seen, verdict.arrival - now());
      continue;
    }
    if (verdict.arrival != flight_arrival) depart();
    flight_arrival = verdict.arrival;
    flight.data.insert(flight.data.end(), one.begin(), one.end());
    if (verdict.corrupt_bit != SimLink::kIntact) {
      flight.data[flight.data.size() - one.size() + verdict.corrupt_bit / 8] ^=
          static_cast<std::uint8_t>(1u << verdict.corrupt_bit % 8);
    }
    if (verdict.second_arrival != base::kNever) {
      Flight twin{&from, way, batch.ecn, one.size(), {one.begin(), one.end()}};
      time_.at(verdict.second_arrival, [this, gone = std::move(twin)]() mutable { arrive(std::move(gone)); });
    }
  } while (at < batch.data.size());
  depart();
}

void SimWorld::inject(const InTransit& datagram, base::MonoNs delay) {
  Flight flight{datagram.from,
                {datagram.to, datagram.through, datagram.source, datagram.destination},
                0,
                datagram.data.size(),
                datagram.data};
  time_.at(base::after(now(), delay), [this, gone = std::move(flight)]() mutable { arrive(std::move(gone)); });
}

void SimWorld::arrive(Flight flight) {
  const auto end = [&](Fate fate) { note(*flight.from, flight.route, flight.data, flight.segment, fate); };
  net::SocketAddress local = flight.route.destination;
  for (Nat* nat = flight.route.through; nat != nullptr; nat = nat_at(nat, local.ip)) {
    if (nat->outside() != local.ip) return end(Fate::kFiltered);
    const auto inside = nat->inbound(local.port, flight.route.source, now());
    if (!inside) return end(Fate::kFiltered);
    local = *inside;
    flight.route.to = find(nat, local.ip);
    if (flight.route.to != nullptr) break;
  }
  if (flight.route.to == nullptr) return end(Fate::kFiltered);
  if (!connected(*flight.from, *flight.route.to)) return end(Fate::kPartitioned);
  SimSocket* socket = flight.route.to->loop().find(local);
  if (socket == nullptr) return end(Fate::kNoPort);
  end(Fate::kDelivered);
  const std::size_t segment = std::min(flight.segment, flight.data.size());
  socket->deliver(flight.route.source, local, flight.ecn, std::move(flight.data), segment);
}

void SimWorld::note(const SimNode& from, const Route& way, base::ByteView data, std::size_t segment, Fate fate) {
  const std::size_t to = way.to == nullptr ? SIZE_MAX : way.to->index();
  history_ = mix(mix(mix(history_, now()), from.index() << 32 ^ to), digest(data) + static_cast<std::size_t>(fate));
  counts_[static_cast<std::size_t>(fate)] += segment == 0 ? 1 : (data.size() + segment - 1) / segment;
  if (!on_passage_) return;
  std::size_t at = 0;
  do {
    const std::size_t size = std::min(segment, data.size() - at);
    on_passage_({now(), &from, way.to, way.source, way.destination, size, fate});
    at += std::max<std::size_t>(size, 1);
  } while (at < data.size());
}

}  // namespace atlas::sim
