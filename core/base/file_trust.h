// Whether a file or directory that the node relies on is its user's alone to change: what others can write, they can
// put another in place of. Any thread; asks the file system.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>

namespace atlas::base {

// A clause that says who else may change `path`, and what to do about it: "can be written by others (mode 0777); run:
// chmod go-w /path". Empty when only its owner may, or when there is nothing. A directory must also belong to this user
// or to root, unless root asks. A link is followed.
std::string writable_by_others(const std::filesystem::path& path);
// The same of a file that is open already, which nobody can swap meanwhile. `path` is for the text only.
std::string writable_by_others(const struct stat& found, const std::filesystem::path& path);

}  // namespace atlas::base
