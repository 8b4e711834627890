#include "node/public_address.h"

#include <utility>

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

}  // namespace

PublicAddress::PublicAddress(Setup setup)
    : publish_(std::move(setup.publish)),
      stun_({.loop = setup.loop,
             .random = setup.random,
             .servers = addresses_of(setup.servers),
             .send = std::move(setup.send),
             .on_done = [this] { decide(); },
             .again_after = kStunAgain}) {}

void PublicAddress::on_observed(const std::string& address) {
  observed_ = address;
  decide();
}

// STUN is asked from the very socket that is published, and on purpose; an observation of a bootstrap node is as good
// where there is none. One that depends on who looks is of no use to a third.
void PublicAddress::decide() {
  std::string best = observed_;
  for (const net::Family family : {net::Family::kV6, net::Family::kV4}) {
    const auto mapped = stun_.mapped(family);
    if (mapped && stun_.mapping(family) != net::Mapping::kDependent) best = mapped->text();
  }
  for (const auto& result : stun_.results()) {
    if (!result.failure.empty()) {
      base::log(base::Level::kDebug, "stun", "{}: {}", result.server.text(), result.failure);
    }
  }
  if (best.empty() || best == std::exchange(published_, best)) return;
  base::log(base::Level::kInfo, "stun", "others see this node at {}", best);
  publish_(best);
}

}  // namespace atlas::node
