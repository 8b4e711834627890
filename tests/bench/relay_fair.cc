#include "bench/meter.h"
#include "bench/relay_run.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::size_t kUsualBurst = 10;  // what a QUIC sender lets go at once
constexpr double kOverloads[] = {1.3, 2, 4};

struct Sessions {
  std::vector<Flow> flows;  // the greedy ones first
  std::size_t greedy;
  double fair;  // share of each, bytes a second
};

json shares(std::vector<double> values) {
  return {{"least", quantile(values, 0)}, {"p5", quantile(values, 0.05)}, {"p50", quantile(values, 0.5)}};
}

// Jain's index: 1 when all have the same, 1/n when one has everything.
double jain(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value, squares += value * value;
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(values.size()) * squares);
}

// What became of the share of each of these flows, and of what it sent.
json kept_by(const Sessions& sessions, const Cost& cost) {
  const double share = sessions.fair * cost.traffic.seconds / kDatagram;
  std::vector<double> sent, kept, of_sent, taken, all;
  const std::size_t greedy = sessions.flows.size() == cost.traffic.flows.size() ? sessions.greedy : 0;
  for (std::size_t i = 0; i < cost.traffic.flows.size(); ++i) {
    const FlowCount& count = cost.traffic.flows[i];
    all.push_back(static_cast<double>(count.arrived) / share);
    (i < greedy ? taken : kept).push_back(all.back());
    if (i < greedy) continue;
    sent.push_back(static_cast<double>(count.sent) / share);
    of_sent.push_back(static_cast<double>(count.arrived) / std::max(static_cast<double>(count.sent), 1.0));
  }
  // Below 1, honest_sent says that this tool did not keep the pace: then kept_of_sent is what the relay can answer for.
  json out = {{"honest_sent", shares(sent)},
              {"honest_kept", shares(kept)},
              {"kept_of_sent", shares(of_sent)},
              {"jain", jain(all)}};
  if (greedy > 0) out["greedy_taken"] = shares(taken);
  return out;
}

// Without the greedy ones: what this machine loses of such traffic anyhow, for instance while others have the
// processor.
json alone(const ServerProcess& server, RelayPairs& pairs, const Sessions& sessions, base::MonoNs span) {
  const std::vector<Flow> honest(sessions.flows.begin() + static_cast<std::ptrdiff_t>(sessions.greedy),
                                 sessions.flows.end());
  const Cost cost = measure(server, pairs, honest, span);
  json out = kept_by(sessions, cost);
  report(out, cost);
  return out;
}

json overloaded(const ServerProcess& server, RelayPairs& pairs, Sessions sessions, double capacity, double overload,
                base::MonoNs span) {
  const double honest = sessions.fair * static_cast<double>(sessions.flows.size() - sessions.greedy);
  for (std::size_t i = 0; i < sessions.greedy; ++i) {
    sessions.flows[i].rate = (overload * capacity - honest) / static_cast<double>(sessions.greedy);
    sessions.flows[i].burst = kLargeBurst;
  }
  pairs.generator().run(sessions.flows, kWarmUp);
  const Cost cost = measure(server, pairs, sessions.flows, span);
  json out = kept_by(sessions, cost);
  report(out, cost);
  out["overload_wanted"] = overload;
  out["overload"] = out["offered_gbit_per_s"].get<double>() * 1e9 / 8 / capacity;  // less: this tool had no time
  return out;
}

}  // namespace

json relay_fair(const RelayOptions& options) {
  json out;
  const ServerProcess server = start_relay(options, options.limit);
  RelayPairs pairs(server, pairs_of(options, 1000), options.in_flight);
  pairs.connect();
  set_window(pairs.generator(), options);
  const std::size_t burst = options.burst != 0 ? options.burst : kUsualBurst;
  const base::MonoNs span = span_of(options, 5);
  Sessions sessions{flows_to_targets(pairs, 0, burst), std::max<std::size_t>(1, pairs.size() / 20), 0};
  pairs.generator().run(sessions.flows, kWarmUp);
  const Cost all = measure(server, pairs, sessions.flows, span);
  report(out["capacity"], all);

  const double capacity = all.traffic.gbit_per_s() * 1e9 / 8;
  sessions.fair = capacity / static_cast<double>(pairs.size());
  for (Flow& flow : sessions.flows) flow.rate = sessions.fair;
  out["pairs"] = pairs.size();
  out["greedy"] = sessions.greedy;
  out["burst"] = burst;
  out["fair_share_bytes_per_s"] = sessions.fair;
  out["honest_alone"] = alone(server, pairs, sessions, span);
  for (const double overload : kOverloads) {
    json row = overloaded(server, pairs, sessions, capacity, overload, span);
    for (const char* part : {"p5", "p50"}) {
      row["kept_of_alone"][part] = row["honest_kept"][part].get<double>() /
                                   std::max(out["honest_alone"]["honest_kept"][part].get<double>(), 1e-9);
    }
    out["with_greedy"].push_back(row);
  }
  out["relay_says"] = relay_says(server);
  return out;
}

}  // namespace atlas::bench
