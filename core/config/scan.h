// Where things stand in the text of a TOML file, byte for byte: what toml++ does not keep, and what must be known
// before it may see the file. Any thread; pure functions. No text makes them fail or run long: they are linear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::config {

struct Place {
  std::uint32_t line = 0, column = 0;  // from 1; columns count characters
};
Place place_of(std::string_view text, std::size_t offset);

// The first place where brackets are nested, or a key is dotted, deeper than config.depth. toml++ recurses over both,
// so this goes before it.
std::optional<Place> too_deep(std::string_view text);

struct Statement {
  enum class Kind { kTable, kArrayTable, kValue } kind = Kind::kValue;
  std::vector<std::string> path;               // of a header; of a value as written, without the header it stands under
  std::vector<std::string> table;              // kValue: the header it stands under
  std::size_t begin = 0;                       // of the key, or of the header's bracket
  std::size_t value_begin = 0, value_end = 0;  // kValue
  std::size_t end = 0;                         // behind its last line's end
};

// The statements of a text that is good TOML; of any other, whatever comes out.
std::vector<Statement> scan(std::string_view text);

}  // namespace atlas::config
