// The commands that the core answers itself: status, peers, connect, disconnect, plugins, commands. All others belong
// to roles and are handed to the host. Any thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "control/server.h"
#include "host/host.h"
#include "node/counters.h"
#include "node/network_port.h"
#include "node/node.h"
#include "node/public_address.h"
#include "node/switchboard.h"
#include "quic/endpoint.h"
#include "store/store.h"

namespace atlas::node {

inline constexpr std::size_t kDefaultListedPeers = 1'000;
inline constexpr std::size_t kMaxListedPeers = base::limits::node_listed_peers;
inline constexpr base::MonoNs kConnectTimeout = 30 * base::kSecond;

class Commands {
 public:
  struct Setup {
    std::string node_id, version;
    host::Host* host = nullptr;
    NetworkPort* port = nullptr;
    store::Store* store = nullptr;
    const NodeCounters* counters = nullptr;
    const base::Clock* clock = nullptr;
    net::Loop* loop = nullptr;
    const PublicAddress* public_address = nullptr;  // loop thread
    // Loop thread: what only it may read.
    std::function<std::vector<Switchboard::PathRow>()> paths;
    std::function<std::optional<bool>()> behind_nat;
    std::function<std::string()> nat_warning;  // empty: none
    std::function<std::vector<net::SocketAddress>()> listening;
    std::function<quic::EndpointCounters()> endpoint_counters;
    std::function<net::UdpCounters()> udp_counters;
  };
  explicit Commands(Setup setup);

  void handle(const control::Request& request, const std::shared_ptr<control::Call>& call);

 private:
  void status(const std::shared_ptr<control::Call>& call);
  void peers(const control::Request& request, const std::shared_ptr<control::Call>& call);
  void connect(const control::Request& request, const std::shared_ptr<control::Call>& call);
  void disconnect(const control::Request& request, const std::shared_ptr<control::Call>& call);
  void plugins(const std::shared_ptr<control::Call>& call);
  void list_commands(const std::shared_ptr<control::Call>& call);

  Setup setup_;
  base::MonoNs started_;
};

// The core's own commands as the program lists them beside those of the roles.
std::vector<host::Command> core_commands();

}  // namespace atlas::node
