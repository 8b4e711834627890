#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <ostream>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "cli/command_runner.h"
#include "cli/console_role.h"
#include "cli/loopback_node.h"
#include "cli/plugin_catalog.h"
#include "cli/plugin_commands.h"
#include "cli/render.h"
#include "control/client.h"

namespace atlas::cli {
namespace {

constexpr std::string_view kHelp =
    "send TYPE {json}   the other node is sent a message; its answer, as JSON. TYPE is two hex digits\n"
    "command WORDS      a command of a role: `command ping ...` is `atlas net ping ...`\n"
    "peers              the peers of this node\n"
    "metrics            the counters of its roles\n"
    "log                what both nodes have logged since the last `log`\n"
    "use a, use b       which node all of this is about; a in the beginning\n"
    "help, quit         this text; the end\n";
constexpr std::size_t kMostLine = 8 << 20;

volatile std::sig_atomic_t asked_to_end = 0;

void end_at_signals() {
  struct sigaction action {};
  action.sa_handler = [](int number) { asked_to_end = number; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

// Standard input a line at a time, until its end or a signal.
class Lines {
 public:
  std::optional<std::string> next() {
    while (true) {
      if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
        std::string line = unread_.substr(0, end);
        unread_.erase(0, end + 1);
        return line;
      }
      char piece[4096];
      pollfd waiting{STDIN_FILENO, POLLIN, 0};
      if (asked_to_end != 0 || (::poll(&waiting, 1, 200) < 0 && errno != EINTR)) return std::nullopt;
      if ((waiting.revents & (POLLIN | POLLHUP)) == 0) continue;
      const ssize_t got = ::read(STDIN_FILENO, piece, sizeof piece);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || unread_.size() > kMostLine) return last();
      unread_.append(piece, static_cast<std::size_t>(got));
    }
  }

 private:
  // What has no line end behind it.
  std::optional<std::string> last() {
    if (unread_.empty()) return std::nullopt;
    return std::exchange(unread_, {});
  }
  std::string unread_;
};

// Words with spaces between them; '...' and "..." keep theirs.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = 0;
  for (const char c : line) {
    if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        *word += c;
      }
    } else if (c == ' ' || c == '\t') {
      if (word) words.push_back(std::move(*std::exchange(word, std::nullopt)));
    } else {
      if (!word) word.emplace();
      if (c == '\'' || c == '"') {
        quote = c;
      } else {
        *word += c;
      }
    }
  }
  if (word) words.push_back(std::move(*word));
  return words;
}

// The first word, and what stands behind it.
std::pair<std::string_view, std::string_view> split(std::string_view line) {
  const auto trim = [](std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r");
    return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
  };
  line = trim(line);
  const std::size_t cut = line.find_first_of(" \t");
  return {line.substr(0, cut), cut == line.npos ? std::string_view() : trim(line.substr(cut))};
}

class Prompt {
 public:
  Prompt(std::vector<LoopbackNode>& nodes, std::string version, Terminal terminal)
      : nodes_(nodes), version_(std::move(version)), terminal_(terminal), person_(::isatty(STDIN_FILENO) == 1) {
    terminal_.style.json = true;
    terminal_.style.color = false;
  }

  // To the end of the input. A person may go on after a mistake; a script ends there, with its exit code.
  int run() {
    Lines lines;
    while (true) {
      if (person_) terminal_.err << here().name() << "> " << std::flush;
      const auto line = lines.next();
      if (!line) return asked_to_end == 0 ? kOk : 128 + asked_to_end;
      const auto [verb, rest] = split(*line);
      if (verb.empty() || verb.starts_with('#')) continue;
      if (verb == "quit" || verb == "exit") return kOk;
      int code = obey(verb, std::string(rest));
      if (const std::string gone = report_ended(); !gone.empty()) return complain(kFailure, gone);
      if (code != kOk && !person_) return code;
    }
  }

 private:
  LoopbackNode& here() { return nodes_[speaker_]; }
  LoopbackNode& other() { return nodes_[1 - speaker_]; }

  int obey(std::string_view verb, const std::string& rest) {
    if (verb == "send") return send(rest);
    if (verb == "command") return command(words_of(rest));
    if (verb == "peers") return command({"peers"});
    if (verb == "metrics") return metrics();
    if (verb == "log") return log();
    if (verb == "use") return use(rest);
    if (verb != "help")
      return complain(kUsage, fmt::format("\"{}\" is no command here; see help", base::escaped(verb, 80)));
    terminal_.out << kHelp << std::flush;
    return kOk;
  }

  int complain(int code, const std::string& why) {
    terminal_.err << "atlas: " << safe_lines(why) << std::endl;
    return code;
  }

  int ask(const control::Request& request, const std::function<void(std::string_view)>& result) {
    const control::Answers answers{.row = result, .progress = {}, .result = result};
    const auto finished = control::call(here().layout().socket, request, answers);
    if (!finished) return complain(exit_code_of(finished.error().fault), finished.error().text);
    return finished->exit_code == kOk ? int{kOk} : complain(finished->exit_code, finished->error);
  }

