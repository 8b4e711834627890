#include "trial/traffic.h"

#include <fmt/format.h>

#include "atlas/ext/cli.h"

namespace atlas::trial {

std::map<std::string, std::string> arguments_for(const host::Command& command, bool all) {
  std::map<std::string, std::string> out;
  for (const host::CommandArg& arg : command.args) {
    if (!all && !arg.required) continue;
    switch (arg.kind) {
      case ATLAS_ARG_INTEGER:
        out[arg.name] = "1";
        break;
      case ATLAS_ARG_FLAG:
        out[arg.name] = "true";
        break;
      default:
        out[arg.name] = arg.name == "target" || arg.name == "node" ? node_id_of(1) : "text";
    }
  }
  return out;
}

std::vector<host::PeerHandle> Traffic::connect(std::size_t count) {
  std::vector<host::PeerHandle> out;
  for (std::size_t i = 1; i <= count; ++i) {
    notes.at(fmt::format("peer {} connects", i));
    out.push_back(world.connect(i));
  }
  world.settle();
  return out;
}

void Traffic::ask(host::PeerHandle from) {
  static const Body kEmpty{"an empty map", {0x80}};
  for (const std::uint8_t type : world.types()) {
    notes.at(fmt::format("a peer asks 0x{:02x} with {}", type, kEmpty.name));
    world.deliver(from, type, kEmpty.bytes);
    for (const Body& body : bodies) {
      notes.at(fmt::format("a peer asks 0x{:02x} with {}", type, body.name));
      world.deliver(from, type, body.bytes);
    }
  }
}

void Traffic::command_all() {
  for (const host::Command& command : world.host().commands()) {
    notes.at(fmt::format("somebody runs {}", command.path));
    world.run_command(command, arguments_for(command, true));
  }
}

void Traffic::everything() {
  for (const host::PeerHandle peer : connect()) {
    ask(peer);
    world.settle();
  }
  command_all();
  notes.at("a minute passes");
  world.pass(60 * base::kSecond);
}

}  // namespace atlas::trial
