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
const Nat* realm(const Nat* nat, const net::IpAddress& ip) {
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

Nat& SimWorld::add_nat(const net::IpAddress& outside, NatPolicy policy) {
  nats_.push_back(std::make_unique<Nat>(outside, policy));
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

SimWorld::Route SimWorld::route(SimNode& from, const net::SocketAddress& source,
                                const net::SocketAddress& destination) {
  Route out{.source = source, .destination = destination};
  const Nat* inside = realm(from.nat_, destination.ip);
  out.to = find(inside, destination.ip);
  if (out.to != nullptr) return out;
  if (inside != nullptr) {
    out.source = from.nat_->outbound(source, destination, now());
    out.to = find(nullptr, destination.ip);
    if (out.to != nullptr) return out;
  }
  const auto nat = std::find_if(nats_.begin(), nats_.end(),
                                [&](const auto& candidate) { return candidate->outside() == destination.ip; });
  if (nat == nats_.end()) return out;
  if (nat->get() == inside && !(*nat)->policy().hairpin) return out;
  out.through = nat->get();
  if (const auto owner = out.through->owner(destination.port)) out.to = find(out.through, owner->ip);
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
    const base::ByteView one = batch.data.subspan(at, std::min(batch.segment, batch.data.size() - at));
    at += std::max<std::size_t>(one.size(), 1);
    const SimLink::Verdict verdict = between.link.judge(policy, one.size(), now());
    if (verdict.fate != SimLink::Fate::kPassed) {
      note(from, way, one, one.size(), fate_of(verdict.fate));
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

void SimWorld::arrive(Flight flight) {
  const auto end = [&](Fate fate) { note(*flight.from, flight.route, flight.data, flight.segment, fate); };
  net::SocketAddress local = flight.route.destination;
  if (Nat* nat = flight.route.through; nat != nullptr) {
    if (nat->outside() != local.ip) return end(Fate::kFiltered);
    const auto inside = nat->inbound(local.port, flight.route.source, now());
    flight.route.to = inside ? find(nat, inside->ip) : nullptr;
    if (flight.route.to == nullptr) return end(Fate::kFiltered);
    local = *inside;
  }
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
