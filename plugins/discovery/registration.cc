#include "registration.h"

#include <algorithm>

namespace discovery {

using atlas::Millis;

namespace {

constexpr Millis kDialTimeout{10'000};
constexpr Millis kAnswerTimeout{10'000};
constexpr int kJitterPercent = 20;

// The pause after so many failures in a row before this one.
Millis doubled(Millis first, std::uint32_t times, Millis longest) {
  return Millis(std::min(first.count() << std::min(times, 16u), longest.count()));
}

}  // namespace

void Registration::stop() {
  stopped_ = true;
  next_.cancel();
}

void Registration::dial() {
  if (stopped_) return;
  host_.connect(address_, kDialTimeout, [this](const atlas::Connected& result) {
    if (stopped_) return;
    if (!result.status.ok()) return failed(result.why(address_));
    peer_ = result.peer;
    register_now();
  });
}

void Registration::register_now() {
  const auto body = encode_register(host_.peers().self(), host_.unix_seconds());
  host_.request(peer_, kRegister, body, kAnswerTimeout, [this, peer = peer_](const atlas::Answer& answer) {
    if (!stopped_ && peer == peer_) answered(answer);  // else the end of the session came first
  });
}

void Registration::answered(const atlas::Answer& answer) {
  if (is_registered(answer)) return succeeded();
  if (answer.ok()) return refused("the answer to the register is no acknowledgement");
  if (answer.error_code != 0) return refused(answer.why());
  failed(answer.why());
}

void Registration::succeeded() {
  refusals_ = 0;
  problem_.clear();
  if (!registered_) registered_at_ = host_.now();
  set_registered(true);
  const auto whole = static_cast<std::uint64_t>(pace_.interval.count());
  const auto spread = whole * kJitterPercent / 100;
  next_ = host_.after(Millis(whole - spread + host_.random_below(2 * spread + 1)), [this] { register_now(); });
}

// Full jitter: after a bootstrap node's restart its agents come back spread over the first pause, not all at once.
void Registration::failed(std::string problem) {
  // One that accepts and hangs up at once is not to be dialled for ever at full speed.
  if (registered_ && host_.now() - registered_at_ >= pace_.longest_retry) failures_ = 0;
  lost(std::move(problem));
  retry(Millis(0), doubled(pace_.first_retry, failures_++, pace_.longest_retry));
}

void Registration::refused(std::string problem) {
  lost(std::move(problem));
  const Millis most = doubled(pace_.longest_retry, refusals_++, std::max(pace_.interval, pace_.longest_retry));
  retry(most / 2, most);
}

void Registration::lost(std::string problem) {
  if (problem != problem_) host_.warn("bootstrap node ", address_, ": ", problem);
  problem_ = std::move(problem);
  peer_ = 0;
  set_registered(false);
}

void Registration::retry(Millis least, Millis most) {
  const auto spread = static_cast<std::uint64_t>((most - least).count());
  next_ = host_.after(least + Millis(host_.random_below(spread + 1)), [this] { dial(); });
}

void Registration::peer_is_down(atlas::Peer peer) {
  if (stopped_ || peer == 0 || peer != peer_) return;
  failed("the connection is gone");
}

void Registration::set_registered(bool registered) {
  if (registered == registered_) return;
  registered_ = registered;
  if (registered) host_.info("registered at ", address_);
  changed_(registered);
}

}  // namespace discovery
