#include "bench/relay_modes.h"

#include <cmath>
#include <functional>
#include <stdexcept>

#include "bench/meter.h"
#include "bench/relay_run.h"
#include "bench/round_trips.h"

namespace atlas::bench {

using nlohmann::json;

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
    End out{socket.fd(), pairs.flow(0, to_target).lead, kDatagram};
    out.message.resize(kDatagram);
    return out;
  };
  const End near = end(pairs.source(), true), far = end(pairs.target(), false);
  const DirectWay direct({server.address().ip, 0}, kDatagram);
  return compare_ways(pairs.clock(), server, near, far, direct.near, direct.far, span_of(options, 5),
                      [&] { pairs.serve(); });
}

namespace {

std::vector<double> bytes_of(const Traffic& traffic) {
  std::vector<double> out;
  for (const std::uint64_t datagrams : traffic.tenths) out.push_back(static_cast<double>(datagrams * traffic.size));
  return out;
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
    const Cost cost = measure(server, pairs, flows, static_cast<base::MonoNs>(span * 1.2e9));
    json row;
    row["limit"] = configured;
    row["offered"] = static_cast<double>(cost.traffic.sent * cost.traffic.size) / cost.traffic.seconds;
    row["loss"] = cost.traffic.loss();
    row["relay_says"] = relay_says(server);
    if (configured != 0) {
      row["delivered_of_configured"] =
          against_limit(bytes_of(cost.traffic), static_cast<std::size_t>(span * 10), limit);
      worst = std::max(worst, row["delivered_of_configured"]["error"].get<double>());
    }
    out["limits"].push_back(row);
  }
  out["seconds"] = span;
  out["worst_error"] = worst;
  out["loss_without_limit"] = out["limits"].back()["loss"];
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
