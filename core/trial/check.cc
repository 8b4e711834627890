#include "trial/check.h"

#include "base/log.h"
#include "host/loader.h"
#include "trial/library.h"
#include "trial/steps.h"

namespace atlas::trial {
namespace {

constexpr Step kSteps[] = {
    {"file", "only its owner can change it, and the directory that it lies in", false, step_file},
    {"symbols", "it exports atlas_plugin_v1 alone, and wants nothing of atlas", false, step_symbols},
    {"abi", "it can be loaded, and its object fits this atlas", false, step_abi},
    {"describe", "init() says what it claims, and nothing else happens", true, step_describe},
    {"config", "wrong values of its keys, and keys that it does not have, are noticed", true, step_config},
    {"start", "it starts, is left alone, drains and stops", true, step_start},
    {"twice", "it runs in two processes at once", true, step_twice},
    {"client", "it starts and stops inside a command", true, step_client},
    {"malformed", "payloads that make no sense", true, step_malformed},
    {"oversized", "payloads as large as the protocol allows", true, step_oversized},
    {"flood", "more at once than its queue holds", true, step_flood},
    {"unknown", "answers, events and types that it does not know", true, step_unknown},
    {"vanishing", "peers that go in the middle of everything", true, step_vanishing},
    {"slow", "peers and a disk that do not answer", true, step_slow},
    {"full", "ATLAS_E_FULL from every function that may say so", true, step_full},
    {"streams", "raw streams: openings that make no sense, and every way to end one", true, step_streams},
    {"protocols", "its own protocols: strangers, and connections that end at any moment", true, step_protocols},
    {"commands", "its commands: all arguments, the fewest, left half-way", true, step_commands},
    {"drain", "drain with requests open", true, step_drain},
    {"stop-timer", "stop in the middle of a timer", true, step_stop_timer},
    {"stop-open", "stop with requests, commits and commands open", true, step_stop_open},
    {"rows", "a start on its own rows, and on damaged ones", true, step_rows},
};

// In the child: a step that needs the role gets it loaded.
std::string run_step(const Step& step, Subject subject, const Notes& notes) {
  base::configure_log(base::Level::kWarn, base::LogFormat::kText);
  if (!step.loaded) return step.run(subject, notes);
  if (const auto library = read_library(subject.file)) subject.words = library->words;
  notes.at("the file is loaded");
  host::Loader loader({subject.file.parent_path()});
  const auto found = loader.load(subject.id);
  if (!found) return found.error().text;
  subject.plugin = &found->code;
  return step.run(subject, notes);
}

}  // namespace

std::span<const Step> steps() {
  return kSteps;
}

bool check(const Order& order, const base::Clock& clock, const std::function<void(const Told&)>& tell) {
  const Subject subject{order.file, order.id, order.version, {}, nullptr};
  bool passed = true, usable = true;
  for (const Step& step : kSteps) {
    if (!order.only.empty() && step.name != order.only) continue;
    Told told{step.name, step.doc, step.loaded && !usable, {}};
    if (!told.skipped) {
      told.outcome =
          run_in_child([&](const Notes& notes) { return run_step(step, subject, notes); }, order.limit, clock);
      passed = passed && told.outcome.ok;
      // Wrong modes and names hinder nothing that follows.
      if (!told.outcome.ok && (step.name == "abi" || step.name == "describe")) usable = false;
    }
    tell(told);
  }
  return passed;
}

}  // namespace atlas::trial
