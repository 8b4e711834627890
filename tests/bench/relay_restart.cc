// F1: two real nodes that can meet only at the relay, which is killed and started again.
#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "bench/meter.h"
#include "bench/relay_run.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::size_t kUsualRounds = 5;
constexpr int kPauseMs = 1;
constexpr base::MonoNs kPatience = 60 * base::kSecond;
constexpr std::uint64_t kSteady = 20;  // pongs before the relay is killed
// So long the sessions last before that: a node that is killed in the moment before it has written down a session tells
// nobody of its loss (docs/adr/0010-peer-journal.md), which is not what F1 is about.
constexpr base::MonoNs kLasting = base::kSecond;

void pause() {
  ::poll(nullptr, 0, kPauseMs);
}

void wait_until(const base::Clock& clock, const std::string& what, const std::function<bool()>& holds,
                const std::function<std::string()>& why = {}) {
  for (const base::MonoNs end = clock.mono_ns() + kPatience; !holds(); pause()) {
    if (clock.mono_ns() > end) throw std::runtime_error(what + ": not within 60 s" + (why ? "; " + why() : ""));
  }
}

// The relay has both families. The one agent has IPv4 alone and the other IPv6 alone, so whatever they learn of each
// other's addresses, there is no way between them but the relay.
struct Apart {
  explicit Apart(const RelayOptions& options)
      : relay(ServerProcess::start(
            options.atlas, {.roles = {"relay", "keepalive"},
                            .transport = fmt::format(
                                "enable_relay = true\noffer_relay = true\nrelay_bandwidth_limit = {}\n", options.limit),
                            .bind = {"127.0.0.1", "::1"},
                            .log = options.log})),
        near(agent(options, "127.0.0.1", fmt::format("127.0.0.1:{}", relay.address().port))),
        far(agent(options, "::1", fmt::format("[::1]:{}", relay.address().port))) {}

  static ServerProcess agent(const RelayOptions& options, const std::string& bind, const std::string& relay) {
    return ServerProcess::start(options.atlas, {.roles = {"relay", "keepalive"},
                                                .transport = "enable_relay = true\n",
                                                .bind = {bind},
                                                .relays = {relay},
                                                .log = options.log});
  }

  ServerProcess relay, near, far;
};

// Pings the other agent again and again, as a command of a person would: a ping that fails is followed by the next one
// at once. A thread of its own.
class Pinger {
 public:
  Pinger(const ServerProcess& from, const std::string& target, const base::Clock& clock)
      : from_(from), target_(target), clock_(clock), thread_([this](const std::stop_token& stop) { work(stop); }) {}

  std::uint64_t pongs() const { return pongs_; }
  std::uint64_t failures() const { return failures_; }
  bool direct() const { return direct_; }
  // When the answer came to the first ping that was begun after the moment given to expect_after(); 0: not yet.
  base::MonoNs first() const {
    const std::scoped_lock lock(mutex_);
    return first_;
  }
  void expect_after(base::MonoNs moment) {
    const std::scoped_lock lock(mutex_);
    after_ = moment;
    first_ = 0;
  }
  std::string last_failure() const {
    const std::scoped_lock lock(mutex_);
    return last_failure_;
  }

 private:
  void work(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const base::MonoNs begun = clock_.mono_ns();
      std::string why;
      const json result = from_.call("ping", {{"target", target_}, {"--count", "1"}}, &why);
      const base::MonoNs now = clock_.mono_ns();
      if (result.is_object()) {
        ++pongs_;
        if (result.value("path", "") != "relay") direct_ = true;
        const std::scoped_lock lock(mutex_);
        if (first_ == 0 && begun > after_) first_ = now;
      } else {
        ++failures_;
        const std::scoped_lock lock(mutex_);
        last_failure_ = why;
      }
      pause();
    }
  }

  const ServerProcess& from_;
  const std::string target_;
  const base::Clock& clock_;
  std::atomic<std::uint64_t> pongs_ = 0, failures_ = 0;
  std::atomic<bool> direct_ = false;
  mutable std::mutex mutex_;
  base::MonoNs after_ = 0, first_ = 0;
  std::string last_failure_;
  std::jthread thread_;
};

// Whether somebody has that UDP port of 127.0.0.1.
bool is_bound(std::uint16_t port) {
  std::ifstream table("/proc/net/udp");
  const std::string local = fmt::format(" 0100007F:{:04X} ", port);
  for (std::string line; std::getline(table, line);) {
    if (line.find(local) != std::string::npos) return true;
  }
  return false;
}

struct Outage {
  double after_kill, after_bound, bound;  // ms; the last one after the kill
};

Outage kill_relay(Apart& nodes, Pinger& pinger, const base::Clock& clock, double down_s) {
  const base::MonoNs killed = clock.mono_ns();
  nodes.relay.kill();
  pinger.expect_after(clock.mono_ns());  // nothing that begins from here on was answered through the old process
  ::poll(nullptr, 0, static_cast<int>(down_s * 1000));
  base::MonoNs bound = 0;
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && !is_bound(nodes.relay.address().port)) pause();
    bound = clock.mono_ns();
  });
  nodes.relay.launch();
  base::MonoNs first = 0;
  const auto passed = [&] { return (first = pinger.first()) != 0; };
  wait_until(clock, "a pong after the restart", passed, [&] { return pinger.last_failure(); });
  watcher.join();
  const auto ms = [](base::MonoNs from, base::MonoNs to) { return static_cast<double>(to - from) / 1e6; };
  return {ms(killed, first), ms(bound, first), ms(killed, bound)};
}

json times(std::vector<double> ms) {
  return {{"p50", quantile(ms, 0.5)}, {"least", quantile(ms, 0)}, {"most", quantile(ms, 1)}};
}

}  // namespace

json relay_restart(const RelayOptions& options) {
  json out;
  const base::SystemClock clock;
  const std::size_t rounds = pairs_of(options, kUsualRounds);
  std::vector<double> after_kill, after_bound, bound, again;
  std::uint64_t failures = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    Apart nodes(options);
    wait_until(clock, "both agents at the relay", [&] {
      const json status = nodes.relay.call("relay status");
      return status.is_object() && status["announced"] == 2;
    });
    Pinger pinger(nodes.near, nodes.far.node_id(), clock);
    const auto steady = [&] {
      const std::uint64_t so_far = pinger.pongs();
      const base::MonoNs from = clock.mono_ns();
      wait_until(
          clock, "steady traffic",
          [&] { return pinger.pongs() >= so_far + kSteady && clock.mono_ns() - from >= kLasting; },
          [&] { return pinger.last_failure(); });
    };
    steady();
    const Outage first = kill_relay(nodes, pinger, clock, options.seconds);
    steady();
    // Agents take their time to come back to a relay that has just been lost once.
    const Outage second = kill_relay(nodes, pinger, clock, options.seconds);
    if (pinger.direct()) throw std::runtime_error("the agents found a way around the relay");
    after_kill.push_back(first.after_kill);
    after_bound.push_back(first.after_bound);
    bound.push_back(first.bound);
    again.push_back(second.after_bound);
    failures += pinger.failures();
  }
  out["rounds"] = rounds;
  out["ms_after_kill"] = times(after_kill);
  out["ms_after_bound"] = times(after_bound);
  out["ms_until_bound"] = times(bound);
  out["second_kill_ms_after_bound"] = times(again);
  out["seconds"] = out["ms_after_kill"]["p50"].get<double>() / 1000;
  out["failed_pings"] = failures;
  return out;
}

}  // namespace atlas::bench
