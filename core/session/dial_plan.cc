#include "session/dial_plan.h"

#include <algorithm>

namespace atlas::session {
namespace {

bool dialable(const net::SocketAddress& address) {
  if (address.port == 0 || address.ip.scope() == net::Scope::kUnspecified) return false;
  const auto first = static_cast<std::uint8_t>(address.ip.bytes()[0]);
  // 224/4 multicast, 240/4 with the broadcast address; ff00::/8.
  return address.ip.is_v4() ? first < 224 : first != 0xff;
}

void append(std::vector<Candidate>& list, std::string_view text, Candidate::Via via) {
  const auto address = net::SocketAddress::parse(text);
  if (!address || !dialable(*address)) return;
  const auto same = [&](const Candidate& known) { return known.address == *address; };
  if (std::none_of(list.begin(), list.end(), same)) list.push_back({via, *address});
}

// How much a failure tells about why the peer was not reached.
int weight(wire::DialFailure failure) {
  switch (failure) {
    case wire::DialFailure::kUnreachable:
      return 0;
    case wire::DialFailure::kExpired:
      return 1;
    case wire::DialFailure::kReset:
      return 2;
    case wire::DialFailure::kDisconnected:
      return 3;
    case wire::DialFailure::kRejected:
      return 4;
  }
  return 0;
}

}  // namespace

std::vector<Candidate> candidates_of(const wire::PeerRecord& record) {
  std::vector<Candidate> list;
  append(list, record.address, Candidate::Via::kAddress);
  if (record.public_address) append(list, *record.public_address, Candidate::Via::kPublicAddress);
  return list;
}

std::vector<Candidate> relay_candidates_of(const wire::PeerRecord& record, std::span<const std::string> ours) {
  std::vector<Candidate> list;
  for (const auto& relay : record.relays) {
    if (list.size() == kMaxRelayCandidates) return list;
    append(list, relay, Candidate::Via::kRelay);
  }
  for (const auto& relay : ours) {
    if (list.size() == kMaxRelayCandidates) return list;
    append(list, relay, Candidate::Via::kRelay);
  }
  return list;
}

DialPlan::DialPlan(std::vector<Candidate> candidates, DialTiming timing, base::MonoNs now)
    : timing_(timing), next_start_(now) {
  attempts_.reserve(candidates.size());
  for (auto& candidate : candidates) attempts_.push_back({.candidate = std::move(candidate)});
}

std::vector<DialPlan::Action> DialPlan::poll(base::MonoNs now) {
  std::vector<Action> due;
  const bool won = winner().has_value();
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    Attempt& attempt = attempts_[i];
    if (attempt.state != State::kDialling) continue;
    const bool late = now >= base::after(attempt.started, timing_.candidate_timeout);
    if (!won && !late) continue;
    attempt.state = won ? State::kGivenUp : State::kFailed;
    due.push_back({Action::What::kGiveUp, i});
    if (late && !won) next_start_ = std::min(next_start_, now);
  }
  if (won) return due;
  for (std::size_t i = 0; i < attempts_.size() && now >= next_start_; ++i) {
    Attempt& attempt = attempts_[i];
    if (attempt.state != State::kWaiting) continue;
    attempt.state = State::kDialling;
    attempt.started = now;
    next_start_ = base::after(now, timing_.stagger);
    due.push_back({Action::What::kStart, i});
  }
  return due;
}

base::MonoNs DialPlan::deadline() const {
  base::MonoNs next = base::kNever;
  if (winner()) return next;
  for (const auto& attempt : attempts_) {
    if (attempt.state == State::kDialling)
      next = std::min(next, base::after(attempt.started, timing_.candidate_timeout));
    if (attempt.state == State::kWaiting) next = std::min(next, next_start_);
  }
  return next;
}

void DialPlan::failed(std::size_t index, wire::DialFailure why, base::MonoNs now) {
  if (index >= attempts_.size() || attempts_[index].state != State::kDialling) return;
  attempts_[index].state = State::kFailed;
  attempts_[index].failure = why;
  next_start_ = std::min(next_start_, now);
}

void DialPlan::gave_up(std::size_t index, wire::DialFailure why) {
  if (index < attempts_.size() && attempts_[index].state == State::kFailed) attempts_[index].failure = why;
}

void DialPlan::succeeded(std::size_t index) {
  if (index >= attempts_.size() || attempts_[index].state != State::kDialling || winner()) return;
  attempts_[index].state = State::kWon;
}

bool DialPlan::over() const {
  return winner() || std::all_of(attempts_.begin(), attempts_.end(),
                                 [](const Attempt& attempt) { return attempt.state == State::kFailed; });
}

std::optional<std::size_t> DialPlan::winner() const {
  for (std::size_t i = 0; i < attempts_.size(); ++i) {
    if (attempts_[i].state == State::kWon) return i;
  }
  return std::nullopt;
}

wire::DialFailure DialPlan::failure() const {
  auto most = wire::DialFailure::kUnreachable;
  for (const auto& attempt : attempts_) {
    if (attempt.state == State::kFailed && weight(attempt.failure) > weight(most)) most = attempt.failure;
  }
  return most;
}

bool newcomer_wins(std::string_view our_id, std::string_view peer_id, bool old_dialled_by_us, bool new_dialled_by_us,
                   bool both_fresh) {
  if (!both_fresh || old_dialled_by_us == new_dialled_by_us) return true;
  const std::string_view dialled_newcomer = new_dialled_by_us ? our_id : peer_id;
  return dialled_newcomer == std::min(our_id, peer_id);
}

}  // namespace atlas::session