  int send(const std::string& rest) {
    const auto [type, body] = split(rest);
    if (body.empty()) return complain(kUsage, "send TYPE {json}, as: send c0 {\"hello\":1}");
    const std::map<std::string, std::string> args = {
        {"target", other().node_id()}, {"type", std::string(type)}, {"body", std::string(body)}};
    return ask({"console send", args}, [&](std::string_view json) { terminal_.out << json << '\n' << std::flush; });
  }

  int metrics() {
    return ask({"status", {}}, [&](std::string_view json) {
      const Json status = Json::parse(json, nullptr, false);
      Json shown = Json::object();
      if (status.is_object() && status.contains("metrics")) {
        for (const auto& [name, value] : status["metrics"].items()) {
          if (!name.starts_with("atlas_console_")) shown[name] = value;
        }
      }
      terminal_.out << shown.dump() << '\n' << std::flush;
    });
  }

  int log() {
    for (LoopbackNode& node : nodes_) {
      std::istringstream lines(node.new_log());
      for (std::string line; std::getline(lines, line);) {
        terminal_.out << node.name() << ": " << terminal_safe(line) << '\n';
      }
    }
    terminal_.out << std::flush;
    return kOk;
  }

  int use(const std::string& name) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].name() != name) continue;
      speaker_ = i;
      return kOk;
    }
    return complain(kUsage, "use a, or use b");
  }

  // As `atlas net WORDS` on that node.
  int command(std::vector<std::string> words) {
    words.insert(words.begin(), "net");
    std::vector<Command> known = fixed_commands();
    Catalog catalog = find_commands(here().layout(), version_);
    for (Command& each : catalog.commands) known.push_back(std::move(each));
    std::istringstream nothing;
    const Parsed parsed = parse_arguments(words, known, version_, nothing);
    if (const auto* ended = std::get_if<Ended>(&parsed)) {
      terminal_.out << ended->out << std::flush;
      return ended->err.empty() ? ended->exit_code : complain(ended->exit_code, ended->err);
    }
    const auto& call = std::get<Invocation>(parsed);
    if (call.path == "net listen") return complain(kUsage, "both nodes run already");
    return net_command(here().layout(), *find_command(known, call.path), call, version_, terminal_);
  }

  std::string report_ended() {
    std::string out;
    for (LoopbackNode& node : nodes_) {
      if (const std::string how = node.ended(); !how.empty()) out += how + "; its log:\n" + node.new_log();
    }
    return out;
  }

  std::vector<LoopbackNode>& nodes_;
  const std::string version_;
  Terminal terminal_;
  const bool person_;
  std::size_t speaker_ = 0;
};

std::vector<std::string> roles_of(const RoleFile& role, const std::string& with) {
  std::vector<std::string> out = {role.id};
  std::istringstream words(with);
  for (std::string word; std::getline(words, word, ',');) {
    if (!word.empty() && word != role.id) out.push_back(word);
  }
  return out;
}

int fail(const Terminal& terminal, const base::Error& error) {
  return print_error(terminal.style, exit_code_of(error.fault), "plugin run: " + error.text, terminal.out,
                     terminal.err);
}

// The first node dials the second.
base::Result<void> introduce(const LoopbackNode& from, const LoopbackNode& to) {
  const auto done = control::call(from.layout().socket, {"connect", {{"target", to.address()}}}, {});
  if (!done) return std::unexpected(done.error());
  if (done->exit_code == kOk) return {};
  return base::fail(base::Fault::kUnreachable, "the nodes did not connect: " + done->error);
}

}  // namespace

int plugin_run(const Invocation& invocation, const std::string& version, Terminal terminal) {
  const auto role = find_role_file(invocation.value("file").value_or(""));
  if (!role) return fail(terminal, role.error());
  const auto home = TemporaryDirectory::make();
  if (!home) return fail(terminal, home.error());
  end_at_signals();
  std::vector<LoopbackNode> nodes;
  for (const char* name : {"a", "b"}) {
    const NodeOrder order{
        name, home->path(), roles_of(*role, invocation.value("--with").value_or("")), {role->directory}, version};
    auto node = LoopbackNode::start(order);
    if (!node) return fail(terminal, node.error());
    nodes.push_back(std::move(*node));
  }
  if (const auto met = introduce(nodes[0], nodes[1]); !met) return fail(terminal, met.error());
  if (!terminal.style.quiet) {
    for (const LoopbackNode& node : nodes) {
      terminal.err << fmt::format("{}: {} {}\n", node.name(), node.address(), node.node_id());
    }
    terminal.err << fmt::format("both have {}; help tells what can be said\n", role->id) << std::flush;
  }
  return Prompt(nodes, version, terminal).run();
}

}  // namespace atlas::cli
