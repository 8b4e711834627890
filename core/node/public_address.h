// How others see this node's socket: what STUN servers answer, else what configured bootstrap nodes and relays said in
// their HelloAcks. Publishes the address to tell others, and says what NAT there is in front of this node.
//
// Loop thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "net/stun_client.h"

namespace atlas::node {

// Mappings change; a NAT forgets one after two minutes of silence at the earliest (RFC 4787, REQ-5), and traffic to
// anybody keeps it.
inline constexpr base::MonoNs kStunAgain = 600 * base::kSecond;
// What two nodes saw of us is compared when they saw it within this time of each other: later it may be another
// mapping.
inline constexpr base::MonoNs kSeenTogether = 60 * base::kSecond;
inline constexpr std::size_t kMostSightings = 8;  // the oldest goes

class PublicAddress {
 public:
  struct Setup {
    net::Loop* loop = nullptr;
    base::Random* random = nullptr;
    std::vector<std::string> servers;  // ip:port
    std::function<void(const net::SocketAddress& to, base::ByteView datagram)> send;
    // The address to publish has changed. Not called with one that depends on who looks.
    std::function<void(const std::string& address)> publish;
    // What others see of us may have changed, the mapping included. May be empty.
    std::function<void()> changed = {};
  };
  // Whose word it is that a node saw us there.
  enum class Seen : std::uint8_t { kByBootstrap, kByRelay };
  explicit PublicAddress(Setup setup);

  // Asks the STUN servers, now and from time to time.
  void start() { stun_.ask(); }
  // True when it was the answer of a server that was asked.
  bool on_datagram(const net::SocketAddress& from, base::ByteView datagram) {
    return stun_.on_datagram(from, datagram);
  }
  // A bootstrap node or relay at `by` that the operator configured saw us at `address`. Only a bootstrap node's word is
  // published; a relay's helps to find out about the mapping.
  void on_observed(const std::string& by, const std::string& address, Seen seen);

  // What the NAT does, if there is one; by STUN where that can tell, else by what others saw.
  net::Mapping mapping(net::Family family) const;
  // STUN servers were asked, and not one has answered.
  bool stun_is_silent() const;
  // Where others see this node: as published, else where somebody saw it.
  std::vector<net::SocketAddress> seen_at() const;

  const net::StunClient& stun() const { return stun_; }

 private:
  struct Sighting {
    std::string by;
    net::SocketAddress address;
    base::MonoNs at;
  };
  void decide();

  const base::Clock& clock_;
  std::function<void(const std::string&)> publish_;
  std::function<void()> changed_;
  net::StunClient stun_;
  std::vector<Sighting> sightings_;  // one of each node
  std::string observed_, published_;
};

// True: the socket bound to one of `bound` shows outside as one of `seen`, which is none of its own addresses. False:
// it is one of them. Nothing when it cannot be told, as with a wildcard binding and `interfaces` unknown.
std::optional<bool> behind_nat(const std::vector<net::SocketAddress>& seen,
                               const std::vector<net::SocketAddress>& bound,
                               const std::vector<net::IpAddress>& interfaces);

}  // namespace atlas::node
