// Agents that come, meet through a relay and leave, over and over: what that costs, and what it leaves behind.
#include <poll.h>

#include <algorithm>
#include <stdexcept>

#include "bench/meter.h"
#include "bench/relay_run.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::size_t kStages = 10;
constexpr int kLookEveryMs = 5;
constexpr base::MonoNs kSlotsAtMost = 30 * base::kSecond;

// Pairs of agents that go round: both connect and are announced, the one asks for the other, both leave, in turns the
// source first and the target first.
class Cycles {
 public:
  Cycles(const net::SocketAddress& relay, std::size_t pairs) : swarm_(relay, {.features = {"routes"}, .sockets = 2}) {
    while (swarm_.size() < 2 * pairs) swarm_.add_peer();
    told_.resize(swarm_.size());
    swarm_.hooks.on_ready = [this](Peer& peer) { ready(peer); };
    swarm_.hooks.on_pushed = [this](Peer& peer, std::uint8_t type, base::ByteView) {
      if (type == kRelayReady) tell(peer);
    };
    swarm_.hooks.on_closed = [this](Peer& peer, const quic::CloseInfo& info) { closed(peer, info); };
  }

  const base::Clock& clock() const { return swarm_.clock(); }

  // So many more cycles, and nobody is there at the end.
  void run(std::size_t count) {
    left_ = count;
    open_ = 0;
    for (std::size_t pair = 0; pair < swarm_.size() / 2 && left_ != 0; ++pair) begin(pair);
    if (!swarm_.run_for(1200 * base::kSecond)) throw std::runtime_error("not all agents came and went");
  }

 private:
  void begin(std::size_t pair) {
    --left_;
    ++open_;
    told_[2 * pair] = told_[2 * pair + 1] = false;
    swarm_.dial(swarm_.peer(2 * pair + 1));
  }

  // The target first, then the source, which asks for it.
  void ready(Peer& peer) {
    if (peer.index() % 2 == 0) return ask(peer);
    peer.request(kRelayAnnounce, relay_announce(peer.node_id(), clock().unix_s()),
                 [this, &peer](std::uint8_t type, base::ByteView payload, base::MonoNs) {
                   const auto ready = type == kRelayReady ? read_relay_ready(payload) : std::nullopt;
                   if (!ready || !ready->waiting) throw std::runtime_error("the relay takes no announcements");
                   swarm_.dial(swarm_.peer(peer.index() - 1));
                 });
  }

  void ask(Peer& source) {
    Peer& target = swarm_.peer(source.index() + 1);
    source.request(kRelayConnect, relay_connect(source.node_id(), target.node_id()),
                   [this, &source](std::uint8_t type, base::ByteView payload, base::MonoNs) {
                     if (type == kRelayError) throw std::runtime_error("refused, " + read_relay_error(payload));
                     if (type != kRelayReady) throw std::runtime_error("the relay connects nobody");
                     tell(source);
                   });
  }

  // Once both know, they leave: the first one now, the other when it is gone.
  void tell(Peer& peer) {
    told_[peer.index()] = true;
    const std::size_t pair = peer.index() / 2;
    if (!told_[2 * pair] || !told_[2 * pair + 1]) return;
    swarm_.peer(2 * pair + (++turns_ % 2)).close();
  }

  void closed(Peer& peer, const quic::CloseInfo& info) {
    const std::size_t pair = peer.index() / 2;
    if (!told_[2 * pair] || !told_[2 * pair + 1]) {
      throw std::runtime_error("agent " + std::to_string(peer.index()) + " was closed: " + info.reason);
    }
    Peer& other = swarm_.peer(peer.index() ^ 1);
    if (other.ready()) return other.close();
    --open_;
    if (left_ != 0) return begin(pair);
    if (open_ == 0) swarm_.stop();
  }

  Swarm swarm_;
  std::vector<char> told_;  // of each agent: it knows its prefixes
  std::size_t left_ = 0, open_ = 0, turns_ = 0;
};

// Milliseconds until the relay has nobody any more; throws when it still has after a while.
double until_slots_are_back(const ServerProcess& server, const base::Clock& clock) {
  const base::MonoNs start = clock.mono_ns();
  for (;;) {
    const json status = server.call("relay status");
    if (status.is_object() && status["active"] == 0 && status["announced"] == 0) break;
    if (clock.mono_ns() - start > kSlotsAtMost) throw std::runtime_error("slots did not return: " + status.dump());
    ::poll(nullptr, 0, kLookEveryMs);
  }
  return static_cast<double>(clock.mono_ns() - start) / 1e6;
}

json look(const ServerProcess& server, std::size_t cycles) {
  return {{"cycles", cycles},
          {"rss_kib", static_cast<double>(server.rss_bytes()) / 1024},
          {"descriptors", server.descriptors()}};
}

}  // namespace

json relay_cycles(const RelayOptions& options) {
  json out;
  const ServerProcess server = start_relay(options, options.limit);
  const std::size_t count = pairs_of(options, 100'000), stage = std::max<std::size_t>(1, count / kStages);
  Cycles cycles(server.address(), std::min(options.in_flight, stage));
  out["memory"].push_back(look(server, 0));
  double slots = 0;
  const Meter meter(server, cycles.clock());
  for (std::size_t done = 0; done < count;) {
    const std::size_t next = std::min(stage, count - done);
    cycles.run(next);
    slots = std::max(slots, until_slots_are_back(server, cycles.clock()));
    done += next;
    out["memory"].push_back(look(server, done));
  }
  meter.report(out, count, "cycle");
  out["us_per_cycle"] = meter.wall_s() * 1e6 / static_cast<double>(count);
  out["slots_back_ms"] = slots;  // the slowest of all stages
  const json &early = out["memory"][1], &last = out["memory"].back(), &first = out["memory"].front();
  const double cycles_between = last["cycles"].get<double>() - early["cycles"].get<double>();
  const double grown = (last["rss_kib"].get<double>() - early["rss_kib"].get<double>()) * 1024;
  out["rss_bytes_per_cycle"] = cycles_between > 0 ? grown / cycles_between : 0;  // after the first stage
  out["descriptors_left"] = last["descriptors"].get<int>() - first["descriptors"].get<int>();
  return out;
}

}  // namespace atlas::bench
