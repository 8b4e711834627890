// Finds the direct path of a session that runs through a relay (wire protocol, section 8). Both agents know at what
// addresses the relay sees the other, and begin at the same moment: the one that was dialled opens its NAT towards them
// with datagrams that say nothing, the one that dialled tries to move the connection there.
//
// Loop thread only; one for each link that was made through a relay, from its session's beginning to its end.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/random.h"
#include "node/deadlines.h"
#include "quic/endpoint.h"

namespace atlas::node {

// How long a candidate is tried, and after how long all of them are tried again: doubled each time, with jitter.
inline constexpr std::ptrdiff_t kCandidatesOfAHost = 2;  // the first two that are told
inline constexpr base::MonoNs kTryFor = 1'500 * base::kMillisecond;
inline constexpr base::MonoNs kTryAgain = 30 * base::kSecond, kTryAgainAtMost = 600 * base::kSecond;
// The dialled side: this often while the other one is trying, then often enough that no NAT forgets.
inline constexpr base::MonoNs kOpenEvery = 100 * base::kMillisecond, kKeepOpenEvery = 20 * base::kSecond;
inline constexpr unsigned kOpenings = 30;

// Why a session runs through the relay; for programs as to_text() spells it, docs/reference/cli.md lists them.
enum class PathReason : std::uint8_t {
  kNone,            // it is direct, or nothing has failed yet
  kNoAddress,       // the relay named no address of the peer
  kNoAnswer,        // the dialler tried them all
  kPeerDidNotCome,  // the dialled side opened its NAT in vain
  kWentSilent,      // there was a direct path
  kSymmetricHere,   // the NAT in front of this node gives each destination another port
  kSymmetricThere,  // that of the peer does
  kSymmetricBoth,   // both do: neither can know where the other one is
  kUdpBlocked,      // no STUN server answers either
};
std::string_view to_text(PathReason reason);  // "symmetric_both"; empty for kNone

// What stands in the way of this node's datagrams, as far as it knows.
struct Obstacles {
  bool symmetric = false;  // a NAT that gives each destination another port
  bool udp = false;        // STUN servers were asked, and not one answered
};

class PathUpgrade final : public net::TimerHeap::Entry {
 public:
  struct Setup {
    Deadlines* deadlines = nullptr;
    quic::Endpoint* endpoint = nullptr;
    base::Random* random = nullptr;
    quic::Connection* connection = nullptr;           // outlives this
    std::vector<net::SocketAddress> candidates = {};  // at most base::limits::node_path_candidates are used
    bool symmetric_there = false;                     // the peer says so of its NAT
    std::function<Obstacles()> here = {};             // may be empty
  };
  explicit PathUpgrade(Setup setup);
  ~PathUpgrade() override;

  void begin();
  // The connection moved: to a direct path, or back to the relay.
  void on_path();
  // A datagram of the peer's may have come from here: behind a NAT that gives each destination a port of its own, the
  // peer shows another one than the relay saw. Only of a host that the relay named.
  void on_opening(const net::SocketAddress& from);
  void on_expire(base::MonoNs now) override;

  // For people: "direct", "relay (looking for a direct path)", "relay (direct failed: …)".
  std::string text() const;
  PathReason reason() const;

 private:
  bool dialler() const { return setup_.connection->side() == quic::Side::kDialler; }
  void try_next();
  void open_nat();
  void rest();
  std::string tried() const;

  Setup setup_;
  std::size_t next_ = 0;  // candidate
  unsigned openings_ = 0;
  base::MonoNs pause_ = kTryAgain;
  bool trying_ = false;
  PathReason failure_ = PathReason::kNone;  // as seen from the attempt alone
};

}  // namespace atlas::node
