#include "cli/config_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <tuple>

#include "cli/display.h"
#include "cli/exit_codes.h"
#include "config/file.h"
#include "config/schema.h"
#include "config/values.h"

namespace atlas::cli {
namespace {

int report(const base::Error& error, std::ostream& err) {
  err << "atlas: " << terminal_safe(error.text) << '\n';
  return exit_code_of(error.fault);
}

// One document a line; a path that is no UTF-8 must not stop the command.
std::string line_of(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

void print(const std::vector<config::Problem>& problems, std::ostream& err) {
  for (const auto& problem : problems) err << terminal_safe(problem.to_string()) << '\n';
}

Json json_value(const config::Value& value) {
  return std::visit([](const auto& typed) { return Json(typed); }, value.value);
}

// A core key as JSON. Durations are what `config show` prints for them: an integer of seconds, or text such as "5ms".
Json json_value(const config::Row& row, const std::vector<std::string>& values) {
  if (row.type == config::Type::kTextList) return Json(values);
  const std::string& text = values.front();
  switch (row.type) {
    case config::Type::kBool:
      return text == "true";
    case config::Type::kInteger:
      return std::stoll(text);
    case config::Type::kDuration:
      return row.unit_ms == 1000 ? Json(std::stoll(text)) : Json(text);
    case config::Type::kText:
    case config::Type::kTextList:
      break;
  }
  return text;
}

struct Line {
  std::string key, text;  // in TOML spelling
  Json value;
  std::uint32_t line = 0;  // 0: a default
};

Line plugin_line(const std::string& key, const config::Value& value, std::uint32_t line) {
  const Json json = json_value(value);
  std::string text = json.dump();
  if (const auto* list = std::get_if<std::vector<std::string>>(&value.value)) text = config::toml_array(*list);
  return {key, std::move(text), json, line};
}

// The value of a key that a plugin declared: what the file has, else the default, which is in TOML spelling.
Line declared_line(const config::Config& config, const std::string& id, const config::PluginKeyRow& row) {
  const std::string key = "plugins." + id + '.' + row.key;
  if (const auto table = config.plugin_tables.find(id); table != config.plugin_tables.end()) {
    const auto written = table->second.find(row.key);
    if (written != table->second.end()) return plugin_line(key, written->second, written->second.line);
  }
  const auto parsed = config::parse("[plugins.x]\nx = " + row.fallback + '\n', "").config.plugin_tables;
  const auto table = parsed.find("x");
  if (table == parsed.end() || !table->second.contains("x")) return {key, row.fallback, row.fallback, 0};
  return plugin_line(key, table->second.at("x"), 0);
}

std::vector<Line> lines_of(const config::Config& config, const std::vector<config::PluginKeys>& plugins) {
  std::vector<Line> out;
  for (const config::Row& row : config::schema()) {
    const auto values = row.get(config);
    const auto place = config.places.find(std::string(row.key));
    out.push_back({std::string(row.key), config::toml_text(row, values), json_value(row, values),
                   place == config.places.end() ? 0 : place->second.first});
  }
  std::set<std::string> shown;
  for (const config::PluginKeys& plugin : plugins) {
    for (const config::PluginKeyRow& row : plugin.keys) {
      out.push_back(declared_line(config, plugin.id, row));
      shown.insert(out.back().key);
    }
  }
  for (const auto& [id, table] : config.plugin_tables) {
    for (const auto& [name, value] : table) {
      const std::string key = "plugins." + id + '.' + name;
      if (!shown.contains(key)) out.push_back(plugin_line(key, value, value.line));
    }
  }
  return out;
}

// Nothing but [identity] and blank lines: what `atlas id set-name` leaves behind on a new node.
bool only_identity(const config::Config& config, const std::string& text) {
  return config.plugin_tables.empty() && text.find('#') == std::string::npos &&
         std::all_of(config.places.begin(), config.places.end(),
                     [](const auto& place) { return place.first.starts_with("identity."); });
}

base::Result<void> put_identity(const std::filesystem::path& file, const config::Identity& identity) {
  if (!identity.name.empty()) {
    if (auto set = config::set_text(file, "identity", "name", identity.name); !set) return set;
  }
  if (!identity.bio.empty()) {
    if (auto set = config::set_text(file, "identity", "bio", identity.bio); !set) return set;
  }
  if (identity.skills.empty()) return {};
  return config::set_texts(file, "identity", "skills", identity.skills);
}

// The old file's own bytes, before a new one takes its place.
int put_aside(const Layout& layout, const std::string& text, bool has_mistakes, std::ostream& err) {
  const std::string backup = layout.config.string() + ".bak";
  if (auto written = config::write_file(backup, text); !written) return report(written.error(), err);
  err << "atlas: the old file is now " << backup << '\n';
  if (has_mistakes) {
    err << "atlas: it had mistakes; of the node's name, bio and skills the new file has what could be read, see "
           "`atlas id show`\n";
  }
  return kOk;
}

}  // namespace

int load_config(const Layout& layout, config::Config& config, std::ostream& err) {
  auto loaded = config::load(layout.config);
  print(loaded.problems, err);
  if (!loaded.problems.empty()) return kConfig;
  config = std::move(loaded.config);
  return kOk;
}

std::vector<config::Problem> all_problems(const config::Loaded& loaded, const PluginCheck& plugin_check) {
  auto problems = loaded.problems;
  if (loaded.roles_known && plugin_check) {
    for (auto& problem : plugin_check(loaded.config)) {
      // A table with nearly the name of an enabled role is told of by both.
      const bool told = problem.line != 0 && std::ranges::any_of(loaded.problems, [&](const config::Problem& known) {
                          return known.line == problem.line && known.column == problem.column;
                        });
      if (!told) problems.push_back(std::move(problem));
    }
  }
  std::stable_sort(problems.begin(), problems.end(), [](const config::Problem& a, const config::Problem& b) {
    return std::tuple(a.line == 0, a.line, a.column) < std::tuple(b.line == 0, b.line, b.column);
  });
  return problems;
}

int config_check(const Layout& layout, bool json, const PluginCheck& plugin_check, std::ostream& out,
                 std::ostream& err) {
  const auto loaded = config::load(layout.config);
  const auto problems = all_problems(loaded, plugin_check);
  if (json) {
    Json list = Json::array();
    for (const auto& problem : problems) {
      list.push_back({{"line", problem.line}, {"column", problem.column}, {"text", problem.text}});
    }
    out << line_of({{"file", layout.config.string()}, {"problems", list}});
  } else if (!problems.empty()) {
    print(problems, err);
  } else if (loaded.config.file.empty()) {
    out << layout.config.string() << ": does not exist; every key has its default\n";
  } else {
    out << layout.config.string() << ": no problem found\n";
  }
  return problems.empty() ? kOk : kConfig;
}

int config_show(const Layout& layout, bool json, const PluginKeysOf& plugin_keys, std::ostream& out,
                std::ostream& err) {
  config::Config config;
  if (const int code = load_config(layout, config, err); code != kOk) return code;
  std::vector<config::Problem> unknown;
  const auto plugins = plugin_keys ? plugin_keys(config, unknown) : std::vector<config::PluginKeys>();
  for (const auto& problem : unknown) {
    err << "atlas: not all keys of the plugins are known: " << terminal_safe(problem.to_string()) << '\n';
  }
  const auto lines = lines_of(config, plugins);
  if (json) {
    Json values = Json::object();
    for (const Line& line : lines) {
      Json entry{{"value", line.value}, {"origin", line.line == 0 ? "default" : "file"}};
      if (line.line != 0) entry["line"] = line.line;
      values[line.key] = std::move(entry);
    }
    out << line_of({{"file", layout.config.string()}, {"values", values}});
    return kOk;
  }
  std::size_t width = 0;
  for (const Line& line : lines) width = std::max(width, line.key.size() + line.text.size() + 3);
  width = std::min<std::size_t>(width, 64);
  for (const Line& line : lines) {
    const std::string left = terminal_safe(line.key + " = " + line.text);
    out << left << std::string(left.size() < width ? width - left.size() : 0, ' ') << "  # "
        << (line.line == 0 ? "default" : config.file.filename().string() + ':' + std::to_string(line.line)) << '\n';
  }
  return kOk;
}

int config_init(const Layout& layout, const std::string& role, bool force, std::ostream& out, std::ostream& err,
                std::span<const config::PluginKeys> plugins) {
  const auto chosen = std::find_if(std::begin(config::kRoles), std::end(config::kRoles),
                                   [&](config::Role each) { return config::to_text(each) == role; });
  if (chosen == std::end(config::kRoles)) {
    err << "atlas: \"" << terminal_safe(role) << "\" is no role; choose bootstrap, relay or agent\n";
    return kUsage;
  }
  if (auto made = create_directories(layout); !made) return report(made.error(), err);
  const auto lock = config::EditLock::take(layout.config);
  if (!lock) return report(lock.error(), err);
  config::Identity identity;
  const auto text = config::read_file(layout.config, base::limits::config_file_bytes);
  if (text) {
    auto loaded = config::parse(*text, layout.config.string());
    const bool harmless = loaded.problems.empty() && only_identity(loaded.config, *text);
    if (!force && !harmless) {
      err << "atlas: " << layout.config.string() << " exists already; replace it with --force\n";
      return kBusy;
    }
    if (force) {
      const int code = put_aside(layout, *text, !loaded.problems.empty(), err);
      if (code != kOk) return code;
    }
    identity = std::move(loaded.config.identity);
  } else if (text.error().fault != base::Fault::kGone) {
    err << "atlas: " << layout.config.string() << ": " << text.error().text << '\n';
    return text.error().fault == base::Fault::kConfig ? kConfig : kFailure;
  }
  if (auto written = config::write_file(layout.config, config::sample_toml(*chosen, plugins)); !written) {
    return report(written.error(), err);
  }
  if (auto put = put_identity(layout.config, identity); !put) return report(put.error(), err);
  out << layout.config.string() << '\n';
  return kOk;
}

}  // namespace atlas::cli
