// atlas-bench: drives a node over the real protocol from one process and prints JSON.
//
//   atlas-bench handshakes --atlas build/release/atlas      starts a server of its own
//   atlas-bench idle 10000 --target 127.0.0.1:4433 --pid 71  drives one that runs
//   atlas-bench plugins --roles 100                         starts with so many roles, and what they do while idle
//   atlas-bench relay --pairs 16 --seconds 5                a relay of its own and raw datagrams through it
//   atlas-bench turn --target 127.0.0.1:3478 --pid 72       somebody else's relay
//   atlas-bench turn-restart --target 127.0.0.1:3478 -- turnserver -n ...    one that it kills and starts again
//   atlas-bench goals --rounds 3                            every mode in turn, medians beside the goals
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <optional>

#include "bench/goals.h"
#include "bench/modes.h"
#include "bench/other_relays.h"
#include "bench/plugin_modes.h"
#include "bench/relay_modes.h"

namespace {

using namespace atlas::bench;

// One of the three: on a relay of its own, on somebody else's that runs, or on one that it starts.
struct RelayMode {
  const char* name;
  const char* about;
  nlohmann::json (*relay)(const RelayOptions&);
  nlohmann::json (*other)(const ServerProcess&, const RelayOptions&);
  nlohmann::json (*started)(const atlas::net::SocketAddress&, const RelayOptions&);
};

std::vector<RelayMode> add_relay_modes(CLI::App& app, RelayOptions& options) {
  std::vector<RelayMode> modes = {
      {"relay", "R1: what forwarding costs, how fast it is, what is lost", relay, nullptr, nullptr},
      {"relay-rtt", "R2: round trips through the relay and without it", relay_rtt, nullptr, nullptr},
      {"relay-limit", "R3: what arrives of twice relay_bandwidth_limit", relay_limit, nullptr, nullptr},
      {"relay-fair", "what greedy pairs leave to the others", relay_fair, nullptr, nullptr},
      {"relay-idle", "memory of idle pairs, and an active one among them", relay_idle, nullptr, nullptr},
      {"relay-restart", "F1: how long a pair is apart when its relay is killed and started again, --pairs times",
       relay_restart, nullptr, nullptr},
      {"relay-cycles", "what agents that come, meet and leave, --pairs times, leave behind", relay_cycles, nullptr,
       nullptr},
      {"turn", "R1 and R2 of a TURN server at --target", nullptr, turn, nullptr},
      {"stream-relay", "R1 and R2 of Syncthing's relay server at --target", nullptr, stream_relay, nullptr},
      {"stream-limit", "R3 of one that was told --limit", nullptr, stream_limit, nullptr},
      {"turn-restart", "F1 of a TURN server that the words after -- start at --target", nullptr, nullptr, turn_restart},
      {"stream-restart", "F1 of Syncthing's relay server, likewise", nullptr, nullptr, stream_restart}};
  for (const RelayMode& mode : modes) {
    auto* it = app.add_subcommand(mode.name, mode.about)->fallthrough();
    it->add_option("--pairs", options.pairs, "of agents; 0: what the mode is made for");
    it->add_option("--rate", options.rate, "bytes a second of each pair; 0: as fast as it goes");
    it->add_option("--limit", options.limit, "relay_bandwidth_limit; 0: none");
    it->add_option("--burst", options.burst, "datagrams that an agent sends together; 0: by its rate");
    it->add_option("--window", options.window,
                   "bytes under way, of all pairs without a rate; 0: what the mode is made for");
    it->add_option("--seconds", options.seconds, "of sending; 0: what the mode is made for");
    it->add_option("--in-flight", options.in_flight, "handshakes or requests at once")->capture_default_str();
    it->add_option("--log", options.log, "log.level of the nodes that are started")->capture_default_str();
    if (mode.started != nullptr) it->add_option("command", options.command, "what starts the relay")->required();
    it->add_flag("--pin", options.pin, "the relay on one processor, this tool on another");
  }
  return modes;
}

struct PluginMode {
  const char* name;
  nlohmann::json (*run)(const PluginOptions&);
};

std::vector<PluginMode> add_plugin_modes(CLI::App& app, PluginOptions& options) {
  options.role = ATLAS_BENCH_ROLE;
  auto* many = app.add_subcommand("plugins", "starts with many roles and without, and an idle node that has them");
  many->add_option("--roles", options.count, "how many, 1 to 999")->check(CLI::Range(1, 999))->capture_default_str();
  auto* cost = app.add_subcommand("message-cost", "what a role's answer costs over one that the core gives itself");
  for (CLI::App* one : {many, cost}) {
    one->fallthrough();
    one->add_option("--rounds", options.rounds, "medians are over these")->capture_default_str();
  }
  return {{"plugins", many_plugins}, {"message-cost", message_cost}};
}

// Where somebody else's relay is, or will be.
struct Target {
  std::optional<atlas::net::SocketAddress> address;
  int pid;
};

nlohmann::json run(const RelayMode& mode, const Target& target, const RelayOptions& options) {
  if (mode.relay != nullptr) return mode.relay(options);
  if (!target.address) throw std::runtime_error("a relay that is not ours needs --target ip:port");
  if (mode.started != nullptr) return mode.started(*target.address, options);
  if (target.pid == 0) throw std::runtime_error("a relay that runs already needs --pid");
  return mode.other(ServerProcess(*target.address, target.pid), options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Load on an Atlas node over its real protocol; figures per unit of work as JSON"};
  std::string atlas = "./atlas", target;
  int pid = 0;
  Options options;
  app.add_option("--atlas", atlas, "the atlas program, to start a server of our own");
  app.add_option("--target", target, "ip:port of a server that runs already (needs --pid)");
  app.add_option("--pid", pid, "its process id, for CPU and memory");
  app.add_option("--seconds", options.seconds, "of steady work")->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "handshakes or requests at once")->capture_default_str();
  app.add_option("--connections", options.connections, "held connections")->capture_default_str();
  app.add_flag("--seen-first", options.seen_first, "register: each peer comes by once before memory is looked at");
  using Mode = nlohmann::json (*)(ServerProcess&, const Options&);
  const std::pair<const char*, Mode> modes[] = {
      {"idle", idle}, {"handshakes", handshakes}, {"register", register_peers}, {"discover", discover},
      {"echo", echo}, {"restart", restart}};
  for (const auto& [name, run] : modes) {
    app.add_subcommand(name)->fallthrough()->add_option("count", options.count)->capture_default_str();
  }
  RelayOptions relaying;
  const auto relay_modes = add_relay_modes(app, relaying);
  PluginOptions roles;
  const auto plugin_modes = add_plugin_modes(app, roles);
  GoalOptions goals;
  auto* all = app.add_subcommand("goals", "every mode in turn, on a server of its own each; medians beside the goals");
  all->fallthrough()->add_option("--rounds", goals.rounds)->capture_default_str();
  all->add_option("--records", goals.records, "of register and discover")->capture_default_str();
  all->add_option("--only", goals.only, "measure these, as C1 or D4");
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);

