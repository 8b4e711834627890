#include "abi/pages/capability_pages.h"

#include <algorithm>
#include <iterator>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "base/limits.h"

namespace atlas::pages {
namespace {

constexpr std::string_view kParts = "docs/write-a-plugin/capabilities/parts/";
constexpr std::string_view kStatuses[] = {"ARG",    "STATE",  "CONFLICT", "GONE",     "TIMEOUT",    "FULL",
                                          "DENIED", "CONFIG", "STOPPING", "INTERNAL", "UNREACHABLE"};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

bool is_status(std::string_view word) {
  return std::ranges::find(kStatuses, word) != std::end(kStatuses);
}

// One word of a comment as Markdown: names of code in backticks, whatever stands around them outside.
std::string marked(const std::string& word) {
  const std::size_t first = word.find_first_not_of("(");
  if (first == std::string::npos) return word;
  std::size_t last = word.find_last_not_of(".,;:");
  // A closing bracket belongs to the name only in "open()" and the like.
  if (word[last] == ')' && (last == 0 || word[last - 1] != '(') && word.find('(', first) == std::string::npos) --last;
  const std::string core = word.substr(first, last - first + 1);
  const bool code = core.find_first_of("_<*&") != std::string::npos || core.find("()") != std::string::npos ||
                    is_status(core) || core.starts_with("[plugins");
  return code ? word.substr(0, first) + '`' + core + '`' + word.substr(last + 1) : word;
}

// Text of a comment as Markdown.
std::string prose(const std::string& comment) {
  static const std::regex quoted(R"re("([^"]+)"|`([^`]+)`)re");
  std::string out;
  std::size_t from = 0;
  const auto plain = [&](const std::string& text) {
    if (text.starts_with(' ')) out += ' ';
    std::string joined;
    for (const std::string& word : words_of(text)) joined += (joined.empty() ? "" : " ") + marked(word);
    out += joined;
    if (!joined.empty() && text.ends_with(' ')) out += ' ';
  };
  for (std::sregex_iterator it(comment.begin(), comment.end(), quoted), end; it != end; ++it) {
    plain(comment.substr(from, static_cast<std::size_t>(it->position()) - from));
    out += '`' + (*it)[1].str() + (*it)[2].str() + '`';
    from = static_cast<std::size_t>(it->position() + it->length());
  }
  plain(comment.substr(from));
  return out;
}

// "one of" -> "One of.", as a sentence ends.
std::string sentence(std::string text) {
  if (text.empty()) return text;
  // A name of code at the beginning stays as it is.
  const std::size_t end = text.find_first_of(" ,.;:");
  if (text.substr(0, end).find_first_of("_.(`") == std::string::npos) {
    text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  }
  return text.ends_with('.') || text.ends_with(':') ? text : text + '.';
}

std::string wrapped(const std::string& text, const std::string& indentation = "") {
  std::string out, line;
  for (const std::string& word : words_of(text)) {
    if (!line.empty() && indentation.size() + line.size() + 1 + word.size() > 120) {
      out += line + '\n' + indentation;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line + '\n';
}

// Paragraphs; lines that stand further in become a list.
std::string paragraphs(const std::string& lines) {
  std::string out, running;
  const auto flush = [&] {
    if (!running.empty()) out += wrapped(prose(running)) + '\n';
    running.clear();
  };
  bool list = false;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    const bool item = line.starts_with("  ");
    if (line.empty() || item != list) flush();
    if (list && !item) out += '\n';
    list = item;
    if (item) {
      out += "- " + wrapped(prose(line), "  ");
    } else {
      running += (running.empty() ? "" : " ") + line;
    }
  }
  flush();
  if (list) out += '\n';
  return out;
}

std::string thread_words(const std::string& tag) {
  if (tag == "init") return "only in `init`";
  if (tag == "strand") return "on the strand";
  if (tag == "any") return "any thread";
  return "";
}

// The statuses that a comment names, in the order of plugin.h.
std::vector<std::string> statuses_in(const std::string& comment) {
  std::vector<std::string> found;
  for (const std::string_view status : kStatuses) {
    if (std::regex_search(comment, std::regex("\\b" + std::string(status) + "\\b"))) {
      found.push_back("`ATLAS_E_" + std::string(status) + '`');
    }
  }
  return found;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

std::string block(const std::string& language, const std::string& from, const std::string& text) {
  return "<!-- cut from " + from + " -->\n```" + language + '\n' + text + "```\n\n";
}

// [strand] in the entry object means that the host calls there.
bool is_entry(const HeaderTable& table) {
  return table.type == "atlas_plugin";
}

// Puts names of parameters in backticks where the comment plainly means them: at the beginning of a sentence, before a
// colon, and where the name is no English word.
std::string with_parameters(const HeaderFunction& function) {
  static const std::set<std::string> kNoEnglish = {"fn", "arg", "out"};
  std::string out;
  bool first = true;
  for (const std::string& word : words_of(function.comment)) {
    const std::string name = word.substr(0, word.find_first_of(".,;:"));
    const bool meant = function.parameters.contains(name) && name.find('_') == std::string::npos &&
                       (first || word.ends_with(':') || kNoEnglish.contains(name));
    out += (out.empty() ? "" : " ") + (meant ? '`' + name + '`' + word.substr(name.size()) : word);
    first = word.ends_with('.');
  }
  return out;
}

std::string functions_section(const PageSource& source, const HeaderTable& table) {
  std::string out = is_entry(table)              ? "## What the plugin gives\n\n"
                    : table.type == "atlas_host" ? "## What the host gives\n\n"
                                                 : "## Functions\n\n";
  if (!table.comment.empty()) out += wrapped(prose(sentence(table.comment))) + '\n';
  for (const HeaderFunction& function : table.functions) {
    const std::string where = is_entry(table) ? "called on the strand" : thread_words(function.thread);
    out += "### " + function.name + "\n\n";
    if (!where.empty()) out += "*" + where + "*\n\n";
    out += block("c", source.header, function.declaration);
    if (!function.comment.empty()) out += wrapped(prose(sentence(with_parameters(function)))) + '\n';
    const auto statuses = statuses_in(function.comment);
    if (!statuses.empty()) out += wrapped("Statuses named: " + joined(statuses) + ".") + '\n';
  }
  return out;
}

std::string types_section(const PageSource& source, const Header& header) {
  if (header.types.empty()) return "";
  std::string out = "## Types\n\n";
  for (const HeaderType& type : header.types) {
    if (!type.comment.empty()) out += wrapped(prose(sentence(type.comment))) + '\n';
    out += block("c", source.header, type.text);
  }
  return out;
}

std::string limits_section(const Part& part) {
  if (part.limits.empty()) return "";
  std::string out = "## Limits\n\n| limit | value | counted for | past it | |\n|---|---|---|---|---|\n";
  for (const std::string& key : part.limits) {
    const auto all = base::all_limits();
    const auto row = std::ranges::find(all, key, &base::Limit::key);
    if (row == all.end()) throw std::runtime_error("core/base/limits.def has no row " + key);
    out += "| `" + key + "` | " + std::to_string(row->value) + (row->unit == "1" ? "" : " " + std::string(row->unit)) +
           " | " + std::string(row->scope) + " | " + std::string(row->refusal) + " | " + std::string(row->doc) + " |\n";
  }
  return out + '\n';
}

std::string cpp_section(const Part& part) {
  std::string out = "## In C++\n\n| C | C++ |\n|---|---|\n";
  for (const auto& [c, cpp] : part.cpp) out += "| `" + c + "` | " + cpp + " |\n";
  return out + '\n' + (part.cpp_note.empty() ? "" : part.cpp_note + '\n');
}

std::string example_sections(const PageSource& source) {
  const std::string file = source.name;
  const std::string where = std::string(kParts) + file;
  std::string out = "## Example in C++\n\n" + block("cpp", where + ".cc", clip(source.cpp_text));
  out += "The whole file: [parts/" + file + ".cc](parts/" + file + ".cc).\n\n";
  out += "## Example in C\n\n" + block("c", where + ".c", clip(source.c_text));
  return out + "The whole file: [parts/" + file + ".c](parts/" + file + ".c).\n";
}

std::string first_sentence(std::string_view text) {
  const std::size_t end = text.find(". ");
  return std::string(end == std::string_view::npos ? text : text.substr(0, end + 1));
}

// Every function of the header has its row in the C++ table, so that none is forgotten.
void check_complete(const PageSource& source, const Header& header, const Part& part) {
  for (const HeaderTable& table : header.tables) {
    for (const HeaderFunction& function : table.functions) {
      const auto has = [&](const auto& row) {
        const auto words = words_of(std::regex_replace(row.first, std::regex("[,`]"), " "));
        return std::ranges::find(words, function.name) != words.end();
      };
      if (!std::ranges::any_of(part.cpp, has)) {
        throw std::runtime_error(std::string(kParts) + source.name + ".txt says nothing of " + function.name);
      }
    }
  }
}

}  // namespace

Part parse_part(const std::string& text) {
  Part part;
  std::string section;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("%% ")) {
      section = line.substr(3);
      while (part.purpose.ends_with("\n\n")) part.purpose.pop_back();
    } else if (section.empty()) {
      part.purpose += line + '\n';
    } else if (section == "cpp") {
      const std::size_t bar = line.find(" | ");
      if (bar == std::string::npos) {
        if (!part.cpp_note.empty() || !line.empty()) part.cpp_note += line + '\n';
      } else {
        part.cpp.emplace_back(line.substr(0, bar), line.substr(bar + 3));
      }
    } else if (section == "limits") {
      for (const std::string& key : words_of(line)) part.limits.push_back(key);
    } else {
      throw std::runtime_error("a part has no section " + section);
    }
  }
  if (part.purpose.empty() || part.cpp.empty())
    throw std::runtime_error("a part says what it is for, and the C++ names");
  return part;
}

std::string clip(const std::string& example) {
  std::string out;
  bool inside = false, clipped = false;
  std::istringstream in(example);
  for (std::string line; std::getline(in, line);) {
    const bool begin = line == "/* page */" || line == "// page";
    const bool end = line == "/* end of page */" || line == "// end of page";
    clipped = clipped || begin;
    if (begin || end) {
      inside = begin;
    } else if (inside) {
      out += line + '\n';
    }
  }
  if (inside) throw std::runtime_error("an example has \"page\" without \"end of page\"");
  return clipped ? out : example;
}

std::string capability_page(const PageSource& source) {
  const Header header = parse_header(source.header_text);
  const Part part = parse_part(source.part_text);
  check_complete(source, header, part);
  std::string out = "# " + (header.id.empty() ? "The plugin and its host" : header.id) + "\n\n";
  out += "<!-- Made from " + source.header + " and " + std::string(kParts) + source.name +
         ".*;\n     tests/abi/pages/capability_pages_test.cc says how to make it again. -->\n\n";
  out += part.purpose + "\n## What the header says\n\n";
  if (header.id.empty()) {
    std::istringstream lines(header.opening);
    std::string text;
    for (std::string line; std::getline(lines, line);) text += line.empty() ? " *\n" : " * " + line + '\n';
    out += block("text", source.header, text);
  } else {
    out += wrapped(prose(sentence(header.title)));
    out += '\n' + paragraphs(header.opening);
  }
  out += "```c\n#include <atlas/" + source.header.substr(std::string("sdk/include/atlas/").size()) + ">\n```\n\n";
  // The plugin's own object first where there is one.
  for (auto table = header.tables.rbegin(); table != header.tables.rend(); ++table) {
    out += functions_section(source, *table);
  }
  out +=
      "For all of them: a stale handle is `ATLAS_E_GONE`, an argument out of its range `ATLAS_E_ARG`, the wrong "
      "moment\n"
      "`ATLAS_E_STATE`; once the plugin's stop has begun, most answer `ATLAS_E_STOPPING`.\n\n";
  out += types_section(source, header) + limits_section(part) + cpp_section(part) + example_sections(source);
  return out;
}

std::string capability_index(const std::vector<PageSource>& sources) {
  std::string out =
      "# The capabilities, one page each\n\n"
      "<!-- Made from the headers of the SDK; tests/abi/pages/capability_pages_test.cc says how to make it again. "
      "-->\n\n"
      "A plugin asks its host for a capability by its id; `NULL` says that this host does not have it. What holds "
      "for\n"
      "all of them is in [concepts](../concepts.md) and, as a promise, in [the plugin ABI](../../abi.md).\n\n"
      "| page | id | what it is |\n|---|---|---|\n";
  for (const PageSource& source : sources) {
    const Header header = parse_header(source.header_text);
    out += "| [" + source.name + "](" + source.name + ".md) | " + (header.id.empty() ? "-" : '`' + header.id + '`') +
           " | " + prose(sentence(first_sentence(header.title))) + " |\n";
  }
  return out;
}

}  // namespace atlas::pages
