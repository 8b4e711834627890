#include "host/plugin_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "host/claims.h"
#include "host/file_pin.h"

namespace atlas::host {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t millis;
};
constexpr Unit kUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};

// A value as its owner wrote it, more or less: for error messages.
std::string shown(const config::Value& value) {
  struct Show {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return fmt::format("{}", v); }
    std::string operator()(const std::string& v) const { return '"' + v.substr(0, 64) + '"'; }
    std::string operator()(const std::vector<std::string>& v) const {
      return fmt::format("an array of {} strings", v.size());
    }
  };
  return std::visit(Show{}, value.value);
}

std::string integer_bound(std::int64_t bound) {
  if (bound == INT64_MIN || bound == INT64_MAX) return "";
  return std::to_string(bound);
}

}  // namespace

std::optional<std::uint64_t> parse_millis(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : kUnits) {
    if (rest != unit.name) continue;
    std::uint64_t out = 0;
    if (__builtin_mul_overflow(number, unit.millis, &out)) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

std::string millis_text(std::uint64_t millis) {
  if (millis == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (millis % unit.millis == 0) return fmt::format("{}{}", millis / unit.millis, unit.name);
  }
  return fmt::format("{}ms", millis);
}

PluginConfig::PluginConfig(const config::Config* config, const std::string& id)
    : config_(config), prefix_("plugins." + id + ".") {
  if (config_ == nullptr) return;
  const auto found = config_->plugin_tables.find(id);
  if (found != config_->plugin_tables.end()) table_ = &found->second;
}

const config::Value* PluginConfig::find(std::string_view key) const {
  if (table_ == nullptr) return nullptr;
  const auto found = table_->find(std::string(key));
  return found == table_->end() ? nullptr : &found->second;
}

void PluginConfig::declare(std::string_view key, std::string_view type, std::string fallback, std::string bounds,
                           std::string_view doc) {
  if (!asked_.emplace(key).second) return;
  keys_.push_back({std::string(key), std::string(type), std::move(fallback), std::move(bounds), std::string(doc)});
}

void PluginConfig::problem(std::string_view key, const config::Value* value, std::string text) {
  config::Problem out;
  if (config_ != nullptr) out.file = config_->file.string();
  if (value != nullptr) {
    out.line = value->line;
    out.column = value->column;
  }
  out.text = full(key) + std::move(text);
  problems_.push_back(std::move(out));
}

void PluginConfig::mismatch(std::string_view key, const config::Value& value, std::string_view expected) {
  problem(key, &value, fmt::format(" = {}, expected {}", shown(value), expected));
}

bool PluginConfig::boolean(std::string_view key, bool fallback, std::string_view doc) {
  declare(key, "boolean", fallback ? "true" : "false", "", doc);
  const config::Value* value = find(key);
  if (value == nullptr) return fallback;
  if (const bool* written = std::get_if<bool>(&value->value)) return *written;
  mismatch(key, *value, "true or false");
  return fallback;
}

std::int64_t PluginConfig::integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max,
                                   std::string_view doc) {
  const std::string bounds = fmt::format("{}..{}", integer_bound(min), integer_bound(max));
  declare(key, "integer", std::to_string(fallback), bounds, doc);
  const config::Value* value = find(key);
  if (value == nullptr) return fallback;
  const std::int64_t* written = std::get_if<std::int64_t>(&value->value);
  if (written != nullptr && *written >= min && *written <= max) return *written;
  mismatch(key, *value, (written == nullptr ? "an integer, " : "") + bounds);
  return fallback;
}

std::uint64_t PluginConfig::millis(std::string_view key, std::uint64_t fallback, std::uint64_t min, std::uint64_t max,
                                   std::string_view doc) {
  const std::string bounds = fmt::format("{}..{}", millis_text(min), max == UINT64_MAX ? "" : millis_text(max));
  declare(key, "duration", '"' + millis_text(fallback) + '"', bounds, doc);
  const config::Value* value = find(key);
  if (value == nullptr) return fallback;
  std::optional<std::uint64_t> written;
  if (const auto* seconds = std::get_if<std::int64_t>(&value->value); seconds != nullptr && *seconds >= 0) {
    written = base::saturating_mul<std::uint64_t>(static_cast<std::uint64_t>(*seconds), 1'000);
  } else if (const auto* text = std::get_if<std::string>(&value->value)) {
    written = parse_millis(*text);
  }
  if (written && *written >= min && *written <= max) return *written;
  mismatch(key, *value, written ? bounds : "seconds, or text such as \"1500ms\", \"90s\", \"5m\", \"1h\"; " + bounds);
  return fallback;
}

std::string_view PluginConfig::text(std::string_view key, std::string_view fallback, std::string_view doc) {
  declare(key, "text", '"' + std::string(fallback) + '"', "", doc);
  const config::Value* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto* written = std::get_if<std::string>(&value->value)) return *written;
  mismatch(key, *value, "a string");
  return fallback;
}

const std::vector<std::string>* PluginConfig::texts(std::string_view key, std::string_view doc) {
  declare(key, "list of text", "[]", "", doc);
  const config::Value* value = find(key);
  if (value == nullptr) return nullptr;
  if (const auto* written = std::get_if<std::vector<std::string>>(&value->value)) return written;
  mismatch(key, *value, "an array of strings");
  return nullptr;
}

void PluginConfig::reject(std::string_view key, std::string_view why) {
  const config::Value* value = find(key);
  problem(key, value, value == nullptr ? fmt::format(": {}", why) : fmt::format(" = {}: {}", shown(*value), why));
}

std::vector<std::string> PluginConfig::replaces() {
  asked_.emplace("replaces");
  const config::Value* value = find("replaces");
  if (value == nullptr) return {};
  std::vector<std::string> roles;
  if (const auto* one = std::get_if<std::string>(&value->value)) {
    roles.push_back(*one);
  } else if (const auto* several = std::get_if<std::vector<std::string>>(&value->value)) {
    roles = *several;
  } else {
    mismatch("replaces", *value, "the name of a role, or an array of them");
  }
  for (const std::string& role : roles) {
    if (!is_role(role)) problem("replaces", value, fmt::format(" = \"{}\": there is no such role", role));
  }
  return roles;
}

bool PluginConfig::stop_node_on_fault() {
  asked_.emplace("on_fault");
  const config::Value* value = find("on_fault");
  if (value == nullptr) return false;
  const auto* written = std::get_if<std::string>(&value->value);
  if (written != nullptr && *written == "stop-node") return true;
  if (written == nullptr || *written != "disable") mismatch("on_fault", *value, "\"disable\" or \"stop-node\"");
  return false;
}

std::string PluginConfig::pin() {
  asked_.emplace("sha256");
  const config::Value* value = find("sha256");
  if (value == nullptr) return {};
  const auto* written = std::get_if<std::string>(&value->value);
  if (written != nullptr && is_pin(*written)) return *written;
  mismatch("sha256", *value, "64 digits of 0-9 and a-f, as `sha256sum` prints them");
  return {};
}

void PluginConfig::report_unknown() {
  if (table_ == nullptr) return;
  const std::vector<std::string> known(asked_.begin(), asked_.end());
  for (const auto& [key, value] : *table_) {
    if (asked_.contains(key)) continue;
    const auto near = config::nearest(key, known);
    problem(key, &value, near ? fmt::format(": unknown key; did you mean {}?", full(*near)) : ": unknown key");
  }
}

void PluginConfig::note(std::string text) {
  config::Problem out;
  out.text = std::move(text);
  problems_.push_back(std::move(out));
}

}  // namespace atlas::host
