#include "config/reference.h"

#include <algorithm>

#include "base/limits.h"
#include "config/schema.h"

namespace atlas::config {
namespace {

constexpr std::string_view kIntroduction =
    "# Configuration\n"
    "\n"
    "<!-- Made from core/config/schema.cc; tests/unit/config/reference_test.cc says how to make it again. -->\n"
    "\n"
    "`atlas` reads `state/config.toml` below its root directory (`--root`, else `ATLAS_ROOT`, else `~/.atlas`). "
    "Without the\n"
    "file every key has its default. The file is [TOML 1.0](https://toml.io/en/v1.0.0), at most 1 MiB.\n"
    "\n"
    "- `atlas config init --role bootstrap|relay|agent` writes a file with every key of the role explained; the same "
    "files\n"
    "  are in `config/`.\n"
    "- `atlas config check` lists everything that is wrong, with line, column and what to write, and exits with 3. A "
    "node\n"
    "  does not start with a file that has a problem; an unknown key is one.\n"
    "- `atlas config show` prints the value of every key and where it comes from.\n"
    "\n"
    "A **duration** is an integer of seconds, or text with a unit: `\"1500ms\"`, `\"90s\"`, `\"5m\"`, `\"1h\"`, "
    "`\"2d\"`.\n"
    "An **address** is `ip:port`, IPv6 in brackets; names are not looked up. Changes take effect when the node starts "
    "again\n"
    "unless the key is marked *live*.\n";

// A cell must not end its column.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::kBool:
      return "true or false";
    case Type::kInteger:
      return "integer";
    case Type::kText:
      return "text";
    case Type::kTextList:
      return "array of texts";
    case Type::kDuration:
      return "duration";
  }
  return {};
}

std::string bounds(const Row& row) {
  switch (row.type) {
    case Type::kBool:
      return "";
    case Type::kInteger:
      return ", " + std::to_string(row.min) + " to " + std::to_string(row.max);
    case Type::kDuration:
      return ", " + duration_text(row.min) + " to " + duration_text(row.max);
    case Type::kText:
      if (!row.choices.empty()) return ": " + expected(row);
      return ", at most " + std::to_string(row.max_bytes) + " bytes";
    case Type::kTextList:
      return ", at most " + std::to_string(row.max_items) + " of " + std::to_string(row.max_bytes) + " bytes";
  }
  return {};
}

std::string table_of(std::string_view section) {
  std::string out = "\n| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const Row& row : schema()) {
    if (!row.key.starts_with(section) || row.key[section.size()] != '.') continue;
    out += "| `" + std::string(row.key) + "` | " + cell(std::string(type_name(row.type)) + bounds(row)) + " | `" +
           cell(default_text(row)) + "` | " + cell(row.doc) + (row.reloadable ? " *live*" : "") + " |\n";
  }
  return out;
}

}  // namespace

std::string reference_markdown() {
  std::string out(kIntroduction);
  for (const Section& section : sections()) {
    out += "\n## [" + std::string(section.name) + "]\n\n" + std::string(section.doc) + '\n' + table_of(section.name);
  }
  out +=
      "\nSome values do not go together, and are refused: `transport.offer_relay` without `transport.enable_relay`, a\n"
      "`plugins.soft_budget` longer than `plugins.hard_budget`, two addresses of one kind in `network.bind`, an entry "
      "that\n"
      "stands twice in an array, and `exec.enabled` without a plugin that runs commands.\n";
  return out + '\n' + std::string(kReferenceMarker);
}

std::string plugin_reference_markdown(std::span<const PluginKeys> plugins) {
  std::string out =
      "\nEvery plugin reads its own table, `[plugins.<id>]`; an id with dots stands in quotes, "
      "`[plugins.\"org.example.x\"]`.\n"
      "Three keys are in every such table: `on_fault`, `\"disable\"` (the default) or `\"stop-node\"`, says what "
      "happens when the\n"
      "plugin breaks; `replaces` names the role, or an array of roles, whose message types the plugin takes over;\n"
      "`sha256`, 64 digits as `sha256sum` prints them, lets no other file of that name be loaded.\n";
  for (const PluginKeys& plugin : plugins) {
    out += "\n### [plugins." + plugin.id + "]\n\n" + plugin.summary + '\n';
    if (plugin.keys.empty()) {
      out += "\nIt has no keys.\n";
      continue;
    }
    out += "\n| key | type | default | meaning |\n|---|---|---|---|\n";
    for (const PluginKeyRow& row : plugin.keys) {
      out += "| `" + row.key + "` | " + cell(row.type + (row.bounds.empty() ? "" : ", " + row.bounds)) + " | `" +
             cell(row.fallback) + "` | " + cell(row.doc) + " |\n";
    }
  }
  return out;
}

std::string limits_markdown() {
  std::string out =
      "# Limits\n"
      "\n"
      "<!-- Made from core/base/limits.def; tests/unit/config/reference_test.cc says how to make it again. -->\n"
      "\n"
      "Everything that can grow has a limit. Where the name is also a key of `config.toml` (docs/reference/config.md), "
      "the\n"
      "value here is its default; the others are fixed. Limits of a role begin with its name, and their keys are in "
      "its\n"
      "table, `[plugins.<role>]`. A counter is where `atlas net status --json` shows it: in `counters`, or in\n"
      "`connections`, `store` or `metrics`. Each limit is shown to bite by the test named beside it.\n"
      "\n"
      "| limit | value | counted for | past it | counter | test |\n|---|---|---|---|---|---|\n";
  for (const base::Limit& limit : base::all_limits()) {
    out += "| `" + std::string(limit.key) + "` | " + std::to_string(limit.value) + ' ' + std::string(limit.unit) +
           " | " + cell(limit.scope) + " | " + cell(limit.refusal) + " | " +
           (limit.counter == "-" ? "" : '`' + std::string(limit.counter) + '`') + " | `" + std::string(limit.test) +
           "` |\n";
  }
  out += "\n## What they mean\n\n";
  for (const base::Limit& limit : base::all_limits()) {
    out += "- `" + std::string(limit.key) + "`: " + std::string(limit.doc) + '\n';
  }
  return out;
}

}  // namespace atlas::config
