#include "config/config.h"

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/log.h"
#include "config/check.h"
#include "config/file.h"
#include "config/schema.h"

namespace atlas::config {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string not_of_type(const Row& row, std::string_view text) {
  return "expected " + expected(row) + ", found " + shown(text);
}

// The checked value of a key from words of a command line; a fault in place of it.
std::expected<Value, std::string> value_from(const Row& row, const std::vector<std::string>& values) {
  Value out;
  if (row.type == Type::kTextList) {
    if (const auto faults = list_faults(row, values); !faults.empty()) return std::unexpected(faults.front().text);
    out.value = values;
    return out;
  }
  if (values.size() != 1) return std::unexpected("expected one value, found " + std::to_string(values.size()));
  const std::string& text = values.front();
  const auto integer = parse_integer(text);
  std::string fault;
  switch (row.type) {
    case Type::kBool:
      if (text != "true" && text != "false") return std::unexpected(not_of_type(row, text));
      out.value = text == "true";
      break;
    case Type::kInteger:
      if (!integer) return std::unexpected(not_of_type(row, text));
      fault = integer_fault(row, *integer);
      out.value = *integer;
      break;
    case Type::kDuration: {
      const auto milliseconds =
          integer ? std::optional(base::saturating_mul<std::int64_t>(*integer, 1000)) : parse_duration(text);
      if (!milliseconds) return std::unexpected(not_of_type(row, text));
      fault = duration_fault(row, *milliseconds, text);
      out.value = *milliseconds;
      break;
    }
    case Type::kText:
      fault = text_fault(row, text);
      out.value = text;
      break;
    case Type::kTextList:
      break;
  }
  if (!fault.empty()) return std::unexpected(fault);
  return out;
}

// The line about a key that is in no schema, with the one that was meant: of the same name in another table, or the
// nearest of all.
std::string unknown_key(std::string_view key) {
  const std::string text = base::escaped(key, 160) + ": unknown key";
  const bool of_a_role = key.starts_with("plugins.") && std::ranges::count(key, '.') > 1;
  if (of_a_role) return text + "; what belongs to a role is set in config.toml only";
  std::string meant;
  std::vector<std::string> keys;
  for (const Row& row : schema()) {
    keys.emplace_back(row.key);
    const std::string_view name = row.key.substr(row.key.rfind('.') + 1);
    if (meant.empty() && name == key.substr(key.rfind('.') + 1)) meant = row.key;
  }
  if (meant.empty()) meant = nearest(key, keys).value_or("");
  return meant.empty() ? text : text + "; did you mean " + meant + "?";
}

// Line and column of a key's value; the plugin's id may have dots itself, so the longest id that fits is tried.
std::pair<std::uint32_t, std::uint32_t> place_in(const Config& config, std::string_view key) {
  if (const auto found = config.places.find(std::string(key)); found != config.places.end()) return found->second;
  for (const auto& [id, table] : config.plugin_tables) {
    const std::string prefix = "plugins." + id + '.';
    if (!key.starts_with(prefix)) continue;
    const auto value = table.find(std::string(key.substr(prefix.size())));
    if (value != table.end()) return {value->second.line, value->second.column};
  }
  return {0, 0};
}

}  // namespace

std::string Problem::to_string() const {
  std::string out = file;
  if (line != 0) out += ':' + std::to_string(line) + ':' + std::to_string(column);
  return out.empty() ? text : out + ": " + text;
}

std::optional<std::vector<std::string>> Config::as_text(std::string_view key) const {
  const Row* row = find_row(key);
  if (!row) return std::nullopt;
  return row->get(*this);
}

std::vector<std::string> Config::roles() const {
  std::vector<std::string> out = plugins.enabled;
  const bool chosen = places.contains("plugins.enabled") || out != Plugins().enabled;
  if (!chosen && transport.enable_relay) out.emplace_back("relay");
  return out;
}

Problem problem_at(const Config& config, std::string_view key, std::string_view text) {
  const auto [line, column] = place_in(config, key);
  return {config.file.string(), line, column, std::string(key) + ": " + std::string(text)};
}

Loaded load(const std::filesystem::path& file) {
  const auto text = read_file(file, base::limits::config_file_bytes);
  if (!text) {
    if (text.error().fault == base::Fault::kGone) return {};
    Loaded out;
    out.config.file = file;
    out.problems.push_back({file.string(), 0, 0, text.error().text});
    out.roles_known = false;
    return out;
  }
  return parse(*text, file.string());
}

std::vector<Problem> role_problems(const Config& config) {
  const auto enabled = config.roles();
  if (!config.exec.enabled || std::ranges::find(enabled, "exec") != enabled.end()) return {};
  return {problem_at(config, "exec.enabled",
                     "is true, but no enabled role provides exec; set it to false or add the role to "
                     "plugins.enabled")};
}

std::vector<Problem> override_key(Config& config, std::string_view key, const std::vector<std::string>& values,
                                  const std::string& option) {
  const Row* row = find_row(key);
  if (!row) return {{option, 0, 0, unknown_key(key)}};
  auto value = value_from(*row, values);
  if (!value) return {{option, 0, 0, std::string(key) + ": " + value.error()}};
  Config changed = config;
  row->set(changed, *value);
  // What was wrong before is not this option's fault.
  const auto before = contradictions(config);
  std::vector<Problem> out;
  for (const Contradiction& clash : contradictions(changed)) {
    bool known = false;
    for (const Contradiction& old : before) known = known || (old.key == clash.key && old.text == clash.text);
    if (!known) out.push_back({option, 0, 0, clash.key + ": " + clash.text});
  }
  if (!out.empty()) return out;
  changed.places.erase(std::string(key));
  config = std::move(changed);
  return {};
}

}  // namespace atlas::config
