// The keys that docs/reference/cli.md promises under --json, to be compared with those that a command prints.
#pragma once

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace atlas::kit {

// Of "{a,b:{c},d?}" the keys of the outer object: a, b, d.
inline std::set<std::string> keys_in(const std::string& braces) {
  std::set<std::string> out;
  std::string key;
  int depth = 0;
  for (const char c : braces) {
    const int before = depth;
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    const bool letter = (c >= 'a' && c <= 'z') || c == '_';
    if (depth == 1 && before == 1 && letter) {
      key += c;
    } else if (depth <= 1 && !key.empty()) {
      out.insert(key);
      key.clear();
    }
  }
  return out;
}

// Every `{...}` below `--json` in the section of a command ("net inbox"), in their order.
inline std::vector<std::set<std::string>> documented_keys(const std::string& command) {
  std::ifstream file(ATLAS_SOURCE_DIR "/docs/reference/cli.md");
  std::ostringstream all;
  all << file.rdbuf();
  const std::string text = all.str();
  std::vector<std::set<std::string>> out;
  std::size_t at = text.find("### `atlas " + command);
  if (at == std::string::npos) return out;
  const std::size_t end = std::min(text.find("\n##", at + 1), text.size());
  at = text.find("`--json`:", at);
  while ((at = text.find("`{", at)) < end) {
    const std::size_t close = text.find('`', at + 1);
    out.push_back(keys_in(text.substr(at + 1, close - at - 1)));
    at = close + 1;
  }
  return out;
}

inline std::set<std::string> keys_of(const nlohmann::json& object) {
  std::set<std::string> out;
  for (const auto& [key, value] : object.items()) out.insert(key);
  return out;
}

}  // namespace atlas::kit
