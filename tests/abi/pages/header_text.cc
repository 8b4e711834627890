// Reads a C header of the SDK: its comments, its types and its tables of functions.
#include <algorithm>
#include <cctype>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "abi/pages/capability_pages.h"

namespace atlas::pages {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

// What a comment says, its lines joined; "" for a rule such as "--- forwarding ---".
std::string comment_text(const std::string& raw) {
  std::string out;
  for (std::string line : lines_of(raw)) {
    std::string text = trimmed(line);
    if (text.starts_with("/*")) text = trimmed(text.substr(2));
    if (text.starts_with("*") && !text.starts_with("*/")) text = trimmed(text.substr(1));
    if (text.ends_with("*/")) text = trimmed(text.substr(0, text.size() - 2));
    if (!text.empty()) out += (out.empty() ? "" : " ") + text;
  }
  return out.starts_with("---") ? "" : out;
}

int depth_change(const std::string& line) {
  int depth = 0;
  bool comment = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!comment && line.compare(i, 2, "/*") == 0) comment = true;
    if (comment && line.compare(i, 2, "*/") == 0) comment = false;
    if (comment) continue;
    depth += line[i] == '{' || line[i] == '(';
    depth -= line[i] == '}' || line[i] == ')';
  }
  return depth;
}

std::string without_comments(const std::string& text) {
  static const std::regex comment(R"(/\*[^]*?\*/)");
  return std::regex_replace(text, comment, "");
}

// A comment that begins on this line and nothing else does; moves `at` behind it.
std::string take_comment(const std::vector<std::string>& lines, std::size_t& at) {
  std::string raw;
  for (;; ++at) {
    if (at == lines.size()) throw std::runtime_error("a comment that does not end");
    raw += lines[at] + '\n';
    if (lines[at].find("*/") != std::string::npos) break;
  }
  ++at;
  return raw;
}

// A declaration, to the line on which it is complete; moves `at` behind it.
std::string take_declaration(const std::vector<std::string>& lines, std::size_t& at) {
  std::string raw;
  int depth = 0;
  bool comment = false;
  for (;; ++at) {
    if (at == lines.size()) throw std::runtime_error("a declaration that does not end: " + raw);
    const std::string& line = lines[at];
    raw += (raw.empty() ? "" : "\n") + line;
    depth += comment ? 0 : depth_change(line);
    const std::size_t open = line.rfind("/*"), close = line.rfind("*/");
    if (open != std::string::npos && (close == std::string::npos || close < open)) comment = true;
    if (close != std::string::npos && (open == std::string::npos || open < close)) comment = false;
    const std::string code = trimmed(without_comments(raw));
    if (depth == 0 && !comment && code.ends_with(";")) break;
  }
  ++at;
  return raw;
}

std::string without_indentation(const std::string& text) {
  std::size_t least = std::string::npos;
  for (const std::string& line : lines_of(text)) {
    if (!trimmed(line).empty()) least = std::min(least, line.find_first_not_of(' '));
  }
  std::string out;
  for (const std::string& line : lines_of(text)) out += (line.size() > least ? line.substr(least) : "") + '\n';
  return out;
}

// "[any] Runs ..." -> "any", "Runs ...". A tag at the end of a comment counts as well: "... called. [the strand]".
std::string take_tag(std::string& comment) {
  static const std::regex front(R"(^\[(init|strand|any)\]\s*)"), back(R"(\s*\[the strand\]\s*$)");
  std::smatch match;
  std::string tag;
  if (std::regex_search(comment, match, front)) {
    tag = match[1];
    comment = comment.substr(static_cast<std::size_t>(match.length(0)));
  } else if (std::regex_search(comment, match, back)) {
    tag = "strand";
    comment = comment.substr(0, static_cast<std::size_t>(match.position(0)));
  }
  return tag;
}

