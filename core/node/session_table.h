// The live sessions as every thread may see them. The loop thread adds, changes and removes; plugins and commands take
// snapshots. One small lock; nothing is done under it but copying.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/network.h"
#include "wire/peer_record.h"

namespace atlas::node {

// What others may know of one session. The identity never changes; the rest is atomic or under the table's lock.
struct SessionInfo {
  host::PeerHandle handle = 0;
  identity::PublicKey key{};
  wire::PeerRecord record;  // address changes under the table's lock
  bool dialled = false;
  std::int64_t connected_at = 0;
  std::uint32_t protocol_v = 1;
  bool routes = false;                         // the peer shows the feature `routes`
  std::atomic<bool> relayed{false};            // through a forwarder
  std::atomic<std::int64_t> last_exchange{0};  // Unix seconds
  std::atomic<std::uint64_t> rtt_us{0};
};

class SessionTable {
 public:
  void add(std::shared_ptr<SessionInfo> info);
  void remove(host::PeerHandle handle);
  void moved(host::PeerHandle handle, std::string address);

  std::optional<host::LivePeer> peer(host::PeerHandle handle) const;
  bool live(host::PeerHandle handle) const;
  host::PeerHandle find(std::string_view node_id) const;
  // A dialled session at that address; for targets that are addresses.
  host::PeerHandle find_dialled(std::string_view address) const;
  // Whether datagrams may be forwarded between the two.
  host::RouteAdmission admits_route(host::PeerHandle a, host::PeerHandle b) const;
  std::vector<host::LivePeer> peers() const;
  std::size_t size() const;

 private:
  static host::LivePeer snapshot(const SessionInfo& info);

  mutable std::mutex mutex_;
  std::unordered_map<host::PeerHandle, std::shared_ptr<SessionInfo>> by_handle_;
  std::unordered_map<std::string_view, SessionInfo*> by_node_id_;  // views into the infos
};

}  // namespace atlas::node
