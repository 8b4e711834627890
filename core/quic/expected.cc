#include "quic/expected.h"

namespace atlas::quic {

void Expected::on_expire(base::MonoNs) {
  owner_.take(*this);
}

ExpectedConnections::~ExpectedConnections() {
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
  return {};
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
