// Where a command of the network runs: in the node that is up, or in one that lives as long as the command.
// Main thread; run() blocks until the command has ended.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/root.h"
#include "config/config.h"
#include "control/client.h"

namespace atlas::cli {

class CommandRunner {
 public:
  virtual ~CommandRunner() = default;
  // kUnreachable: the node that was to run it is not there. The rest of its errors end the command.
  virtual base::Result<control::Finished> run(const control::Request& request, const control::Answers& answers) = 0;
};

// Asks the node on `socket`.
std::unique_ptr<CommandRunner> make_socket_runner(std::filesystem::path socket);
// Starts a node in this process that only dials. `config` has been checked; `note` as in node::ProcessSetup.
std::unique_ptr<CommandRunner> make_client_runner(const Layout& layout, config::Config config, std::string version,
                                                  std::function<void(std::string_view)> note);

// Directories of the plugins that came with this program, best first: those that exist beside and below the executable.
std::vector<std::filesystem::path> plugin_directories();

}  // namespace atlas::cli
