#include "host/start_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace atlas::host {
namespace {

// A depth-first walk: whoever is needed is placed before whoever needs it.
class Walk {
 public:
  Walk(std::span<const PluginNeeds> plugins, bool complete)
      : plugins_(plugins), complete_(complete), marks_(plugins.size(), Mark::kNew) {
    for (std::size_t i = 0; i < plugins.size(); ++i) index_.emplace(plugins[i].id, i);
  }

  StartOrder take() && {
    for (std::size_t i = 0; i < plugins_.size(); ++i) visit(i);
    return std::move(out_);
  }

 private:
  enum class Mark { kNew, kOnTheWay, kPlaced, kRefused };

  // Whether it can run.
  bool visit(std::size_t at) {
    if (marks_[at] == Mark::kPlaced) return true;
    if (marks_[at] == Mark::kRefused) return false;
    if (marks_[at] == Mark::kOnTheWay) {
      report_circle(at);
      return false;
    }
    marks_[at] = Mark::kOnTheWay;
    way_.push_back(at);
    bool good = true;
    for (const std::string& need : plugins_[at].plugins) good = meet(at, need) && good;
    way_.pop_back();
    marks_[at] = good ? Mark::kPlaced : Mark::kRefused;
    if (good) out_.order.push_back(at);
    return good;
  }

  bool meet(std::size_t at, const std::string& need) {
    const auto found = index_.find(need);
    if (found != index_.end()) return visit(found->second);
    if (!complete_) return true;
    out_.problems.push_back({at, fmt::format("{} needs the plugin {}, which is not enabled; add \"{}\" to "
                                             "plugins.enabled",
                                             plugins_[at].id, need, need)});
    return false;
  }

  void report_circle(std::size_t from) {
    std::string text;
    for (auto step = std::ranges::find(way_, from); step != way_.end(); ++step) text += plugins_[*step].id + " -> ";
    out_.problems.push_back({from, fmt::format("plugins need each other in a circle: {}{}; enable none or change one",
                                               text, plugins_[from].id)});
  }

  const std::span<const PluginNeeds> plugins_;
  const bool complete_;
  std::vector<Mark> marks_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::size_t> way_;
  StartOrder out_;
};

}  // namespace

StartOrder start_order(std::span<const PluginNeeds> plugins, bool complete) {
  return Walk(plugins, complete).take();
}

}  // namespace atlas::host
