// The node's configuration: one table of every key (config/schema.h), a loader that reports everything that is wrong at
// once with file:line:column, and the typed values.
// A Config is immutable after load; any thread may read it. Loading throws nothing out of this folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace atlas::config {

// One thing that is wrong, as people see it: "config.toml:41:9: transport.max_conections: unknown key; did you mean
// transport.max_connections?"
struct Problem {
  std::string file;
  std::uint32_t line = 0, column = 0;  // 0: not at a place in the file
  std::string text;
  std::string to_string() const;
};

// A value of the file with its place, for keys that plugins own.
struct Value {
  std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>> value;
  std::uint32_t line = 0, column = 0;
};

struct Network {
  std::uint16_t port = 4433;
  std::vector<std::string> bind = {"0.0.0.0", "::"};
  std::vector<std::string> bootstrap;
  std::vector<std::string> relays;
};
struct Transport {
  std::uint32_t max_connections = 200;
  std::uint32_t max_streams_per_conn = 50;
  std::uint64_t idle_timeout_s = 120;
  std::uint64_t exchange_timeout_s = 10;
  bool enable_relay = false;
  bool offer_relay = false;
  std::uint64_t relay_bandwidth_limit = 1'048'576;
};
struct Security {
  std::optional<std::uint64_t> ban_duration_s;  // not set: section 10's 10 minutes
  std::uint32_t handshake_limit = 50;
  std::uint64_t max_clock_drift_s = 300;
};
struct RateLimit {
  std::uint32_t per_peer_per_minute = 60;
};
struct Exec {
  bool enabled = false;
};
struct Log {
  std::string level = "info";
  std::string format = "text";
};
struct Store {
  std::uint64_t max_peers = 100'000;  // rows
};
struct Plugins {
  std::vector<std::string> enabled = {"discovery", "keepalive", "messaging"};
  std::vector<std::string> search;  // absolute directories, before the built-in one
  std::uint64_t soft_budget_ms = 5, hard_budget_ms = 1000;
  std::uint32_t queue_messages = 1024;
  std::uint64_t queue_bytes = 16 << 20;
};

struct Identity {
  std::string name;
  std::string bio;
  std::vector<std::string> skills;
};

struct Config {
  std::filesystem::path file;  // empty when there is none: all defaults
  Identity identity;
  Network network;
  Transport transport;
  Security security;
  RateLimit rate_limit;
  Exec exec;
  Log log;
  Store store;
  Plugins plugins;

  // [plugins.<id>] tables: dotted key below the table -> value. Checked by the plugins' own getters.
  std::map<std::string, std::map<std::string, Value>> plugin_tables;
  // Where a core key stands in the file, for errors that are found later. Nothing when it is not written there.
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> places;

  // A documented core key as text, one element for scalars, several for arrays; nothing for an unknown key.
  std::optional<std::vector<std::string>> as_text(std::string_view key) const;
};

struct Loaded {
  Config config;
  std::vector<Problem> problems;  // empty: the file is good
};

// A missing file is all defaults, no problem.
Loaded load(const std::filesystem::path& file);
Loaded parse(std::string_view text, const std::string& shown_name);

// The name in `known` that is nearest to `written`, when one is near enough to be meant (edit distance, case, '-').
std::optional<std::string> nearest(std::string_view written, const std::vector<std::string>& known);

// Edits one value and keeps every other byte of the file: comments, order, spacing. For `atlas id set-name` and its
// like. Creates file and table as needed; writes through a temporary file and rename.
base::Result<void> set_text(const std::filesystem::path& file, std::string_view table, std::string_view key,
                            const std::string& value);
base::Result<void> set_texts(const std::filesystem::path& file, std::string_view table, std::string_view key,
                             const std::vector<std::string>& values);

}  // namespace atlas::config
