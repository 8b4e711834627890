// The sample files: the schema's keys in its order, with the values of a role and what is worth saying about them
// there.
#include <algorithm>

#include "config/reference.h"
#include "config/schema.h"

namespace atlas::config {
namespace {

constexpr std::size_t kWidth = 100;

struct Choice {
  std::string_view key;
  std::string_view value;  // in TOML spelling
  std::string_view note;   // behind the key's own text; may be empty
};

struct Sample {
  std::string_view title, about;
  bool every_key;
  std::vector<Choice> choices;
};

Sample bootstrap_sample() {
  return {
      "A bootstrap node: the directory that new agents ask for peers.",
      "It keeps its registry in memory, dials nobody, and needs a public address and one open UDP port. Agents name "
      "it in their network.bootstrap.",
      false,
      {
          {"identity.name", "\"\"", "For example \"bootstrap-01\"."},
          {"network.port", "4433", "Open it in the firewall, for UDP."},
          {"network.bind", "[\"0.0.0.0\", \"::\"]", ""},
          {"network.bootstrap", "[]", "A bootstrap node needs none."},
          {"network.relays", "[]", "A bootstrap node dials nobody."},
          {"transport.max_connections", "200", "Agents stay connected: raise it to the number that you expect."},
          {"transport.max_streams_per_conn", "50", ""},
          {"transport.idle_timeout", "120", ""},
          {"transport.enable_relay", "false", ""},
          {"transport.offer_relay", "false", ""},
          {"transport.relay_bandwidth_limit", "0", "It relays nothing here."},
          {"security.ban_duration_secs", "3600", ""},
          {"security.handshake_limit", "50", ""},
          {"security.max_clock_drift_secs", "300", ""},
          {"rate_limit.per_peer_per_minute", "60", ""},
          {"exec.enabled", "false", ""},
          {"log.level", "\"info\"", ""},
          {"log.format", "\"text\"", ""},
          {"plugins.enabled", "[\"bootstrap\", \"keepalive\"]",
           "`bootstrap` is the registry; `keepalive` notices agents that are gone."},
      }};
}

Sample relay_sample() {
  return {
      "A relay: it forwards packets between agents that cannot reach each other directly.",
      "What it forwards is encrypted between the two agents. It needs a public address and one open UDP port. Agents "
      "name it in their network.relays.",
      false,
      {
          {"identity.name", "\"\"", "For example \"relay-01\"."},
          {"network.port", "4433", "Open it in the firewall, for UDP."},
          {"network.bind", "[\"0.0.0.0\", \"::\"]", ""},
          {"network.bootstrap", "[]", "Name bootstrap nodes here for the relay to be found."},
          {"network.relays", "[]", "A relay never goes through another one."},
          {"transport.max_connections", "200", "Two for each relayed pair; raise it to what you expect."},
          {"transport.max_streams_per_conn", "100", ""},
          {"transport.idle_timeout", "300", ""},
          {"transport.enable_relay", "true", ""},
          {"transport.offer_relay", "true", "This is what makes the node a relay."},
          {"transport.relay_bandwidth_limit", "1048576",
           "1 MiB/s here; 524288 for a narrow line, 5242880 for a wide one."},
          {"security.ban_duration_secs", "3600", ""},
          {"security.handshake_limit", "50", ""},
          {"security.max_clock_drift_secs", "300", ""},
          {"rate_limit.per_peer_per_minute", "120", "Forwarded packets do not count."},
          {"exec.enabled", "false", ""},
          {"log.level", "\"info\"", ""},
          {"log.format", "\"text\"", ""},
          {"plugins.enabled", "[\"discovery\", \"keepalive\", \"relay\"]",
           "`relay` forwards; `discovery` lets it be found; `keepalive` notices agents that are gone."},
      }};
}

Sample agent_sample() {
  return {
      "An agent: a node that finds others, is found by them, and exchanges messages.",
      "This file has every key of atlas, each with its default; only `relay` is named in plugins.enabled besides.",
      true,
      {
          {"identity.name", "\"\"", "For example \"alice\"."},
          {"identity.skills", "[]", "For example [\"translate\", \"summarise\"]."},
          {"network.bootstrap", "[]", "For example [\"192.0.2.1:4433\", \"[2001:db8::1]:4433\"]."},
          {"network.relays", "[]", "For example [\"192.0.2.2:4433\"]."},
          {"plugins.enabled", "[\"discovery\", \"keepalive\", \"messaging\", \"relay\"]",
           "`discovery` registers with the bootstrap nodes and finds peers; `keepalive` notices those that are gone; "
           "`messaging` is `atlas net send` and `inbox`; `relay` does nothing unless transport.enable_relay is true."},
          {"plugins.search", "[]", "For example [\"/usr/local/lib/atlas/plugins\"]."},
      }};
}

Sample sample_of(Role role) {
  switch (role) {
    case Role::kBootstrap:
      return bootstrap_sample();
    case Role::kRelay:
      return relay_sample();
    case Role::kAgent:
      break;
  }
  return agent_sample();
}

// Words filled into comment lines.
std::string comment(std::string_view text) {
  std::string out, line = "#";
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t space = std::min(text.find(' ', at), text.size());
    const std::string_view word = text.substr(at, space - at);
    if (line.size() + 1 + word.size() > kWidth) {
      out += line + '\n';
      line = "#";
    }
    line += ' ' + std::string(word);
    at = space + 1;
  }
  return out + line + '\n';
}

// The expectation of a row as a sentence; those of texts say nothing that the value's shape does not.
std::string rule(const Row& row) {
  if (row.type == Type::kBool) return "";
  if (row.type == Type::kText && row.choices.empty()) return " At most " + std::to_string(row.max_bytes) + " bytes.";
  if (row.type == Type::kText) {
    std::string out = " " + expected(row) + ".";
    out[1] = 'O';
    return out;
  }
  if (row.type == Type::kInteger) return " " + std::to_string(row.min) + " to " + std::to_string(row.max) + ".";
  if (row.type == Type::kDuration) {
    return " A duration, " + duration_text(row.min) + " to " + duration_text(row.max) + ".";
  }
  return " At most " + std::to_string(row.max_items) + " entries.";
}

std::string entry(const Row& row, const Choice* choice) {
  const std::string standard = default_text(row);
  const std::string value(choice ? choice->value : std::string_view(standard));
  std::string text = std::string(row.doc) + rule(row);
  if (choice && !choice->note.empty()) text += ' ' + std::string(choice->note);
  if (value != standard) text += " Default: " + standard + '.';
  const std::string name(row.key.substr(row.key.find('.') + 1));
  return '\n' + comment(text) + name + " = " + value + '\n';
}

std::string plugin_table(const PluginKeys& plugin) {
  const std::string id = plugin.id.find('.') == std::string::npos ? plugin.id : '"' + plugin.id + '"';
  std::string out = '\n' + comment(plugin.summary) + "[plugins." + id + "]\n";
  for (const PluginKeyRow& row : plugin.keys) {
    const std::string bounds = row.bounds.empty() ? "" : ", " + row.bounds;
    out += '\n' + comment(row.doc + " (" + row.type + bounds + ")") + "# " + row.key + " = " + row.fallback + '\n';
  }
  return out;
}

}  // namespace

