#include "abi/declarations.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace atlas::abi {
namespace {

constexpr std::string_view kMinor = "ATLAS_ABI_MINOR";  // the one released macro that changes

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::string without_comments(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at, 2) == "/*") {
      const std::size_t end = text.find("*/", at + 2);
      at = end == std::string_view::npos ? text.size() : end + 2;
      out += ' ';
    } else if (text.substr(at, 2) == "//") {
      at = std::min(text.find('\n', at), text.size());
    } else {
      out += text[at++];
    }
  }
  return out;
}

// Single spaces, none at the ends, none beside a bracket or before a comma.
std::string tidy(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (blank && (out.empty() || out.back() == ' ' || out.back() == '(' || out.back() == '*')) continue;
    if ((c == ')' || c == ',' || c == '[') && !out.empty() && out.back() == ' ') out.pop_back();
    out += blank ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string first_word(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && is_word(text[end])) ++end;
  return std::string(text.substr(0, end));
}

std::string last_word(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0 && !is_word(text[end - 1])) --end;
  std::size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return std::string(text.substr(begin, end - begin));
}

// Splits at `by`, but not inside brackets.
std::vector<std::string> split(std::string_view text, char by) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '(' || c == '{' || c == '[') ++depth;
    if (c == ')' || c == '}' || c == ']') --depth;
    if (c == by && depth == 0) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  for (std::string& part : out) part = tidy(part);
  std::erase(out, "");
  return out;
}

// The name that a declaration gives: of a pointer to a function, or the last word before an array's size.
std::string declared(std::string_view text) {
  const std::size_t pointer = text.find("(*");
  if (pointer != std::string_view::npos) return first_word(text.substr(pointer + 2));
  return last_word(text.substr(0, text.find('[')));
}

Record read_record(std::string name, std::string_view body) {
  Record out{std::move(name), {}};
  for (const std::string& member : split(body, ';')) {
    const std::vector<std::string> parts = split(member, ',');
    for (std::size_t i = 0; i < parts.size(); ++i) {
      // "uint16_t abi_major, abi_minor" declares two.
      const std::string type = parts[0].substr(0, parts[0].rfind(declared(parts[0])));
      const std::string text = i == 0 ? parts[0] : type + parts[i];
      out.fields.push_back({declared(text), text});
    }
  }
  return out;
}

void read_enum(std::string_view body, Declarations& out) {
  for (const std::string& constant : split(body, ',')) {
    const std::size_t equals = constant.find('=');
    const std::string value = equals == std::string::npos ? "" : tidy(constant.substr(equals + 1));
    out.constants[first_word(constant)] = value;
  }
}

// One declaration at file scope, without its semicolon.
void read_declaration(const std::string& text, Declarations& out) {
  const bool is_typedef = text.starts_with("typedef ");
  const std::string rest = tidy(is_typedef ? text.substr(8) : text);
  const std::size_t open = rest.find('{');
  if (open == std::string::npos) {
    if (is_typedef) {
      const std::vector<std::string> names = split(rest, ',');
      out.types[declared(names.front())] = rest;
    } else {
      out.others[declared(rest)] = rest;
    }
    return;
  }
  const std::string_view body = std::string_view(rest).substr(open + 1, rest.rfind('}') - open - 1);
  if (rest.starts_with("enum")) return read_enum(body, out);
  out.records.push_back(read_record(last_word(std::string_view(rest).substr(0, open)), body));
}

// Takes the preprocessor's lines out of the text. What only C++ sees is left out.
std::string read_macros(std::string_view text, Declarations& out) {
  std::string rest, line;
  std::istringstream lines{std::string(text)};
  bool skipped = false;
  while (std::getline(lines, line)) {
    while (line.ends_with('\\') && lines) {
      std::string more;
      std::getline(lines, more);
      line.pop_back();
      line += more;
    }
    const std::string directive = tidy(line);
    if (!directive.starts_with('#')) {
      if (!skipped) rest += line + '\n';
      continue;
    }
    if (directive.find("__cplusplus") != std::string::npos) skipped = true;
    if (directive.starts_with("#endif")) skipped = false;
    if (!directive.starts_with("#define ")) continue;
    const std::string name = first_word(std::string_view(directive).substr(8));
    const std::string value = tidy(std::string_view(directive).substr(8 + name.size()));
    if (!value.empty()) out.macros[name] = value;
  }
  return rest;
}

std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

void compare_record(const Record& before, const Record* now, std::vector<std::string>& out) {
  if (now == nullptr) return out.push_back("struct " + before.name + " is gone");
  for (std::size_t i = 0; i < before.fields.size(); ++i) {
    const std::string place = before.name + ", field " + std::to_string(i + 1) + ": was \"" + before.fields[i].text;
    if (i >= now->fields.size()) {
      out.push_back(place + "\", is gone");
    } else if (now->fields[i].text != before.fields[i].text) {
      out.push_back(place + "\", is \"" + now->fields[i].text + "\"");
    }
  }
  if (!before.grows() && now->fields.size() > before.fields.size()) {
    out.push_back(before.name + " has no struct_size, so it can have no field \"" +
                  now->fields[before.fields.size()].text + "\" more");
  }
}

using Names = std::map<std::string, std::string>;

