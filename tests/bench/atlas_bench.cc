// atlas-bench: drives a node over the real protocol from one process and prints JSON.
//
//   atlas-bench handshakes --atlas build/release/atlas      starts a server of its own
//   atlas-bench idle 10000 --target 127.0.0.1:4433 --pid 71  drives one that runs
//   atlas-bench goals --rounds 3                            every mode in turn, medians beside the goals
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "bench/goals.h"
#include "bench/modes.h"

int main(int argc, char** argv) {
  using namespace atlas::bench;
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
    const auto address = atlas::net::SocketAddress::parse(target);
    if (!target.empty() && (!address || pid == 0)) throw std::runtime_error("--target is ip:port and needs --pid");
    ServerProcess server =
        target.empty() ? ServerProcess::start(atlas, {"bootstrap", "keepalive"}) : ServerProcess(*address, pid);
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
