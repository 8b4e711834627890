#include "cli/display.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

namespace atlas::cli {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kNothing = "-";
constexpr std::string_view kNodeIdPrefix = "atlas_";
constexpr std::size_t kShortIdDigits = 8;

using Range = std::pair<char32_t, char32_t>;
constexpr std::array kSteering = {Range{0xad, 0xad},      Range{0x61c, 0x61c},   Range{0x180e, 0x180e},
                                  Range{0x200b, 0x200f},  Range{0x2028, 0x202e}, Range{0x2060, 0x2064},
                                  Range{0x2066, 0x206f},  Range{0x3164, 0x3164}, Range{0xfeff, 0xfeff},
                                  Range{0xe0000, 0xe007f}};
constexpr std::array kZeroWidth = {Range{0x300, 0x36f},   Range{0x483, 0x489},   Range{0x591, 0x5bd},
                                   Range{0x610, 0x61a},   Range{0x64b, 0x65f},   Range{0x200b, 0x200d},
                                   Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f}, Range{0xfe20, 0xfe2f}};
constexpr std::array kDoubleWidth = {Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0x33ff},
                                     Range{0x3400, 0x4dbf},   Range{0x4e00, 0x9fff},   Range{0xa000, 0xa4cf},
                                     Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe30, 0xfe6f},
                                     Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},   Range{0x1f300, 0x1f64f},
                                     Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff}, Range{0x20000, 0x3fffd}};

template <std::size_t N>
bool within(char32_t c, const std::array<Range, N>& ranges) {
  return std::any_of(ranges.begin(), ranges.end(), [c](const Range& r) { return c >= r.first && c <= r.second; });
}

// `length` is what base::utf8_length says of it.
char32_t code_point(std::string_view text, std::size_t length) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length <= 1) return byte(0);
  char32_t value = byte(0) & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (byte(i) & 0x3fu);
  return value;
}

// Control characters are base::escaped's; these turn the direction of text, end lines or cannot be seen.
bool steers(char32_t c) {
  return within(c, kSteering);
}

