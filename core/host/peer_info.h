// A peer as the plugin ABI shows it. The view borrows from the records it is made of.
#pragma once

#include <optional>
#include <vector>

#include "atlas/ext/peers.h"
#include "base/result.h"
#include "host/network.h"
#include "wire/peer_record.h"

namespace atlas::host {

class PeerInfoView {
 public:
  explicit PeerInfoView(const wire::PeerRecord& record);  // not connected
  explicit PeerInfoView(const LivePeer& live);
  PeerInfoView(const PeerInfoView&) = delete;
  PeerInfoView& operator=(const PeerInfoView&) = delete;
  const atlas_peer_info* get() const { return &info_; }

 private:
  std::vector<atlas_text> skills_, relays_;
  atlas_peer_info info_{};
};

// What a plugin tells of a peer, checked: node id, address, and the limits of section 5 of the wire protocol.
base::Result<wire::PeerRecord> record_from(const atlas_peer_info& info);

}  // namespace atlas::host
