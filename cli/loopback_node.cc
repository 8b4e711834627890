#include "cli/loopback_node.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/clock.h"
#include "cli/command_runner.h"
#include "cli/console_role.h"
#include "cli/id_commands.h"
#include "cli/net_commands.h"
#include "node/process.h"

namespace atlas::cli {
namespace {

namespace fs = std::filesystem;

constexpr base::MonoNs kStartTime = 20 * base::kSecond, kEndTime = 12 * base::kSecond;

config::Config config_of(const NodeOrder& order) {
  config::Config config;
  config.identity.name = order.name;
  config.network.port = 0;
  config.network.bind = {"127.0.0.1"};
  config.plugins.enabled = order.roles;
  for (const fs::path& directory : order.search) config.plugins.search.push_back(directory.string());
  return config;
}

void write_line(int fd, const std::string& line) {
  const std::string text = line + '\n';
  if (::write(fd, text.data(), text.size()) < 0) ::_exit(1);
}

// The child, from here to its end.
[[noreturn]] void run(const NodeOrder& order, const Layout& layout, const fs::path& log, int ready) {
  // Ctrl-C at the prompt is not meant for the nodes; the end of the prompt is.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int lines = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(lines, STDOUT_FILENO);
  ::dup2(lines, STDERR_FILENO);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  node::ProcessSetup setup{node::Paths::below(layout.root), config_of(order), order.version, plugin_directories()};
  setup.linked = {&kConsole};
  const node::ProcessEnd end =
      node::run_daemon(setup, [&](const std::vector<net::SocketAddress>& addresses, const std::string& node_id) {
        write_line(ready, "ready " + addresses.front().text() + ' ' + node_id);
        return base::Result<void>();
      });
  if (end.why != node::ProcessEnd::Why::kStopped) write_line(ready, text_of(end));
  ::_exit(exit_code_of(end));
}

}  // namespace

base::Result<TemporaryDirectory> TemporaryDirectory::make() {
  std::error_code error;
  const fs::path below = fs::temp_directory_path(error);
  std::string pattern = (below / "atlas-run.XXXXXX").string();
  if (error || ::mkdtemp(pattern.data()) == nullptr) {
    return base::fail(base::Fault::kInternal, pattern + ": no temporary directory: " + std::strerror(errno));
  }
  return TemporaryDirectory(pattern);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

base::Result<LoopbackNode> LoopbackNode::start(const NodeOrder& order) {
  LoopbackNode node(order.name, layout_of(order.home / order.name));
  node.log_ = order.home / (order.name + ".log");
  std::ostringstream ignored, wrong;
  if (const int code = id_init(node.layout_, false, ignored, wrong); code != kOk) {
    return base::fail(base::Fault::kInternal, wrong.str());
  }
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail(base::Fault::kInternal, "no pipe could be made");
  node.pid_ = ::fork();
  if (node.pid_ == 0) {
    ::close(ends[0]);
    run(order, node.layout_, node.log_, ends[1]);
  }
  ::close(ends[1]);
  auto ready =
      node.pid_ < 0 ? base::fail(base::Fault::kInternal, "no process could be made") : node.wait_until_ready(ends[0]);
  ::close(ends[0]);
  if (!ready) return std::unexpected(ready.error());
  return node;
}

base::Result<void> LoopbackNode::wait_until_ready(int from) {
  const base::SystemClock clock;
  const base::MonoNs until = clock.mono_ns() + kStartTime;
  std::string said;
  while (said.find('\n') == std::string::npos && clock.mono_ns() < until) {
    pollfd waiting{from, POLLIN, 0};
    if (::poll(&waiting, 1, 100) <= 0) continue;
    char piece[512];
    const ssize_t got = ::read(from, piece, sizeof piece);
    if (got <= 0) break;
    said.append(piece, static_cast<std::size_t>(got));
  }
  std::istringstream words(said);
  std::string first;
  if (words >> first >> address_ >> node_id_ && first == "ready") return {};
  const std::string how = ended();
  if (said.empty()) said = how.empty() ? "it did not get ready in time" : how + '\n' + new_log();
  return base::fail(base::Fault::kState, said);
}

LoopbackNode::LoopbackNode(LoopbackNode&& other) noexcept
    : name_(std::move(other.name_)),
      address_(std::move(other.address_)),
      node_id_(std::move(other.node_id_)),
      end_(std::move(other.end_)),
      layout_(std::move(other.layout_)),
      log_(std::move(other.log_)),
      log_read_(other.log_read_),
      pid_(std::exchange(other.pid_, -1)) {}

LoopbackNode::~LoopbackNode() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  const base::SystemClock clock;
  const base::MonoNs until = clock.mono_ns() + kEndTime;
  while (ended().empty() && clock.mono_ns() < until) ::poll(nullptr, 0, 5);
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::string LoopbackNode::new_log() {
  std::ifstream file(log_, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(log_read_));
  std::ostringstream text;
  text << file.rdbuf();
  log_read_ += text.str().size();
  return text.str();
}

std::string LoopbackNode::ended() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    end_ = WIFSIGNALED(status) ? fmt::format("node {} crashed with SIG{}", name_, sigabbrev_np(WTERMSIG(status)))
                               : fmt::format("node {} ended with exit code {}", name_, WEXITSTATUS(status));
  }
  return end_;
}

}  // namespace atlas::cli
