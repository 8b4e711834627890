#include "cli/root.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace atlas::cli {
namespace {

// The home of the account, for a service that starts without HOME.
std::string account_home() {
  const long wanted = ::sysconf(_SC_GETPW_R_SIZE_MAX);
  std::vector<char> buffer(wanted > 0 ? static_cast<std::size_t>(wanted) : 16'384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || !found) return {};
  return found->pw_dir ? found->pw_dir : "";
}

base::Result<std::filesystem::path> root_path(const std::optional<std::string>& root_option,
                                              const Environment& environment) {
  if (root_option) {
    if (root_option->empty()) return base::fail(base::Fault::kArgument, "--root is empty; name a directory");
    return *root_option;
  }
  if (const auto variable = environment("ATLAS_ROOT")) {
    if (variable->empty()) {
      return base::fail(base::Fault::kArgument, "ATLAS_ROOT is set and empty; name a directory, or unset it");
    }
    return *variable;
  }
  std::string home = environment("HOME").value_or("");
  if (home.empty()) home = account_home();
  if (home.empty()) {
    return base::fail(base::Fault::kArgument, "there is no home directory; name a directory with --root or ATLAS_ROOT");
  }
  return std::filesystem::path(home) / ".atlas";
}

base::Result<void> make_directory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return {};
  const int error = errno;
  std::error_code ignored;
  if (error == EEXIST && std::filesystem::is_directory(directory, ignored)) return {};
  const auto fault = error == EACCES || error == EPERM ? base::Fault::kDenied : base::Fault::kInternal;
  const std::string cause = error == EEXIST ? "something else has that name" : std::strerror(error);
  return base::fail(fault, directory.string() + ": cannot be created: " + cause +
                               "; choose another directory with --root, or run as the node's own user");
}

}  // namespace

Layout layout_of(const std::filesystem::path& root) {
  Layout out;
  out.root = std::filesystem::absolute(root).lexically_normal();
  out.keys = out.root / "keys";
  out.key = out.keys / "node-key.pem";
  out.state = out.root / "state";
  out.config = out.state / "config.toml";
  out.peers = out.state / "peers.db";
  out.run = out.root / "run";
  out.socket = out.run / "control.sock";
  out.lock = out.run / "node.lock";
  return out;
}

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

base::Result<Layout> find_layout(const std::optional<std::string>& root_option, const Environment& environment) {
  const auto root = root_path(root_option, environment);
  if (!root) return std::unexpected(root.error());
  return layout_of(*root);
}

base::Result<void> create_directories(const Layout& layout) {
  std::error_code error;
  // What lies above the root is the machine's, with the machine's modes.
  std::filesystem::create_directories(layout.root.parent_path(), error);
  for (const auto& directory : {layout.root, layout.keys, layout.state, layout.run}) {
    if (auto made = make_directory(directory); !made) return made;
  }
  return {};
}

}  // namespace atlas::cli
