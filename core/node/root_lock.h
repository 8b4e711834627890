// Keeps a second node out of a root directory: an advisory lock on run/node.lock that the kernel drops when its holder
// dies, with the holder's pid in the file for people. Main thread only.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/result.h"

namespace atlas::node {

class RootLock {
 public:
  // kConflict names the pid of the holder. Creates the directory (0700) and the file (0600).
  static base::Result<RootLock> take(const std::filesystem::path& file);
  // The pid in the file while somebody holds the lock.
  static std::optional<pid_t> holder(const std::filesystem::path& file);

  RootLock(RootLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  RootLock& operator=(RootLock&&) = delete;
  ~RootLock();

 private:
  explicit RootLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace atlas::node
