// In which order plugins start, so that whom a plugin needs is there before it. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::host {

// A plugin and the ids of the plugins that it needs.
struct PluginNeeds {
  std::string id;
  std::vector<std::string> plugins;
};

// Entries of `needs` without a slash are plugins, those with one capabilities.
inline bool is_plugin_need(std::string_view need) {
  return need.find('/') == std::string_view::npos;
}

struct StartOrder {
  // Places in the list given: needed ones first, otherwise as listed. Without those that `problems` are about.
  std::vector<std::size_t> order;
  // A need that is not among the plugins, and every circle, as a sentence for people.
  struct Problem {
    std::size_t plugin;
    std::string text;
  };
  std::vector<Problem> problems;
};

// `complete`: the list is all that will run, so a need that is not on it cannot be met.
StartOrder start_order(std::span<const PluginNeeds> plugins, bool complete);

}  // namespace atlas::host
