#include "cli/command_runner.h"

#include <system_error>
#include <utility>

#include "cli/exit_codes.h"
#include "cli/net_commands.h"
#include "node/process.h"

namespace atlas::cli {
namespace {

class SocketRunner final : public CommandRunner {
 public:
  explicit SocketRunner(std::filesystem::path socket) : socket_(std::move(socket)) {}
  base::Result<control::Finished> run(const control::Request& request, const control::Answers& answers) override {
    return control::call(socket_, request, answers);
  }

 private:
  const std::filesystem::path socket_;
};

class ClientRunner final : public CommandRunner {
 public:
  ClientRunner(const Layout& layout, config::Config config, std::string version,
               std::function<void(std::string_view)> note)
      : setup_{node::Paths::below(layout.root), std::move(config), std::move(version), plugin_directories(),
               std::move(note)} {}

  base::Result<control::Finished> run(const control::Request& request, const control::Answers& answers) override {
    control::Finished finished;
    const node::ProcessEnd end = node::run_command(setup_, request, answers, finished);
    if (end.why == node::ProcessEnd::Why::kStopped) return finished;
    return control::Finished{exit_code_of(end), text_of(end)};
  }

 private:
  const node::ProcessSetup setup_;
};

}  // namespace

std::unique_ptr<CommandRunner> make_socket_runner(std::filesystem::path socket) {
  return std::make_unique<SocketRunner>(std::move(socket));
}

std::unique_ptr<CommandRunner> make_client_runner(const Layout& layout, config::Config config, std::string version,
                                                  std::function<void(std::string_view)> note) {
  return std::make_unique<ClientRunner>(layout, std::move(config), std::move(version), std::move(note));
}

std::vector<std::filesystem::path> plugin_directories() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  std::vector<std::filesystem::path> found;
  for (const char* place : {"plugins", "../lib/atlas/plugins"}) {
    auto directory = (program.parent_path() / place).lexically_normal();
    if (std::filesystem::is_directory(directory, error)) found.push_back(std::move(directory));
  }
  return found;
}

}  // namespace atlas::cli
