#include "quic/expected.h"

#include <algorithm>
#include <iterator>

namespace atlas::quic {

ExpectedConnections::ExpectedConnections(Worker& worker, Release release)
    : worker_(worker), release_(std::move(release)) {}

void Expected::on_expire(base::MonoNs) {
  owner_.take(*this);
}

ExpectedConnections::~ExpectedConnections() {
  worker_.timers.remove(hold_timer_);
  for (const auto& [expected, held] : waiting_) worker_.timers.remove(*held);
}

base::Result<void> ExpectedConnections::add(const Expectation& expectation) {
  if (waiting_.size() >= base::limits::quic_expected) {
    return base::fail(base::Fault::kFull, "too many connections through forwarders are expected");
  }
  if (worker_.ids.find(expectation.route) != nullptr) {
    return base::fail(base::Fault::kConflict, "the route is in use already");
  }
  auto made = std::make_unique<Expected>(*this, expectation);
  worker_.ids.insert(expectation.route, made.get());
  worker_.timers.set(*made, expectation.until);
  waiting_.emplace(made.get(), std::move(made));
  worker_.wake();
  const auto come = [&](const Held& held) {
    return held.prefix == expectation.route && held.remote == expectation.forwarder;
  };
  std::vector<Held> due;
  std::ranges::copy_if(held_, std::back_inserter(due), come);
  std::erase_if(held_, come);
  for (Held& one : due) release(std::move(one));
  return {};
}

bool ExpectedConnections::hold(const net::ReceivedBatch& batch, base::ByteView datagram, base::ByteView id,
                               base::MonoNs now) {
  if (id.size() < kIdLength || held_.size() >= kMostHeld || !worker_.forwarders.contains(batch.remote)) return false;
  Held held{{}, batch.remote, batch.local, batch.ecn, {datagram.begin(), datagram.end()}, base::after(now, kHoldFor)};
  std::copy_n(id.begin(), held.prefix.size(), held.prefix.begin());
  held_.push_back(std::move(held));
  if (!hold_timer_.armed()) worker_.timers.set(hold_timer_, held_.front().until);
  return true;
}

// All wait for as long, so the oldest is first.
void ExpectedConnections::release_late(base::MonoNs now) {
  std::vector<Held> due;
  while (!held_.empty() && held_.front().until <= now) {
    due.push_back(std::move(held_.front()));
    held_.erase(held_.begin());
  }
  if (!held_.empty()) worker_.timers.set(hold_timer_, held_.front().until);
  for (Held& one : due) release(std::move(one));
}

void ExpectedConnections::release(Held held) const {
  release_({held.remote, held.local, held.ecn, held.data, held.data.size()});
}

Expectation ExpectedConnections::take(Expected& expected) {
  Expectation out = expected.expectation();
  worker_.timers.remove(expected);
  worker_.ids.erase(out.route, &expected);
  const auto held = waiting_.find(&expected);
  over_.push_back(std::move(held->second));
  waiting_.erase(held);
  return out;
}

}  // namespace atlas::quic
