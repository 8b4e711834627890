// A NAT in the simulated network: mappings from inside to outside, who may answer, and how long silence lasts.
// Knows nothing of nodes or links; the world asks it to translate. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "net/address.h"

namespace atlas::sim {

struct NatPolicy {
  // Which outside port an inside socket gets (RFC 4787, 4.1).
  enum class Mapping { kSameForAll, kPerDestination };
  // Whose datagrams come in (RFC 4787, 5).
  enum class Filter { kNone, kAddress, kAddressAndPort };

  Mapping mapping = Mapping::kSameForAll;
  Filter filter = Filter::kAddressAndPort;
  base::MonoNs idle = 60 * base::kSecond;  // a mapping without outbound traffic for this long is gone
  bool hairpin = true;                     // inside hosts reach each other through their outside addresses
  bool keep_port = false;                  // outside port = inside port while that is free
};

class Nat {
 public:
  explicit Nat(net::IpAddress outside, NatPolicy policy = {}, Nat* behind = nullptr)
      : outside_(outside), policy_(policy), behind_(behind) {}

  const net::IpAddress& outside() const { return outside_; }
  // The next NAT on the way out; null: the open network.
  Nat* behind() const { return behind_; }
  NatPolicy& policy() { return policy_; }

  // The source that a datagram from `inside` to `remote` shows outside; makes or refreshes the mapping.
  net::SocketAddress outbound(const net::SocketAddress& inside, const net::SocketAddress& remote, base::MonoNs now);
  // Whom a datagram to an outside port belongs to; nothing when it is filtered.
  std::optional<net::SocketAddress> inbound(std::uint16_t port, const net::SocketAddress& remote, base::MonoNs now);
  // As inbound(), but whoever asks.
  std::optional<net::SocketAddress> owner(std::uint16_t port) const;
  // Forgets all mappings, as when the router restarts: the next datagram gets another port, on `outside` if given.
  void rebind(std::optional<net::IpAddress> outside = std::nullopt);

 private:
  struct Key {
    net::SocketAddress inside, remote;  // remote only where mapping is by destination
    auto operator<=>(const Key&) const = default;
  };
  struct Mapped {
    Key key;
    base::MonoNs last_out = 0;
    std::set<net::SocketAddress> contacted;
  };

  bool expired(const Mapped& mapped, base::MonoNs now) const;
  std::uint16_t free_port(std::uint16_t wanted, base::MonoNs now);

  net::IpAddress outside_;
  NatPolicy policy_;
  Nat* const behind_;
  std::uint16_t next_port_ = 20000;
  bool rebound_ = false;
  std::map<Key, std::uint16_t> ports_;
  std::map<std::uint16_t, Mapped> mappings_;
};

}  // namespace atlas::sim