void compare_names(const char* kind, const Names& before, const Names& now, std::vector<std::string>& out) {
  for (const auto& [name, value] : before) {
    const auto found = now.find(name);
    if (found == now.end()) {
      out.push_back(std::string(kind) + " " + name + " is gone");
    } else if (found->second != value && name != kMinor) {
      out.push_back(std::string(kind) + " " + name + ": was \"" + value + "\", is \"" + found->second + "\"");
    }
  }
}

// The four kinds of names of two headers, side by side.
struct Kind {
  const char* name;
  Names Declarations::*of;
};
constexpr std::array<Kind, 4> kKinds{{{"constant", &Declarations::constants},
                                      {"macro", &Declarations::macros},
                                      {"type", &Declarations::types},
                                      {"declaration", &Declarations::others}}};

struct Line {
  std::string name;
  std::size_t first = 0, second = 0;  // size; or offset and size
  bool operator==(const Line&) const = default;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  std::istringstream in{std::string(text)};
  for (Line line; in >> line.name >> line.first; out.push_back(std::exchange(line, {}))) {
    if (line.name.find('.') != std::string::npos) in >> line.second;
  }
  return out;
}

}  // namespace

const Record* Declarations::find(std::string_view name) const {
  const auto found = std::ranges::find(records, name, &Record::name);
  return found == records.end() ? nullptr : &*found;
}

void Declarations::add(const Declarations& more) {
  records.insert(records.end(), more.records.begin(), more.records.end());
  for (const Kind& kind : kKinds) (this->*kind.of).insert((more.*kind.of).begin(), (more.*kind.of).end());
}

Declarations read_header(std::string text) {
  Declarations out;
  text = read_macros(without_comments(text), out);
  for (const std::string& declaration : split(text, ';')) read_declaration(declaration, out);
  return out;
}

Declarations read_headers(const std::filesystem::path& include) {
  Declarations out = read_header(contents(include / "atlas/plugin.h"));
  std::set<std::filesystem::path> files;
  if (!std::filesystem::exists(include / "atlas/ext")) return out;
  for (const auto& entry : std::filesystem::directory_iterator(include / "atlas/ext")) files.insert(entry.path());
  for (const auto& file : files) out.add(read_header(contents(file)));
  return out;
}

std::vector<std::string> broken_promises(const Declarations& released, const Declarations& now) {
  std::vector<std::string> out;
  for (const Record& record : released.records) compare_record(record, now.find(record.name), out);
  for (const Kind& kind : kKinds) compare_names(kind.name, released.*kind.of, now.*kind.of, out);
  return out;
}

std::vector<std::string> additions(const Declarations& released, const Declarations& now) {
  std::vector<std::string> out;
  for (const Record& record : now.records) {
    const Record* before = released.find(record.name);
    if (before == nullptr) {
      out.push_back("struct " + record.name);
      continue;
    }
    for (std::size_t i = before->fields.size(); i < record.fields.size(); ++i) {
      out.push_back(record.name + "." + record.fields[i].name);
    }
  }
  for (const Kind& kind : kKinds) {
    for (const auto& [name, value] : now.*kind.of) {
      if (!(released.*kind.of).contains(name)) out.push_back(std::string(kind.name) + " " + name);
    }
  }
  return out;
}

std::vector<std::string> broken_layout(std::string_view released, std::string_view now) {
  const std::vector<Line> before = lines_of(released), after = lines_of(now);
  std::vector<std::string> out;
  for (const Line& line : before) {
    const auto found = std::ranges::find(after, line.name, &Line::name);
    const bool whole = line.name.find('.') == std::string::npos;
    // A struct may have become longer; that nothing of it was appended where that is not allowed is for
    // broken_promises().
    if (found == after.end()) {
      out.push_back(line.name + " is gone");
    } else if (whole ? found->first < line.first : *found != line) {
      out.push_back(line.name + ": was " + std::to_string(line.first) + " " + std::to_string(line.second) + ", is " +
                    std::to_string(found->first) + " " + std::to_string(found->second));
    }
  }
  return out;
}

namespace {

// The headers by the names under which they are included, in one order.
std::string includes(const Declarations& all) {
  std::string out = "#include <atlas/plugin.h>\n";
  for (const auto& [name, value] : all.macros) {
    if (!name.starts_with("ATLAS_EXT_") || value.size() < 3) continue;
    const std::string_view id = std::string_view(value).substr(1, value.size() - 2);  // atlas.bus/1
    out += "#include <atlas/ext/" + std::string(id.substr(6, id.find('/') - 6)) + ".h>\n";
  }
  return out;
}

}  // namespace

std::string layout_source(const Declarations& all) {
  std::string out = includes(all) + "#include <stdio.h>\n\nint main(void) {\n";
  for (const Record& record : all.records) {
    out += "    printf(\"" + record.name + " %zu\\n\", sizeof(" + record.name + "));\n";
    for (const Field& field : record.fields) {
      const std::string name = record.name + "." + field.name;
      out += "    printf(\"" + name + " %zu %zu\\n\", offsetof(" + record.name + ", " + field.name + "),\n           " +
             "sizeof(((" + record.name + " *)0)->" + field.name + "));\n";
    }
  }
  return out + "    return 0;\n}\n";
}

std::string probe_source(const Declarations& all) {
  std::string out = includes(all) + "\n";
  for (const Record& record : all.records) {
    out += "ATLAS_EXPORT extern const " + record.name + " *probe_" + record.name + ";\n";
    out += "const " + record.name + " *probe_" + record.name + ";\n";
  }
  return out;
}

}  // namespace atlas::abi
