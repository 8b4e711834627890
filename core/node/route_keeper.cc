#include "node/route_keeper.h"

#include <algorithm>
#include <array>
#include <utility>

namespace atlas::node {
namespace {

constexpr std::uint8_t kShortHeader = 0x40;  // with the bit that marks QUIC

}  // namespace

base::MonoNs keep_route_every(std::int64_t expires, std::int64_t now) {
  if (expires == 0) return kKeepRouteAtMost;
  if (expires <= now) return kKeepRouteAtLeast;
  const auto left = base::saturating_mul<base::MonoNs>(base::distance(expires, now), base::kSecond);
  return std::clamp(left / 3, kKeepRouteAtLeast, kKeepRouteAtMost);
}

RouteKeeper::RouteKeeper(Setup setup) : setup_(std::move(setup)) {
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), setup_.every));
}

void RouteKeeper::on_expire(base::MonoNs now) {
  const auto relay = setup_.relay();
  if (!relay) return;
  std::array<std::uint8_t, kKeepRouteBytes> datagram;
  setup_.random->fill(datagram);
  datagram[0] = kShortHeader | (datagram[0] & 0x3f);
  std::ranges::copy(setup_.peer_route, datagram.begin() + 1);
  setup_.endpoint->send_datagram(*relay, datagram);
  setup_.deadlines->set(*this, base::after(now, setup_.every));
}

}  // namespace atlas::node
