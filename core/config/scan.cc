#include "config/scan.h"

#include <algorithm>

#include "base/limits.h"

namespace atlas::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// A position in a text, and how to step over what TOML has in it.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text), at_(text.starts_with(kByteOrderMark) ? 3 : 0) {}

  bool done() const { return at_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  std::size_t at() const { return at_; }
  void step() { ++at_; }

  void skip_blanks() {
    while (!done() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  // To the line's end, not over it.
  void skip_line() { at_ = std::min(text_.find('\n', at_), text_.size()); }
  void skip_line_end() {
    skip_line();
    if (!done()) ++at_;
  }

  // Over a string of any of the four kinds, from its opening quote.
  void skip_string() {
    const char quote = text_[at_];
    const bool multi = text_.substr(at_).starts_with(std::string(3, quote));
    at_ += multi ? 3 : 1;
    while (!done()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ += 2;
      } else if (!multi && (c == quote || c == '\n')) {
        if (c == quote) ++at_;
        return;
      } else if (multi && text_.substr(at_).starts_with(std::string(3, quote))) {
        at_ += 3;
        // Up to two quotes may be the last characters of the text itself.
        while (!done() && text_[at_] == quote) ++at_;
        return;
      } else {
        ++at_;
      }
    }
  }

  // Over one value, from its first byte.
  void skip_value() {
    if (peek() == '"' || peek() == '\'') return skip_string();
    if (peek() == '[' || peek() == '{') return skip_brackets();
    while (!done() && std::string_view("\r\n#,]}").find(text_[at_]) == std::string_view::npos) ++at_;
    while (at_ > 0 && (text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t')) --at_;
  }

  // A dotted key up to the '=' or ']' that ends it.
  std::vector<std::string> key_path() {
    std::vector<std::string> path;
    while (!done() && peek() != '\n') {
      skip_blanks();
      const std::size_t begin = at_;
      if (peek() == '"' || peek() == '\'') {
        skip_string();
        const std::size_t end = std::min(at_, text_.size());
        path.emplace_back(end >= begin + 2 ? text_.substr(begin + 1, end - begin - 2) : "");
      } else {
        while (!done() && std::string_view(" \t\r\n.=]").find(text_[at_]) == std::string_view::npos) ++at_;
        path.emplace_back(text_.substr(begin, at_ - begin));
      }
      skip_blanks();
      if (peek() != '.') break;
      ++at_;
    }
    return path;
  }

 private:
  void skip_brackets() {
    std::size_t depth = 0;
    while (!done()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string();
        continue;
      }
      if (c == '#') {
        skip_line();
        continue;
      }
      ++at_;
      if (c == '[' || c == '{') ++depth;
      if ((c == ']' || c == '}') && --depth == 0) return;
    }
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

Place place_of(std::string_view text, std::size_t offset) {
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(3);
    offset = offset < 3 ? 0 : offset - 3;
  }
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_begin = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  const auto characters = std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_begin), before.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  return {static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1),
          static_cast<std::uint32_t>(characters + 1)};
}

std::optional<Place> too_deep(std::string_view text) {
  Cursor cursor(text);
  std::size_t depth = 0, parts = 1;
  while (!cursor.done()) {
    const char c = cursor.peek();
    if (c == '"' || c == '\'') {
      cursor.skip_string();
      continue;
    }
    if (c == '#') {
      cursor.skip_line();
      continue;
    }
    if (c == '.') {
      ++parts;
    } else if (std::string_view("=,\n[]{}").find(c) != std::string_view::npos) {
      parts = 1;
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > base::limits::config_depth || parts > base::limits::config_depth) return place_of(text, cursor.at());
    cursor.step();
  }
  return std::nullopt;
}

std::vector<Statement> scan(std::string_view text) {
  std::vector<Statement> out;
  std::vector<std::string> table;
  Cursor cursor(text);
  while (!cursor.done()) {
    cursor.skip_blanks();
    const char c = cursor.peek();
    if (c == '#' || c == '\r' || c == '\n' || cursor.done()) {
      cursor.skip_line_end();
      continue;
    }
    Statement statement;
    statement.begin = cursor.at();
    if (c == '[') {
      cursor.step();
      const bool array = cursor.peek() == '[';
      if (array) cursor.step();
      statement.kind = array ? Statement::Kind::kArrayTable : Statement::Kind::kTable;
      statement.path = cursor.key_path();
      table = statement.path;
    } else {
      statement.path = cursor.key_path();
      statement.table = table;
      if (cursor.peek() == '=') cursor.step();
      cursor.skip_blanks();
      statement.value_begin = cursor.at();
      cursor.skip_value();
      statement.value_end = cursor.at();
    }
    cursor.skip_line_end();
    statement.end = std::min(cursor.at(), text.size());
    statement.value_end = std::min(statement.value_end, statement.end);
    out.push_back(std::move(statement));
  }
  return out;
}

}  // namespace atlas::config
