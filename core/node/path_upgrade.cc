#include "node/path_upgrade.h"

#include <algorithm>

#include "net/stun_message.h"

namespace atlas::node {

PathUpgrade::PathUpgrade(Setup setup) : setup_(std::move(setup)) {
  auto& candidates = setup_.candidates;
  if (candidates.size() > base::limits::node_path_candidates) candidates.resize(base::limits::node_path_candidates);
}

PathUpgrade::~PathUpgrade() {
  setup_.deadlines->clear(*this);
}

void PathUpgrade::begin() {
  if (setup_.candidates.empty()) {
    failure_ = "the relay named no address of the peer";
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
  failure_ = "the direct path went silent";
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
    std::string tried;
    for (const auto& candidate : setup_.candidates) tried += (tried.empty() ? "" : ", ") + candidate.text();
    failure_ = "no answer from " + tried;
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
    failure_ = "the peer did not come";
  }
  const base::MonoNs pause = openings_ < kOpenings ? kOpenEvery : kKeepOpenEvery;
  setup_.deadlines->set(*this, base::after(setup_.deadlines->now(), pause));
}

std::string PathUpgrade::text() const {
  if (!setup_.connection->relayed()) return "direct";
  if (trying_) return "relay (looking for a direct path)";
  return failure_.empty() ? "relay" : "relay (direct failed: " + failure_ + ")";
}

}  // namespace atlas::node
