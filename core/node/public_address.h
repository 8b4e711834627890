// How others see this node's socket: what STUN servers answer, else what a configured bootstrap node said in its
// HelloAck. Publishes the one to tell others.
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

class PublicAddress {
 public:
  struct Setup {
    net::Loop* loop = nullptr;
    base::Random* random = nullptr;
    std::vector<std::string> servers;  // ip:port
    std::function<void(const net::SocketAddress& to, base::ByteView datagram)> send;
    // The address to publish has changed. Not called with one that depends on who looks.
    std::function<void(const std::string& address)> publish;
  };
  explicit PublicAddress(Setup setup);

  // Asks the STUN servers, now and from time to time.
  void start() { stun_.ask(); }
  // True when it was the answer of a server that was asked.
  bool on_datagram(const net::SocketAddress& from, base::ByteView datagram) {
    return stun_.on_datagram(from, datagram);
  }
  // A bootstrap node that the operator configured said so.
  void on_observed(const std::string& address);

  const net::StunClient& stun() const { return stun_; }

 private:
  void decide();

  std::function<void(const std::string&)> publish_;
  net::StunClient stun_;
  std::string observed_, published_;
};

}  // namespace atlas::node
