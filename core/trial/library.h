// What a shared object says of itself without being loaded: the names that it exports and wants, and the words in its
// constant data. 64-bit ELF. Any thread; the file is read once and every offset in it is checked.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace atlas::trial {

struct Library {
  std::vector<std::string> exported;  // defined and visible, sorted
  std::vector<std::string> wanted;    // undefined, sorted
  std::vector<std::string> words;     // identifiers among its constants, at most 200, in their order
};

base::Result<Library> read_library(const std::filesystem::path& file);

// What is wrong with its names: it exports atlas_plugin_v1 and nothing else, and wants nothing of atlas. Empty when
// nothing is.
std::string wrong_symbols(const Library& library);

}  // namespace atlas::trial