void add_function(HeaderTable& table, const std::string& declaration, std::string comment) {
  static const std::regex name(R"(\(\*(\w+)\)\()");
  const std::string code = without_comments(declaration);
  std::smatch match;
  if (!std::regex_search(code, match, name)) return;  // a field
  const std::size_t behind = declaration.find("/*", declaration.find(';'));
  if (comment.empty() && behind != std::string::npos) comment = comment_text(declaration.substr(behind));
  HeaderFunction function;
  function.name = match[1];
  function.thread = take_tag(comment);
  function.comment = comment;
  // What stands for several functions in a row is said above the first of them.
  if (!table.functions.empty()) {
    const HeaderFunction& above = table.functions.back();
    if (function.thread.empty()) function.thread = above.thread;
    if (function.comment.empty()) function.comment = "As `" + above.name + "`.";
  }
  function.declaration = without_indentation(declaration);
  static const std::regex parameter(R"((\w+)(?=[,)])|\(\*(\w+)\)\()");
  const std::string inside = code.substr(code.find(")("));
  for (std::sregex_iterator it(inside.begin(), inside.end(), parameter), end; it != end; ++it) {
    function.parameters.insert((*it)[1].str() + (*it)[2].str());
  }
  table.functions.push_back(std::move(function));
}

HeaderTable parse_table(const std::string& text, const std::string& type, const std::string& comment) {
  HeaderTable table{type, comment, {}};
  std::vector<std::string> lines = lines_of(text);
  if (const std::size_t open = lines[0].find("/*"); open != std::string::npos) {
    table.comment = comment_text(lines[0].substr(open));
  }
  std::string above;
  for (std::size_t at = 1; at + 1 < lines.size();) {
    const std::string line = trimmed(lines[at]);
    if (line.empty()) {
      ++at;
    } else if (line.starts_with("/*")) {
      above = comment_text(take_comment(lines, at));
    } else {
      add_function(table, take_declaration(lines, at), above);
      above.clear();
    }
  }
  return table;
}

bool is_table(const std::string& declaration, std::string& type) {
  static const std::regex head(R"(^(?:typedef )?struct (atlas_ext_\w+|atlas_host|atlas_plugin) \{)");
  std::smatch match;
  if (!std::regex_search(declaration, match, head)) return false;
  type = match[1];
  return true;
}

void take_opening(Header& header, const std::string& raw) {
  const std::vector<std::string> lines = lines_of(raw);
  std::string first;
  std::size_t at = 0;
  // "/* atlas.timers/1 - one sentence" may go on until an empty line.
  for (; at < lines.size(); ++at) {
    std::string text = comment_text(lines[at]);
    if (text.empty()) break;
    first += (first.empty() ? "" : " ") + text;
  }
  const std::size_t dash = first.find(" - ");
  if (dash == std::string::npos) throw std::runtime_error("the opening comment names no capability: " + first);
  if (first.starts_with("atlas.")) header.id = first.substr(0, dash);
  header.title = first.substr(dash + 3);
  for (; at < lines.size(); ++at) {
    std::string line = lines[at];
    if (line.ends_with("*/")) line = line.substr(0, line.size() - 2);
    if (line.starts_with(" *")) line = line.substr(2);
    if (line.starts_with(" ")) line = line.substr(1);
    while (line.ends_with(' ')) line.pop_back();
    header.opening += line + '\n';
  }
  header.opening = header.opening.substr(std::min(header.opening.size(), header.opening.find_first_not_of('\n')));
  while (header.opening.ends_with('\n')) header.opening.pop_back();
}

}  // namespace

Header parse_header(const std::string& text) {
  Header header;
  const std::vector<std::string> lines = lines_of(text);
  std::size_t at = 0;
  take_opening(header, take_comment(lines, at));
  std::string above;
  while (at < lines.size()) {
    const std::string line = trimmed(lines[at]);
    if (line.empty() || line.starts_with("#") || line == "}" || line.starts_with("extern \"C\"") ||
        line.starts_with("ATLAS_EXPORT")) {
      if (line.empty()) above.clear();
      ++at;
    } else if (line.starts_with("/*")) {
      above = comment_text(take_comment(lines, at));
    } else {
      const std::string declaration = take_declaration(lines, at);
      std::string type;
      if (is_table(declaration, type)) header.tables.push_back(parse_table(declaration, type, above));
      if (type.empty() || header.id.empty()) header.types.push_back({above, declaration + '\n'});
      above.clear();
    }
  }
  if (header.tables.empty()) throw std::runtime_error("a header without a table");
  return header;
}

}  // namespace atlas::pages
