#include "bench/relay_modes.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <stdexcept>

#include "bench/meter.h"
#include "bench/relay_pairs.h"
#include "bench/round_trips.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr std::size_t kLargeBurst = kMostBytes / kDatagram;  // as many as one system call takes
constexpr std::size_t kUsualBurst = 10;                      // what a QUIC sender lets go at once
constexpr base::MonoNs kWarmUp = 200 * base::kMillisecond;
constexpr double kBusy = 0.9, kIdleMachine = 0.1;  // in cores
constexpr int kReceiveMs = 50;

base::MonoNs span_of(const RelayOptions& options, double usual) {
  return static_cast<base::MonoNs>((options.seconds > 0 ? options.seconds : usual) * 1e9);
}

std::size_t pairs_of(const RelayOptions& options, std::size_t usual) {
  return options.pairs != 0 ? options.pairs : usual;
}

void set_window(Generator& generator, const RelayOptions& options) {
  if (options.window != 0) generator.window = options.window;
}

ServerProcess start_relay(const RelayOptions& options, std::uint64_t limit) {
  ServerConfig config;
  config.roles = {"relay", "keepalive"};
  config.transport = fmt::format("enable_relay = true\noffer_relay = true\nrelay_bandwidth_limit = {}\n", limit);
  config.tables =
      "[plugins.relay]\nmax_sessions = 20000\nsessions_per_node = 20000\nsessions_per_prefix = 20000\n"
      "max_announced = 1000000\nnotices_per_minute = 60000\n";
  if (options.pin) {
    const auto processors = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    if (processors < 2) throw std::runtime_error("--pin needs two processors");
    config.cpu = 0;
    keep_on(processors - 1);
  }
  return ServerProcess::start(options.atlas, config);
}

// At a rate, what comes due in a millisecond leaves together.
std::size_t burst_of(const RelayOptions& options, double rate) {
  if (options.burst != 0) return options.burst;
  if (rate <= 0) return kLargeBurst;
  return std::clamp<std::size_t>(static_cast<std::size_t>(rate / 1000 / kDatagram), 1, kLargeBurst);
}

std::vector<Flow> flows_to_targets(RelayPairs& pairs, double rate, std::size_t burst) {
  std::vector<Flow> out;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    out.push_back(pairs.flow(i));
    out.back().rate = rate;
    out.back().burst = burst;
  }
  return out;
}

Cost measure(const ServerProcess& server, RelayPairs& pairs, const std::vector<Flow>& flows, base::MonoNs span) {
  return measure(server, pairs.clock(), pairs.generator(), flows, span);
}

// Who kept the rate down, and how that shows.
std::string limited_by(const Cost& cost, double server_busy, double own_busy) {
  if (server_busy >= kBusy && own_busy >= kBusy) return "the relay and this tool alike: neither had time left";
  if (server_busy >= kBusy) return "the relay: it had no time left";
  if (cost.traffic.socket_drops > 0) return "this tool: its own sockets were full";
  if (own_busy >= kBusy) return "this tool: it had no time left; the rate is its own, the cost per Gbit holds";
  if (cost.other_cores > kIdleMachine) return "other programs: this machine was not ours alone";
  if (cost.traffic.loss() == 0) return "the pace or the window that was asked for";
  return "what was lost on the way";
}

// What the relay itself says it forwarded and dropped, all sessions together.
json relay_says(const ServerProcess& server) {
  const json status = json::parse(server.ask({"net", "relay", "status", "--json"}), nullptr, false);
  if (!status.is_object() || !status.contains("sessions")) return nullptr;
  json out = {{"active", status["active"]}, {"bytes", status["bytes"]}};
  for (const char* why : {"rate", "source", "queue"}) {
    std::uint64_t sum = 0;
    for (const json& session : status["sessions"]) sum += session["dropped"][why].get<std::uint64_t>();
    out["dropped"][why] = sum;
  }
  return out;
}

}  // namespace

Cost measure(const ServerProcess& server, const base::Clock& clock, Generator& generator,
             const std::vector<Flow>& flows, base::MonoNs span) {
  Cost out;
  const std::uint64_t drops = server.socket_drops();
  const Meter meter(server, clock);
  out.traffic = generator.run(flows, span);
  out.server_cpu_s = meter.server_cpu_s();
  out.own_cpu_s = meter.own_cpu_s();
  out.other_cores = meter.other_cores();
  out.server_socket_drops = server.socket_drops() - drops;
  return out;
}

