#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <deque>

#include "base/log.h"
#include "base/utf8.h"
#include "cli/exit_codes.h"
#include "cli/help.h"
#include "config/config.h"

namespace atlas::cli {
namespace {

std::string parent_of(const std::string& path) {
  const std::size_t cut = path.rfind(' ');
  return cut == std::string::npos ? "" : path.substr(0, cut);
}

std::string last_word(const std::string& path) {
  return path.substr(path.rfind(' ') + 1);
}

std::string check_integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return "\"" + base::escaped(text, 80) + "\" is not an integer";
}

// All of it; nothing when it has more than kMaxInputBytes.
std::optional<std::string> read_all(std::istream& in) {
  std::string text;
  std::vector<char> piece(64 * 1024);
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())) || in.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > kMaxInputBytes) return std::nullopt;
  }
  return text;
}

// The CLI11 application for a set of commands, and what was found for each argument.
class Grammar {
 public:
  explicit Grammar(const std::vector<Command>& commands) : commands_(commands) {
    app_.fallthrough();
    app_.require_subcommand(1);
    app_.set_help_flag("-h,--help");
    app_.add_option("--root", root_);
    app_.add_flag("--json", globals_.json)->disable_flag_override();
    app_.add_flag("--quiet,-q", globals_.quiet)->disable_flag_override();
    app_.add_flag("--version", version_)->disable_flag_override();
    for (const Command& command : commands_) add(command);
  }

  Parsed parse(const std::vector<std::string>& words, const std::string& version, std::istream& in);

 private:
  struct Bound {
    std::string name;
    ArgumentKind kind;
    std::vector<std::string> values;
    bool flag = false;
    CLI::Option* option = nullptr;
  };

  CLI::App* app_for(const std::string& path);
  void add(const Command& command);
  void add(CLI::App& app, Bound& bound, const Argument& argument);
  // The command or group that the words so far have led to.
  std::string reached() const;
  Ended help() const;
  Ended usage_error(const std::string& why) const;
  Ended unexpected_word() const;
  std::string reworded(const CLI::ParseError& error) const;
  Invocation invocation() const;
  // What is wrong with the texts that were given, standard input included; empty when nothing is.
  std::string take_texts(Invocation& found, std::istream* in) const;

  const std::vector<Command>& commands_;
  CLI::App app_;
  Globals globals_;
  std::string root_;
  bool version_ = false;
  std::map<std::string, CLI::App*> apps_;
  std::map<std::string, std::deque<Bound>> bound_;  // a deque: CLI11 keeps references
};

CLI::App* Grammar::app_for(const std::string& path) {
  if (path.empty()) return &app_;
  CLI::App*& app = apps_[path];
  if (app == nullptr) {
    CLI::App* parent = app_for(parent_of(path));
    if (parent != &app_ && find_command(commands_, parent_of(path)) == nullptr) parent->require_subcommand(1);
    app = parent->add_subcommand(last_word(path));
  }
  return app;
}

void Grammar::add(const Command& command) {
  CLI::App* app = app_for(command.path);
  for (const Argument& argument : command.args) {
    add(*app, bound_[command.path].emplace_back(Bound{argument.name, argument.kind, {}, false, nullptr}), argument);
  }
}

void Grammar::add(CLI::App& app, Bound& bound, const Argument& argument) {
  if (argument.kind == ArgumentKind::kFlag) {
    bound.option = app.add_flag(argument.name, bound.flag)->disable_flag_override();
    return;
  }
  bound.option = app.add_option(argument.name, bound.values);
  bound.option->required(argument.required);
  if (argument.kind == ArgumentKind::kInteger) bound.option->check(check_integer);
  if (argument.kind == ArgumentKind::kRest) return;
  bound.option->allow_extra_args(false);
  if (argument.kind != ArgumentKind::kList) bound.option->expected(1);
}

std::string Grammar::reached() const {
  std::string path;
  const CLI::App* app = &app_;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
    path += (path.empty() ? "" : " ") + app->get_name();
  }
  return path;
}

Ended Grammar::help() const {
  const std::string path = reached();
  if (const Command* command = find_command(commands_, path)) return {kOk, command_help(*command), {}};
  if (!app_.remaining(true).empty()) return unexpected_word();  // `net bogus --help` is not about `net`
  return {kOk, group_help(path, commands_), {}};
}

Ended Grammar::usage_error(const std::string& why) const {
  const std::string path = reached();
  const std::string name = path.empty() ? "" : path + ' ';
  std::string err = fmt::format("{}{}\n", path.empty() ? "" : path + ": ", why);
  if (const Command* command = find_command(commands_, path)) err += "usage: " + usage_line(*command) + '\n';
  return {kUsage, {}, err + fmt::format("see `atlas {}--help`\n", name)};
}

Ended Grammar::unexpected_word() const {
  const std::vector<std::string> rest = app_.remaining(true);
  const std::string word = rest.empty() ? "" : rest.front();
  const std::string path = reached();
  std::vector<std::string> known;
  if (word.starts_with('-')) {
    for (const Argument& arg : global_options()) known.push_back(arg.name);
    if (const auto bound = bound_.find(path); bound != bound_.end()) {
      for (const Bound& each : bound->second) known.push_back(each.name);
    }
  } else if (find_command(commands_, path) == nullptr) {
    const CLI::App* group = path.empty() ? &app_ : apps_.at(path);
    for (const CLI::App* command : group->get_subcommands(nullptr)) known.push_back(command->get_name());
  }
  const char* what = word.starts_with('-') ? "option" : known.empty() ? "argument" : "command";
  const auto near = config::nearest(word, known);
  return usage_error(fmt::format("unknown {} \"{}\"{}", what, base::escaped(word, 80),
                                 near ? "; did you mean " + *near + '?' : std::string()));
}

