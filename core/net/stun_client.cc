#include "net/stun_client.h"

#include <algorithm>
#include <utility>

namespace atlas::net {

StunClient::StunClient(Setup setup) : setup_(std::move(setup)) {
  const std::size_t count = std::min<std::size_t>(setup_.servers.size(), base::limits::stun_asked);
  for (std::size_t i = 0; i < count; ++i) results_.push_back({setup_.servers[i], std::nullopt, "not asked yet"});
  asked_.resize(count);
  timer_ = setup_.loop->make_timer([this] { on_timer(); });
}

StunClient::~StunClient() = default;

void StunClient::ask() {
  if (asked_.empty()) return;
  for (Asked& one : asked_) {
    setup_.random->fill(one.transaction);
    one.open = true;
  }
  open_ = asked_.size();
  tries_ = 0;
  began_ = setup_.loop->clock().mono_ns();
  send_round();
}

void StunClient::send_round() {
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (asked_[i].open) setup_.send(results_[i].server, stun_request(asked_[i].transaction));
  }
  // 0.5, 1 … s after the one before.
  const base::MonoNs pause = kStunFirstPause << std::min(tries_++, 8u);
  const base::MonoNs end = base::after(began_, kStunTimeout);
  timer_->arm(std::min(base::after(setup_.loop->clock().mono_ns(), pause), end));
}

void StunClient::on_timer() {
  const base::MonoNs now = setup_.loop->clock().mono_ns();
  if (open_ == 0) return ask();
  if (now < base::after(began_, kStunTimeout)) return send_round();
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (!std::exchange(asked_[i].open, false)) continue;
    results_[i].mapped.reset();
    results_[i].failure = "no answer within " + std::to_string(kStunTimeout / base::kSecond) + " s";
  }
  open_ = 0;
  finish();
}

void StunClient::finish() {
  timer_->arm(base::kNever);
  if (setup_.again_after != 0) {
    const base::MonoNs pause =
        base::saturating_add(setup_.again_after, setup_.random->below(setup_.again_after / 5 + 1));
    timer_->arm(base::after(setup_.loop->clock().mono_ns(), pause));
  }
  if (setup_.on_done) setup_.on_done();
}

bool StunClient::on_datagram(const SocketAddress& from, base::ByteView datagram) {
  const auto answer = parse_stun_answer(datagram);
  if (!answer) return false;
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (!asked_[i].open || results_[i].server != from || asked_[i].transaction != answer->transaction) continue;
    asked_[i].open = false;
    results_[i].mapped = answer->mapped;
    results_[i].failure = answer->mapped ? "" : "it refused with error " + std::to_string(answer->error);
    if (--open_ == 0) finish();
    return true;
  }
  return false;
}

std::optional<SocketAddress> StunClient::mapped(Family family) const {
  for (const Result& result : results_) {
    if (result.mapped && result.mapped->ip.family() == family) return result.mapped;
  }
  return std::nullopt;
}

Mapping StunClient::mapping(Family family) const {
  std::optional<SocketAddress> first;
  bool several = false;
  for (const Result& result : results_) {
    if (!result.mapped || result.mapped->ip.family() != family) continue;
    if (first && *first != *result.mapped) return Mapping::kDependent;
    several = several || first.has_value();
    first = result.mapped;
  }
  return several ? Mapping::kSame : Mapping::kUnknown;
}

}  // namespace atlas::net
