#include "base/file_trust.h"

#include <fmt/format.h>
#include <unistd.h>

namespace atlas::base {

std::string writable_by_others(const std::filesystem::path& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? writable_by_others(found, path) : std::string();
}

std::string writable_by_others(const struct stat& found, const std::filesystem::path& path) {
  const uid_t self = ::geteuid();
  if (S_ISDIR(found.st_mode) && found.st_uid != self && found.st_uid != 0 && self != 0) {
    return fmt::format("belongs to user {}, not to {}; run atlas as its owner, or choose another root directory",
                       found.st_uid, self);
  }
  if ((found.st_mode & 022) == 0) return {};
  return fmt::format("can be written by others (mode {:04o}); run: chmod go-w {}", found.st_mode & 07777,
                     path.string());
}

}  // namespace atlas::base
