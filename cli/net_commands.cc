#include "cli/net_commands.h"

#include <fmt/format.h>

#include <csignal>
#include <ostream>
#include <utility>

#include "base/log.h"
#include "cli/command_runner.h"
#include "cli/config_commands.h"
#include "cli/plugin_catalog.h"
#include "config/schema.h"

namespace atlas::cli {
namespace {

using Problems = std::vector<config::Problem>;

std::string lines_of(const Problems& problems) {
  std::string out;
  for (const auto& problem : problems) out += (out.empty() ? "" : "\n") + problem.to_string();
  return out;
}

// The problems are lines of their own, as `atlas config check` prints them.
int print_problems(const Problems& problems, ExitCode code, Terminal terminal) {
  const std::string lines = lines_of(problems);
  terminal.err << safe_lines(lines) << std::endl;
  if (terminal.style.json) print_json_error(code, lines, terminal.out);
  return code;
}

void append(Problems& all, Problems more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t start = 0;
  for (std::size_t comma = 0; comma != std::string::npos; start = comma + 1) {
    comma = text.find(',', start);
    if (comma != start && start < text.size()) parts.push_back(text.substr(start, comma - start));
  }
  return parts;
}

// --set key=value
Problems set_key(config::Config& config, const std::string& setting) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos) {
    return {
        {"--set", 0, 0, "\"" + base::escaped(setting, 80) + "\" is not KEY=VALUE, as transport.max_connections=50"}};
  }
  const std::string key = setting.substr(0, equals), value = setting.substr(equals + 1);
  const config::Row* row = config::find_row(key);
  const bool list = row != nullptr && row->type == config::Type::kTextList;
  return config::override_key(config, key, list ? split_at_commas(value) : std::vector<std::string>{value}, "--set");
}

// The options of `net listen` that stand in place of keys of config.toml.
Problems apply_options(config::Config& config, const Invocation& invocation) {
  constexpr std::pair<const char*, const char*> kOptions[] = {
      {"--port", "network.port"},    {"--bind", "network.bind"},   {"--bootstrap", "network.bootstrap"},
      {"--relay", "network.relays"}, {"--log-level", "log.level"}, {"--log-format", "log.format"}};
  Problems problems;
  for (const auto& [option, key] : kOptions) {
    const std::vector<std::string> values = invocation.list(option);
    if (!values.empty()) append(problems, config::override_key(config, key, values, option));
  }
  for (const std::string& setting : invocation.list("--set")) append(problems, set_key(config, setting));
  return problems;
}

void announce(const std::vector<net::SocketAddress>& addresses, const std::string& node_id, Terminal terminal) {
  for (const net::SocketAddress& address : addresses) {
    if (terminal.style.json) {
      const Json line = {{"ready", {{"address", address.text()}, {"node_id", node_id}}}};
      terminal.out << line.dump() << '\n';
    } else {
      terminal.out << "ready " << address.text() << ' ' << node_id << '\n';
    }
  }
  terminal.out << std::flush;
}

control::Answers answers_for(Printer& printer) {
  return {.row = [&](std::string_view json) { printer.row(json); },
          .progress = [&](std::string_view text) { printer.progress(text); },
          .result = [&](std::string_view json) { printer.result(json); }};
}

int finish(Printer& printer, const base::Result<control::Finished>& finished) {
  if (!finished) return printer.finish(exit_code_of(finished.error().fault), finished.error().text);
  return printer.finish(finished->exit_code, finished->error);
}

bool nobody_there(const base::Result<control::Finished>& finished) {
  return !finished && finished.error().fault == base::Fault::kUnreachable;
}

}  // namespace

ExitCode exit_code_of(const node::ProcessEnd& end) {
  using Why = node::ProcessEnd::Why;
  switch (end.why) {
    case Why::kStopped:
      return kOk;
    case Why::kConfig:
      return kConfig;
    case Why::kAlreadyRunning:
      return kBusy;
    case Why::kNoIdentity:
      return kNotFound;
    case Why::kFailed:
      return kFailure;
  }
  return kFailure;
}

std::string text_of(const node::ProcessEnd& end) {
  if (end.problems.empty()) return end.error;
  return end.error + (end.error.empty() ? "" : "\n") + lines_of(end.problems);
}

int net_listen(const Layout& layout, const Invocation& invocation, const std::string& version, Terminal terminal) {
  config::Loaded loaded = config::load(layout.config);
  if (!loaded.problems.empty()) {
    const auto plugins = [&](const config::Config& config) { return check_plugins(config, version); };
    return print_problems(all_problems(loaded, plugins), kConfig, terminal);
  }
  if (const Problems wrong = apply_options(loaded.config, invocation); !wrong.empty()) {
    return print_problems(wrong, kUsage, terminal);
  }
  if (const auto made = create_directories(layout); !made) {
    return print_error(terminal.style, exit_code_of(made.error().fault), made.error().text, terminal.out, terminal.err);
  }
  // Whoever read the ready line may have closed the pipe since.
  std::signal(SIGPIPE, SIG_IGN);
  const node::ProcessSetup setup{node::Paths::below(layout.root), std::move(loaded.config), version,
                                 plugin_directories()};
  const node::ProcessEnd end =
      node::run_daemon(setup, [&](const std::vector<net::SocketAddress>& addresses, const std::string& node_id) {
        announce(addresses, node_id, terminal);
      });
  if (end.why == node::ProcessEnd::Why::kStopped) return kOk;
  if (!end.problems.empty()) return print_problems(end.problems, kConfig, terminal);
  return print_error(terminal.style, exit_code_of(end), "net listen: " + end.error, terminal.out, terminal.err);
}

int net_command(const Layout& layout, const Command& command, const Invocation& invocation, const std::string& version,
                Terminal terminal) {
  const control::Request request{command.path.substr(std::string_view("net ").size()), invocation.joined()};
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  auto finished = make_socket_runner(layout.socket)->run(request, answers_for(printer));
  if (!nobody_there(finished)) return finish(printer, finished);
  if ((command.where & kWhereClient) == 0) {
    return printer.finish(kNotFound, fmt::format("{}; start one with `atlas net listen`", finished.error().text));
  }
  config::Loaded loaded = config::load(layout.config);
  if (!loaded.problems.empty()) return print_problems(loaded.problems, kConfig, terminal);
  return finish(printer,
                make_client_runner(layout, std::move(loaded.config), version)->run(request, answers_for(printer)));
}

int plugin_list(const Layout& layout, const Command& command, const std::string& version, Terminal terminal) {
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  const auto finished = make_socket_runner(layout.socket)->run(control::Request{"plugins", {}}, answers_for(printer));
  if (!nobody_there(finished)) return finish(printer, finished);
  config::Loaded loaded = config::load(layout.config);
  if (!loaded.problems.empty()) return print_problems(loaded.problems, kConfig, terminal);
  Problems problems;
  printer.result(describe_plugins(loaded.config, version, problems));
  if (problems.empty()) return printer.finish(kOk, {});
  terminal.err << safe_lines(lines_of(problems)) << std::endl;
  return printer.finish(kConfig, {});
}

}  // namespace atlas::cli
