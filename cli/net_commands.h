// `atlas net …` and `atlas plugin …`: runs the node, or has a command run where it can be.
// Main thread only. Each prints its result on `out` and what is wrong on `err`, and returns an ExitCode.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/exit_codes.h"
#include "cli/render.h"
#include "cli/root.h"
#include "node/process.h"

namespace atlas::cli {

struct Terminal {
  Style style;
  std::ostream& out;
  std::ostream& err;
};

// Runs the daemon until it is told to stop.
int net_listen(const Layout& layout, const Invocation& invocation, const std::string& version, Terminal terminal);

// A command of the core or of a plugin: in the node that is up, else in a short-lived one where the command allows it.
int net_command(const Layout& layout, const Command& command, const Invocation& invocation, const std::string& version,
                Terminal terminal);

int plugin_list(const Layout& layout, const Command& command, const std::string& version, Terminal terminal);

ExitCode exit_code_of(const node::ProcessEnd& end);
// One line, or one a problem.
std::string text_of(const node::ProcessEnd& end);

}  // namespace atlas::cli
