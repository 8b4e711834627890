// The texts that are made from the tables: docs/reference/config.md, docs/reference/limits.md and the samples in
// config/. Tests hold the files in the tree against them, so neither can drift. Any thread; pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::config {

// One key that a plugin's getters asked for; what the host collects when it loads plugins to describe them.
struct PluginKeyRow {
  std::string key;       // below [plugins.<id>]
  std::string type;      // "integer", "duration" …
  std::string fallback;  // in TOML spelling
  std::string bounds;    // "1 to 100", or empty
  std::string doc;
};
struct PluginKeys {
  std::string id, summary;
  std::vector<PluginKeyRow> keys;
};

// The part of docs/reference/config.md that the core knows; ends with kReferenceMarker.
std::string reference_markdown();
// What follows it.
std::string plugin_reference_markdown(std::span<const PluginKeys> plugins);
std::string limits_markdown();

enum class Role { kBootstrap, kRelay, kAgent };
inline constexpr Role kRoles[] = {Role::kBootstrap, Role::kRelay, Role::kAgent};
std::string_view to_text(Role role);  // "bootstrap", "relay", "agent"

// A config file for the role, every key of it explained. The agent's has every key there is. Ends with kSampleMarker
// and the tables of those plugins that the role enables, commented out.
std::string sample_toml(Role role, std::span<const PluginKeys> plugins = {});

inline constexpr std::string_view kReferenceMarker = "## Keys of the plugins\n";
inline constexpr std::string_view kSampleMarker = "# ---- keys of the plugins: one table [plugins.<id>] each ----\n";

}  // namespace atlas::config
