// `atlas plugin …` for those who write roles: a new project, what a role claims, what it stands, and seeing it run.
// Main thread only. Each prints its result on `terminal.out` and what is wrong on `terminal.err`, and returns an
// ExitCode.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/net_commands.h"
#include "cli/root.h"

namespace atlas::cli {

// Writes a project for a role, from the templates that came with this program. kUsage: a name that is no id, a language
// that there is no template for. kBusy: the directory is there and not empty.
int plugin_new(const Command& command, const Invocation& invocation, Terminal terminal);

// What one role claims: an id as [plugins] enabled has it, or the path of a file.
int plugin_info(const Layout& layout, const Command& command, const Invocation& invocation, const std::string& version,
                Terminal terminal);

// The rules of the ABI and a scripted run of abuse, each step in a child process. kOk when the role stood all of it,
// kFailure when not, kNotFound when there is no such file.
int plugin_check(const Command& command, const Invocation& invocation, const std::string& version, Terminal terminal);

// Two nodes with the role on loopback, in directories that go away afterwards, and a prompt. Commands come from
// standard input: a person's, or a script's.
int plugin_run(const Invocation& invocation, const std::string& version, Terminal terminal);

// Directories of templates, best first: those that exist beside and above the executable.
std::vector<std::filesystem::path> template_directories();

// A file of a role: the absolute path, and the id that its name says. kArgument: it is not called <id>.so. kGone: there
// is none.
struct RoleFile {
  std::filesystem::path path, directory;
  std::string id;
};
base::Result<RoleFile> find_role_file(const std::string& text);
// Where the node of this root would load a role from; empty when it is nowhere.
std::string file_of_role(const Layout& layout, const std::string& id);

}  // namespace atlas::cli
