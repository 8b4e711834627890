// The texts of --help, of the reference (docs/reference/cli.md) and of usage errors, all made from the command tables.
// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"

namespace atlas::cli {

// "atlas net ping TARGET [--count N]"
std::string usage_line(const Command& command);
// How an argument is written: "TARGET", "TEXT...", "--count N", "--follow".
std::string spelling(const Argument& argument);

// Options that every verb has.
const std::vector<Argument>& global_options();

std::string command_help(const Command& command);
// `group` is "" for the program itself, else "net", "net relay" …
std::string group_help(std::string_view group, const std::vector<Command>& commands);

// The parts of docs/reference/cli.md that must agree with the program, as Markdown.
std::string reference_of(const Command& command);
std::string reference_of_globals();
std::string reference_of_exit_codes();

}  // namespace atlas::cli
