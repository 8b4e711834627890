#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <ostream>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "cli/plugin_commands.h"
#include "cli/render.h"
#include "host/loader.h"

namespace atlas::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kLanguages = {"c", "cpp", "rust"};

// Words that cannot be the name of a struct, a crate or a target in one of the languages.
constexpr std::string_view kTaken[] = {
    "all",    "alloc",  "as",      "asm",     "async",  "atlas",  "auto",    "bool",   "break", "case",   "catch",
    "char",   "class",  "clean",   "const",   "core",   "crate",  "default", "delete", "do",    "double", "dyn",
    "else",   "enum",   "extern",  "false",   "float",  "fn",     "for",     "goto",   "help",  "if",     "impl",
    "in",     "inline", "install", "int",     "let",    "long",   "loop",    "main",   "match", "mod",    "move",
    "mut",    "new",    "package", "private", "pub",    "public", "ref",     "return", "self",  "short",  "signed",
    "static", "std",    "struct",  "super",   "switch", "test",   "this",    "throw",  "trait", "true",   "try",
    "type",   "union",  "unsafe",  "use",     "using",  "void",   "where",   "while"};

// What the templates say in place of the role's own names.
struct Names {
  std::string id;       // org.example.key-value
  std::string name;     // key_value: files, structs, crates
  std::string type;     // KeyValue
  std::string command;  // key-value
};

Names names_of(const std::string& id) {
  Names out{id, {}, {}, {}};
  const std::size_t dot = id.rfind('.');
  for (const char c : dot == std::string::npos ? id : id.substr(dot + 1)) {
    out.name.push_back(c == '-' || c == '.' ? '_' : c);
  }
  const bool letter = !out.name.empty() && out.name.front() >= 'a' && out.name.front() <= 'z';
  if (!letter) out.name.insert(0, "role_");
  if (std::ranges::find(kTaken, out.name) != std::end(kTaken)) out.name += "_role";
  bool capital = true;
  for (const char c : out.name) {
    if (c != '_') out.type.push_back(capital && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    capital = c == '_';
    out.command.push_back(c == '_' ? '-' : c);
  }
  return out;
}

std::string filled(std::string text, const Names& names) {
  const std::pair<std::string_view, const std::string&> places[] = {
      {"@id@", names.id}, {"@name@", names.name}, {"@Class@", names.type}, {"@command@", names.command}};
  for (const auto& [place, value] : places) {
    for (std::size_t at = 0; (at = text.find(place, at)) != std::string::npos; at += value.size()) {
      text.replace(at, place.size(), value);
    }
  }
  return text;
}

base::Result<void> write_filled(const fs::path& from, const fs::path& to, const Names& names) {
  std::error_code error;
  std::ifstream in(from, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return base::fail(base::Fault::kInternal, from.string() + ": cannot be read");
  fs::create_directories(to.parent_path(), error);
  std::ofstream out(to, std::ios::binary);
  out << filled(text.str(), names) << std::flush;
  if (!out) return base::fail(base::Fault::kInternal, to.string() + ": cannot be written");
  fs::permissions(to, fs::status(from, error).permissions(), error);
  return {};
}

// Every file of a template, below `directory`; the names that were written, relative to it.
base::Result<std::vector<std::string>> write_project(const fs::path& source, const fs::path& directory,
                                                     const Names& names) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator at(source, error), end; !error && at != end; at.increment(error)) {
    if (at->is_regular_file(error)) files.push_back(at->path().lexically_relative(source));
  }
  if (error) return base::fail(base::Fault::kInternal, source.string() + ": " + error.message());
  std::ranges::sort(files);
  std::vector<std::string> written;
  for (const fs::path& file : files) {
    // A dot at the front would hide it among the templates.
    const std::string name = file == "gitignore" ? ".gitignore" : filled(file.string(), names);
    if (auto done = write_filled(source / file, directory / name, names); !done) return std::unexpected(done.error());
    written.push_back(name);
  }
  return written;
}

base::Result<fs::path> template_for(const std::string& language) {
  std::string looked;
  for (const fs::path& directory : template_directories()) {
    std::error_code ignored;
    if (fs::is_directory(directory / language, ignored)) return directory / language;
    looked += (looked.empty() ? " in " : ", ") + directory.string();
  }
  return base::fail(base::Fault::kGone, "there are no templates" + looked +
                                            "; they come with an installed atlas, as share/atlas/templates");
}

bool is_free(const fs::path& directory) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(directory, error))) return true;
  return fs::is_directory(directory, error) && fs::is_empty(directory, error) && !error;
}

struct Order {
  std::string id, language;
  fs::path directory;
};

base::Result<Order> order_of(const Invocation& invocation) {
  Order order{invocation.value("name").value_or(""), invocation.value("--lang").value_or("cpp"), {}};
  if (!host::is_plugin_id(order.id)) {
    return base::fail(base::Fault::kArgument,
                      fmt::format("\"{}\" is no id of a role: 1 to 64 characters of a-z, 0-9, '.', '_' and '-', as "
                                  "org.example.thing",
                                  base::escaped(order.id, 80)));
  }
  if (std::ranges::find(kLanguages, order.language) == kLanguages.end()) {
    return base::fail(base::Fault::kArgument,
                      fmt::format("--lang: \"{}\" is none of c, cpp and rust", base::escaped(order.language, 80)));
  }
  order.directory = invocation.value("--dir").value_or(order.id);
  if (order.directory.empty()) return base::fail(base::Fault::kArgument, "--dir is empty; name a directory");
  order.directory = fs::absolute(order.directory).lexically_normal();
  if (!is_free(order.directory)) {
    return base::fail(base::Fault::kConflict,
                      order.directory.string() + " exists already; name another directory with --dir");
  }
  return order;
}

std::string next_steps(const Order& order) {
  const std::string go = "  cd " + order.directory.string() + '\n';
  if (order.language == "cpp") {
    return go + "  cmake -S . -B build && cmake --build build\n  atlas plugin check build/" + order.id + ".so\n";
  }
  return go + "  make\n  atlas plugin check " + order.id + ".so\n";
}

}  // namespace

std::vector<fs::path> template_directories() {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  std::vector<fs::path> found;
  for (const char* place : {"../share/atlas/templates", "share/atlas/templates"}) {
    auto directory = (program.parent_path() / place).lexically_normal();
    if (fs::is_directory(directory, error)) found.push_back(std::move(directory));
  }
  return found;
}

int plugin_new(const Command& command, const Invocation& invocation, Terminal terminal) {
  Printer printer(command, terminal.style, terminal.out, terminal.err);
  const auto refuse = [&](const base::Error& error) { return printer.finish(exit_code_of(error.fault), error.text); };
  const auto order = order_of(invocation);
  if (!order) return refuse(order.error());
  const auto source = template_for(order->language);
  if (!source) return refuse(source.error());
  const auto files = write_project(*source, order->directory, names_of(order->id));
  if (!files) return refuse(files.error());
  const Json made = {
      {"id", order->id}, {"lang", order->language}, {"dir", order->directory.string()}, {"files", *files}};
  printer.result(made.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!terminal.style.json && !terminal.style.quiet) {
    terminal.err << "\nNext, as README.md there explains:\n" << safe_lines(next_steps(*order)) << std::endl;
  }
  return printer.finish(kOk, {});
}

}  // namespace atlas::cli
