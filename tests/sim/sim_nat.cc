#include "sim/sim_nat.h"

#include <algorithm>

namespace atlas::sim {

net::SocketAddress Nat::outbound(const net::SocketAddress& inside, const net::SocketAddress& remote, base::MonoNs now) {
  Key key{inside, {}};
  if (policy_.mapping == NatPolicy::Mapping::kPerDestination) key.remote = remote;
  const auto known = ports_.find(key);
  if (known != ports_.end() && expired(mappings_.at(known->second), now)) {
    mappings_.erase(known->second);
    ports_.erase(known);
  }
  const auto [row, fresh] = ports_.try_emplace(key, 0);
  if (fresh) {
    row->second = free_port(inside.port, now);
    mappings_[row->second].key = key;
  }
  Mapped& mapped = mappings_[row->second];
  mapped.last_out = now;
  mapped.contacted.insert(remote);
  return {outside_, row->second};
}

std::optional<net::SocketAddress> Nat::inbound(std::uint16_t port, const net::SocketAddress& remote, base::MonoNs now) {
  const auto found = mappings_.find(port);
  if (found == mappings_.end() || expired(found->second, now)) return std::nullopt;
  const Mapped& mapped = found->second;
  switch (policy_.filter) {
    case NatPolicy::Filter::kNone:
      return mapped.key.inside;
    case NatPolicy::Filter::kAddress:
      if (std::any_of(mapped.contacted.begin(), mapped.contacted.end(),
                      [&](const net::SocketAddress& known) { return known.ip == remote.ip; })) {
        return mapped.key.inside;
      }
      return std::nullopt;
    case NatPolicy::Filter::kAddressAndPort:
      if (mapped.contacted.contains(remote)) return mapped.key.inside;
      return std::nullopt;
  }
  return std::nullopt;
}

std::optional<net::SocketAddress> Nat::owner(std::uint16_t port) const {
  const auto found = mappings_.find(port);
  if (found == mappings_.end()) return std::nullopt;
  return found->second.key.inside;
}

void Nat::rebind(std::optional<net::IpAddress> outside) {
  ports_.clear();
  mappings_.clear();
  if (outside) outside_ = *outside;
  rebound_ = true;
}

bool Nat::expired(const Mapped& mapped, base::MonoNs now) const {
  return base::saturating_add(mapped.last_out, policy_.idle) < now;
}

std::uint16_t Nat::free_port(std::uint16_t wanted, base::MonoNs now) {
  // After a restart a NAT does not hand out the port it had before, or nobody would notice.
  if (policy_.keep_port && !rebound_ && !mappings_.contains(wanted)) return wanted;
  for (int tries = 0; tries < 45000; ++tries) {
    const std::uint16_t port = next_port_;
    next_port_ = next_port_ >= 64999 ? 20000 : static_cast<std::uint16_t>(next_port_ + 1);
    const auto found = mappings_.find(port);
    if (found == mappings_.end()) return port;
    if (!expired(found->second, now)) continue;
    ports_.erase(found->second.key);
    mappings_.erase(found);
    return port;
  }
  // All in use: the oldest goes, as in a router whose table is full.
  const auto oldest = std::min_element(mappings_.begin(), mappings_.end(), [](const auto& a, const auto& b) {
    return a.second.last_out < b.second.last_out;
  });
  const std::uint16_t port = oldest->first;
  ports_.erase(oldest->second.key);
  mappings_.erase(oldest);
  return port;
}

}  // namespace atlas::sim
