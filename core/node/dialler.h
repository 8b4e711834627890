// Dials: one plan for each target however many ask, candidates in protocol order with stagger and time-outs (wire
// protocol, section 11). Loop thread only. Every waiter's callback runs exactly once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "host/network.h"
#include "node/counters.h"
#include "node/deadlines.h"
#include "session/dial_plan.h"

namespace atlas::node {

inline constexpr std::size_t kMaxDials = base::limits::node_dials;               // at once; refusal kFull
inline constexpr std::size_t kMaxDialWaiters = base::limits::node_dial_waiters;  // for one target; kFull

// Which attempt of which dial a connection belongs to.
struct DialTicket {
  std::uint64_t dial = 0;  // 0: none
  std::size_t attempt = 0;
};

// Why an attempt is given up.
enum class Abandon : std::uint8_t {
  kLost,      // another candidate was first
  kTimeout,   // its own time is over, or that of everybody who waited
  kStopping,  // the node shuts down
};

struct DialTarget {
  std::string key;                     // what is coalesced by: the node id, or the address
  std::optional<std::string> node_id;  // checked inside TLS
  std::vector<session::Candidate> candidates;
  std::vector<std::string> relays = {};  // that the peer lists
};

class Dialler {
 public:
  struct Hooks {
    // Starts one connection; the ticket comes back through on_session or on_failed. An error counts as a failure.
    std::function<base::Result<void>(const DialTarget&, const session::Candidate&, DialTicket)> open;
    // Closes an attempt; nothing comes back for it. Returns how far it had come: kExpired when the peer was connected
    // but silent, else kUnreachable.
    std::function<wire::DialFailure(DialTicket, Abandon)> abandon;
    // Every candidate of a known node failed: for last_failure in the database.
    std::function<void(const std::string& node_id, wire::DialFailure)> mark_failure;
  };
  Dialler(Deadlines& deadlines, NodeCounters& counters, Hooks hooks);
  ~Dialler();

  void dial(DialTarget target, base::MonoNs timeout, host::ConnectedFn done);
  void on_session(DialTicket ticket, host::PeerHandle peer, const std::string& node_id);
  void on_failed(DialTicket ticket, wire::DialFailure failure, const std::string& reason);
  // Completes every waiter with kStopping and abandons every attempt.
  void stop();
  std::size_t size() const { return dials_.size(); }

 private:
  struct Dial;
  void advance(Dial& dial);
  void expire(Dial& dial, base::MonoNs now);
  void finish(std::uint64_t id, const std::function<host::Connected()>& outcome);

  Deadlines& deadlines_;
  NodeCounters& counters_;
  Hooks hooks_;
  std::map<std::uint64_t, std::unique_ptr<Dial>> dials_;
  std::map<std::string, std::uint64_t> by_key_;
  std::uint64_t next_id_ = 1;
  bool stopping_ = false;
};

}  // namespace atlas::node
