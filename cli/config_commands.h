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

// What only others can judge: plugins check their own tables, and whether they are there at all.
using PluginCheck = std::function<std::vector<config::Problem>(const config::Config&)>;

// Loads the file; every problem goes to `err`, one a line. kOk, or kConfig. For every command that needs a config.
int load_config(const Layout& layout, config::Config& config, std::ostream& err);

// All that is wrong with a file, in the order of its lines, what stands nowhere in it last. `plugin_check` is asked as
// soon as it is known which plugins there are, whatever else is wrong.
std::vector<config::Problem> all_problems(const config::Loaded& loaded, const PluginCheck& plugin_check);

// Prints every problem and returns kConfig, or says that the file is good.
// --json: {"file","problems":[{"line","column","text"}]} on `out` in both cases.
int config_check(const Layout& layout, bool json, const PluginCheck& plugin_check, std::ostream& out,
                 std::ostream& err);

// The keys that the enabled plugins know, and in `problems` why some cannot be known.
using PluginKeysOf =
    std::function<std::vector<config::PluginKeys>(const config::Config&, std::vector<config::Problem>& problems)>;

// The value of every key of the core and of the enabled plugins, and of every other plugin key that is written in the
// file, with where it comes from. A plugin that cannot be asked is a line on `err`.
// --json: {"file","values":{key:{"value","origin":"default"|"file","line"?}}}
int config_show(const Layout& layout, bool json, const PluginKeysOf& plugin_keys, std::ostream& out, std::ostream& err);

// Writes the sample of a role ("bootstrap", "relay", "agent") to state/config.toml. An existing file is kept (kBusy)
// without `force`, except one that holds nothing but [identity]; what [identity] says is kept in either case,
// as far as it can be read. With `force` the old file goes to config.toml.bak first, and `err` says so.
// `plugins`: whose keys to explain as well, commented out; those that the role does not enable are skipped.
int config_init(const Layout& layout, const std::string& role, bool force, std::ostream& out, std::ostream& err,
                std::span<const config::PluginKeys> plugins = {});

}  // namespace atlas::cli
