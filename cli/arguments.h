// From the words of a command line to one command with its values. The grammar is made from command tables, so that the
// commands of plugins are parsed like the fixed ones.
// Main thread. Nothing here prints or exits; standard input is read where a command line asks for it.
#pragma once

#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/limits.h"
#include "cli/command.h"

namespace atlas::cli {

struct Globals {
  std::optional<std::string> root;
  bool json = false;
  bool quiet = false;
};

struct Invocation {
  Globals globals;
  std::string path;                                        // of a Command
  std::map<std::string, std::vector<std::string>> values;  // by argument name; flags "true"; absent ones are absent

  // The way a node takes them: one text each, the words of a kRest argument joined by spaces.
  std::map<std::string, std::string> joined() const;
  std::optional<std::string> value(const std::string& name) const;
  std::vector<std::string> list(const std::string& name) const;
};

// The command line ended without a command to run.
struct Ended {
  int exit_code = 0;
  std::string out;  // help or version
  std::string err;  // what is wrong, without "atlas: "
};

// What is read of standard input for a kRest argument of "-" alone; more ends with kUsage.
inline constexpr std::size_t kMaxInputBytes = base::limits::cli_input_bytes;

using Parsed = std::variant<Invocation, Ended>;
// `words` without the program's name. Every text of an Invocation is UTF-8.
Parsed parse_arguments(const std::vector<std::string>& words, const std::vector<Command>& commands,
                       const std::string& version, std::istream& in = std::cin);

// What must be known before the commands of plugins can be asked for: which root, and which verb it looks like.
struct Glance {
  Globals globals;
  std::vector<std::string> verb;  // the first two words that are no options
};
Glance glance(const std::vector<std::string>& words);

}  // namespace atlas::cli
