#include "cli/plugin_catalog.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "atlas/plugin.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "cli/command_runner.h"
#include "cli/plugin_commands.h"
#include "control/client.h"
#include "host/builtin_roles.h"
#include "host/host.h"
#include "host/key_rows.h"
#include "node/process.h"

namespace atlas::cli {
namespace {

using Json = nlohmann::ordered_json;

// init only registers, so describing needs no thread.
class InlineExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override { task(); }
};

// Where plugins lie, best first.
std::vector<std::filesystem::path> search_of(const config::Config& config) {
  std::vector<std::filesystem::path> search(config.plugins.search.begin(), config.plugins.search.end());
  for (auto& directory : plugin_directories()) search.push_back(std::move(directory));
  return search;
}

std::vector<std::string> installed_plugins(const config::Config& config) {
  std::set<std::string> found;
  for (const ::atlas_plugin* role : host::builtin_roles()) found.insert(role->id);
  std::error_code error;
  for (const auto& directory : search_of(config)) {
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
      if (at->path().extension() == ".so") found.insert(at->path().stem().string());
    }
  }
  return {found.begin(), found.end()};
}

// The enabled plugins, loaded to be looked at.
class Description {
 public:
  Description(const config::Config& config, const std::string& version,
              std::map<std::string, host::LeftOut> left_out = {})
      : host_(setup(config, version, std::move(left_out))) {
    problems = host_.load(config.roles());
  }
  const host::Host& host() const { return host_; }

  std::vector<config::Problem> problems;

 private:
  host::HostSetup setup(const config::Config& config, const std::string& version,
                        std::map<std::string, host::LeftOut> left_out) {
    host::HostSetup setup;
    setup.left_out = std::move(left_out);
    setup.mode = host::Mode::kDescribe;
    setup.version = version;
    setup.config = &config;
    setup.search = search_of(config);
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

// What a node on this root would leave out now; code that has crashed it is not to run here either.
std::map<std::string, host::LeftOut> left_out_on(const Layout& layout, const config::Config& config) {
  return node::left_out(config, node::Paths::below(layout.root).crashes, base::SystemClock().unix_s(), false);
}

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

// Asks a node for its commands; false when none is up, or could be.
bool ask_node(const Layout& layout, Catalog& catalog) {
  const control::Answers answers{.row = {}, .progress = {}, .result = [&](std::string_view json) {
                                   auto commands = commands_from_json(json);
                                   if (commands) catalog.commands = std::move(*commands);
                                   if (!commands) catalog.error = commands.error().text;
                                 }};
  const auto finished = control::call(layout.socket, control::Request{"commands", {}}, answers);
  const auto nobody = [](base::Fault fault) {
    return fault == base::Fault::kUnreachable || fault == base::Fault::kArgument;
  };
  if (!finished && nobody(finished.error().fault)) return false;
  if (!finished) {
    catalog.error = finished.error().text;
  } else if (finished->exit_code != 0) {
    catalog.error = finished->error;
  }
  return true;
}

}  // namespace

std::string file_of_role(const Layout& layout, const std::string& id) {
  const config::Loaded loaded = config::load(layout.config);
  std::error_code ignored;
  for (const auto& directory : search_of(loaded.config)) {
    const auto file = directory / (id + ".so");
    if (std::filesystem::exists(file, ignored)) return file.string();
  }
  return {};
}

Catalog find_commands(const Layout& layout, const std::string& version) {
  Catalog catalog;
  if (ask_node(layout, catalog)) return catalog;
  config::Loaded loaded = config::load(layout.config);
  catalog.problems = std::move(loaded.problems);
  if (!catalog.problems.empty()) return catalog;
  const Description description(loaded.config, version, left_out_on(layout, loaded.config));
  catalog.problems = description.problems;
  for (const host::Command& offered : description.host().commands()) catalog.commands.push_back(command_of(offered));
  return catalog;
}

std::vector<config::Problem> stray_tables(const config::Config& config) {
  const auto& enabled = config.plugins.enabled;
  std::vector<config::Problem> problems;
  if (config.plugin_tables.empty()) return problems;
  std::vector<std::string> known = installed_plugins(config);
  known.insert(known.end(), enabled.begin(), enabled.end());
  for (const auto& [id, table] : config.plugin_tables) {
    if (std::ranges::find(known, id) != known.end()) continue;
    const auto meant = config::nearest(id, known);
    const auto quoted = [](const std::string& name) { return name.contains('.') ? '"' + name + '"' : name; };
    auto problem = config::problem_at(config, "plugins." + id, "");
    problem.text = "[plugins." + quoted(id) + "]: no plugin of this name is enabled or installed; " +
                   (meant ? "did you mean [plugins." + quoted(*meant) + "]?" : "install it, or take the table out");
    problems.push_back(std::move(problem));
  }
  return problems;
}

std::vector<config::Problem> check_plugins(const config::Config& config, const std::string& version) {
  auto problems = config::role_problems(config);
  for (auto& stray : stray_tables(config)) problems.push_back(std::move(stray));
  const Description description(config, version);
  problems.insert(problems.end(), description.problems.begin(), description.problems.end());
  return problems;
}

std::vector<config::PluginKeys> enabled_plugin_keys(const config::Config& config, const std::string& version,
                                                    std::vector<config::Problem>& problems) {
  const Description description(config, version);
  problems = description.problems;
  return host::key_rows(description.host().plugins());
}

std::vector<config::PluginKeys> shipped_plugin_keys(const std::string& version) {
  config::Config config;
  config.plugins.enabled = {"bootstrap", "discovery", "keepalive", "messaging", "relay"};
  return host::key_rows(Description(config, version).host().plugins());
}

std::string describe_plugins(const Layout& layout, const config::Config& config, const std::string& version,
                             std::vector<config::Problem>& problems) {
  const Description description(config, version, left_out_on(layout, config));
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