void report(json& out, const Cost& cost) {
  const Traffic& traffic = cost.traffic;
  const double gbit = std::max(traffic.gbit(), 1e-9), seconds = traffic.seconds;
  const double busy = cost.server_cpu_s / seconds, own_busy = cost.own_cpu_s / seconds;
  out["datagram_bytes"] = traffic.size;
  out["seconds"] = seconds;
  out["offered_gbit_per_s"] = traffic.offered_gbit_per_s();
  out["delivered_gbit_per_s"] = traffic.gbit_per_s();
  out["delivered_gbit"] = traffic.gbit();
  out["loss"] = traffic.loss();
  out["srv_cpu_s_per_gbit"] = cost.server_cpu_s / gbit;
  out["own_cpu_s_per_gbit"] = cost.own_cpu_s / gbit;
  out["server_busy"] = busy;
  out["own_busy"] = own_busy;  // below 1: this tool waited
  out["other_cores"] = cost.other_cores;
  out["limited_by"] = limited_by(cost, busy, own_busy);
  out["drops"] = {{"server_socket", cost.server_socket_drops},
                  {"own_sockets", traffic.socket_drops},
                  {"own_sends_refused", traffic.refused},
                  {"windows_given_up", traffic.stalls}};
  out["altered"] = traffic.altered;
  out["latest_burst_us"] = static_cast<double>(traffic.latest) / 1000;  // behind its time, of those with a rate
}

json relay(const RelayOptions& options) {
  json out;
  const ServerProcess server = start_relay(options, options.limit);
  RelayPairs pairs(server, pairs_of(options, 16), options.in_flight);
  pairs.connect();
  set_window(pairs.generator(), options);
  const std::size_t burst = burst_of(options, options.rate);
  const auto flows = flows_to_targets(pairs, options.rate, burst);
  pairs.generator().run(flows, kWarmUp);
  const Cost cost = measure(server, pairs, flows, span_of(options, 5));
  out["pairs"] = pairs.size();
  out["burst"] = burst;
  out["bandwidth_limit"] = pairs.bandwidth_limit();
  report(out, cost);
  out["relay_says"] = relay_says(server);
  return out;
}

json relay_rtt(const RelayOptions& options) {
  const ServerProcess server = start_relay(options, options.limit);
  RelayPairs pairs(server, 1, options.in_flight);
  pairs.connect();
  const auto end = [&](DataSocket& socket, bool to_target) {
    socket.set_blocking(kReceiveMs);
    End out{socket.fd(), pairs.flow(0, to_target).lead, kDatagram};
    out.message.resize(kDatagram);
    return out;
  };
  const End near = end(pairs.source(), true), far = end(pairs.target(), false);
  const DirectWay direct({server.address().ip, 0}, kDatagram);
  return compare_ways(pairs.clock(), near, far, direct.near, direct.far, span_of(options, 5), [&] { pairs.serve(); });
}

namespace {

// Delivered / configured over every stretch of `tenths`, one in the middle of the other.
json against_limit(const Traffic& traffic, std::size_t tenths, double configured) {
  const auto ratio = [&](std::size_t first) {
    std::uint64_t arrived = 0;
    for (std::size_t i = first; i < first + tenths && i < traffic.tenths.size(); ++i) arrived += traffic.tenths[i];
    return static_cast<double>(arrived * traffic.size) / (static_cast<double>(tenths) / 10) / configured;
  };
  double least = ratio(0), most = least;
  for (std::size_t first = 1; first + tenths < traffic.tenths.size(); ++first) {
    least = std::min(least, ratio(first));
    most = std::max(most, ratio(first));
  }
  return {{"from_the_start", ratio(0)},
          {"least", least},
          {"most", most},
          {"worst_error", std::max(std::abs(least - 1), std::abs(most - 1))}};
}

}  // namespace

json relay_limit(const RelayOptions& options) {
  json out;
  double worst = 0;
  constexpr double kMiB = 1 << 20;
  const double span = options.seconds > 0 ? options.seconds : 10;
  for (const double limit : {0.5 * kMiB, kMiB, 5 * kMiB, 0.0}) {
    const auto configured = static_cast<std::uint64_t>(limit);
    const ServerProcess server = start_relay(options, configured);
    RelayPairs pairs(server, 1, options.in_flight);
    pairs.connect();
    if (pairs.bandwidth_limit() != configured) throw std::runtime_error("the relay tells its agents another limit");
    // The limit is for both directions together; each gets all of it to carry.
    std::vector<Flow> flows = {pairs.flow(0, true), pairs.flow(0, false)};
    for (Flow& flow : flows) {
      flow.rate = limit > 0 ? limit : 5 * kMiB;
      flow.burst = burst_of(options, flow.rate);
    }
    const Cost cost = measure(server, pairs, flows, static_cast<base::MonoNs>((span + 2) * 1e9));
    json row;
    row["limit"] = configured;
    row["offered"] = static_cast<double>(cost.traffic.sent * cost.traffic.size) / cost.traffic.seconds;
    row["loss"] = cost.traffic.loss();
    row["relay_says"] = relay_says(server);
    if (configured != 0) {
      row["delivered_of_configured"] = against_limit(cost.traffic, static_cast<std::size_t>(span * 10), limit);
      worst = std::max(worst, row["delivered_of_configured"]["worst_error"].get<double>());
    }
    out["limits"].push_back(row);
  }
  out["seconds"] = span;
  out["worst_error"] = worst;
  out["loss_without_limit"] = out["limits"].back()["loss"];
  return out;
}

