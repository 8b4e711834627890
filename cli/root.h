// The directory that one node lives in, and where its files are below it.
// Plain values; the functions read the environment and the file system, so they belong to the main thread.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace atlas::cli {

struct Layout {
  std::filesystem::path root;    // absolute
  std::filesystem::path keys;    // keys/, 0700
  std::filesystem::path key;     // keys/node-key.pem, 0600
  std::filesystem::path state;   // state/, 0700
  std::filesystem::path config;  // state/config.toml
  std::filesystem::path peers;   // state/peers.db
  std::filesystem::path run;     // run/, 0700: gone after a reboot does no harm
  std::filesystem::path socket;  // run/control.sock
  std::filesystem::path lock;    // run/node.lock
};

Layout layout_of(const std::filesystem::path& root);

// A variable of the environment, nothing when it is not set. Tests pass their own.
using Environment = std::function<std::optional<std::string>(const char* name)>;
std::optional<std::string> process_environment(const char* name);

// --root, else ATLAS_ROOT, else ~/.atlas (HOME, else the home of the account). A relative path is taken from the
// current directory. An empty --root or ATLAS_ROOT is kArgument.
base::Result<Layout> find_layout(const std::optional<std::string>& root_option,
                                 const Environment& environment = process_environment);

// Creates the root and its three directories, 0700 each; those that exist keep their mode. The text of an error names
// the directory and what to do.
base::Result<void> create_directories(const Layout& layout);

}  // namespace atlas::cli
