// What the file is, what it claims, and that it begins and ends in peace.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "atlas/json.hpp"
#include "base/executor.h"
#include "base/random.h"
#include "host/loader.h"
#include "trial/library.h"
#include "trial/steps.h"
#include "trial/traffic.h"
#include "trial/world.h"

namespace atlas::trial {
namespace {

class InlineExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override { task(); }
};

std::string lines_of(const std::vector<config::Problem>& problems) {
  std::string out;
  for (const auto& problem : problems) out += (out.empty() ? "" : "; ") + problem.to_string();
  return out;
}

json::Array array_of(const std::vector<std::string>& texts) {
  json::Array out;
  for (const std::string& text : texts) out.text(text);
  return out;
}

json::Array keys_of(const host::PluginRow& row) {
  json::Array out;
  for (const host::PluginKey& key : row.keys) {
    out.object(json::Object()
                   .text("key", key.key)
                   .text("type", key.type)
                   .text("default", key.fallback)
                   .text("bounds", key.bounds)
                   .text("doc", key.doc));
  }
  return out;
}

// The role's own metrics: those that the host has of every role begin the list.
json::Array metrics_of(const host::Host& host) {
  const std::vector<host::MetricRow> all = host.metrics();
  json::Array out;
  bool own = false;
  for (const host::MetricRow& metric : all) {
    if (own) out.text(metric.name);
    if (metric.name.ends_with("_faults")) own = true;
  }
  return out;
}

json::Array types_of(const host::PluginRow& row) {
  json::Array out;
  for (const std::uint8_t type : row.types) out.text(fmt::format("{:02x}", type));
  return out;
}

json::Array needs_of(const ::atlas_plugin& plugin) {
  json::Array out;
  for (std::size_t i = 0; plugin.needs != nullptr && plugin.needs[i] != nullptr; ++i) out.text(plugin.needs[i]);
  return out;
}

std::string claims_of(const host::Host& host, const ::atlas_plugin& plugin) {
  const auto rows = host.plugins();
  if (rows.empty()) return "{}";
  const host::PluginRow& row = rows.front();
  return json::Object()
      .text("id", row.id)
      .text("version", row.version)
      .text("summary", row.summary)
      .text("file", row.file)
      .text("abi", fmt::format("{}.{}", plugin.abi_major, plugin.abi_minor_min))
      .array("needs", needs_of(plugin))
      .array("types", types_of(row))
      .array("commands", array_of(row.commands))
      .array("keys", keys_of(row))
      .array("metrics", metrics_of(host))
      .str();
}

// A value of another type than the key's.
config::Value wrong_value(const host::PluginKey& key) {
  config::Value out;
  if (key.type == "boolean") {
    out.value = std::string("no boolean");
  } else {
    out.value = true;
  }
  out.line = out.column = 1;
  return out;
}

// init, start, five minutes, drain, stop; what the host holds against it.
std::string live(World& world, const Notes& notes) {
  notes.at("it starts");
  world.run();
  notes.at("five minutes pass without a peer");
  world.pass(300 * base::kSecond);
  notes.at("it drains");
  world.begin_drain(500 * base::kMillisecond);
  world.pass(500 * base::kMillisecond);
  notes.at("it stops");
  world.stop();
  if (const auto row = world.row(); row.state != "stopped" && world.complaint().empty()) {
    return fmt::format("after stop() it is {}", row.state);
  }
  return world.complaint();
}

// The other process: lives while the first one does.
int second_life(const Subject& subject, int begin, int told) {
  const Notes nothing(told);
  char byte = 0;
  if (::read(begin, &byte, 1) != 1) return 2;
  try {
    World world(*subject.plugin, host::Mode::kDaemon);
    return live(world, nothing).empty() ? 0 : 1;
  } catch (const std::exception&) {
    return 1;
  }
}

}  // namespace

std::string step_file(const Subject& subject, const Notes&) {
  const auto checked = host::check_plugin_file(subject.file);
  return checked ? "" : checked.error().text;
}

std::string step_symbols(const Subject& subject, const Notes&) {
  const auto library = read_library(subject.file);
  return library ? wrong_symbols(*library) : library.error().text;
}

std::string step_abi(const Subject& subject, const Notes& notes) {
  notes.at("the file is loaded");
  host::Loader loader({subject.file.parent_path()});
  const auto found = loader.load(subject.id);
  return found ? "" : found.error().text;
}

std::string step_describe(const Subject& subject, const Notes& notes) {
  const base::SystemClock clock;
  base::SystemRandom random;
  InlineExecutor executor;
  config::Config config;
  config.plugins.enabled = {subject.id};
  host::HostSetup setup;
  setup.mode = host::Mode::kDescribe;
  setup.version = subject.version;
  setup.config = &config;
  setup.search = {subject.file.parent_path()};
  setup.clock = &clock;
  setup.random = &random;
  setup.executor = &executor;
  host::Host host(std::move(setup));
  notes.at("init(), to be described");
  const auto problems = host.load({subject.id});
  notes.info(claims_of(host, *subject.plugin));
  return lines_of(problems);
}

std::string step_config(const Subject& subject, const Notes& notes) {
  std::vector<host::PluginKey> keys;
  {
    World world(*subject.plugin, host::Mode::kDescribe);
    static_cast<void>(world.load());
    keys = world.row().keys;
  }
  for (const host::PluginKey& key : keys) {
    notes.at(fmt::format("init() with a wrong value for {}", key.key));
    World world(*subject.plugin, host::Mode::kDaemon);
    world.config.plugin_tables[subject.id][key.key] = wrong_value(key);
    if (world.load().empty()) return fmt::format("a wrong value for {} goes unnoticed", key.key);
  }
  notes.at("init() with a key that nobody knows");
  World world(*subject.plugin, host::Mode::kDaemon);
  world.config.plugin_tables[subject.id]["no_such_key"] = {std::int64_t{1}, 1, 1};
  return world.load().empty() ? "a key that it does not know goes unnoticed" : "";
}

std::string step_start(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kDaemon);
  return live(world, notes);
}

// What a role holds exclusively (a port, a file) would keep a second node of the same machine from starting.
std::string step_twice(const Subject& subject, const Notes& notes) {
  int ends[2] = {-1, -1};
  const int told = ::dup(STDERR_FILENO);
  if (::pipe(ends) != 0 || told < 0) return "no second process could be made";
  const pid_t other = ::fork();
  if (other < 0) return "no second process could be made";
  if (other == 0) ::_exit(second_life(subject, ends[0], told));
  World world(*subject.plugin, host::Mode::kDaemon);
  notes.at("it starts");
  world.run();
  notes.at("it starts in a second process");
  const bool begun = ::write(ends[1], "x", 1) == 1;
  int status = 0;
  while (::waitpid(other, &status, 0) < 0 && errno == EINTR) {
  }
  world.stop();
  if (!begun || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return "a second process could not start and stop it while the first one had it running";
  }
  return world.complaint();
}

std::string step_client(const Subject& subject, const Notes& notes) {
  World world(*subject.plugin, host::Mode::kClient);
  return live(world, notes);
}

}  // namespace atlas::trial
