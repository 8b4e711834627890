#include "ping_command.h"

#include <algorithm>
#include <cstdio>

#include "ping.h"

namespace keepalive {

using atlas::concat;
using atlas::Millis;

namespace {

constexpr Millis kDialTimeout{15'000};
constexpr std::uint32_t kRateLimited = 4001;

double milliseconds(atlas::Micros time) {
  return static_cast<double>(time.count()) / 1000;
}

std::string shown(atlas::Micros time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f ms", milliseconds(time));
  return text;
}

}  // namespace

atlas::Command ping_command_spec() {
  return {.path = "ping",
          .where = ATLAS_CLI_DAEMON | ATLAS_CLI_CLIENT,
          .summary = "Measure the round trip to a peer",
          .args = {{"target", ATLAS_ARG_TEXT, true, "ip:port, [ipv6]:port or a node id"},
                   {"--count", ATLAS_ARG_INTEGER, false, "How many pings (default 4)"},
                   {"--interval", ATLAS_ARG_TEXT, false, "Time between two pings, such as 500ms (default 1s)"}},
          .display = "node_id=node id, path, sent, received, rtt_ms.min:ms=min, rtt_ms.avg:ms=avg, rtt_ms.max:ms=max"};
}

void PingRun::start() {
  host_.connect(options_.target, kDialTimeout,
                [self = shared_from_this()](const atlas::Connected& result) { self->connected(result); });
}

void PingRun::connected(const atlas::Connected& result) {
  if (!call_.is_open()) return;
  if (!result.status.ok()) {
    return call_.fail(result.status, concat(options_.target, ": ", result.why(options_.target)));
  }
  peer_ = result.peer;
  node_id_ = result.node_id;
  ping();
}

void PingRun::ping() {
  if (!call_.is_open()) return;
  ++sent_;
  last_sent_at_ = host_.now();
  const std::int64_t ts = host_.unix_ms();
  host_.request(peer_, kPing, encode_ping(ts).bytes(), options_.timeout,
                [self = shared_from_this(), ts](const atlas::Answer& answer) { self->answered(ts, answer); });
}

void PingRun::answered(std::int64_t ts, const atlas::Answer& answer) {
  if (!call_.is_open()) return;
  if (answer.ok() && is_pong_to(ts, answer.type, answer.map())) {
    min_ = received_ == 0 ? answer.rtt : std::min(min_, answer.rtt);
    max_ = std::max(max_, answer.rtt);
    sum_ += answer.rtt;
    ++received_;
    static_cast<void>(host_.peers().info(
        peer_, [this](const atlas::PeerView& peer) { relayed_ = peer.trust() == atlas::Trust::kRelay; }));
    static_cast<void>(call_.progress(concat("pong from ", node_id_, ": seq=", sent_, " rtt=", shown(answer.rtt))));
  } else {
    refused_ = answer.error_code != 0;
    last_failure_ = answer.ok() ? "the answer is no Pong to this Ping" : answer.why();
    if (answer.error_code == ATLAS_ERROR_REJECTED) last_failure_ += "; the peer has no keepalive role, it seems";
    static_cast<void>(call_.progress(concat("no pong: seq=", sent_, " (", last_failure_, ")")));
  }
  if (sent_ == options_.count || is_hopeless(answer)) return report();
  const Millis wait = std::max(last_sent_at_ + options_.interval - host_.now(), Millis(0));
  // The timer holds the run and the run holds the timer; report() and the end of the command break the ring.
  next_ = host_.after(wait, [self = shared_from_this()] { self->ping(); });
  if (!next_) return call_.fail({ATLAS_E_FULL}, "too many timers are running; try again later");
  call_.on_cancel([run = weak_from_this()] {
    if (const auto self = run.lock()) self->next_.cancel();
  });
}

// Going on against a rate limit ends in a ban; who refuses a ping will refuse the next one.
bool PingRun::is_hopeless(const atlas::Answer& answer) const {
  return answer.error_code == kRateLimited || answer.error_code == ATLAS_ERROR_REJECTED ||
         answer.status.code == ATLAS_E_GONE || answer.status.code == ATLAS_E_STOPPING;
}

atlas::json::Object PingRun::rtt_json() const {
  atlas::json::Object rtt;
  if (received_ == 0) return rtt.null("min").null("avg").null("max");
  return rtt.number("min", milliseconds(min_))
      .number("avg", milliseconds(sum_) / static_cast<double>(received_))
      .number("max", milliseconds(max_));
}

void PingRun::report() {
  atlas::json::Object out;
  out.text("node_id", node_id_)
      .text("path", relayed_ ? "relay" : "direct")
      .integer("sent", sent_)
      .integer("received", received_);
  static_cast<void>(call_.result(out.object("rtt_ms", rtt_json()).str()));
  if (received_ != 0) return call_.finish();
  const auto pings = concat(sent_, sent_ == 1 ? " ping" : " pings", ": ", last_failure_);
  if (refused_) return call_.fail({ATLAS_E_DENIED}, concat("no pong to ", pings));
  call_.fail({ATLAS_E_TIMEOUT}, concat("no answer to ", pings));
}

}  // namespace keepalive
