// One verb of `atlas` as data: the parser, the help texts, the reference and the dispatch are all made from it. The
// fixed verbs are in command_table.cc; those of plugins come from a running node or from the plugins themselves.
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atlas::cli {

// The first four have the numbers of ATLAS_ARG_*.
enum class ArgumentKind : std::uint32_t { kText = 1, kInteger = 2, kFlag = 3, kRest = 4, kList = 5 };

struct Argument {
  std::string name;  // "target" is an operand, "--count" an option
  ArgumentKind kind = ArgumentKind::kText;
  bool required = false;
  std::string help;
  std::string value_name = {};  // of an option's value; empty: made from the kind

  bool is_option() const { return name.starts_with('-'); }
};

inline constexpr std::uint32_t kWhereDaemon = 1;  // ATLAS_CLI_DAEMON
inline constexpr std::uint32_t kWhereClient = 2;  // ATLAS_CLI_CLIENT
inline constexpr std::uint32_t kWhereHere = 4;    // in the `atlas` process, without any node

struct Command {
  std::string path;  // "net relay status"
  std::string summary;
  std::uint32_t where = kWhereDaemon;
  std::vector<Argument> args = {};
  std::string display = {};     // render.h
  std::string when_empty = {};  // what people read in place of an empty table
  std::string json = {};        // what --json prints, for the reference
  bool rows_are_array = false;  // --json shows rows as one array in place of a document a line
};

// Verbs that this program always has.
const std::vector<Command>& fixed_commands();
// `group` is "id", "net", "net relay"; what it is for.
std::string group_summary(std::string_view group);

const Command* find_command(const std::vector<Command>& commands, std::string_view path);

// The answer to the control request "commands": [{path,summary,display,where,args:[{name,kind,required,help}]}]. Paths
// there are without "net". What is no command is left out; kInternal when it is no such array at all.
base::Result<std::vector<Command>> commands_from_json(std::string_view json);

}  // namespace atlas::cli
