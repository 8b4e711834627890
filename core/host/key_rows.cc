#include "host/key_rows.h"

namespace atlas::host {
namespace {

// "1..100" is what errors say; people read "1 to 100".
std::string in_words(const std::string& bounds) {
  const std::size_t dots = bounds.find("..");
  if (dots == std::string::npos) return bounds;
  const std::string least = bounds.substr(0, dots), most = bounds.substr(dots + 2);
  if (most.empty()) return least.empty() ? "" : "at least " + least;
  return least.empty() ? "at most " + most : least + " to " + most;
}

}  // namespace

std::vector<config::PluginKeys> key_rows(std::span<const PluginRow> plugins) {
  std::vector<config::PluginKeys> out;
  for (const PluginRow& plugin : plugins) {
    if (plugin.state == "refused") continue;
    config::PluginKeys& row = out.emplace_back();
    row.id = plugin.id;
    row.summary = plugin.summary;
    for (const PluginKey& key : plugin.keys) {
      row.keys.push_back({key.key, key.type, key.fallback, in_words(key.bounds), key.doc});
    }
  }
  return out;
}

}  // namespace atlas::host
