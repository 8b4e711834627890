// Looks over the frames of a decrypted 1-RTT packet before the library acts on them, and refuses what no honest peer
// sends: frames out of place, frames of kinds that atlas/1 does not offer, and too many of the costly kinds.
// It also notes each STOP_SENDING, of which the library does not tell.
// One guard a connection, on the loop thread.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"

namespace atlas::quic {

class FrameGuard {
 public:
  enum class Verdict : std::uint8_t {
    kPass,
    kDrop,    // an old packet, overtaken or repeated by the network: not to be acted on, and no fault of the peer
    kRefuse,  // the peer is at fault: close
  };

  // Frames of one kind in one packet.
  static constexpr unsigned kMostNewConnectionIds = base::limits::quic_new_connection_ids;
  static constexpr unsigned kMostPathChallenges = base::limits::quic_path_challenges;

  struct Stop {
    std::int64_t stream;
    std::uint64_t code;
  };

  Verdict check(base::ByteView frames, std::uint64_t packet_number);
  // Between these two: whether the datagram's packets ask for an acknowledgement, and for nothing more urgent.
  void begin_datagram() { asks_ = urgent_ = false; }
  bool ack_may_wait() const { return asks_ && !urgent_; }
  // Since it was last asked. The packets that they came in may have been old ones, and come twice.
  std::vector<Stop> take_stops() { return std::exchange(stops_, {}); }
  // Once true it stays so; the connection is to be closed.
  bool refused() const { return refused_; }

 private:
  bool walk(base::ByteView frames, std::uint64_t packet_number, bool& late);

  std::uint64_t retire_prior_to_ = 0;  // the largest seen
  std::uint64_t raised_in_ = 0;        // number of the packet that it was seen in
  std::vector<Stop> stops_;            // no more than fit into the packets of one datagram
  bool refused_ = false;
  bool asks_ = false;    // there was a frame that is to be acknowledged
  bool urgent_ = false;  // there was a probe of a path
};

}  // namespace atlas::quic
