// The pages docs/write-a-plugin/capabilities/*.md, made from the SDK's C headers and from what people wrote beside them
// in docs/write-a-plugin/capabilities/parts/: <name>.txt (what it is for, the C++ names, the limits), <name>.c and
// <name>.cc (an example in each language). Pure functions over texts; any thread.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::pages {

// A member of a table that is a function.
struct HeaderFunction {
  std::string name;
  std::string thread;                // "init", "strand", "any"; "" where the header does not say
  std::string comment;               // one line, without the tag
  std::string declaration;           // as the header has it, without its indentation
  std::set<std::string> parameters;  // names, those of callbacks among them
};

// An enum, a struct or a typedef, as the header has it.
struct HeaderType {
  std::string comment;
  std::string text;
};

struct HeaderTable {
  std::string type;  // "atlas_ext_timers"
  std::string comment;
  std::vector<HeaderFunction> functions;
};

struct Header {
  std::string id;       // "atlas.timers/1"; "" for plugin.h
  std::string title;    // the first sentence of the opening comment
  std::string opening;  // the rest of it, as lines
  std::vector<HeaderType> types;
  std::vector<HeaderTable> tables;
};

// Understands the form that all headers of the SDK have; throws std::runtime_error at anything else.
Header parse_header(const std::string& text);

// What <name>.txt says: paragraphs, then "%% cpp" with rows "C name | C++ way", then "%% limits" with keys of
// limits.def.
struct Part {
  std::string purpose;
  std::vector<std::pair<std::string, std::string>> cpp;
  std::string cpp_note;
  std::vector<std::string> limits;
};
Part parse_part(const std::string& text);

// The part of an example between "/* page */" and "/* end of page */" ("//" in C++); all of it without such lines.
std::string clip(const std::string& example);

struct PageSource {
  std::string name;    // "timers"
  std::string header;  // below the source tree: "sdk/include/atlas/ext/timers.h"
  std::string header_text, part_text, c_text, cpp_text;
};
std::string capability_page(const PageSource& source);
// docs/write-a-plugin/capabilities/README.md
std::string capability_index(const std::vector<PageSource>& sources);

}  // namespace atlas::pages
