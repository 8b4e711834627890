#include "bench/relay_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bench/meter.h"
#include "bench/processors.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr double kBusy = 0.9, kIdleMachine = 0.1;  // in cores

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

}  // namespace

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
      "max_announced = 1000000\nnotices_per_minute = 1000000\n";
  config.log = options.log;
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

// What the relay itself says it forwarded and dropped, all sessions together.
json relay_says(const ServerProcess& server) {
  const json status = json::parse(server.ask({"net", "relay", "status", "--json"}), nullptr, false);
  if (!status.is_object() || !status.contains("sessions")) return nullptr;
  json out = {{"active", status["active"]}, {"bytes", status["bytes"]}};
  for (const char* why : {"rate", "source", "queue", "share"}) {
    std::uint64_t sum = 0;
    for (const json& session : status["sessions"]) sum += session["dropped"].value(why, std::uint64_t{0});
    out["dropped"][why] = sum;
  }
  return out;
}

json against_limit(const std::vector<double>& tenths, std::size_t stretch, double configured) {
  const auto ratio = [&](std::size_t first) {
    double arrived = 0;
    for (std::size_t i = first; i < first + stretch && i < tenths.size(); ++i) arrived += tenths[i];
    return arrived / (static_cast<double>(stretch) / 10) / configured;
  };
  double least = ratio(0), most = least;
  for (std::size_t first = 1; first + stretch < tenths.size(); ++first) {
    least = std::min(least, ratio(first));
    most = std::max(most, ratio(first));
  }
  return {{"from_the_start", ratio(0)},
          {"least", least},
          {"most", most},
          {"error", std::max(std::abs(least - 1), std::abs(most - 1))}};
}

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

}  // namespace atlas::bench
