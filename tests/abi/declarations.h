// What the C headers of the SDK declare, read from their text, and whether a later header keeps what an earlier one
// promised. Pure; any thread.
//
// Understands the C that the headers are written in: structs without nested types, enums whose constants all have a
// value, typedefs and macros. Whatever else a header says at file scope is kept as a "declaration" word for word.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::abi {

struct Field {
  std::string name;
  std::string text;  // the declaration, with single spaces: "atlas_status (*put)(void *ctx, atlas_bytes chunk)"
};

struct Record {
  std::string name;
  std::vector<Field> fields;
  bool grows() const { return !fields.empty() && fields.front().name == "struct_size"; }
};

struct Declarations {
  std::vector<Record> records;
  std::map<std::string, std::string> constants;  // of enums
  std::map<std::string, std::string> macros;     // without include guards
  std::map<std::string, std::string> types;      // typedefs of anything but a struct
  std::map<std::string, std::string> others;
  const Record* find(std::string_view name) const;
  void add(const Declarations& more);
};

Declarations read_header(std::string text);
// atlas/plugin.h and atlas/ext/*.h below that directory.
Declarations read_headers(const std::filesystem::path& include);

// Why `now` is no successor of `released`, one sentence each; empty when it is one: all names are there, with the same
// values and declarations, and each struct begins with the released one.
std::vector<std::string> broken_promises(const Declarations& released, const Declarations& now);
// What `now` has and `released` has not.
std::vector<std::string> additions(const Declarations& released, const Declarations& now);
// The same for two lists of sizes and offsets, as layout_source() prints them.
std::vector<std::string> broken_layout(std::string_view released, std::string_view now);

// A C program that prints the size of every struct and the place of every field.
std::string layout_source(const Declarations& all);
// A C file with one exported object of every struct, for tools that compare what a library exports.
std::string probe_source(const Declarations& all);

}  // namespace atlas::abi
