// Small files read whole and written so that a crash leaves the old one or the new one. Any thread; blocks on the disk.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atlas::config {

// kGone: there is no such file. kArgument: it is no regular file, or longer than `most`. kConfig: others can write it,
// or its directory. The text does not name the file.
base::Result<std::string> read_file(const std::filesystem::path& file, std::uint64_t most);

// Through a temporary file beside it, fsync and rename; a symbolic link is followed and stays one. A new file gets mode
// 0600, an old one keeps mode and, where that is possible, owner. The text names the file and the cause.
base::Result<void> write_file(const std::filesystem::path& file, std::string_view text);

// Keeps other processes from changing the configuration while this one reads it, decides and writes: an advisory lock
// (flock) on config.lock beside it, mode 0600, which stays there. Held as long as the object lives.
class EditLock {
 public:
  // Waits for whoever holds it, in this process too: a thread that has one must not take a second. The directory must
  // exist. kDenied: the account may not open the lock; kInternal: the disk. The text names the lock's file.
  static base::Result<EditLock> take(const std::filesystem::path& file);
  EditLock(EditLock&& other) noexcept;
  EditLock& operator=(EditLock&&) = delete;
  ~EditLock();

 private:
  explicit EditLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace atlas::config
