// How one JSON value looks to people: the display specs of commands, the formats, and the width of text on a terminal.
// Pure functions; any thread.
//
// A spec is "key[:format][=Header], ..."; a key may lead into objects with dots ("rtt_ms.avg"). Formats:
//   text   as it is; the default
//   id     a node id, shortened to atlas_1234abcd… where space is short
//   ago    Unix seconds, as "3 min ago"          span   seconds, as "2 h 5 min"
//   ms     milliseconds                           bytes  as "1.5 KiB"
//   list   the elements of an array, with commas
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace atlas::cli {

using Json = nlohmann::ordered_json;

enum class Format { kText, kId, kAgo, kSpan, kMs, kBytes, kList };

struct Column {
  std::string key;
  Format format = Format::kText;
  std::string header;  // as written in the spec, or made from the key
};

std::vector<Column> parse_display(std::string_view spec);
// For a command without a spec: every key of the object as text.
std::vector<Column> columns_of(const Json& object);

// Without those that show nothing in any of the rows; all of them when that would leave none.
std::vector<Column> columns_in_use(const std::vector<Column>& columns, const std::vector<Json>& rows);

struct CellContext {
  std::int64_t now_s = 0;  // Unix seconds, for ago
  bool short_ids = false;
};
// "-" for what is absent, null or empty. Everything that could steer a terminal is escaped.
std::string cell(const Json& object, const Column& column, const CellContext& context);
std::string shown_value(const Json& value, Format format, const CellContext& context);

// base::escaped, and also the characters that turn the direction of text, end lines or cannot be seen.
std::string terminal_safe(std::string_view text);
// Each line by itself, for a text of several (a list of config problems); ends without a line end.
std::string safe_lines(std::string_view text);
// Columns that the text takes on a terminal.
std::size_t display_width(std::string_view utf8);
// Cut to `most` columns with an ellipsis, if it is wider.
std::string cut_to_width(std::string_view utf8, std::size_t most);

}  // namespace atlas::cli
