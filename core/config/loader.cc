// From TOML text to a Config: toml++ finds the syntax, the schema says what is allowed. Nothing is decided here that
// the schema could decide.
#include <algorithm>
#include <expected>
#include <set>
#include <sstream>

#include "base/clock.h"
#include "base/log.h"
#include "config/check.h"
#include "config/config.h"
#include "config/document.h"
#include "config/scan.h"
#include "config/schema.h"

namespace atlas::config {
struct BrokenAssumption {};
[[noreturn]] static void broken_assumption() {
  throw BrokenAssumption();
}
}  // namespace atlas::config

// toml++ 3.3 asserts some things that a wrong file can break ("[.a]", "a = 07:"), and without assertions goes on into
// undefined behaviour. Here its assertions hold in every build, and end the parse in place of the process.
#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(expr) (static_cast<bool>(expr) ? static_cast<void>(0) : ::atlas::config::broken_assumption())
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace atlas::config {
namespace {

struct Failure {
  Place place;  // 0: not known
  std::string text;
};

// The one place where exceptions come from.
std::expected<toml::table, Failure> run_toml(std::string_view text, const std::string& shown_name) {
  try {
    return toml::parse(text, shown_name);
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return std::unexpected(Failure{{at.line, at.column}, base::escaped(error.description())});
  } catch (const BrokenAssumption&) {
    return std::unexpected(Failure{});
  }
}

// For a text on which toml++ gave up without saying where: the first statement without which it could be read.
Failure locate(std::string_view text, const std::string& shown_name) {
  const auto statements = scan(text);
  const auto readable = [&](const Statement& statement) {
    return run_toml(text.substr(0, statement.end), shown_name).has_value();
  };
  const auto broken = std::partition_point(statements.begin(), statements.end(), readable);
  if (broken == statements.end()) return {place_of(text, text.size()), "is no TOML"};
  if (broken->kind == Statement::Kind::kValue) {
    return {place_of(text, broken->value_begin), "is no value that TOML knows"};
  }
  return {place_of(text, broken->begin), "expected a table's name behind [, such as [network]"};
}

std::expected<toml::table, Problem> parse_toml(std::string_view text, const std::string& shown_name) {
  if (text.size() > base::limits::config_file_bytes) {
    return std::unexpected(Problem{shown_name, 0, 0,
                                   "is " + std::to_string(text.size()) + " bytes long; at most " +
                                       std::to_string(base::limits::config_file_bytes) + " are read"});
  }
  if (const auto place = too_deep(text)) {
    return std::unexpected(
        Problem{shown_name, place->line, place->column,
                "is nested more than " + std::to_string(base::limits::config_depth) + " levels deep"});
  }
  auto parsed = run_toml(text, shown_name);
  if (parsed) return std::move(*parsed);
  const Failure failure = parsed.error().place.line != 0 ? parsed.error() : locate(text, shown_name);
  return std::unexpected(Problem{shown_name, failure.place.line, failure.place.column, failure.text});
}

std::string joined(std::string_view table, std::string_view key) {
  return table.empty() ? std::string(key) : std::string(table) + '.' + std::string(key);
}

std::string_view last_part(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}

// What stands in the file, in words.
std::string found(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "the text " + shown(node.as_string()->get());
    case toml::node_type::integer:
      return "the integer " + std::to_string(node.as_integer()->get());
    case toml::node_type::floating_point:
      return "a number with a decimal point";
    case toml::node_type::boolean:
      return node.as_boolean()->get() ? "true" : "false";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

class Loader {
 public:
  explicit Loader(std::string shown_name) : name_(std::move(shown_name)) { out_.config.file = name_; }

  Loaded load(std::string_view text) {
    const auto document = parse_toml(text, name_);
    if (!document) {
      out_.problems.push_back(document.error());
      out_.roles_known = false;
      return std::move(out_);
    }
    for (const auto& [key, node] : *document) read_section(key, node);
    for (const Contradiction& clash : contradictions(out_.config)) {
      if (!faulty_.contains(clash.key) && !faulty_.contains(clash.other))
        out_.problems.push_back(problem_at(out_.config, clash.key, clash.text));
    }
    out_.roles_known = !faulty_.contains("plugins.enabled") && !faulty_.contains("plugins.search");
    check_plugin_tables();
    sort_and_cut();
    return std::move(out_);
  }

 private:
  void report(const toml::source_region& source, std::string text) {
    out_.problems.push_back({name_, source.begin.line, source.begin.column, std::move(text)});
  }

  void read_section(const toml::key& key, const toml::node& node) {
    const auto known = sections();
    const auto section =
        std::find_if(known.begin(), known.end(), [&](const Section& each) { return each.name == key.str(); });
    if (section == known.end()) return report_unknown_section(key, node);
    const toml::table* table = node.as_table();
    if (!table) {
      return report(node.source(), std::string(key.str()) + ": expected a table [" + std::string(key.str()) +
                                       "], found " + found(node));
    }
    for (const auto& [name, value] : *table) read_key(section->name, name, value);
  }

  void report_unknown_section(const toml::key& key, const toml::node& node) {
    const std::string shown_key = base::escaped(key.str(), 64);
    if (!node.is_table()) {
      std::string text = shown_key + ": unknown key";
      for (const Row& row : schema()) {
        if (last_part(row.key) == key.str()) {
          const std::string_view section = row.key.substr(0, row.key.find('.'));
          text += "; it belongs under [" + std::string(section) + "]";
          return report(key.source(), text);
        }
      }
      return report(key.source(), text + "; every key stands in a table such as [network]");
    }
    std::vector<std::string> names;
    for (const Section& section : sections()) names.emplace_back(section.name);
    const auto meant = nearest(key.str(), names);
    report(key.source(), "[" + shown_key + "]: unknown table" + (meant ? "; did you mean [" + *meant + "]?" : ""));
  }

  void read_key(std::string_view section, const toml::key& key, const toml::node& node) {
    const std::string full = joined(section, key.str());
    if (const Row* row = find_row(full)) {
      const auto problems_before = out_.problems.size();
      read_value(*row, node);
      if (out_.problems.size() != problems_before) faulty_.insert(full);
      out_.config.places[full] = {node.source().begin.line, node.source().begin.column};
      return;
    }
    if (section == "plugins" && node.is_table()) return read_plugin(key, *node.as_table());
    report_unknown_key(section, key);
  }

  void report_unknown_key(std::string_view section, const toml::key& key) {
    std::string text = base::escaped(joined(section, key.str()), 160) + ": unknown key";
    std::vector<std::string> names;
    for (const Row& row : schema()) {
      const bool here = row.key.starts_with(section) && row.key[section.size()] == '.';
      if (here) names.emplace_back(last_part(row.key));
      if (!here && last_part(row.key) == key.str()) {
        return report(key.source(), text + "; did you mean " + std::string(row.key) + "?");
      }
    }
    if (const auto meant = nearest(key.str(), names)) text += "; did you mean " + joined(section, *meant) + "?";
    report(key.source(), text);
  }

  void wrong_type(const Row& row, const toml::node& node) {
    report(node.source(), std::string(row.key) + ": expected " + expected(row) + ", found " + found(node));
  }

  void read_value(const Row& row, const toml::node& node) {
    const Place at{node.source().begin.line, node.source().begin.column};
    switch (row.type) {
      case Type::kBool:
        if (!node.is_boolean()) return wrong_type(row, node);
        return row.set(out_.config, {node.as_boolean()->get(), at.line, at.column});
      case Type::kInteger: {
        if (!node.is_integer()) return wrong_type(row, node);
        const std::int64_t value = node.as_integer()->get();
        return accept(row, node, integer_fault(row, value), value);
      }
      case Type::kDuration:
        return read_duration(row, node);
      case Type::kText:
        if (!node.is_string()) return wrong_type(row, node);
        return accept(row, node, text_fault(row, node.as_string()->get()), node.as_string()->get());
      case Type::kTextList:
        return read_list(row, node);
    }
  }

  void accept(const Row& row, const toml::node& node, const std::string& fault, decltype(Value::value) value) {
    const auto& at = node.source().begin;
    if (!fault.empty()) return report(node.source(), std::string(row.key) + ": " + fault);
    row.set(out_.config, {std::move(value), at.line, at.column});
  }

  void read_duration(const Row& row, const toml::node& node) {
    std::int64_t milliseconds = 0;
    std::string written;
    if (node.is_integer()) {
      const std::int64_t seconds = node.as_integer()->get();
      milliseconds = base::saturating_mul<std::int64_t>(seconds, 1000);
      written = std::to_string(seconds);
    } else if (node.is_string()) {
      const std::string& text = node.as_string()->get();
      const auto parsed = parse_duration(text);
      if (!parsed) return wrong_type(row, node);
      milliseconds = *parsed;
      written = shown(text);
    } else {
      return wrong_type(row, node);
    }
    accept(row, node, duration_fault(row, milliseconds, written), milliseconds);
  }

  void read_list(const Row& row, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (!array) return wrong_type(row, node);
    std::vector<std::string> items;
    for (const toml::node& element : *array) {
      if (!element.is_string()) {
        return report(element.source(),
                      std::string(row.key) + ": expected " + expected(row) + ", found " + found(element) + " in it");
      }
      items.push_back(element.as_string()->get());
    }
    const auto faults = list_faults(row, items);
    for (const ItemFault& fault : faults) {
      const auto& source = fault.index < array->size() ? array->get(fault.index)->source() : node.source();
      report(source, std::string(row.key) + ": " + fault.text);
    }
    if (faults.empty()) row.set(out_.config, {std::move(items), node.source().begin.line, node.source().begin.column});
  }

  // --- [plugins.<id>] ---

  void read_plugin(const toml::key& key, const toml::table& table) {
    const std::string id(key.str());
    if (const std::string fault = plugin_id_fault(id); !fault.empty()) {
      return report(key.source(), "[plugins." + base::escaped(id, 64) + "]: " + shown(id) + ' ' + fault);
    }
    plugin_places_[id] = {key.source().begin.line, key.source().begin.column};
    out_.config.places["plugins." + id] = plugin_places_[id];
    flatten(id, "", table, out_.config.plugin_tables[id]);
  }

  void flatten(const std::string& id, const std::string& prefix, const toml::table& table,
               std::map<std::string, Value>& values) {
    for (const auto& [key, node] : table) {
      const std::string path = joined(prefix, key.str());
      if (key.str().empty() || key.str().find('.') != std::string_view::npos) {
        report(key.source(),
               base::escaped("plugins." + id + '.' + path, 160) +
                   ": a quoted key must not be empty or have a dot in it; dots without quotes make tables");
      } else if (const toml::table* inner = node.as_table()) {
        flatten(id, path, *inner, values);
      } else if (auto value = plain_value("plugins." + id + '.' + path, node)) {
        values[path] = std::move(*value);
      }
    }
  }

  std::optional<Value> plain_value(const std::string& full, const toml::node& node) {
    Value value;
    value.line = node.source().begin.line;
    value.column = node.source().begin.column;
    if (node.is_boolean()) {
      value.value = node.as_boolean()->get();
    } else if (node.is_integer()) {
      value.value = node.as_integer()->get();
    } else if (node.is_floating_point()) {
      value.value = node.as_floating_point()->get();
    } else if (node.is_string()) {
      value.value = node.as_string()->get();
    } else if (const toml::array* array = node.as_array()) {
      std::vector<std::string> items;
      for (const toml::node& element : *array) {
        if (!element.is_string()) {
          report(element.source(),
                 base::escaped(full, 160) + ": expected an array of texts, found " + found(element) + " in it");
          return std::nullopt;
        }
        items.push_back(element.as_string()->get());
      }
      value.value = std::move(items);
    } else {
      report(node.source(), base::escaped(full, 160) +
                                ": expected true or false, a number, a text or an array of texts, "
                                "found " +
                                found(node));
      return std::nullopt;
    }
    return value;
  }

  // Tables of plugins that are not enabled may stay in a file. These two cannot be meant so: [plugins.org.example.x],
  // which TOML takes for a plugin "org", and a table whose name is nearly that of an enabled plugin that has none.
  void check_plugin_tables() {
    const auto enabled = out_.config.roles();
    for (const auto& [id, place] : plugin_places_) {
      if (std::find(enabled.begin(), enabled.end(), id) != enabled.end()) continue;
      std::string text;
      std::vector<std::string> without_table;
      for (const std::string& name : enabled) {
        if (name.starts_with(id + '.')) {
          text = "an id with dots needs quotes: write [plugins." + toml_quoted_key(name) + "]";
        }
        if (!plugin_places_.contains(name)) without_table.push_back(name);
      }
      if (const auto meant = nearest(id, without_table); text.empty() && meant) {
        text = "no plugin of this name is enabled; did you mean [plugins." + toml_quoted_key(*meant) + "]?";
      }
      if (!text.empty()) out_.problems.push_back({name_, place.first, place.second, "[plugins." + id + "]: " + text});
    }
  }

  static std::string toml_quoted_key(const std::string& id) {
    return id.find('.') == std::string::npos ? id : '"' + id + '"';
  }

  void sort_and_cut() {
    auto& problems = out_.problems;
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
      return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    if (problems.size() <= base::limits::config_problems) return;
    const auto more = problems.size() - base::limits::config_problems;
    problems.resize(base::limits::config_problems);
    problems.push_back({name_, 0, 0, "and " + std::to_string(more) + " more problems"});
  }

  const std::string name_;
  Loaded out_;
  std::set<std::string, std::less<>> faulty_;
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> plugin_places_;
};

void collect(const std::string& prefix, const toml::table& table, Leaves& out) {
  for (const auto& [key, node] : table) {
    const std::string path = joined(prefix, key.str());
    if (const toml::table* inner = node.as_table()) {
      collect(path, *inner, out);
      continue;
    }
    std::ostringstream text;
    node.visit([&](const auto& typed) { text << typed; });
    out[path] = text.str();
  }
}

}  // namespace

Loaded parse(std::string_view text, const std::string& shown_name) {
  return Loader(shown_name).load(text);
}

std::expected<Leaves, Problem> leaves_of(std::string_view text, const std::string& shown_name) {
  const auto document = parse_toml(text, shown_name);
  if (!document) return std::unexpected(document.error());
  Leaves out;
  collect("", *document, out);
  return out;
}

}  // namespace atlas::config