Invocation Grammar::invocation() const {
  Invocation found{globals_, reached(), {}};
  if (const auto bound = bound_.find(found.path); bound != bound_.end()) {
    for (const Bound& each : bound->second) {
      if (each.option->count() == 0) continue;
      found.values[each.name] = each.kind == ArgumentKind::kFlag ? std::vector<std::string>{"true"} : each.values;
    }
  }
  return found;
}

// What people call it: "TARGET", "--count".
std::string shown_name(const std::string& name) {
  return spelling({name, name.starts_with('-') ? ArgumentKind::kFlag : ArgumentKind::kText, false, {}});
}

// CLI11 puts the argument's name first, before a colon or a space, that of a flag with a value without its dashes. What
// it says then is in terms of its own.
std::string Grammar::reworded(const CLI::ParseError& error) const {
  const std::string what = error.what();
  const std::string name = what.substr(0, what.find_first_of(": "));
  if (what.ends_with("a disallowed flag override")) return "--" + name + " takes no value";
  const Bound* known = nullptr;
  if (const auto bound = bound_.find(reached()); bound != bound_.end()) {
    for (const Bound& each : bound->second) known = each.name == name ? &each : known;
  }
  if (known == nullptr && !name.starts_with("--")) return base::escaped(what);
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return shown_name(name) + " is missing";
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) return base::escaped(what);
  const std::size_t count = known != nullptr ? known->option->count() : app_.count("--root");
  return shown_name(name) + (count > 1 ? " is given more than once" : " needs a value");
}

std::string Grammar::take_texts(Invocation& found, std::istream* in) const {
  const auto bound = bound_.find(found.path);
  if (bound == bound_.end()) return {};
  for (const Bound& each : bound->second) {
    const auto given = found.values.find(each.name);
    if (given == found.values.end()) continue;
    for (const std::string& text : given->second) {
      if (!base::is_utf8(text)) return shown_name(each.name) + " is not UTF-8; text has to be";
    }
    if (each.kind != ArgumentKind::kRest || in == nullptr || given->second != std::vector<std::string>{"-"}) continue;
    auto text = read_all(*in);
    if (!text) return fmt::format("{}: standard input has more than {} bytes", shown_name(each.name), kMaxInputBytes);
    if (!base::is_utf8(*text)) return shown_name(each.name) + ": standard input is not UTF-8; text has to be";
    given->second.front() = std::move(*text);
  }
  return {};
}

Parsed Grammar::parse(const std::vector<std::string>& words, const std::string& version, std::istream& in) {
  if (words.empty()) return Ended{kUsage, {}, "a command is needed\n\n" + group_help("", commands_)};
  try {
    // CLI11 takes the words in reverse.
    app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::CallForHelp&) {
    return help();
  } catch (const CLI::ExtrasError&) {
    return unexpected_word();
  } catch (const CLI::ParseError& error) {
    if (version_) return Ended{kOk, "atlas " + version + '\n', {}};
    // Of two faults CLI11 names the missing command, where the unknown word is the cause.
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && !app_.remaining(true).empty()) {
      return unexpected_word();
    }
    if (find_command(commands_, reached()) == nullptr) {
      return usage_error(reached().empty() ? "a command is needed" : "a command is needed after it");
    }
    return usage_error(reworded(error));
  }
  if (version_) return Ended{kOk, "atlas " + version + '\n', {}};
  if (app_.count("--root") > 0) globals_.root = root_;
  Invocation found = invocation();
  // After "--" a dash is a dash.
  const bool literal = std::find(words.begin(), words.end(), "--") != words.end();
  const std::string wrong = take_texts(found, literal ? nullptr : &in);
  if (!wrong.empty()) return usage_error(wrong);
  return found;
}

}  // namespace

std::map<std::string, std::string> Invocation::joined() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, texts] : values) {
    std::string& text = out[name];
    for (const std::string& each : texts) text += (&each == &texts.front() ? "" : " ") + each;
  }
  return out;
}

std::optional<std::string> Invocation::value(const std::string& name) const {
  const auto found = values.find(name);
  if (found == values.end() || found->second.empty()) return std::nullopt;
  return found->second.front();
}

std::vector<std::string> Invocation::list(const std::string& name) const {
  const auto found = values.find(name);
  return found == values.end() ? std::vector<std::string>() : found->second;
}

Parsed parse_arguments(const std::vector<std::string>& words, const std::vector<Command>& commands,
                       const std::string& version, std::istream& in) {
  try {
    return Grammar(commands).parse(words, version, in);
  } catch (const CLI::Error& error) {
    // A plugin's command that cannot be written on a command line at all.
    return Ended{kFailure, {}, fmt::format("the commands of the plugins clash: {}\n", base::escaped(error.what()))};
  }
}

Glance glance(const std::vector<std::string>& words) {
  Glance seen;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& word = words[i];
    if (word == "--root" && i + 1 < words.size()) {
      seen.globals.root = words[++i];
    } else if (word.starts_with("--root=")) {
      seen.globals.root = word.substr(word.find('=') + 1);
    } else if (word == "--json") {
      seen.globals.json = true;
    } else if (word == "--quiet" || word == "-q") {
      seen.globals.quiet = true;
    } else if (!word.starts_with('-') && seen.verb.size() < 2) {
      seen.verb.push_back(word);
    }
  }
  return seen;
}

}  // namespace atlas::cli
