#include "tidy/includes.h"

#include <sstream>

namespace atlas::tidy {

bool Include::is_standard() const {
  if (!angled || target.find('/') != std::string::npos) return false;
  if (target.find('.') == std::string::npos) return true;
  static const std::set<std::string> kC = {"assert.h", "errno.h",  "inttypes.h", "limits.h", "math.h",  "stdbool.h",
                                           "stddef.h", "stdint.h", "stdio.h",    "stdlib.h", "string.h"};
  return kC.contains(target);
}

std::vector<Include> includes(const SourceFile& file) {
  std::vector<Include> found;
  for (std::size_t i = 0; i < file.code.size(); ++i) {
    const std::size_t hash = file.code[i].find_first_not_of(" \t");
    if (hash == std::string::npos || file.code[i][hash] != '#') continue;
    const std::string& line = file.lines[i];
    const std::size_t word = line.find_first_not_of(" \t", hash + 1);
    if (word == std::string::npos || line.compare(word, 7, "include") != 0) continue;
    const std::size_t open = line.find_first_of("<\"", word);
    if (open == std::string::npos) continue;
    const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
    if (close == std::string::npos) continue;
    found.push_back({i + 1, line.substr(open + 1, close - open - 1), line[open] == '<'});
  }
  return found;
}

FloorTable floor_table() {
  FloorTable table;
  const SourceFile* cmake = find_file("core/CMakeLists.txt");
  if (cmake == nullptr) return table;
  for (const std::string& line : cmake->lines) {
    static const std::string kCall = "atlas_floor(";
    if (!line.starts_with(kCall)) continue;
    std::istringstream words(line.substr(kCall.size(), line.rfind(')') - kCall.size()));
    std::string floor, word;
    words >> floor;
    auto& below = table.floors[floor];
    table.order.push_back(floor);
    while (words >> word) {
      if (word == "atlas-sdk") below.insert("sdk");
      if (!word.starts_with("atlas_")) continue;
      const std::string dependency = word.substr(6);
      below.insert(dependency);
      if (const auto known = table.floors.find(dependency); known != table.floors.end()) {
        below.insert(known->second.begin(), known->second.end());
      }
    }
  }
  return table;
}

}  // namespace atlas::tidy
