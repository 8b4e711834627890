// What several steps do with a role: peers that come, ask, and are asked; and its commands, with words that fit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "trial/bodies.h"
#include "trial/child.h"
#include "trial/world.h"

namespace atlas::trial {

// Arguments that a command takes: each one, or only what it must have.
std::map<std::string, std::string> arguments_for(const host::Command& command, bool all);

// Three peers; every type from each of them with an empty map and with each of `bodies`; every command once; a minute.
struct Traffic {
  World& world;
  const Notes& notes;
  std::vector<Body> bodies;

  std::vector<host::PeerHandle> connect(std::size_t count = 3);
  void ask(host::PeerHandle from);  // queued, not run
  void command_all();
  void everything();
};

}  // namespace atlas::trial
