#include "config/check.h"

#include <algorithm>

#include "base/log.h"

namespace atlas::config {
namespace {

constexpr std::size_t kShownBytes = 64;

}  // namespace

std::string shown(std::string_view text) {
  const bool cut = text.size() > kShownBytes;
  return '"' + base::escaped(text.substr(0, kShownBytes), 4 * kShownBytes) + (cut ? "…\"" : "\"");
}

std::string integer_fault(const Row& row, std::int64_t value) {
  if (value >= row.min && value <= row.max) return {};
  return std::to_string(value) + " is out of range; expected " + expected(row);
}

std::string duration_fault(const Row& row, std::int64_t milliseconds, std::string_view shown) {
  if (milliseconds < row.min || milliseconds > row.max) {
    return std::string(shown) + " is out of range; expected " + expected(row);
  }
  if (milliseconds % row.unit_ms != 0) return std::string(shown) + " is not whole; expected " + expected(row);
  return {};
}

std::string text_fault(const Row& row, std::string_view text) {
  if (!row.choices.empty()) {
    const std::string all = '|' + std::string(row.choices) + '|';
    const bool known = text.find('|') == std::string_view::npos && !text.empty() &&
                       all.find('|' + std::string(text) + '|') != std::string::npos;
    return known ? "" : shown(text) + " is not known; expected " + expected(row);
  }
  if (text.size() > row.max_bytes) {
    return shown(text) + " has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(row.max_bytes) +
           " are allowed";
  }
  const std::string fault = row.check ? row.check(text) : "";
  return fault.empty() ? "" : shown(text) + ' ' + fault;
}

std::vector<ItemFault> list_faults(const Row& row, const std::vector<std::string>& items) {
  std::vector<ItemFault> out;
  if (items.size() > row.max_items) {
    out.push_back({items.size(), "has " + std::to_string(items.size()) + " entries; at most " +
                                     std::to_string(row.max_items) + " are allowed"});
    return out;
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::string fault = text_fault(row, items[i]);
    const auto here = items.begin() + static_cast<std::ptrdiff_t>(i);
    if (fault.empty() && std::find(items.begin(), here, items[i]) != here) {
      fault = shown(items[i]) + " stands here twice";
    }
    if (!fault.empty()) out.push_back({i, std::move(fault)});
  }
  return out;
}

std::vector<Contradiction> contradictions(const Config& config) {
  std::vector<Contradiction> out;
  if (config.transport.offer_relay && !config.transport.enable_relay) {
    out.push_back({"transport.offer_relay", "transport.enable_relay",
                   "needs transport.enable_relay = true; set both, or take offer_relay out"});
  }
  if (config.plugins.soft_budget_ms > config.plugins.hard_budget_ms) {
    out.push_back({"plugins.soft_budget", "plugins.hard_budget",
                   "is longer than plugins.hard_budget (" +
                       duration_text(static_cast<std::int64_t>(config.plugins.hard_budget_ms)) +
                       "); the soft budget comes first"});
  }
  const auto& bind = config.network.bind;
  if (bind.empty()) out.push_back({"network.bind", "", "is empty; name at least one address to listen on"});
  if (bind.size() == 2 && bind[0] != bind[1] && ip_version(bind[0]) == ip_version(bind[1])) {
    out.push_back({"network.bind", "",
                   shown(bind[0]) + " and " + shown(bind[1]) + " are both IPv" + std::to_string(ip_version(bind[0])) +
                       "; one address of each kind is possible"});
  }
  return out;
}

}  // namespace atlas::config
