// All steps of a trial, one after the other. Main thread, of a process that has no other (child.h).
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "trial/child.h"

namespace atlas::trial {

struct Order {
  std::filesystem::path file;  // absolute; called <id>.so
  std::string id;
  std::string version;                      // of the program
  base::MonoNs limit = 30 * base::kSecond;  // for one step, in real time
  std::string only;                         // a step's name; empty: all of them
};

struct Told {
  std::string_view step, doc;
  bool skipped = false;  // what it builds on has failed
  Outcome outcome;       // of describe, info is what the role claims, as JSON
};

// Tells the outcome of each step as it comes. True when all of them were passed.
bool check(const Order& order, const base::Clock& clock, const std::function<void(const Told&)>& tell);

}  // namespace atlas::trial
