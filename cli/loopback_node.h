// A whole node on loopback in a process of its own, in a directory that goes away with it: what `atlas plugin run`
// tries a role on. The process is a copy of this one (fork), so this one has no other thread.
// Main thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/root.h"

namespace atlas::cli {

// A directory of its own below the system's for temporary files; removed with everything in it.
class TemporaryDirectory {
 public:
  static base::Result<TemporaryDirectory> make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

struct NodeOrder {
  std::string name;                           // of the node and its directory
  std::filesystem::path home;                 // that directory's parent
  std::vector<std::string> roles;             // ids
  std::vector<std::filesystem::path> search;  // where they lie, besides where atlas was installed
  std::string version;                        // of the program
};

class LoopbackNode {
 public:
  // Returns once the node accepts connections; else why it does not.
  static base::Result<LoopbackNode> start(const NodeOrder& order);
  LoopbackNode(LoopbackNode&& other) noexcept;
  LoopbackNode& operator=(LoopbackNode&&) = delete;
  ~LoopbackNode();  // SIGTERM; SIGKILL where that does not end it

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }
  const std::string& node_id() const { return node_id_; }
  const Layout& layout() const { return layout_; }
  // What it has logged since this was asked last.
  std::string new_log();
  // How its process ended, for people; empty while it lives.
  std::string ended();

 private:
  LoopbackNode(std::string name, Layout layout) : name_(std::move(name)), layout_(std::move(layout)) {}
  base::Result<void> wait_until_ready(int from);

  std::string name_, address_, node_id_, end_;
  Layout layout_;
  std::filesystem::path log_;
  std::size_t log_read_ = 0;
  pid_t pid_ = -1;
};

}  // namespace atlas::cli
