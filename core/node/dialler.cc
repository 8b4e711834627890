#include "node/dialler.h"

#include <algorithm>

#include "atlas/address.hpp"

namespace atlas::node {

struct Dialler::Dial final : net::TimerHeap::Entry {
  struct Waiter {
    base::MonoNs deadline;
    host::ConnectedFn done;
  };

  Dial(Dialler& owner, std::uint64_t id, DialTarget target, base::MonoNs now)
      : owner(owner), id(id), target(std::move(target)), plan(this->target.candidates, {}, now) {}

  void on_expire(base::MonoNs now) override { owner.expire(*this, now); }

  Dialler& owner;
  const std::uint64_t id;
  DialTarget target;
  session::DialPlan plan;
  std::vector<Waiter> waiters;
  std::string reason;  // of the failure that tells most, for people
  bool advancing = false;
};

namespace {

host::Connected failed(base::Fault fault, std::string error) {
  host::Connected out;
  out.fault = fault;
  out.error = std::move(error);
  return out;
}

}  // namespace

Dialler::Dialler(Deadlines& deadlines, NodeCounters& counters, Hooks hooks)
    : deadlines_(deadlines), counters_(counters), hooks_(std::move(hooks)) {}

Dialler::~Dialler() {
  for (auto& [id, dial] : dials_) deadlines_.clear(*dial);
}

void Dialler::dial(DialTarget target, base::MonoNs timeout, host::ConnectedFn done) {
  if (stopping_) return done(failed(base::Fault::kStopping, "the node is shutting down"));
  if (!target.node_id) {
    if (const std::string why = why_no_target(target.key); !why.empty()) {
      return done(failed(base::Fault::kArgument, why));
    }
  }
  if (target.candidates.empty()) {
    return done(failed(base::Fault::kUnreachable, target.key + ": no address is known; `atlas net discover --node " +
                                                      target.key + "` may find one, or give its ip:port"));
  }
  const base::MonoNs now = deadlines_.now();
  auto known = by_key_.find(target.key);
  if (known == by_key_.end()) {
    if (dials_.size() >= kMaxDials) return done(failed(base::Fault::kFull, "too many dials at once"));
    counters_.dials.add();
    const std::uint64_t id = next_id_++;
    known = by_key_.emplace(target.key, id).first;
    dials_.emplace(id, std::make_unique<Dial>(*this, id, std::move(target), now));
  }
  Dial& dial = *dials_.at(known->second);
  if (dial.waiters.size() >= kMaxDialWaiters) return done(failed(base::Fault::kFull, "too many wait for this dial"));
  dial.waiters.push_back({base::after(now, timeout), std::move(done)});
  advance(dial);
}

void Dialler::advance(Dial& dial) {
  if (dial.advancing) return;  // an attempt that fails at once reports from inside the loop below
  dial.advancing = true;
  const base::MonoNs now = deadlines_.now();
  for (auto actions = dial.plan.poll(now); !actions.empty(); actions = dial.plan.poll(now)) {
    for (const auto& action : actions) {
      const DialTicket ticket{dial.id, action.index};
      if (action.what == session::DialPlan::Action::What::kGiveUp) {
        const bool lost = dial.plan.winner().has_value();
        const auto failure = hooks_.abandon(ticket, lost ? Abandon::kLost : Abandon::kTimeout);
        if (!lost) dial.plan.gave_up(action.index, failure);
        continue;
      }
      const auto opened = hooks_.open(dial.target, dial.plan.candidate(action.index), ticket);
      if (!opened) {
        dial.reason = opened.error().text;
        dial.plan.failed(action.index, wire::DialFailure::kUnreachable, now);
      }
    }
  }
  dial.advancing = false;
  if (dial.plan.over() && !dial.plan.winner()) {
    counters_.dials_failed.add();
    const auto failure = dial.plan.failure();
    if (dial.target.node_id) hooks_.mark_failure(*dial.target.node_id, failure);
    const bool refused = failure == wire::DialFailure::kRejected;
    std::string error = dial.target.key + ": " + std::string(wire::to_text(failure));
    if (!dial.reason.empty()) error += " (" + dial.reason + ")";
    const base::Fault fault = refused ? base::Fault::kDenied : base::Fault::kUnreachable;
    return finish(dial.id, [&] { return failed(fault, error); });
  }
  base::MonoNs next = dial.plan.deadline();
  for (const auto& waiter : dial.waiters) next = std::min(next, waiter.deadline);
  deadlines_.set(dial, next);
}

void Dialler::expire(Dial& dial, base::MonoNs now) {
  const auto late = std::stable_partition(dial.waiters.begin(), dial.waiters.end(),
                                          [now](const auto& waiter) { return waiter.deadline > now; });
  std::vector<Dial::Waiter> gone(std::make_move_iterator(late), std::make_move_iterator(dial.waiters.end()));
  dial.waiters.erase(late, dial.waiters.end());
  const std::string key = dial.target.key;
  if (dial.waiters.empty() && !gone.empty()) {
    for (std::size_t i = 0; i < dial.target.candidates.size(); ++i) hooks_.abandon({dial.id, i}, Abandon::kTimeout);
    counters_.dials_failed.add();
    finish(dial.id, [] { return host::Connected{}; });
  } else {
    advance(dial);
  }
  for (auto& waiter : gone) waiter.done(failed(base::Fault::kTimeout, key + ": no answer in time"));
}

void Dialler::on_session(DialTicket ticket, host::PeerHandle peer, const std::string& node_id) {
  const auto found = dials_.find(ticket.dial);
  if (found == dials_.end()) return;
  found->second->plan.succeeded(ticket.attempt);
  advance(*found->second);  // gives the others up
  finish(ticket.dial, [&] {
    host::Connected out;
    out.ok = true;
    out.peer = peer;
    out.node_id = node_id;
    return out;
  });
}

void Dialler::on_failed(DialTicket ticket, wire::DialFailure failure, const std::string& reason) {
  const auto found = dials_.find(ticket.dial);
  if (found == dials_.end()) return;
  Dial& dial = *found->second;
  if (!reason.empty()) dial.reason = reason;
  dial.plan.failed(ticket.attempt, failure, deadlines_.now());
  advance(dial);
}

void Dialler::finish(std::uint64_t id, const std::function<host::Connected()>& outcome) {
  const auto found = dials_.find(id);
  if (found == dials_.end()) return;
  const std::unique_ptr<Dial> dial = std::move(found->second);
  deadlines_.clear(*dial);
  by_key_.erase(dial->target.key);
  dials_.erase(found);
  for (auto& waiter : dial->waiters) waiter.done(outcome());
}

void Dialler::stop() {
  stopping_ = true;
  while (!dials_.empty()) {
    Dial& dial = *dials_.begin()->second;
    for (std::size_t i = 0; i < dial.target.candidates.size(); ++i) hooks_.abandon({dial.id, i}, Abandon::kStopping);
    finish(dial.id, [] { return failed(base::Fault::kStopping, "the node is shutting down"); });
  }
}

}  // namespace atlas::node
