#include "cli/plugin_catalog.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "cli/command_runner.h"
#include "control/client.h"
#include "host/host.h"
#include "host/key_rows.h"

namespace atlas::cli {
namespace {

using Json = nlohmann::ordered_json;

// init only registers, so describing needs no thread.
class InlineExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override { task(); }
};

// The enabled plugins, loaded to be looked at.
class Description {
 public:
  Description(const config::Config& config, const std::string& version) : host_(setup(config, version)) {
    problems = host_.load(config.plugins.enabled);
  }
  const host::Host& host() const { return host_; }

  std::vector<config::Problem> problems;

 private:
  host::HostSetup setup(const config::Config& config, const std::string& version) {
    host::HostSetup setup;
    setup.mode = host::Mode::kDescribe;
    setup.version = version;
    setup.config = &config;
    setup.search.assign(config.plugins.search.begin(), config.plugins.search.end());
    for (auto& directory : plugin_directories()) setup.search.push_back(std::move(directory));
    setup.clock = &clock_;
    setup.random = &random_;
    setup.executor = &executor_;
    return setup;
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  InlineExecutor executor_;
  host::Host host_;
};

Command command_of(const host::Command& offered) {
  Command command{.path = "net " + offered.path,
                  .summary = offered.summary,
                  .where = offered.where & (kWhereDaemon | kWhereClient),
                  .display = offered.display};
  for (const host::CommandArg& arg : offered.args) {
    const auto kind = arg.kind >= 1 && arg.kind <= 4 ? static_cast<ArgumentKind>(arg.kind) : ArgumentKind::kText;
    command.args.push_back({arg.name, kind, arg.required, arg.help});
  }
  return command;
}

// Asks a node for its commands; false when none is up.
bool ask_node(const Layout& layout, Catalog& catalog) {
  const control::Answers answers{.row = {}, .progress = {}, .result = [&](std::string_view json) {
                                   auto commands = commands_from_json(json);
                                   if (commands) catalog.commands = std::move(*commands);
                                   if (!commands) catalog.error = commands.error().text;
                                 }};
  const auto finished = control::call(layout.socket, control::Request{"commands", {}}, answers);
  if (!finished && finished.error().fault == base::Fault::kUnreachable) return false;
  if (!finished) {
    catalog.error = finished.error().text;
  } else if (finished->exit_code != 0) {
    catalog.error = finished->error;
  }
  return true;
}

}  // namespace

Catalog find_commands(const Layout& layout, const std::string& version) {
  Catalog catalog;
  if (ask_node(layout, catalog)) return catalog;
  config::Loaded loaded = config::load(layout.config);
  catalog.problems = std::move(loaded.problems);
  if (!catalog.problems.empty()) return catalog;
  const Description description(loaded.config, version);
  catalog.problems = description.problems;
  for (const host::Command& offered : description.host().commands()) catalog.commands.push_back(command_of(offered));
  return catalog;
}

std::vector<config::Problem> check_plugins(const config::Config& config, const std::string& version) {
  auto problems = config::role_problems(config);
  const Description description(config, version);
  problems.insert(problems.end(), description.problems.begin(), description.problems.end());
  return problems;
}

std::vector<config::PluginKeys> shipped_plugin_keys(const std::string& version) {
  config::Config config;
  config.plugins.enabled = {"bootstrap", "discovery", "keepalive", "messaging"};
  return host::key_rows(Description(config, version).host().plugins());
}

std::string describe_plugins(const config::Config& config, const std::string& version,
                             std::vector<config::Problem>& problems) {
  const Description description(config, version);
  problems = description.problems;
  Json list = Json::array();
  for (const host::PluginRow& plugin : description.host().plugins()) {
    Json types = Json::array();
    for (const std::uint8_t type : plugin.types) types.push_back(base::to_hex({&type, 1}));
    list.push_back({{"id", plugin.id},
                    {"version", plugin.version},
                    {"summary", plugin.summary},
                    {"state", plugin.state},
                    {"file", plugin.file},
                    {"reason", plugin.reason},
                    {"types", types},
                    {"commands", plugin.commands}});
  }
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace atlas::cli
