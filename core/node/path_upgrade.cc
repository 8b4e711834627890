#include "node/path_upgrade.h"

#include <algorithm>

#include "net/stun_message.h"

namespace atlas::node {

std::string_view to_text(PathReason reason) {
  switch (reason) {
    case PathReason::kNone:
      return "";
    case PathReason::kNoAddress:
      return "no_address";
    case PathReason::kNoAnswer:
      return "no_answer";
    case PathReason::kPeerDidNotCome:
      return "peer_did_not_come";
    case PathReason::kWentSilent:
      return "went_silent";
    case PathReason::kSymmetricHere:
      return "symmetric_here";
    case PathReason::kSymmetricThere:
      return "symmetric_there";
    case PathReason::kSymmetricBoth:
      return "symmetric_both";
    case PathReason::kUdpBlocked:
      return "udp_blocked";
  }
  return "";
}

PathUpgrade::PathUpgrade(Setup setup) : setup_(std::move(setup)) {
  // Whoever told them must not make us knock at one host again and again (A36).
  auto& candidates = setup_.candidates;
  for (auto at = candidates.begin(); at != candidates.end();) {
    const auto same_host = [&](const net::SocketAddress& other) { return other.ip == at->ip; };
    at = std::count_if(candidates.begin(), at, same_host) < kCandidatesOfAHost ? at + 1 : candidates.erase(at);
  }
  if (candidates.size() > base::limits::node_path_candidates) candidates.resize(base::limits::node_path_candidates);
}

PathUpgrade::~PathUpgrade() {
  setup_.deadlines->clear(*this);
}

void PathUpgrade::begin() {
  if (setup_.candidates.empty()) {
    failure_ = PathReason::kNoAddress;
    return;
  }
  trying_ = true;
  next_ = 0;
  openings_ = 0;
  on_expire(setup_.deadlines->now());
}

void PathUpgrade::on_path() {
  if (!setup_.connection->relayed()) {
    trying_ = false;
    pause_ = kTryAgain;
    // The dialler keeps the path alive, and finds out when it has died.
    return setup_.deadlines->clear(*this);
  }
  failure_ = PathReason::kWentSilent;
  if (dialler()) return rest();
  trying_ = true;
  openings_ = 0;
  open_nat();
}

void PathUpgrade::on_opening(const net::SocketAddress& from) {
  if (!dialler() || !setup_.connection->relayed()) return;
  auto& known = setup_.candidates;
  const auto same_host = [&](const net::SocketAddress& candidate) { return candidate.ip == from.ip; };
  if (std::ranges::find(known, from) != known.end() || std::ranges::none_of(known, same_host)) return;
  if (known.size() < base::limits::node_path_candidates) {
    known.push_back(from);
  } else {
    known.back() = from;
  }
  if (!trying_) return;
  setup_.connection->try_path(from);
  next_ = known.size();  // the others come again with the next round
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), kTryFor));
}

void PathUpgrade::on_expire(base::MonoNs) {
  if (!setup_.connection->relayed()) return;
  if (!dialler()) return open_nat();
  if (!trying_) {
    trying_ = true;
    next_ = 0;
  }
  try_next();
}

void PathUpgrade::try_next() {
  if (next_ >= setup_.candidates.size()) {
    failure_ = PathReason::kNoAnswer;
    return rest();
  }
  setup_.connection->try_path(setup_.candidates[next_++]);
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), kTryFor));
}

void PathUpgrade::rest() {
  trying_ = false;
  const base::MonoNs jitter = setup_.random->below(pause_ / 4 + 1);
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), pause_ - jitter));
  pause_ = std::min(2 * pause_, kTryAgainAtMost);
}

void PathUpgrade::open_nat() {
  net::StunTransaction transaction;
  for (const auto& candidate : setup_.candidates) {
    setup_.random->fill(transaction);
    setup_.endpoint->send_datagram(candidate, net::stun_indication(transaction));
  }
  if (++openings_ == kOpenings) {
    trying_ = false;
    failure_ = PathReason::kPeerDidNotCome;
  }
  const base::MonoNs pause = openings_ < kOpenings ? kOpenEvery : kKeepOpenEvery;
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), pause));
}

// The NATs are looked at when somebody asks: what this node knows of its own may have come later than the failure.
PathReason PathUpgrade::reason() const {
  if (!setup_.connection->relayed() || trying_) return PathReason::kNone;
  if (failure_ != PathReason::kNoAnswer && failure_ != PathReason::kPeerDidNotCome) return failure_;
  const Obstacles here = setup_.here ? setup_.here() : Obstacles{};
  // Symmetric NATs are known of IPv4.
  const bool by_v4 = std::ranges::any_of(setup_.candidates, [](const auto& candidate) { return candidate.ip.is_v4(); });
  const bool symmetric_here = by_v4 && here.symmetric, symmetric_there = by_v4 && setup_.symmetric_there;
  if (symmetric_here && symmetric_there) return PathReason::kSymmetricBoth;
  if (symmetric_here) return PathReason::kSymmetricHere;
  if (symmetric_there) return PathReason::kSymmetricThere;
  return here.udp ? PathReason::kUdpBlocked : failure_;
}

std::string PathUpgrade::tried() const {
  std::string out;
  for (const auto& candidate : setup_.candidates) out += (out.empty() ? "" : ", ") + candidate.text();
  return out;
}

std::string PathUpgrade::text() const {
  if (!setup_.connection->relayed()) return "direct";
  if (trying_) return "relay (looking for a direct path)";
  const auto failed = [](const std::string& why) { return "relay (direct failed: " + why + ")"; };
  switch (reason()) {
    case PathReason::kNone:
      return "relay";
    case PathReason::kNoAddress:
      return failed("the relay named no address of the peer");
    case PathReason::kNoAnswer:
      return failed("no answer from " + tried());
    case PathReason::kPeerDidNotCome:
      return failed("the peer did not come");
    case PathReason::kWentSilent:
      return failed("the direct path went silent");
    case PathReason::kSymmetricHere:
      return failed("symmetric NAT here");
    case PathReason::kSymmetricThere:
      return failed("symmetric NAT there");
    case PathReason::kSymmetricBoth:
      return failed("symmetric NAT on both sides");
    case PathReason::kUdpBlocked:
      return failed("UDP seems blocked here, no STUN server answers either");
  }
  return "relay";
}

}  // namespace atlas::node
