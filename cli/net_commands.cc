#include "cli/net_commands.h"

#include <fmt/format.h>

#include <csignal>
#include <optional>
#include <ostream>
#include <utility>

#include "base/log.h"
#include "cli/command_runner.h"
#include "cli/config_commands.h"
#include "cli/plugin_catalog.h"
#include "config/schema.h"
#include "control/listening_socket.h"

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
  // Whoever names a relay means to use it.
  if (!invocation.list("--relay").empty()) {
    append(problems, config::override_key(config, "transport.enable_relay", {"true"}, "--relay"));
  }
  for (const std::string& setting : invocation.list("--set")) append(problems, set_key(config, setting));
  return problems;
}

// A supervisor that waits for these lines would wait for ever, so one that cannot be written is the node's end.
base::Result<void> announce(const std::vector<net::SocketAddress>& addresses, const std::string& node_id,
                            Terminal terminal) {
  for (const net::SocketAddress& address : addresses) {
    if (terminal.style.json) {
      const Json line = {{"ready", {{"address", address.text()}, {"node_id", node_id}}}};
      terminal.out << line.dump() << '\n';
    } else {
      terminal.out << "ready " << address.text() << ' ' << node_id << '\n';
    }
  }
  if (terminal.out << std::flush) return {};
  return base::fail(base::Fault::kInternal,
                    "the ready line could not be written to stdout; send it to a file or a pipe that takes it, or to "
                    "/dev/null");
}

// What a command has to say while it waits.
std::function<void(std::string_view)> note_for(const std::string& path, Terminal terminal) {
  if (terminal.style.quiet) return {};
  return [path, terminal](std::string_view text) {
    terminal.err << "atlas: " << path << ": " << safe_lines(text) << std::endl;
  };
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

// What keeps a command from running in a node that ends with it, as the begin of a sentence; nothing when it can.
std::optional<std::string> needs_daemon(const Command& command, const Invocation& invocation) {
  if ((command.where & kWhereClient) == 0) return "";
  if (invocation.value("--follow")) return "--follow needs a running node: ";
  return std::nullopt;
}

// All of the file that a node would refuse before it starts.
Problems problems_of(const config::Loaded& loaded) {
  return loaded.problems.empty() ? stray_tables(loaded.config) : loaded.problems;
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
    case Why::kPortTaken:
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
  if (const auto fits = control::check_socket_path(layout.socket); !fits) {
    return print_error(terminal.style, exit_code_of(fits.error().fault), "net listen: " + fits.error().text,
                       terminal.out, terminal.err);
  }
  config::Loaded loaded = config::load(layout.config);
  if (!problems_of(loaded).empty()) {
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
  const node::ProcessSetup setup{node::Paths::below(layout.root),
                                 std::move(loaded.config),
                                 version,
                                 plugin_directories(),
                                 note_for("net listen", terminal),
                                 invocation.value("--safe-mode").has_value()};
  const node::ProcessEnd end =
      node::run_daemon(setup, [&](const std::vector<net::SocketAddress>& addresses, const std::string& node_id) {
        return announce(addresses, node_id, terminal);
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
  if (const auto why = needs_daemon(command, invocation)) {
    return printer.finish(kNotFound,
                          fmt::format("{}{}; start one with `atlas net listen`", *why, finished.error().text));
  }
  config::Loaded loaded = config::load(layout.config);
  if (const Problems wrong = problems_of(loaded); !wrong.empty()) return print_problems(wrong, kConfig, terminal);
  const auto here = make_client_runner(layout, std::move(loaded.config), version, note_for(command.path, terminal));
  return finish(printer, here->run(request, answers_for(printer)));
}

int plugin_list(const Layout& layout, const Command& command, const std::string& version, Terminal terminal) {
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  const auto finished = make_socket_runner(layout.socket)->run(control::Request{"plugins", {}}, answers_for(printer));
  if (!nobody_there(finished)) return finish(printer, finished);
  config::Loaded loaded = config::load(layout.config);
  if (const Problems wrong = problems_of(loaded); !wrong.empty()) return print_problems(wrong, kConfig, terminal);
  Problems problems;
  printer.result(describe_plugins(layout, loaded.config, version, problems));
  if (problems.empty()) return printer.finish(kOk, {});
  terminal.err << safe_lines(lines_of(problems)) << std::endl;
  return printer.finish(kConfig, {});
}

}  // namespace atlas::cli
