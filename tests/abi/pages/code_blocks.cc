#include "abi/pages/code_blocks.h"

#include <algorithm>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace atlas::pages {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string without_indentation(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first == std::string::npos ? "" : line.substr(first);
}

void take_marker(const std::string& line, CodeBlock& block) {
  static const std::string kBegin = "<!-- ", kEnd = " -->";
  if (!line.starts_with(kBegin) || !line.ends_with(kEnd)) return;
  const std::string inside = line.substr(kBegin.size(), line.size() - kBegin.size() - kEnd.size());
  const auto rest = [&](const std::string& word) {
    return inside.starts_with(word + ' ') ? inside.substr(word.size() + 1) : "";
  };
  block.cut_from = rest("cut from");
  block.inside = rest("inside");
  block.said_by = rest("said by");
  std::istringstream files(rest("run by"));
  for (std::string file; std::getline(files, file, ',');) block.run_by.push_back(without_indentation(file));
}

}  // namespace

std::vector<CodeBlock> code_blocks(const std::string& page) {
  static const std::string kFence = "```";
  std::vector<CodeBlock> out;
  bool inside = false, commands = false;
  std::string above;
  std::size_t number = 0;
  for (const std::string& line : lines_of(page)) {
    ++number;
    if (!inside && line.starts_with(kFence)) {
      CodeBlock block;
      block.line = number;
      std::istringstream(line.substr(kFence.size())) >> block.language >> block.file;
      take_marker(above, block);
      block.behind_commands = commands;
      commands = commands || block.language == "sh";
      out.push_back(std::move(block));
      inside = true;
    } else if (line.starts_with(kFence)) {
      inside = false;
    } else if (inside) {
      out.back().text += line + '\n';
    }
    above = line;
  }
  if (inside) throw std::runtime_error("line " + std::to_string(out.back().line) + ": a block that does not end");
  return out;
}

bool stands_in(const std::string& block, const std::string& file) {
  std::vector<std::string> wanted, there;
  for (const std::string& line : lines_of(block)) wanted.push_back(without_indentation(line));
  for (const std::string& line : lines_of(file)) there.push_back(without_indentation(line));
  // An example that is shown in parts has marks between them.
  std::erase_if(there, [](const std::string& line) {
    return line == "/* page */" || line == "/* end of page */" || line == "// page" || line == "// end of page";
  });
  return !wanted.empty() && !std::ranges::search(there, wanted).empty();
}

bool is_said(const std::string& line, const std::string& source) {
  static const std::regex literals("\"\\s*\\n\\s*\""), names(R"(0x[0-9a-f]+|atlas\.\w+/|\w+(\.\w+)+|\d+)");
  const std::string joined = std::regex_replace(source, literals, "");
  const std::string marked = std::regex_replace(line, names, "\n");
  for (const std::string& words : lines_of(marked)) {
    const std::size_t first = words.find_first_not_of(" :");
    if (first != std::string::npos && joined.find(words.substr(first)) == std::string::npos) return false;
  }
  return true;
}

std::vector<std::string> command_words(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line.substr(0, line.find(" #")));
  bool value = false;
  for (std::string word; in >> word && out.size() < 3;) {
    if (std::exchange(value, false)) continue;
    value = word == "--root";
    if (!word.starts_with('-')) out.push_back(word);
    if (out.size() == 1 && out[0] != "atlas") break;
  }
  return out;
}

}  // namespace atlas::pages
