// `atlas config …`: look at config.toml, check it, make one.
// Main thread only. Each command prints its result on `out` and what is wrong on `err`, and returns an ExitCode.
#pragma once

#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "cli/root.h"
#include "config/config.h"
#include "config/reference.h"

namespace atlas::cli {

// What only others can judge: plugins check their own tables. Runs when the core's part loads without a problem.
using PluginCheck = std::function<std::vector<config::Problem>(const config::Config&)>;

// Loads the file; every problem goes to `err`, one a line. kOk, or kConfig. For every command that needs a config.
int load_config(const Layout& layout, config::Config& config, std::ostream& err);

// Prints every problem and returns kConfig, or says that the file is good.
// --json: {"file","problems":[{"line","column","text"}]} on `out` in both cases.
int config_check(const Layout& layout, bool json, const PluginCheck& plugin_check, std::ostream& out,
                 std::ostream& err);

// The value of every key of the core, and of every plugin key that is written in the file, with where it comes from.
// --json: {"file","values":{key:{"value","origin":"default"|"file","line"?}}}
int config_show(const Layout& layout, bool json, std::ostream& out, std::ostream& err);

// Writes the sample of a role ("bootstrap", "relay", "agent") to state/config.toml. An existing file is kept (kBusy)
// without `force`, except one that holds nothing but [identity]; what [identity] says is kept in either case.
// `plugins`: whose keys to explain as well, commented out; those that the role does not enable are skipped.
int config_init(const Layout& layout, const std::string& role, bool force, std::ostream& out, std::ostream& err,
                std::span<const config::PluginKeys> plugins = {});

}  // namespace atlas::cli
