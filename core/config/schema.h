// Every key of the core in one table: the loader, the reference (docs/reference/config.md), the sample files and the
// nearest-name search are all made from it. Any thread; constant data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace atlas::config {

enum class Type { kBool, kInteger, kText, kTextList, kDuration };

struct Row {
  std::string_view key;  // "transport.max_connections"
  Type type = Type::kText;
  std::int64_t min = 0, max = 0;  // kInteger; kDuration in milliseconds
  std::int64_t unit_ms = 1000;    // kDuration: what the field counts, and what values must be multiples of
  std::string_view choices = {};  // kText: "debug|info|warn|error|off"; empty: any
  std::size_t max_bytes = 0;      // kText, kTextList: of one text
  std::size_t max_items = 0;      // kTextList
  bool reloadable = false;
  std::string_view doc = {};  // one or two sentences: meaning, unit, what follows from it
  // Why one text is no good, empty when it is; null: anything goes. kText and each element of kTextList.
  std::string (*check)(std::string_view text) = nullptr;
  // Puts a checked value into the config: bool, std::int64_t (kDuration: milliseconds), std::string or a list.
  void (*set)(Config&, const Value&) = nullptr;
  // Reads it back as text, one element for scalars.
  std::vector<std::string> (*get)(const Config&) = nullptr;
};

std::span<const Row> schema();
const Row* find_row(std::string_view key);

// The tables of the file, in the order of the schema: "network", "transport" …
struct Section {
  std::string_view name;
  std::string_view doc;
};
std::span<const Section> sections();

// A value the way the file would have it: 4433, "info", ["a", "b"], "5ms".
std::string toml_text(const Row& row, const std::vector<std::string>& values);
std::string default_text(const Row& row);
// "an integer from 1 to 1000000", "one of debug, info …": what a wrong value is told.
std::string expected(const Row& row);

// --- rules that rows share ---

// Milliseconds of "1500ms", "90s", "5m", "1h", "2d"; nothing for anything else and for what does not fit.
std::optional<std::int64_t> parse_duration(std::string_view text);
// The shortest spelling of a span: "5ms", "90s", "10m", "1h".
std::string duration_text(std::int64_t milliseconds);
// Why this is no id of a plugin: 1 to 64 of [a-z0-9._-]. Empty when it is one.
std::string plugin_id_fault(std::string_view id);
// Why this is no "ip:port" or "[ipv6]:port" with a port from 1 to 65535; names are refused. Empty when it is one.
std::string address_fault(std::string_view address);
// 4, 6 or 0: an IP address without zone, octal or port.
int ip_version(std::string_view ip);

}  // namespace atlas::config
