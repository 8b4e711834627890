#include "bench/goals.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "bench/relay_modes.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

using Path = std::filesystem::path;

template <json (*mode)(ServerProcess&, const Options&)>
json on_bootstrap(const Path& atlas, const Options& options) {
  ServerProcess server = ServerProcess::start(atlas, {.roles = {"bootstrap", "keepalive"}});
  return mode(server, options);
}

template <json (*mode)(const RelayOptions&)>
json on_relay(const Path& atlas, const Options& options) {
  RelayOptions relaying;
  relaying.atlas = atlas;
  relaying.in_flight = options.in_flight;
  return mode(relaying);
}

// One run of a mode on a server of its own.
struct Work {
  const char* name;
  json (*run)(const Path& atlas, const Options&);
  std::size_t count = 1;  // 0: GoalOptions::records
  bool seen_first = false;
};
constexpr Work kWorks[] = {{"relay", on_relay<relay>},
                           {"relay round trip", on_relay<relay_rtt>},
                           {"relay limit", on_relay<relay_limit>},
                           {"relay restart", on_relay<relay_restart>},
                           {"handshakes", on_bootstrap<handshakes>},
                           {"idle", on_bootstrap<idle>, 10'000},
                           {"register", on_bootstrap<register_peers>, 0},
                           {"records", on_bootstrap<register_peers>, 0, true},
                           {"discover", on_bootstrap<discover>, 0},
                           {"restart 2000", on_bootstrap<restart>, 2'000},
                           {"restart 10000", on_bootstrap<restart>, 10'000}};

struct Goal {
  const char *id, *what, *work, *figure, *unit;
  double goal;
};
constexpr Goal kGoals[] = {
    {"R1", "relay, CPU for each Gbit forwarded", "relay", "/srv_cpu_s_per_gbit", "s", 0.029},
    {"R2", "relay, added to a round trip, p50", "relay round trip", "/added_us/p50", "us", 15},
    {"R3", "relay, worst error of delivered / configured over 10 s", "relay limit", "/worst_error", "", 0.01},
    {"C1", "new authenticated connection, server CPU", "handshakes", "/srv_cpu_us_per_conn", "us", 290},
    {"C2", "idle connection of 10 000, resident memory", "idle", "/rss_kib_per_conn", "KiB", 30},
    {"C3", "keep-alive on one of 10 000 idle connections, server CPU", "idle", "/keepalive/srv_cpu_us_per_request",
     "us", 12},
    {"D1", "register on a held connection, server CPU", "register", "/held/srv_cpu_us_per_request", "us", 10},
    {"D2", "discover by node id, server CPU", "discover", "/by_node_id/srv_cpu_us_per_request", "us", 10},
    {"D2", "discover by skill, server CPU", "discover", "/by_skill/srv_cpu_us_per_request", "us", 10},
    {"D3", "connect, register, disconnect, server CPU", "register", "/connect_register_disconnect/srv_cpu_us_per_conn",
     "us", 310},
    {"D4", "resident memory of a registered peer", "records", "/bytes_per_record", "bytes", 400},
    {"F1", "a pair passes traffic again after its relay was killed", "relay restart", "/seconds", "s", 1},
    {"F2", "2 000 clients back after the server was killed", "restart 2000", "/seconds_until_all_back", "s", 3},
    {"F3", "10 000 clients back after the server was killed", "restart 10000", "/seconds_until_all_back", "s", 10},
};

bool wanted(const GoalOptions& options, const Goal& goal) {
  return options.only.empty() || std::ranges::find(options.only, goal.id) != options.only.end();
}
bool wanted(const GoalOptions& options, const Work& work) {
  return std::ranges::any_of(
      kGoals, [&](const Goal& goal) { return std::string_view(goal.work) == work.name && wanted(options, goal); });
}

}  // namespace

json measure_goals(const std::filesystem::path& atlas, const Options& options, const GoalOptions& goals) {
  std::map<std::string, std::vector<double>> seen;  // by goal's figure and work
  const auto key = [](const Goal& goal) { return std::string(goal.work) + goal.figure; };
  for (std::size_t round = 1; round <= goals.rounds; ++round) {
    for (const Work& work : kWorks) {
      if (!wanted(goals, work)) continue;
      std::fprintf(stderr, "round %zu of %zu: %s\n", round, goals.rounds, work.name);
      Options one = options;
      one.count = work.count == 0 ? goals.records : work.count;
      one.seen_first = work.seen_first;
      const json figures = work.run(atlas, one);
      for (const Goal& goal : kGoals) {
        if (goal.work != std::string_view(work.name)) continue;
        seen[key(goal)].push_back(figures.at(json::json_pointer(goal.figure)).get<double>());
      }
    }
  }
  json out = json::array();
  for (const Goal& goal : kGoals) {
    if (!wanted(goals, goal)) continue;
    auto& values = seen[key(goal)];
    std::ranges::sort(values);
    const double median = values[values.size() / 2];
    out.push_back({{"id", goal.id},
                   {"what", goal.what},
                   {"unit", goal.unit},
                   {"goal", goal.goal},
                   {"median", median},
                   {"least", values.front()},
                   {"most", values.back()},
                   {"ratio", median / goal.goal}});
  }
  return out;
}

}  // namespace atlas::bench
