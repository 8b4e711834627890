// All modes in turn, several rounds, so that a neighbour's load falls on all of them: medians beside what the node is
// to cost.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "bench/modes.h"

namespace atlas::bench {

struct GoalOptions {
  std::size_t rounds = 3;
  std::size_t records = 20'000;
  std::vector<std::string> only;  // ids; empty: all
};

// An array of {id, what, unit, goal, median, least, most, ratio}; ratio is median / goal, at most 1 where it is met.
// Tells on stderr how far it is.
nlohmann::json measure_goals(const std::filesystem::path& atlas, const Options& options, const GoalOptions& goals);

}  // namespace atlas::bench
