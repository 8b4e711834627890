// What roles cost a node: many of them at once, and what a message pays for being answered by one.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace atlas::bench {

struct PluginOptions {
  std::filesystem::path atlas, role;  // the program, and the built role that is copied
  std::size_t count = 100;            // roles
  std::size_t rounds = 5;             // medians are over these
  std::size_t connections = 64, in_flight = 256;
  double seconds = 1;  // of each stretch of load, and of looking at an idle node
};

// Starts with `count` roles and with none, and what the node does while nothing happens.
nlohmann::json many_plugins(const PluginOptions& options);
// Requests that a role answers beside requests that the core answers itself (those of a type that nobody claimed), in
// turns on the same connections: CPU of the server and round trips at load.
nlohmann::json message_cost(const PluginOptions& options);

}  // namespace atlas::bench
