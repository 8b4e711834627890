#include "node/public_address.h"

#include <algorithm>
#include <utility>

#include "atlas/address.hpp"
#include "base/log.h"

namespace atlas::node {
namespace {

std::vector<net::SocketAddress> addresses_of(const std::vector<std::string>& texts) {
  std::vector<net::SocketAddress> out;
  for (const auto& text : texts) {
    if (const auto address = net::SocketAddress::parse(text)) out.push_back(*address);
  }
  return out;
}

// What is told on has others dial it: a server cannot have this node name hosts further inside than it is itself.
bool is_believed(const net::SocketAddress& told, const net::SocketAddress& by) {
  const auto address = Address::parse(told.text());
  const auto teller = HostAddress::parse(by.ip.text());
  return address && teller && may_be_told(*address, *teller);
}

}  // namespace

PublicAddress::PublicAddress(Setup setup)
    : clock_(setup.loop->clock()),
      publish_(std::move(setup.publish)),
      changed_(std::move(setup.changed)),
      stun_({.loop = setup.loop,
             .random = setup.random,
             .servers = addresses_of(setup.servers),
             .send = std::move(setup.send),
             .on_done = [this] { decide(); },
             .again_after = kStunAgain}) {}

void PublicAddress::on_observed(const std::string& by, const std::string& address, Seen seen) {
  const auto parsed = net::SocketAddress::parse(address), teller = net::SocketAddress::parse(by);
  if (!parsed || !teller || !is_believed(*parsed, *teller)) return;
  std::erase_if(sightings_, [&](const Sighting& sighting) { return sighting.by == by; });
  if (sightings_.size() == kMostSightings) sightings_.erase(sightings_.begin());
  sightings_.push_back({by, *parsed, clock_.mono_ns()});
  if (seen == Seen::kByBootstrap) observed_ = address;
  decide();
}

// Two ports of one host at the same time are two mappings of one socket. Two hosts are not enough: the machine itself
// may have several.
net::Mapping PublicAddress::mapping(net::Family family) const {
  const net::Mapping told = stun_.mapping(family);
  if (told != net::Mapping::kUnknown) return told;
  net::Mapping out = net::Mapping::kUnknown;
  for (auto one = sightings_.begin(); one != sightings_.end(); ++one) {
    for (auto other = std::next(one); other != sightings_.end(); ++other) {
      const bool together = base::after(one->at, kSeenTogether) >= other->at;
      if (one->address.ip.family() != family || one->address.ip != other->address.ip || !together) continue;
      if (one->address.port != other->address.port) return net::Mapping::kDependent;
      out = net::Mapping::kSame;
    }
  }
  return out;
}

bool PublicAddress::stun_is_silent() const {
  return !stun_.busy() && !stun_.results().empty() &&
         std::ranges::none_of(stun_.results(), [](const auto& result) { return result.mapped.has_value(); });
}

std::vector<net::SocketAddress> PublicAddress::seen_at() const {
  std::vector<net::SocketAddress> out;
  for (const auto& result : stun_.results()) {
    if (result.mapped) out.push_back(*result.mapped);
  }
  for (const Sighting& sighting : sightings_) out.push_back(sighting.address);
  return out;
}

// STUN is asked from the very socket that is published, and on purpose; an observation of a bootstrap node is as good
// where there is none. One that depends on who looks is of no use to a third.
void PublicAddress::decide() {
  std::string best = observed_;
  for (const net::Family family : {net::Family::kV6, net::Family::kV4}) {
    const auto told = std::ranges::find_if(stun_.results(), [&](const auto& result) {
      return result.mapped && result.mapped->ip.family() == family && is_believed(*result.mapped, result.server);
    });
    if (told != stun_.results().end() && stun_.mapping(family) != net::Mapping::kDependent) best = told->mapped->text();
  }
  for (const auto& result : stun_.results()) {
    if (!result.failure.empty()) {
      base::log(base::Level::kDebug, "stun", "{}: {}", result.server.text(), result.failure);
    }
  }
  if (!best.empty() && best != std::exchange(published_, best)) {
    base::log(base::Level::kInfo, "stun", "others see this node at {}", best);
    publish_(best);
  }
  if (changed_) changed_();
}

std::optional<bool> behind_nat(const std::vector<net::SocketAddress>& seen,
                               const std::vector<net::SocketAddress>& bound,
                               const std::vector<net::IpAddress>& interfaces) {
  std::optional<bool> out;
  for (const net::SocketAddress& address : seen) {
    // One that only the own network sees says nothing of what is further out.
    if (address.ip.scope() < net::Scope::kSpecial) continue;
    bool port = false, own = false, open = false;
    for (const net::SocketAddress& socket : bound) {
      const bool any = socket.ip.scope() == net::Scope::kUnspecified;
      port = port || socket.port == address.port;
      own = own || socket.ip == address.ip;
      open = open || any;
    }
    own = own || (open && std::ranges::find(interfaces, address.ip) != interfaces.end());
    if (bound.empty() || (port && !own && open && interfaces.empty())) continue;
    if (!port || !own) return true;
    out = false;
  }
  return out;
}

}  // namespace atlas::node
