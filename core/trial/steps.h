// The steps of a trial, in their order. Each runs in a process of its own (child.h) and says what is wrong.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trial/child.h"

struct atlas_plugin;

namespace atlas::trial {

// The role under trial; `plugin` is null before the file has been loaded.
struct Subject {
  std::filesystem::path file;  // absolute
  std::string id;
  std::string version;             // of the program
  std::vector<std::string> words;  // of its constants (library.h)
  const ::atlas_plugin* plugin = nullptr;
};

struct Step {
  std::string_view name;
  std::string_view doc;
  // On a role that is loaded and can be described; those without are about the file itself.
  bool loaded;
  std::string (*run)(const Subject& subject, const Notes& notes);
};

std::span<const Step> steps();

// The parts, by file: what a file must be, what a role must take from its peers, and how it must end.
std::string step_file(const Subject& subject, const Notes& notes);
std::string step_symbols(const Subject& subject, const Notes& notes);
std::string step_abi(const Subject& subject, const Notes& notes);
std::string step_describe(const Subject& subject, const Notes& notes);
std::string step_config(const Subject& subject, const Notes& notes);
std::string step_start(const Subject& subject, const Notes& notes);
std::string step_twice(const Subject& subject, const Notes& notes);
std::string step_client(const Subject& subject, const Notes& notes);

std::string step_malformed(const Subject& subject, const Notes& notes);
std::string step_oversized(const Subject& subject, const Notes& notes);
std::string step_flood(const Subject& subject, const Notes& notes);
std::string step_unknown(const Subject& subject, const Notes& notes);
std::string step_vanishing(const Subject& subject, const Notes& notes);
std::string step_slow(const Subject& subject, const Notes& notes);
std::string step_full(const Subject& subject, const Notes& notes);
std::string step_streams(const Subject& subject, const Notes& notes);
std::string step_protocols(const Subject& subject, const Notes& notes);
std::string step_commands(const Subject& subject, const Notes& notes);

std::string step_drain(const Subject& subject, const Notes& notes);
std::string step_stop_timer(const Subject& subject, const Notes& notes);
std::string step_stop_open(const Subject& subject, const Notes& notes);
std::string step_rows(const Subject& subject, const Notes& notes);

}  // namespace atlas::trial
