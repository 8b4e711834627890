// atlas.config/1
#include <algorithm>

#include "host/ext.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {
namespace {

std::string_view words(const char* text) {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// A key as it may be written under [plugins.<id>].
bool is_key(const char* key) {
  const std::string_view text = words(key);
  return !text.empty() && text.size() <= 128 && text.front() != '.' && text.back() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

atlas_status check(Plugin& plugin, const char* key, bool rest_fine) {
  if (!plugin.initialising()) return plugin.contract_break(ATLAS_E_STATE, "a configuration key is read outside init");
  if (!is_key(key) || !rest_fine) return plugin.contract_break(ATLAS_E_ARG, "a configuration key is read wrongly");
  return ATLAS_OK;
}

atlas_status boolean(const atlas_host* host, const char* key, std::uint32_t fallback, const char* doc,
                     std::uint32_t* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check(plugin, key, out != nullptr); status != ATLAS_OK) return status;
  *out = plugin.config.boolean(key, fallback != 0, words(doc)) ? 1 : 0;
  return ATLAS_OK;
}

atlas_status integer(const atlas_host* host, const char* key, std::int64_t fallback, std::int64_t min, std::int64_t max,
                     const char* doc, std::int64_t* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check(plugin, key, out != nullptr && min <= max); status != ATLAS_OK) return status;
  *out = plugin.config.integer(key, fallback, min, max, words(doc));
  return ATLAS_OK;
}

atlas_status millis(const atlas_host* host, const char* key, std::uint64_t fallback, std::uint64_t min,
                    std::uint64_t max, const char* doc, std::uint64_t* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check(plugin, key, out != nullptr && min <= max); status != ATLAS_OK) return status;
  *out = plugin.config.millis(key, fallback, min, max, words(doc));
  return ATLAS_OK;
}

atlas_status text(const atlas_host* host, const char* key, atlas_text fallback, const char* doc, atlas_text* out) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check(plugin, key, out != nullptr); status != ATLAS_OK) return status;
  *out = text_of(plugin.config.text(key, view(fallback), words(doc)));
  return ATLAS_OK;
}

atlas_status texts(const atlas_host* host, const char* key, const char* doc, void* arg,
                   void (*each)(void*, atlas_text)) {
  Plugin& plugin = Plugin::of(host);
  if (const atlas_status status = check(plugin, key, each != nullptr); status != ATLAS_OK) return status;
  if (const auto* values = plugin.config.texts(key, words(doc))) {
    for (const std::string& value : *values) each(arg, text_of(value));
  }
  return ATLAS_OK;
}

void reject(const atlas_host* host, const char* key, atlas_text why) {
  Plugin& plugin = Plugin::of(host);
  if (check(plugin, key, true) == ATLAS_OK) plugin.config.reject(key, view(why));
}

atlas_status node_key(const atlas_host* host, const char* key, void* arg, void (*each)(void*, atlas_text)) {
  Plugin& plugin = Plugin::of(host);
  if (key == nullptr || each == nullptr) return plugin.contract_break(ATLAS_E_ARG, "node_key(): no key or no callback");
  const config::Config* node = plugin.config.node();
  const auto values = node == nullptr ? std::nullopt : node->as_text(key);
  if (!values) return plugin.refuse(ATLAS_E_GONE, "the core has no such key");
  for (const std::string& value : *values) each(arg, text_of(value));
  return ATLAS_OK;
}

}  // namespace

const atlas_ext_config kConfigTable = {
    sizeof(atlas_ext_config), boolean, integer, millis, text, texts, reject, node_key};

}  // namespace atlas::host
