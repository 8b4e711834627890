// What a plugin reads from its own table [plugins.<id>]. Every read declares the key, so that one pass over init checks
// the file, finds keys that nobody knows, and lists what there is. On the thread that loads plugins, before they start.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "host/host.h"

namespace atlas::host {

class PluginConfig {
 public:
  // `config` may be null: then there are only defaults.
  PluginConfig(const config::Config* config, const std::string& id);

  // Each notes the key for the reference; a value of the wrong kind or out of bounds is a problem and gives `fallback`.
  bool boolean(std::string_view key, bool fallback, std::string_view doc);
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max,
                       std::string_view doc);
  std::uint64_t millis(std::string_view key, std::uint64_t fallback, std::uint64_t min, std::uint64_t max,
                       std::string_view doc);
  // A view into the configuration or of `fallback`.
  std::string_view text(std::string_view key, std::string_view fallback, std::string_view doc);
  const std::vector<std::string>* texts(std::string_view key, std::string_view doc);  // null: not written
  // A rule of the plugin's own that the value breaks.
  void reject(std::string_view key, std::string_view why);

  // Keys of every plugin's table that the host itself reads: `replaces`, `on_fault` and `sha256`.
  std::vector<std::string> replaces();
  bool stop_node_on_fault();
  std::string pin();  // file_pin.h; empty: any file will do

  // One problem for every key that was never asked for.
  void report_unknown();
  // A problem that is not about a key.
  void note(std::string text);

  const std::vector<config::Problem>& problems() const { return problems_; }
  const std::vector<PluginKey>& keys() const { return keys_; }
  const config::Config* node() const { return config_; }

 private:
  const config::Value* find(std::string_view key) const;
  void declare(std::string_view key, std::string_view type, std::string fallback, std::string bounds,
               std::string_view doc);
  void problem(std::string_view key, const config::Value* value, std::string text);
  void mismatch(std::string_view key, const config::Value& value, std::string_view expected);
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  const config::Config* const config_;
  const std::map<std::string, config::Value>* table_ = nullptr;
  const std::string prefix_;  // "plugins.<id>."
  std::set<std::string, std::less<>> asked_;
  std::vector<PluginKey> keys_;
  std::vector<config::Problem> problems_;
};

// "90s", "1500ms", "5m", "1h"; nothing for anything else or when it does not fit.
std::optional<std::uint64_t> parse_millis(std::string_view text);
// The shortest of those forms.
std::string millis_text(std::uint64_t millis);

}  // namespace atlas::host
