// What the enabled plugins offer, learnt without starting them: from the node that is up, or by loading them here in
// describe mode, where only their init runs.
// Main thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/root.h"
#include "config/config.h"
#include "config/reference.h"

namespace atlas::cli {

struct Catalog {
  std::vector<Command> commands;          // paths with "net"
  std::vector<config::Problem> problems;  // of config.toml or of a plugin; exit 3
  std::string error;                      // the node that is up could not be asked
};
Catalog find_commands(const Layout& layout, const std::string& version);

// The rest load the plugins here; which of them there are must be known (config::Loaded::roles_known).
// Tables [plugins.<id>] of roles that are neither enabled nor installed, with the name that may be meant. Loads
// nothing.
std::vector<config::Problem> stray_tables(const config::Config& config);
// All that the node would refuse about the roles: their tables, one that is missing, a key that needs one.
std::vector<config::Problem> check_plugins(const config::Config& config, const std::string& version);
// The keys of the enabled roles; what is wrong with a role that cannot tell goes to `problems`.
std::vector<config::PluginKeys> enabled_plugin_keys(const config::Config& config, const std::string& version,
                                                    std::vector<config::Problem>& problems);
// The keys of the roles that come with atlas, as far as they are installed, for a sample file.
std::vector<config::PluginKeys> shipped_plugin_keys(const std::string& version);
// The JSON of `atlas plugin list` where no node runs, and what is wrong.
std::string describe_plugins(const Layout& layout, const config::Config& config, const std::string& version,
                             std::vector<config::Problem>& problems);

}  // namespace atlas::cli
