#include "bench/plugin_modes.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "atlas/msgpack.hpp"
#include "bench/load.h"
#include "bench/meter.h"
#include "bench/swarm.h"

namespace atlas::bench {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::uint8_t kFirstType = 0x80, kNobodys = 0xcf, kError = 0xe0;

// Copies of the role with numbers of their own, in a folder that goes with it.
class Roles {
 public:
  Roles(const fs::path& built, std::size_t count) {
    std::ifstream file(built, std::ios::binary);
    std::string image{std::istreambuf_iterator<char>(file), {}};
    constexpr std::string_view kId = "bench.role.000";
    const std::size_t at = image.find(kId);
    if (at == std::string::npos || image.find(kId, at + 1) != std::string::npos) {
      throw std::runtime_error(built.string() + " is not the role that this tool copies");
    }
    std::string pattern = (fs::temp_directory_path() / "atlas-bench.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    folder_ = pattern;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string id = fmt::format("bench.role.{:03}", i);
      image.replace(at, id.size(), id);
      std::ofstream(folder_ / (id + ".so"), std::ios::binary) << image;
      ids_.push_back(id);
    }
  }
  ~Roles() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Roles(const Roles&) = delete;
  Roles& operator=(const Roles&) = delete;

  ServerConfig server() const { return {.roles = ids_, .search = {folder_.string()}}; }

 private:
  fs::path folder_;
  std::vector<std::string> ids_;
};

// Milliseconds from exec until the node says that it is ready.
double start_ms(ServerProcess& server) {
  const base::SystemClock clock;
  server.stop();
  const base::MonoNs begin = clock.mono_ns();
  server.launch();
  return in_seconds(clock.mono_ns() - begin) * 1000;
}

template <class T>
double median(std::vector<T> samples) {
  return static_cast<double>(quantile(samples, 0.5));
}

// What threads of the server did meanwhile, by name.
json idle_threads(const ServerProcess& server, double seconds) {
  const auto before = server.threads();
  Swarm(server.address()).run_for(static_cast<base::MonoNs>(seconds * 1e9));  // without a peer: it only waits
  json out = json::object();
  for (const auto& [id, now] : server.threads()) {
    const auto then = before.find(id);
    if (then == before.end()) continue;
    json& row = out[now.name];
    if (row.is_null()) row = json::object();
    row["cpu_us"] = row.value("cpu_us", 0.0) + static_cast<double>(now.cpu_ns - then->second.cpu_ns) / 1000;
    row["wakeups"] = row.value("wakeups", std::uint64_t{0}) + (now.switches - then->second.switches);
  }
  return out;
}

}  // namespace

// Has each role that can be asked something answer once; callbacks that ran on the event loop's thread.
json callbacks_in_loop(const ServerProcess& server, const PluginOptions& options) {
  Swarm swarm(server.address());
  swarm.connect_all(1, 1);
  const std::size_t asked = std::min<std::size_t>(options.count, 64);
  std::size_t answered = 0;
  for (std::size_t i = 0; i < asked; ++i) {
    const base::Bytes empty_map = {0x80};
    swarm.peer(0).request(static_cast<std::uint8_t>(kFirstType + i), empty_map,
                          [&](std::uint8_t, base::ByteView, base::MonoNs) {
                            if (++answered == asked) swarm.stop();
                          });
  }
  swarm.run_for(30 * base::kSecond);
  std::uint64_t in_loop = 0, requests = 0;
  const json status = server.call("status");
  for (const auto& [name, value] : status.at("metrics").items()) {
    if (name.ends_with("_in_loop")) in_loop += value.get<std::uint64_t>();
    if (name.ends_with("_answered")) requests += value.get<std::uint64_t>();
  }
  return {{"requests", requests}, {"in_loop", in_loop}};
}

json many_plugins(const PluginOptions& options) {
  const Roles roles(options.role, options.count), none(options.role, 0);
  ServerProcess with = ServerProcess::start(options.atlas, roles.server());
  ServerProcess without = ServerProcess::start(options.atlas, none.server());
  std::vector<double> with_ms, without_ms;
  for (std::size_t i = 0; i < options.rounds; ++i) {
    with_ms.push_back(start_ms(with));
    without_ms.push_back(start_ms(without));
  }
  json out;
  out["roles"] = options.count;
  out["start_ms"] = median(with_ms);
  out["start_ms_most"] = quantile(with_ms, 1.0);
  out["start_ms_without"] = median(without_ms);
  std::size_t running = 0;
  for (const json& row : with.call("plugins")) running += row.at("state") == "running" ? 1 : 0;
  out["running"] = running;
  out["rss_kib_per_role"] = static_cast<double>(with.rss_bytes() - without.rss_bytes()) / 1024.0 /
                            static_cast<double>(std::max<std::size_t>(1, options.count));
  out["callbacks"] = callbacks_in_loop(with, options);
  out["idle_seconds"] = options.seconds;
  out["idle"] = idle_threads(with, options.seconds);
  out["idle_without"] = idle_threads(without, options.seconds);
  return out;
}

json message_cost(const PluginOptions& options) {
  const Roles roles(options.role, 1);
  ServerProcess server = ServerProcess::start(options.atlas, roles.server());
  Swarm swarm(server.address());
  swarm.connect_all(options.connections, options.in_flight);
  // As long as what the core says of a type that nobody claimed, so that both answers are as large.
  msgpack::Writer payload;
  payload.map(1);
  payload.text("text");
  payload.text(std::string(50, 'x'));
  const auto body = [&](Peer&) { return base::Bytes(payload.bytes().begin(), payload.bytes().end()); };
  const auto span = static_cast<base::MonoNs>(options.seconds * 1e9);

  struct Way {
    const char* name;
    std::uint8_t type, answer;
    std::vector<double> cpu_us, rtt_us, per_second;
  };
  Way ways[] = {{"in_core", kNobodys, kError, {}, {}, {}}, {"in_role", kFirstType, kFirstType, {}, {}, {}}};
  std::vector<double> added_cpu, added_rtt;
  std::uint64_t answered = 0;
  for (std::size_t round = 0; round < options.rounds; ++round) {
    for (Way& way : ways) {
      json figures;
      const Meter meter(server, swarm.clock());
      Load load = run_load(swarm, options.connections, options.in_flight, span, way.type, way.answer, body);
      meter.report(figures, load.done, "request");
      if (load.wrong != 0) throw std::runtime_error("answers of another type than expected");
      answered += load.done;
      way.cpu_us.push_back(figures.at("srv_cpu_us_per_request"));
      way.per_second.push_back(figures.at("per_second"));
      way.rtt_us.push_back(static_cast<double>(quantile(load.round_trips, 0.5)) / 1000);
    }
    added_cpu.push_back(ways[1].cpu_us.back() - ways[0].cpu_us.back());
    added_rtt.push_back(ways[1].rtt_us.back() - ways[0].rtt_us.back());
  }
  json out;
  out["connections"] = options.connections;
  out["in_flight"] = options.in_flight;
  for (const Way& way : ways) {
    out[way.name] = {{"srv_cpu_us_per_request", median(way.cpu_us)},
                     {"rtt_p50_us", median(way.rtt_us)},
                     {"per_second", median(way.per_second)}};
  }
  // Both sides counted the same.
  out["answered"] = answered;
  out["server_says"] = server.call("status").at("counters").at("requests");
  out["added_srv_cpu_us"] = median(added_cpu);
  out["added_us_per_request"] = 1e6 / median(ways[1].per_second) - 1e6 / median(ways[0].per_second);
  out["added_rtt_p50_us"] = median(added_rtt);
  return out;
}

}  // namespace atlas::bench
