// `atlas`: the words of the command line, the command they name, and its exit code. What the verbs are is in
// command_table.cc and in the plugins; what they do is in the *_commands.cc files.
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "base/clock.h"
#include "base/log.h"
#include "cli/arguments.h"
#include "cli/config_commands.h"
#include "cli/exit_codes.h"
#include "cli/help.h"
#include "cli/id_commands.h"
#include "cli/net_commands.h"
#include "cli/plugin_catalog.h"
#include "cli/plugin_commands.h"
#include "cli/render.h"
#include "cli/root.h"

namespace atlas::cli {
namespace {

const std::string kVersion = ATLAS_VERSION;

Style style_of(const Globals& globals) {
  const bool color = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  return {globals.json, globals.quiet, color && !globals.json, [] { return base::SystemClock().unix_s(); }};
}

// The commands of plugins are needed for `net <something else>` and for the help of `net`.
bool needs_plugins(const Glance& seen) {
  if (seen.verb.empty() || seen.verb[0] != "net") return false;
  return seen.verb.size() < 2 || find_command(fixed_commands(), "net " + seen.verb[1]) == nullptr;
}

void add_missing(std::vector<Command>& commands, std::vector<Command> more) {
  for (Command& command : more) {
    if (find_command(commands, command.path) == nullptr) commands.push_back(std::move(command));
  }
}

// `atlas id …` and `atlas config …`: functions that print by themselves.
int local_command(const Layout& layout, const Invocation& call, bool json, std::ostream& out, std::ostream& err) {
  const auto text = [&](const char* name) { return call.joined()[name]; };
  const auto plugins = [](const config::Config& config) { return check_plugins(config, kVersion); };
  if (call.path == "id init") return id_init(layout, json, out, err);
  if (call.path == "id show") return id_show(layout, json, out, err);
  if (call.path == "id set-name") return id_set_name(layout, text("name"), out, err);
  if (call.path == "id set-bio") return id_set_bio(layout, text("text"), out, err);
  if (call.path == "id add-skill") return id_add_skill(layout, text("skill"), out, err);
  if (call.path == "id remove-skill") return id_remove_skill(layout, text("skill"), out, err);
  if (call.path == "config check") return config_check(layout, json, plugins, out, err);
  if (call.path == "config show") {
    const auto keys = [](const config::Config& config, std::vector<config::Problem>& problems) {
      return enabled_plugin_keys(config, kVersion, problems);
    };
    return config_show(layout, json, keys, out, err);
  }
  return config_init(layout, text("--role"), call.value("--force").has_value(), out, err,
                     shipped_plugin_keys(kVersion));
}

// Whatever the command printed, --json ends as exactly one document: its own, the error, or {"done":true}. What it has
// to say besides says whose words they are, as those of all commands do.
int run_local(const Layout& layout, const Invocation& call, bool json) {
  std::ostringstream out, err;
  const int code = local_command(layout, call, json, json ? out : std::cout, err);
  std::cerr << with_command(err.str(), call.path, "atlas: ");
  if (!json) return code;
  if (Json::accept(out.str())) {
    std::cout << out.str();
  } else if (code == kOk) {
    std::cout << "{\"done\":true}\n";
  } else {
    print_json_error(code, with_command(err.str(), call.path, ""), std::cout);
  }
  return code;
}

int run(const Layout& layout, const Command& command, const Invocation& call) {
  const Terminal terminal{style_of(call.globals), std::cout, std::cerr};
  if (call.path.starts_with("id ") || call.path.starts_with("config ")) {
    return run_local(layout, call, call.globals.json);
  }
  if (call.path == "net listen") return net_listen(layout, call, kVersion, terminal);
  if (call.path == "plugin list") return plugin_list(layout, command, kVersion, terminal);
  if (call.path == "plugin info") return plugin_info(layout, command, call, kVersion, terminal);
  if (call.path == "plugin new") return plugin_new(command, call, terminal);
  if (call.path == "plugin check") return plugin_check(command, call, kVersion, terminal);
  if (call.path == "plugin run") return plugin_run(call, kVersion, terminal);
  return net_command(layout, command, call, kVersion, terminal);
}

// A command line that is not understood may be one of a plugin that could not be loaded: that reason comes first.
int report_unloaded(const Catalog& catalog, const Ended& ended, const Globals& globals) {
  if (!catalog.error.empty()) {
    return print_error(style_of(globals), kFailure, catalog.error, std::cout, std::cerr);
  }
  std::string lines;
  for (const auto& problem : catalog.problems) lines += problem.to_string() + '\n';
  std::cerr << safe_lines(lines) << "\natlas: the plugins' commands are not known while this is wrong\n";
  std::cout << ended.out;
  if (globals.json) print_json_error(kConfig, lines, std::cout);
  return kConfig;
}

// The command sections of docs/reference/cli.md for this installation, its plugins' commands included.
int print_reference(const std::vector<Command>& commands) {
  for (const Command& command : commands) std::cout << reference_of(command) << '\n';
  return kOk;
}

int main(const std::vector<std::string>& words) {
  const bool reference = words == std::vector<std::string>{"--print-reference"};
  const Glance seen = glance(words);
  const auto layout = find_layout(seen.globals.root);
  std::vector<Command> commands = fixed_commands();
  Catalog catalog;
  if (layout && (needs_plugins(seen) || reference)) {
    catalog = find_commands(*layout, kVersion);
    add_missing(commands, std::move(catalog.commands));
  }
  if (reference) return print_reference(commands);

  const Parsed parsed = parse_arguments(words, commands, kVersion);
  if (const auto* ended = std::get_if<Ended>(&parsed)) {
    const bool unloaded = !catalog.error.empty() || !catalog.problems.empty();
    if (unloaded) return report_unloaded(catalog, *ended, seen.globals);
    std::cout << ended->out << std::flush;
    if (ended->err.empty()) return ended->exit_code;
    std::cerr << "atlas: " << safe_lines(ended->err) << std::endl;
    if (seen.globals.json) print_json_error(ended->exit_code, ended->err, std::cout);
    return ended->exit_code;
  }
  const auto& call = std::get<Invocation>(parsed);
  if (!layout) {
    return print_error(style_of(call.globals), exit_code_of(layout.error().fault), layout.error().text, std::cout,
                       std::cerr);
  }
  return run(*layout, *find_command(commands, call.path), call);
}

}  // namespace
}  // namespace atlas::cli

int main(int argc, char** argv) {
  try {
    const int code = atlas::cli::main({argv + 1, argv + argc});
    if (std::cout.flush() || code != atlas::cli::kOk) return code;
    std::cerr << "atlas: the output could not be written\n";
    return atlas::cli::kFailure;
  } catch (const std::exception& error) {
    std::cerr << "atlas: " << error.what() << '\n';
    return atlas::cli::kFailure;
  }
}