namespace {

json shares(std::vector<double> values) {
  return {{"least", quantile(values, 0)}, {"p5", quantile(values, 0.05)}, {"p50", quantile(values, 0.5)}};
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
  auto flows = flows_to_targets(pairs, 0, burst);
  pairs.generator().run(flows, kWarmUp);
  const Cost all = measure(server, pairs, flows, span);
  report(out["capacity"], all);

  const std::size_t greedy = std::max<std::size_t>(1, pairs.size() / 20);
  const double capacity = all.traffic.gbit_per_s() * 1e9 / 8;
  const double fair = capacity / static_cast<double>(pairs.size());
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const bool is_greedy = i < greedy;
    flows[i].rate = is_greedy ? 0 : fair;
    flows[i].ignore_window = is_greedy;
    flows[i].burst = is_greedy ? kLargeBurst : burst;
  }
  const Cost cost = measure(server, pairs, flows, span);
  report(out["with_greedy"], cost);
  std::vector<double> sent, kept, taken;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const FlowCount& count = cost.traffic.flows[i];
    const double share = fair * cost.traffic.seconds / kDatagram;
    if (i >= greedy) sent.push_back(static_cast<double>(count.sent) / share);
    (i < greedy ? taken : kept).push_back(static_cast<double>(count.arrived) / share);
  }
  out["pairs"] = pairs.size();
  out["greedy"] = greedy;
  out["burst"] = burst;
  out["fair_share_bytes_per_s"] = fair;
  out["honest_sent"] = shares(sent);  // below 1: this tool did not keep the pace
  out["honest_kept"] = shares(kept);
  out["greedy_taken"] = shares(taken);
  out["overload"] = cost.traffic.offered_gbit_per_s() / all.traffic.gbit_per_s();
  out["relay_says"] = relay_says(server);
  return out;
}

json relay_idle(const RelayOptions& options) {
  json out;
  const auto one_active = [&](const ServerProcess& server, RelayPairs& pairs) {
    set_window(pairs.generator(), options);
    std::vector<Flow> flows = {pairs.flow(pairs.size() / 2)};
    flows[0].burst = burst_of(options, options.rate);
    flows[0].rate = options.rate;
    pairs.generator().run(flows, kWarmUp);
    json row;
    report(row, measure(server, pairs, flows, span_of(options, 3)));
    return row;
  };
  {
    const ServerProcess server = start_relay(options, options.limit);
    RelayPairs pairs(server, 1, options.in_flight);
    pairs.connect();
    out["alone"] = one_active(server, pairs);
  }
  const ServerProcess server = start_relay(options, options.limit);
  const auto count = pairs_of(options, 10'000);
  const auto per_pair = [&](std::uint64_t after, std::uint64_t before) {
    return (static_cast<double>(after) - static_cast<double>(before)) / 1024 / static_cast<double>(count);
  };
  const std::uint64_t fresh = server.rss_bytes();
  RelayPairs pairs(server, count, options.in_flight);
  const std::uint64_t announced = server.rss_bytes();
  pairs.connect();
  pairs.swarm().run_for(base::kSecond);
  const std::uint64_t connected = server.rss_bytes();
  out["pairs"] = count;
  out["rss_kib_per_pair"] = per_pair(connected, fresh);  // with the two sessions of its agents
  out["of_these_route_kib"] = per_pair(connected, announced);
  const Meter idle(server, pairs.clock());
  pairs.swarm().run_for(span_of(options, 3));
  out["server_busy_when_idle"] = idle.server_cpu_s() / idle.wall_s();
  out["among_idle"] = one_active(server, pairs);
  out["cost_ratio"] =
      out["among_idle"]["srv_cpu_s_per_gbit"].get<double>() / out["alone"]["srv_cpu_s_per_gbit"].get<double>();
  out["relay_says"] = relay_says(server);
  return out;
}

}  // namespace atlas::bench
