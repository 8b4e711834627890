// The order and the timing of one dial (wire protocol, section 11): a pure state machine, time passed in.
// 5 s per candidate; the next one starts 250 ms after the one before has not answered, or at once when it failed; the
// first to finish its handshake wins. The thread of whoever owns the dial.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "net/address.h"
#include "wire/peer_record.h"

namespace atlas::session {

struct DialTiming {
  base::MonoNs candidate_timeout = 5 * base::kSecond;
  base::MonoNs stagger = 250 * base::kMillisecond;
};

struct Candidate {
  enum class Via : std::uint8_t { kAddress, kPublicAddress, kRelay } via = Via::kAddress;
  net::SocketAddress address;
};

// Of one dial; a record may list any number.
inline constexpr std::size_t kMaxRelayCandidates = base::limits::session_relay_candidates;

// Direct candidates of a known peer in protocol order, without doubles. What does not parse is left out, and so is what
// no peer can have: port 0, the unspecified host, multicast, broadcast.
std::vector<Candidate> candidates_of(const wire::PeerRecord& record);
// What comes after them: the relays that the peer lists, then ours, by the same rules. `address` is the relay's.
std::vector<Candidate> relay_candidates_of(const wire::PeerRecord& record, std::span<const std::string> ours);

class DialPlan {
 public:
  DialPlan(std::vector<Candidate> candidates, DialTiming timing, base::MonoNs now);

  struct Action {
    enum class What { kStart, kGiveUp } what;  // kStart: dial candidate `index`; kGiveUp: close its attempt
    std::size_t index;
  };
  // Everything that is due at `now`. Call after each event below and at deadline().
  std::vector<Action> poll(base::MonoNs now);
  base::MonoNs deadline() const;  // kNever when nothing waits for time

  void failed(std::size_t index, wire::DialFailure why, base::MonoNs now);
  // What the attempt of a candidate whose time ran out had come to; without it, kUnreachable.
  void gave_up(std::size_t index, wire::DialFailure why);
  // The first success wins; the others are given up by the next poll, a second one that succeeds meanwhile too.
  void succeeded(std::size_t index);
  bool over() const;  // won, or every candidate failed
  std::optional<std::size_t> winner() const;
  // The most telling failure when all failed: a refusal says more than silence.
  wire::DialFailure failure() const;
  const Candidate& candidate(std::size_t index) const { return attempts_[index].candidate; }
  std::size_t candidates() const { return attempts_.size(); }

 private:
  enum class State : std::uint8_t { kWaiting, kDialling, kFailed, kWon, kGivenUp };
  struct Attempt {
    Candidate candidate;
    State state = State::kWaiting;
    base::MonoNs started = 0;
    wire::DialFailure failure = wire::DialFailure::kUnreachable;
  };
  std::vector<Attempt> attempts_;
  DialTiming timing_;
  base::MonoNs next_start_;
};

// Section 5: when two nodes dial each other at once, the connection dialled by the smaller id wins on both sides;
// otherwise the newer one replaces the older. True when the newcomer stays. `both_fresh`: neither was in use before the
// other began, so the two crossed on the wire.
bool newcomer_wins(std::string_view our_id, std::string_view peer_id, bool old_dialled_by_us, bool new_dialled_by_us,
                   bool both_fresh);

}  // namespace atlas::session
