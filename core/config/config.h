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

#include "base/limits.h"
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
  std::uint32_t max_connections = base::limits::transport_max_connections;
  std::uint32_t max_streams_per_conn = base::limits::transport_max_streams_per_conn;
  std::uint64_t idle_timeout_s = base::limits::transport_idle_timeout;
  std::uint64_t exchange_timeout_s = base::limits::transport_exchange_timeout;
  bool enable_relay = false;
  bool offer_relay = false;
  std::uint64_t relay_bandwidth_limit = 1'048'576;  // bytes per second; 0: none
  std::uint32_t relay_poll_us = 50;                 // 0: sleep at once
};
struct Security {
  std::optional<std::uint64_t> ban_duration_s;  // not set: section 10's 10 minutes
  std::uint32_t handshake_limit = base::limits::security_handshake_limit;
  std::uint64_t max_clock_drift_s = base::limits::security_max_clock_drift_secs;
};
struct RateLimit {
  std::uint32_t per_peer_per_second = base::limits::rate_limit_per_peer_per_second;
  std::uint32_t per_peer_per_minute = base::limits::rate_limit_per_peer_per_minute;
  std::uint64_t payload_per_minute = base::limits::rate_limit_payload_per_minute;
};
struct Exec {
  bool enabled = false;
};
struct Stun {
  std::vector<std::string> servers;  // ip:port
};
struct Log {
  std::string level = "info";   // debug, info, warn, error, off
  std::string format = "text";  // text, json
};
struct Store {
  std::uint64_t max_peers = base::limits::store_max_peers;  // rows
};
struct Plugins {
  std::vector<std::string> enabled = {"discovery", "keepalive", "messaging"};
  std::vector<std::string> search;  // absolute directories, before the built-in one
  std::uint64_t soft_budget_ms = base::limits::plugins_soft_budget;
  std::uint64_t hard_budget_ms = base::limits::plugins_hard_budget;
  std::uint32_t queue_messages = base::limits::plugins_queue_messages;
  std::uint64_t queue_bytes = base::limits::plugins_queue_bytes;
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
  Stun stun;
  Log log;
  Store store;
  Plugins plugins;

  // [plugins.<id>] tables: dotted key below the table -> value. Checked by the plugins' own getters.
  std::map<std::string, std::map<std::string, Value>> plugin_tables;
  // Line and column of a core key's value, and of the name of a table "plugins.<id>", for errors that are found later.
  // Nothing when it is not written there.
  std::map<std::string, std::pair<std::uint32_t, std::uint32_t>> places;

  // A documented core key as text, one element for scalars, any number for arrays; nothing for an unknown key. A
  // duration comes as the file would have it: "120" is seconds, "5ms" milliseconds.
  std::optional<std::vector<std::string>> as_text(std::string_view key) const;
  // The roles to load: plugins.enabled as it is written, else its default and, with transport.enable_relay, `relay`.
  std::vector<std::string> roles() const;
};

struct Loaded {
  Config config;
  std::vector<Problem> problems;  // empty: the file is good
  // The file could be read, and says well which roles there are and where they lie: they can be asked about their own
  // tables even when there are problems.
  bool roles_known = true;
};

// A missing file is all defaults, no problem.
Loaded load(const std::filesystem::path& file);
Loaded parse(std::string_view text, const std::string& shown_name);

// What somebody above found wrong with a key that loaded well: at its place in the file when it is written there.
// `key` is a core key ("exec.enabled") or a plugin's ("plugins.relay.max_sessions").
Problem problem_at(const Config& config, std::string_view key, std::string_view text);

// What a key needs of the roles that are enabled: [exec] enabled = true needs one that provides exec.
std::vector<Problem> role_problems(const Config& config);

// Puts a value over the file's, checked by the same rules: for --port, --bind, --bootstrap, --relay. The problems name
// `option` in place of a file, and the key; with any, the config is unchanged.
std::vector<Problem> override_key(Config& config, std::string_view key, const std::vector<std::string>& values,
                                  const std::string& option);

// The name in `known` that is nearest to `written`, when one is near enough to be meant (edit distance, case, '-').
std::optional<std::string> nearest(std::string_view written, const std::vector<std::string>& known);

// Edits one value and keeps every other byte of the file: comments, order, spacing. For `atlas id set-name` and its
// like. Creates file (0600) and table as needed; writes through a temporary file and rename, so that a crash leaves
// the old file or the new one. kArgument: the value breaks the key's rule. kConfig: the file is no TOML, or is written
// so that a person must edit it, or others can write it. kInternal: the disk, or it is no file; the text names it.
// The file is read, changed and written: hold an EditLock (config/file.h) meanwhile, and from before the values that
// the new one is made of are read.
base::Result<void> set_text(const std::filesystem::path& file, std::string_view table, std::string_view key,
                            const std::string& value);
base::Result<void> set_texts(const std::filesystem::path& file, std::string_view table, std::string_view key,
                             const std::vector<std::string>& values);

}  // namespace atlas::config
