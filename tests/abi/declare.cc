// abi_declare layout|probe INCLUDE_DIR: the C source that layout_source() or probe_source() makes of the headers there.
#include <cstdio>
#include <string_view>

#include "abi/declarations.h"

int main(int argc, char** argv) {
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (what != "layout" && what != "probe") {
    std::fputs("abi_declare layout|probe INCLUDE_DIR\n", stderr);
    return 2;
  }
  const atlas::abi::Declarations all = atlas::abi::read_headers(argv[2]);
  if (all.records.empty()) {
    std::fprintf(stderr, "%s has no atlas/plugin.h with structs\n", argv[2]);
    return 1;
  }
  const std::string source = what == "layout" ? layout_source(all) : probe_source(all);
  return std::fputs(source.c_str(), stdout) < 0 ? 1 : 0;
}