  rlimit files{65'536, 65'536};
  setrlimit(RLIMIT_NOFILE, &files);
  try {
    if (all->parsed()) {
      std::cout << measure_goals(atlas, options, goals).dump(2) << '\n';
      return 0;
    }
    relaying.atlas = atlas;
    const Target where{atlas::net::SocketAddress::parse(target), pid};
    for (const auto& mode : relay_modes) {
      if (!app.got_subcommand(mode.name)) continue;
      std::cout << nlohmann::json{{"mode", mode.name}, {"figures", run(mode, where, relaying)}}.dump(2) << '\n';
      return 0;
    }
    roles.atlas = atlas;
    roles.seconds = options.seconds;
    for (const auto& mode : plugin_modes) {
      if (!app.got_subcommand(mode.name)) continue;
      std::cout << nlohmann::json{{"mode", mode.name}, {"figures", mode.run(roles)}}.dump(2) << '\n';
      return 0;
    }
    if (!target.empty() && (!where.address || pid == 0)) {
      throw std::runtime_error("--target is ip:port and needs --pid");
    }
    ServerProcess server = target.empty() ? ServerProcess::start(atlas, {.roles = {"bootstrap", "keepalive"}})
                                          : ServerProcess(*where.address, pid);
    nlohmann::json out;
    for (const auto& [name, run] : modes) {
      if (!app.got_subcommand(name)) continue;
      out["mode"] = name;
      out["figures"] = run(server, options);
    }
    std::cout << out.dump(2) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "atlas-bench: " << error.what() << '\n';
    return 1;
  }
}