std::size_t width_of(char32_t c) {
  return within(c, kZeroWidth) ? 0 : within(c, kDoubleWidth) ? 2 : 1;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

std::string header_of(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  std::replace(key.begin(), key.end(), '.', ' ');
  return key;
}

Format format_of(std::string_view name) {
  constexpr std::pair<std::string_view, Format> kFormats[] = {{"id", Format::kId},       {"ago", Format::kAgo},
                                                              {"span", Format::kSpan},   {"ms", Format::kMs},
                                                              {"bytes", Format::kBytes}, {"list", Format::kList}};
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  return Format::kText;
}

// Two units at most: "45 s", "3 min", "2 h 5 min", "4 d 3 h".
std::string span_text(std::uint64_t seconds) {
  constexpr std::uint64_t kMinute = 60, kHour = 3600, kDay = 86400;
  if (seconds < kMinute) return fmt::format("{} s", seconds);
  if (seconds < kHour) return fmt::format("{} min", seconds / kMinute);
  const bool days = seconds >= kDay;
  const std::uint64_t large = days ? seconds / kDay : seconds / kHour;
  const std::uint64_t small = days ? seconds % kDay / kHour : seconds % kHour / kMinute;
  std::string out = fmt::format("{} {}", large, days ? "d" : "h");
  if (small > 0) out += fmt::format(" {} {}", small, days ? "h" : "min");
  return out;
}

std::string ago_text(std::int64_t then_s, std::int64_t now_s) {
  if (then_s == 0) return std::string(kNothing);
  const std::uint64_t distance = base::distance(now_s, then_s);
  if (distance == 0) return "now";
  return then_s > now_s ? "in " + span_text(distance) : span_text(distance) + " ago";
}

std::string bytes_text(double bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (std::abs(bytes) >= 1024 && unit + 1 < std::size(kUnits)) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string ms_text(double ms) {
  return fmt::format("{:.{}f} ms", ms, ms < 10 ? 2 : ms < 100 ? 1 : 0);
}

std::string list_text(const Json& array, const CellContext& context) {
  std::string out;
  for (const Json& element : array) {
    if (!out.empty()) out += ", ";
    // A thing with an id is called by it, and one that does not fare well says so.
    if (element.is_object() && element.contains("id")) {
      out += shown_value(element["id"], Format::kText, context);
      const auto state = element.find("state");
      if (state != element.end() && element.contains("reason") && element["reason"] != "") {
        out += " (" + shown_value(*state, Format::kText, context) + ": " +
               shown_value(element["reason"], Format::kText, context) + ")";
      }
      continue;
    }
    // The way to somebody.
    if (element.is_object() && element.contains("node_id") && element.contains("path")) {
      out += shown_value(element["node_id"], Format::kId, context) + ' ' +
             shown_value(element["path"], Format::kText, context);
      continue;
    }
    out += shown_value(element, Format::kText, context);
  }
  return out.empty() ? std::string(kNothing) : out;
}

std::string id_text(const std::string& id, const CellContext& context) {
  const std::size_t shown = kNodeIdPrefix.size() + kShortIdDigits;
  if (!context.short_ids || !id.starts_with(kNodeIdPrefix) || id.size() <= shown) return terminal_safe(id);
  return terminal_safe(id.substr(0, shown)) + std::string(kEllipsis);
}

std::string number_text(const Json& value, Format format, const CellContext& context) {
  const double number = value.get<double>();
  switch (format) {
    case Format::kAgo:
      return value.is_number_integer() ? ago_text(value.get<std::int64_t>(), context.now_s) : value.dump();
    case Format::kSpan:
      return number >= 0 && number < 1e15 ? span_text(static_cast<std::uint64_t>(number)) : value.dump();
    case Format::kMs:
      return ms_text(number);
    case Format::kBytes:
      return bytes_text(number);
    case Format::kText:
    case Format::kId:
    case Format::kList:
      break;
  }
  return value.dump();
}

const Json* at_path(const Json& object, std::string_view path) {
  if (object.is_object()) {
    if (const auto whole = object.find(std::string(path)); whole != object.end()) return &*whole;
    const std::size_t dot = path.find('.');
    if (dot != std::string_view::npos) {
      const auto outer = object.find(std::string(path.substr(0, dot)));
      if (outer != object.end()) return at_path(*outer, path.substr(dot + 1));
    }
  }
  return nullptr;
}

}  // namespace

std::vector<Column> parse_display(std::string_view spec) {
  std::vector<Column> columns;
  while (!spec.empty()) {
    const std::size_t comma = spec.find(',');
    std::string_view part = spec.substr(0, comma);
    spec = comma == std::string_view::npos ? std::string_view() : spec.substr(comma + 1);
    Column column;
    if (const std::size_t equals = part.find('='); equals != std::string_view::npos) {
      column.header = trimmed(part.substr(equals + 1));
      part = part.substr(0, equals);
    }
    if (const std::size_t colon = part.find(':'); colon != std::string_view::npos) {
      column.format = format_of(trimmed(part.substr(colon + 1)));
      part = part.substr(0, colon);
    }
    column.key = trimmed(part);
    if (column.key.empty()) continue;
    if (column.header.empty()) column.header = header_of(column.key);
    columns.push_back(std::move(column));
  }
  return columns;
}

std::vector<Column> columns_of(const Json& object) {
  std::vector<Column> columns;
  if (!object.is_object()) return columns;
  for (const auto& [key, value] : object.items())
    columns.push_back({key, Format::kText, terminal_safe(header_of(key))});
  return columns;
}

std::vector<Column> columns_in_use(const std::vector<Column>& columns, const std::vector<Json>& rows) {
  std::vector<Column> out;
  for (const Column& column : columns) {
    const bool used = std::any_of(rows.begin(), rows.end(), [&](const Json& row) {
      return !row.is_object() || cell(row, column, {}) != kNothing;
    });
    if (used) out.push_back(column);
  }
  return out.empty() ? columns : out;
}

std::string cell(const Json& object, const Column& column, const CellContext& context) {
  const Json* value = at_path(object, column.key);
  return value == nullptr ? std::string(kNothing) : shown_value(*value, column.format, context);
}

std::string shown_value(const Json& value, Format format, const CellContext& context) {
  switch (value.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return std::string(kNothing);
    case Json::value_t::boolean:
      return value.get<bool>() ? "yes" : "no";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float:
      return number_text(value, format, context);
    case Json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      if (text.empty()) return std::string(kNothing);
      return format == Format::kId ? id_text(text, context) : terminal_safe(text);
    }
    case Json::value_t::array:
      return list_text(value, context);
    case Json::value_t::object:
    case Json::value_t::binary:
      break;
  }
  return terminal_safe(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

std::string terminal_safe(std::string_view text) {
  const std::string escaped = base::escaped(text);
  std::string out;
  for (std::size_t i = 0; i < escaped.size();) {
    const std::size_t length = std::max<std::size_t>(1, base::utf8_length(std::string_view(escaped).substr(i)));
    const std::string_view one = std::string_view(escaped).substr(i, length);
    const char32_t c = code_point(one, length);
    if (steers(c)) {
      const auto value = static_cast<std::uint32_t>(c);
      out += value > 0xffff ? fmt::format("\\U{:08x}", value) : fmt::format("\\u{:04x}", value);
    } else {
      out += one;
    }
    i += length;
  }
  return out;
}

std::string safe_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (!out.empty()) out += '\n';
    out += terminal_safe(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = std::max<std::size_t>(1, base::utf8_length(text.substr(i)));
    width += width_of(code_point(text.substr(i), length));
    i += length;
  }
  return width;
}

std::string cut_to_width(std::string_view text, std::size_t most) {
  if (most == 0 || display_width(text) <= most) return std::string(text);
  std::size_t width = 0, i = 0;
  while (i < text.size()) {
    const std::size_t length = std::max<std::size_t>(1, base::utf8_length(text.substr(i)));
    const std::size_t grows = width_of(code_point(text.substr(i), length));
    if (width + grows > most - 1) break;
    width += grows;
    i += length;
  }
  return std::string(text.substr(0, i)) + std::string(kEllipsis);
}

}  // namespace atlas::cli
