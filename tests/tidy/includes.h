// The #include lines of a file, and the floors of core/ as its CMakeLists.txt declares them. One thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tidy/source_tree.h"

namespace atlas::tidy {

struct Include {
  std::size_t line;
  std::string target;
  bool angled;  // <target>, not "target"
  // A header of the C or C++ standard library as far as a name can tell: no folder; no suffix but a C header's.
  bool is_standard() const;
};

std::vector<Include> includes(const SourceFile& file);

// floor -> the floors it links, through others as well; "sdk" among them where it may see the SDK.
using Floors = std::map<std::string, std::set<std::string>>;

struct FloorTable {
  Floors floors;
  std::vector<std::string> order;  // as declared, lowest first
};
// Read from core/CMakeLists.txt: `atlas_floor(<name> DEPS atlas_<floor> ... atlas-sdk ...)`.
FloorTable floor_table();

}  // namespace atlas::tidy
