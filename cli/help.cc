#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/exit_codes.h"
#include "cli/render.h"

namespace atlas::cli {
namespace {

constexpr std::pair<ExitCode, std::string_view> kExitCodes[] = {
    {kOk, "it worked"},
    {kFailure, "it did not work, for none of the reasons below; the error text says why"},
    {kUsage, "the command line is wrong"},
    {kConfig, "config.toml is wrong; every problem is listed with file, line and column"},
    {kUnreachable, "nobody answered: no address of the peer, or not in time"},
    {kRefused, "somebody said no: the peer, a permission, a limit"},
    {kNotFound, "what was asked for does not exist: a key file, a peer, a running node"},
    {kBusy, "it exists already, or somebody has it: another node or command the root, another process the UDP port"},
};

std::string upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '-' || c == '_') c = ' ';
  }
  std::replace(text.begin(), text.end(), ' ', '-');
  return text;
}

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string aligned(const Lines& lines) {
  std::size_t width = 0;
  for (const auto& [left, right] : lines) width = std::max(width, left.size());
  std::string out;
  for (const auto& [left, right] : lines) out += fmt::format("  {:<{}}  {}\n", left, width, right);
  return out;
}

Lines lines_of(const std::vector<Argument>& args, bool options) {
  Lines lines;
  for (const Argument& arg : args) {
    if (arg.is_option() != options) continue;
    lines.emplace_back(spelling(arg), arg.help + (options && arg.required ? " (required)" : ""));
  }
  return lines;
}

std::string global_lines() {
  Lines lines;
  for (const Argument& arg : global_options()) lines.emplace_back(spelling(arg), arg.help);
  return "\nOptions of every command, before or after it:\n" + aligned(lines);
}

std::string where_text(std::uint32_t where) {
  if ((where & kWhereHere) != 0) return "";
  if ((where & kWhereClient) != 0) return "Asks the running node; without one, a short-lived node does it and ends.";
  return "Needs a running node (`atlas net listen`).";
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string sentence(std::string text) {
  text = capitalised(std::move(text));
  if (!text.empty() && !text.ends_with('.')) text += '.';
  return text;
}

std::string table_cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
  return text;
}

}  // namespace

const std::vector<Argument>& global_options() {
  using Kind = ArgumentKind;
  static const std::vector<Argument> options = {
      {"--root", Kind::kText, false, "the node's directory; else ATLAS_ROOT, else ~/.atlas", "DIR"},
      {"--json", Kind::kFlag, false, "print JSON for programs in place of text for people"},
      {"--quiet", Kind::kFlag, false, "print results and errors, nothing else"},
      {"--help", Kind::kFlag, false, "explain the command and do nothing"},
      {"--version", Kind::kFlag, false, "print the version and do nothing"},
  };
  return options;
}

std::string spelling(const Argument& argument) {
  if (!argument.is_option()) return upper(argument.name) + (argument.kind == ArgumentKind::kRest ? "..." : "");
  if (argument.kind == ArgumentKind::kFlag) return argument.name;
  if (!argument.value_name.empty()) return argument.name + ' ' + argument.value_name;
  return argument.name + (argument.kind == ArgumentKind::kInteger ? " N" : " TEXT");
}

std::string usage_line(const Command& command) {
  std::string line = "atlas " + command.path;
  for (const bool options : {false, true}) {
    for (const Argument& arg : command.args) {
      if (arg.is_option() != options) continue;
      const std::string shown = spelling(arg) + (arg.kind == ArgumentKind::kList ? "..." : "");
      line += arg.required ? ' ' + shown : " [" + shown + ']';
    }
  }
  return line;
}

std::string command_help(const Command& command) {
  std::string out = sentence(command.summary) + "\n\nUsage: " + usage_line(command) + '\n';
  if (const std::string where = where_text(command.where); !where.empty()) out += '\n' + where + '\n';
  if (const Lines operands = lines_of(command.args, false); !operands.empty()) {
    out += "\nOperands:\n" + aligned(operands);
  }
  if (const Lines options = lines_of(command.args, true); !options.empty()) out += "\nOptions:\n" + aligned(options);
  return out + global_lines();
}

std::string group_help(std::string_view group, const std::vector<Command>& commands) {
  const std::string prefix = group.empty() ? "" : std::string(group) + ' ';
  Lines lines;
  for (const Command& command : commands) {
    if (!command.path.starts_with(prefix)) continue;
    // Below the program itself only groups are listed, one line each.
    const std::string rest = command.path.substr(prefix.size());
    const std::string word = rest.substr(0, rest.find(' '));
    const bool is_group = word.size() < rest.size();
    const bool listed = std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.first == word; });
    if (!listed) lines.emplace_back(word, capitalised(is_group ? group_summary(prefix + word) : command.summary));
  }
  std::string out = group.empty() ? "atlas: a node of the Atlas network, and the tool to run it.\n"
                                  : sentence(group_summary(group)) + '\n';
  out += fmt::format("\nUsage: atlas {}COMMAND ...\n\nCommands:\n{}", prefix, aligned(lines));
  out += fmt::format("\n`atlas {}COMMAND --help` explains a command.\n", prefix);
  return out + global_lines();
}

std::string reference_of(const Command& command) {
  std::string out = fmt::format("### `{}`\n\n{}", usage_line(command), sentence(command.summary));
  if (const std::string where = where_text(command.where); !where.empty()) out += ' ' + where;
  out += '\n';
  if (!command.args.empty()) {
    out += "\n| argument | meaning |\n|---|---|\n";
    for (const Argument& arg : command.args) {
      out += fmt::format("| `{}` | {}{} |\n", spelling(arg), table_cell(arg.help),
                         arg.is_option() && arg.required ? " (required)" : "");
    }
  }
  if (!command.json.empty()) out += fmt::format("\n`--json`: {}.\n", command.json);
  return out;
}

std::string reference_of_globals() {
  std::string out = "| option | meaning |\n|---|---|\n";
  for (const Argument& arg : global_options()) out += fmt::format("| `{}` | {} |\n", spelling(arg), arg.help);
  return out;
}

std::string reference_of_exit_codes() {
  std::string out = "| code | name | meaning |\n|---|---|---|\n";
  for (const auto& [code, meaning] : kExitCodes) {
    out += fmt::format("| {} | `{}` | {} |\n", static_cast<int>(code), exit_code_name(code), meaning);
  }
  return out;
}

}  // namespace atlas::cli