std::string_view to_text(Role role) {
  switch (role) {
    case Role::kBootstrap:
      return "bootstrap";
    case Role::kRelay:
      return "relay";
    case Role::kAgent:
      break;
  }
  return "agent";
}

std::string sample_toml(Role role, std::span<const PluginKeys> plugins) {
  const Sample sample = sample_of(role);
  std::string out = comment(sample.title) + comment(sample.about) + "#\n" +
                    comment(
                        "A duration is an integer of seconds, or text with a unit: \"500ms\", \"90s\", \"5m\", \"1h\". "
                        "After a change: `atlas config check`, then start the node again.");
  if (!sample.every_key) {
    out +=
        comment("The keys that matter for this role; `atlas config init --role agent` writes a file with all of them.");
  }
  for (const Section& section : sections()) {
    std::string entries;
    for (const Row& row : schema()) {
      if (!row.key.starts_with(section.name) || row.key[section.name.size()] != '.') continue;
      const auto choice = std::find_if(sample.choices.begin(), sample.choices.end(),
                                       [&](const Choice& each) { return each.key == row.key; });
      const bool chosen = choice != sample.choices.end();
      if (chosen || sample.every_key) entries += entry(row, chosen ? &*choice : nullptr);
    }
    if (entries.empty()) continue;
    out += "\n\n" + comment(section.doc) + '[' + std::string(section.name) + "]\n" + entries;
  }
  out += "\n\n" + std::string(kSampleMarker);
  const Config config = parse(out, "sample").config;
  for (const PluginKeys& plugin : plugins) {
    const auto& enabled = config.plugins.enabled;
    if (std::find(enabled.begin(), enabled.end(), plugin.id) != enabled.end()) out += plugin_table(plugin);
  }
  return out;
}

}  // namespace atlas::config
