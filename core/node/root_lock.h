// Keeps a second node out of a root directory: an advisory lock on run/node.lock that the kernel drops when its holder
// dies, with the holder's pid and what it is in the file: "1234 daemon" or "1234 command". Main thread only.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace atlas::node {

enum class LockUse { kDaemon, kCommand };

struct LockHolder {
  std::optional<pid_t> pid;
  std::optional<LockUse> use;  // nothing: it took the lock a moment ago and has not said so yet
  // "a command (pid 7)"; "the node (pid 7)"
  std::string in_words() const;
};

class RootLock {
 public:
  // Creates the directory and the file (0600); the directory becomes 0700 whoever made it, and is refused when it is
  // another user's or others can write in it. kConflict: somebody holds the lock; the text says who, as `holder` does.
  static base::Result<RootLock> take(const std::filesystem::path& file, LockUse use, LockHolder* holder = nullptr);
  // What is in the file while somebody holds the lock.
  static std::optional<LockHolder> holder(const std::filesystem::path& file);

  RootLock(RootLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  RootLock& operator=(RootLock&&) = delete;
  ~RootLock();

 private:
  explicit RootLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

struct LockWait {
  const base::Clock& clock;
  std::function<void(base::MonoNs span)> pause;
  std::function<void(std::string_view text)> note;  // once, before the first pause; may be empty
};

inline constexpr base::MonoNs kLockPatience = 10 * base::kSecond;
inline constexpr base::MonoNs kLockRetry = 50 * base::kMillisecond;

// take() that waits up to kLockPatience for a holder that will let go: a command, or, as a command, also a node that
// starts or stops, for one that runs would have answered on its socket. A daemon does not wait for a daemon.
base::Result<RootLock> take_patiently(const std::filesystem::path& file, LockUse use, const LockWait& wait);

}  // namespace atlas::node
