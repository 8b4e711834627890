// The keepalive role: pings every connected peer now and then, lets go of those that have gone silent, and answers the
// pings of others (protocol, section 6).
#include <atlas/address.hpp>
#include <chrono>

#include "ping.h"
#include "ping_command.h"
#include "schedule.h"

namespace keepalive {

using namespace std::chrono_literals;
using atlas::Millis;
using atlas::Peer;

// The next ping of a peer comes after interval * (80 % .. 120 %), drawn anew each time, so that peers which came
// together do not stay together.
constexpr int kJitterPercent = 20;
// Pings that are due within this time of each other share one wake-up.
constexpr Millis kWakeGranularity = 100ms;

class Keepalive {
 public:
  explicit Keepalive(atlas::Setup& setup) : host_(setup.host()) {
    const auto& config = setup.config();
    interval_ =
        config.duration("interval", 60s, 100ms, 24h, "Time between two pings of one peer; 20 % of jitter apply.");
    misses_ = static_cast<std::uint32_t>(config.integer(
        "misses", 3, 1, 100, "So many pings without an answer, and the peer is let go when the next would be due."));
    timeout_ = config.duration("timeout", 10s, 10ms, 10min, "How long a ping waits for its answer.");
    setup.on(kPing, &Keepalive::on_ping).command(ping_command_spec(), &Keepalive::on_ping_command);
    pings_sent_ = setup.counter("pings_sent", "Pings sent to connected peers.");
    pongs_received_ = setup.counter("pongs_received", "Pings that were answered.");
    missed_ = setup.counter("misses", "Pings that were not answered in time.");
    disconnects_ = setup.counter("disconnects", "Peers let go because they had gone silent.");
  }

  void start() {
    static_cast<void>(host_.peers().list(ATLAS_PEERS_LIVE, [this](const atlas::PeerView& peer) {
      watch(peer.peer());
      return true;
    }));
  }

  void drain(Millis) {
    draining_ = true;
    wake_.cancel();
  }

  void on_peer(const atlas::PeerEvent& event) {
    if (event.what == ATLAS_PEER_UP) watch(event.peer);
    if (event.what == ATLAS_PEER_DOWN) schedule_.remove(event.peer);
  }

 private:
  void on_ping(const atlas::Incoming& request) {
    const auto ts = decode_ping(request.map());
    if (!ts) return static_cast<void>(request.reject("Ping without an integer ts"));
    static_cast<void>(request.reply(kPong, encode_pong(host_.unix_ms(), *ts).bytes()));
  }

  void on_ping_command(const atlas::Call& call) {
    const auto count = call.integer("--count", 4, 1, 1'000'000);
    if (!count) return;
    const auto interval = call.duration("--interval", 1s, 1ms, 1h);
    if (!interval) return;
    const PingRun::Options options{call.text("target").value_or(""), *count, *interval, timeout_};
    if (const auto why = atlas::why_no_target(options.target); !why.empty()) return call.fail({ATLAS_E_ARG}, why);
    std::make_shared<PingRun>(host_, call, options)->start();
  }

  Millis jittered() const {
    const auto spread = static_cast<std::uint64_t>(interval_.count()) * kJitterPercent / 100;
    return interval_ - Millis(spread) + Millis(host_.random_below(2 * spread + 1));
  }

  void watch(Peer peer) {
    schedule_.set(peer, host_.now() + jittered());
    arm();
  }

  // One timer for everybody: it stands on the earliest ping, or a little later.
  void arm() {
    const auto first = schedule_.first();
    if (!first || draining_) return wake_.cancel();
    const Millis at = std::max(first->first, last_wake_ + std::min(kWakeGranularity, interval_ / 20));
    if (wake_ && wake_at_ <= at) return;
    wake_at_ = at;
    wake_ = host_.after(std::max(at - host_.now(), Millis(0)), [this] { on_wake(); });
  }

  void on_wake() {
    const Millis now = last_wake_ = host_.now();
    for (auto first = schedule_.first(); first && first->first <= now; first = schedule_.first()) {
      on_due(first->second, now);
    }
    arm();
  }

  void on_due(Peer peer, Millis now) {
    Schedule::Watch& watch = *schedule_.find(peer);
    if (watch.unanswered >= misses_) {
      schedule_.remove(peer);
      const auto note = atlas::concat("no answer to ", misses_, misses_ == 1 ? " ping" : " pings");
      if (host_.peers().disconnect(peer, ATLAS_DISCONNECT_IDLE, note).ok()) disconnects_.add();
      return;
    }
    schedule_.set(peer, now + jittered());
    ping(peer);
  }

  void ping(Peer peer) {
    const std::int64_t ts = host_.unix_ms();
    ++schedule_.find(peer)->unanswered;
    const auto sent = host_.request(peer, kPing, encode_ping(ts).bytes(), timeout_,
                                    [this, peer, ts](const atlas::Answer& answer) { on_answer(peer, ts, answer); });
    if (sent) pings_sent_.add();
  }

  void on_answer(Peer peer, std::int64_t ts, const atlas::Answer& answer) {
    Schedule::Watch* watch = schedule_.find(peer);
    if (answer.status.ok()) {  // an Error is a sign of life as well
      if (is_pong_to(ts, answer.type, answer.map())) pongs_received_.add();
      if (watch != nullptr) watch->unanswered = 0;
    } else if (answer.status.code == ATLAS_E_TIMEOUT) {
      missed_.add();
    } else if (answer.status.code == ATLAS_E_FULL && watch != nullptr && watch->unanswered != 0) {
      --watch->unanswered;  // it never left this node: no fault of the peer's
    }
  }

  atlas::Host& host_;
  Millis interval_{0}, timeout_{0};
  std::uint32_t misses_ = 0;
  atlas::Counter pings_sent_, pongs_received_, missed_, disconnects_;
  Schedule schedule_;
  atlas::Timer wake_;
  Millis wake_at_{0}, last_wake_{0};
  bool draining_ = false;
};

}  // namespace keepalive

ATLAS_PLUGIN(keepalive::Keepalive, "keepalive", "0.2.0", "Pings connected peers and lets go of silent ones.",
             ATLAS_EXT_MESSAGES, ATLAS_EXT_TIMERS, ATLAS_EXT_PEERS);
