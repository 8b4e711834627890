#include "node/listener_view.h"

#include <utility>

namespace atlas::node {
namespace {

using Nat = host::Listener::Nat;

// A mapping that depends on who looks is a NAT's, wherever the address is from; one that does not may be no NAT at all.
Nat nat_of(net::Mapping mapping, std::optional<bool> behind) {
  if (mapping == net::Mapping::kDependent) return Nat::kSymmetric;
  if (behind == false) return Nat::kNone;
  return behind == true && mapping == net::Mapping::kSame ? Nat::kMapped : Nat::kUnknown;
}

}  // namespace

host::Listener listener_view(std::span<const net::SocketAddress> bound, std::span<const std::string> protocols,
                             std::string published, net::Mapping mapping, std::optional<bool> behind) {
  host::Listener out;
  for (const net::SocketAddress& socket : bound) out.bound.push_back(socket.text());
  // A node without a listener serves nothing, whatever it could.
  if (!bound.empty()) out.protocols.assign(protocols.begin(), protocols.end());
  out.public_address = std::move(published);
  out.nat = nat_of(mapping, behind);
  return out;
}

}  // namespace atlas::node
