// Every key of the core in one table: the loader, the reference (docs/reference/config.md), the sample files and the
// nearest-name search are all made from it. Any thread; constant data.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"

namespace atlas::config {

enum class Type { kBool, kInteger, kText, kTextList, kDuration };

struct Row {
  std::string_view key;  // "transport.max_connections"
  Type type;
  std::string_view shown_default;
  std::int64_t min = 0, max = 0;  // kInteger; kDuration in seconds
  std::string_view choices;       // kText: "debug|info|warn|error"; empty: any
  bool reloadable = false;
  std::string_view doc;           // one or two sentences: unit, meaning, source of the rule
  // Puts a checked value into the config.
  void (*set)(Config&, const Value&);
  // Reads it back as text, one element for scalars.
  std::vector<std::string> (*get)(const Config&);
};

std::span<const Row> schema();
const Row* find_row(std::string_view key);

}  // namespace atlas::config
