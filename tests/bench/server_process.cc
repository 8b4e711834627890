#include "bench/server_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "bench/processors.h"
#include "control/client.h"

namespace atlas::bench {
namespace fs = std::filesystem;

namespace {

// Runs a program to its end: what it printed, nothing when it failed.
std::optional<std::string> run(const std::vector<std::string>& words, bool quiet = false) {
  int out[2];
  if (pipe(out) != 0) throw std::runtime_error("pipe");
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    dup2(out[1], 1);
    if (quiet && freopen("/dev/null", "w", stderr) == nullptr) _exit(126);
    close(out[0]);
    close(out[1]);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  std::string printed;
  char piece[4096];
  for (ssize_t got; (got = read(out[0], piece, sizeof piece)) > 0;)
    printed.append(piece, static_cast<std::size_t>(got));
  close(out[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) return std::nullopt;
  return printed;
}

}  // namespace

ServerProcess::ServerProcess(net::SocketAddress address, pid_t pid) : address_(address), pid_(pid) {}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : atlas_(std::move(other.atlas_)),
      root_(std::move(other.root_)),
      address_(other.address_),
      node_id_(std::move(other.node_id_)),
      addresses_(other.addresses_),
      pid_(std::exchange(other.pid_, -1)),
      cpu_(other.cpu_),
      own_(std::exchange(other.own_, false)) {}

namespace {

std::string quoted(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "\"" : ", \"") + word + '"';
  return '[' + out + ']';
}

std::string config_of(const ServerConfig& wanted) {
  std::string out =
      fmt::format("[network]\nport = 0\nbind = {}\nrelays = {}\n",
                  wanted.bind.empty() ? quoted({"127.0.0.1"}) : quoted(wanted.bind), quoted(wanted.relays));
  out += "[transport]\nmax_connections = 1000000\nmax_streams_per_conn = 128\nidle_timeout = 3600\n" +
         wanted.transport +
         "[security]\nhandshake_limit = 100000\n"
         "[rate_limit]\nper_peer_per_minute = 60000000\nper_peer_per_second = 1000000\n"
         "payload_per_minute = 1000000000000\n";
  out += fmt::format("[log]\nlevel = \"{}\"\n[store]\nmax_peers = 1000000\n[plugins]\nenabled = {}\nsearch = {}\n",
                     wanted.log, quoted(wanted.roles), quoted(wanted.search));
  if (std::ranges::find(wanted.roles, "bootstrap") != wanted.roles.end()) {
    out += "[plugins.bootstrap]\nmax_records = 1000000\n";
  }
  return out + wanted.tables;
}

}  // namespace

ServerProcess ServerProcess::start(const fs::path& atlas, const ServerConfig& wanted) {
  ServerProcess server;
  server.own_ = true;
  server.addresses_ = std::max<std::size_t>(1, wanted.bind.size());
  server.cpu_ = wanted.cpu;
  server.atlas_ = fs::absolute(atlas);
  std::string pattern = (fs::temp_directory_path() / "atlas-bench.XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
  server.root_ = pattern;
  if (!run({server.atlas_, "--root", server.root_, "id", "init"})) throw std::runtime_error("atlas id init failed");
  fs::create_directories(server.root_ / "state");
  std::ofstream(server.root_ / "state" / "config.toml") << config_of(wanted);
  server.launch();
  return server;
}

void ServerProcess::launch() {
  int out[2];
  if (pipe(out) != 0) throw std::runtime_error("pipe");
  const std::string port = std::to_string(address_.port);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // a tool that fails leaves no server behind
    if (cpu_ >= 0) keep_on(cpu_);
    dup2(out[1], 1);
    close(out[0]);
    close(out[1]);
    execl(atlas_.c_str(), "atlas", "--root", root_.c_str(), "net", "listen", "--port", port.c_str(), nullptr);
    _exit(127);
  }
  close(out[1]);
  FILE* lines = fdopen(out[0], "r");
  std::optional<net::SocketAddress> first;
  for (std::size_t i = 0; i < addresses_; ++i) {
    char line[512] = {};
    std::string ready, shown;
    if (fgets(line, sizeof line, lines) != nullptr) std::istringstream(line) >> ready >> shown >> node_id_;
    const auto address = net::SocketAddress::parse(shown);
    if (ready != "ready" || !address) break;
    if (!first) first = address;
  }
  fclose(lines);
  if (!first) throw std::runtime_error("the server did not come up");
  address_ = *first;
}

void ServerProcess::kill() {
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void ServerProcess::stop() {
  ::kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

void ServerProcess::kill_and_restart() {
  kill();
  launch();
}

ServerProcess::~ServerProcess() {
  if (!own_ || pid_ <= 0) return;
  stop();
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

std::uint64_t ServerProcess::cpu_ns() const {
  std::uint64_t sum = 0;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid_) + "/task", ignored)) {
    std::ifstream stat(task.path() / "schedstat");
    std::uint64_t ran = 0;
    stat >> ran;
    sum += ran;
  }
  return sum;
}

std::map<int, ServerProcess::Thread> ServerProcess::threads() const {
  std::map<int, Thread> out;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid_) + "/task", ignored)) {
    const std::string name = task.path().filename();
    int id = 0;
    std::from_chars(name.data(), name.data() + name.size(), id);
    Thread& thread = out[id];
    std::ifstream(task.path() / "comm") >> thread.name;
    std::ifstream(task.path() / "schedstat") >> thread.cpu_ns;
    std::ifstream status(task.path() / "status");
    for (std::string key; status >> key;) {
      std::uint64_t times = 0;
      if (key.ends_with("voluntary_ctxt_switches:") && status >> times) thread.switches += times;
    }
  }
  return out;
}

std::uint64_t ServerProcess::rss_bytes() const {
  std::ifstream rollup("/proc/" + std::to_string(pid_) + "/smaps_rollup");
  std::string key;
  std::uint64_t kib = 0;
  while (rollup >> key) {
    if (key == "Private_Dirty:") {
      rollup >> kib;
      return kib * 1024;
    }
  }
  return 0;
}

std::uint64_t ServerProcess::descriptors() const {
  std::error_code ignored;
  std::uint64_t count = 0;
  for ([[maybe_unused]] const auto& fd : fs::directory_iterator("/proc/" + std::to_string(pid_) + "/fd", ignored))
    ++count;
  return count;
}

std::uint64_t ServerProcess::socket_drops() const {
  std::ifstream table("/proc/net/udp");
  const std::string port = fmt::format(":{:04X}", address_.port);
  std::uint64_t sum = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string slot, local, last;
    words >> slot >> local;
    if (!local.ends_with(port)) continue;
    while (words >> last) {
    }
    sum += std::strtoull(last.c_str(), nullptr, 10);
  }
  return sum;
}

std::string ServerProcess::ask(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {atlas_, "--root", root_};
  all.insert(all.end(), words.begin(), words.end());
  return run(all, /*quiet=*/true).value_or("");
}

nlohmann::json ServerProcess::call(const std::string& path, const std::map<std::string, std::string>& args,
                                   std::string* why) const {
  nlohmann::json out;
  control::Answers answers;
  answers.result = [&](std::string_view text) { out = nlohmann::json::parse(text, nullptr, false); };
  const auto finished = control::call(root_ / "run" / "control.sock", {path, args}, answers);
  if (why != nullptr) *why = finished ? finished->error : finished.error().text;
  return finished && finished->exit_code == 0 ? out : nullptr;
}

std::uint64_t own_cpu_ns() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto ns = [](const timeval& t) {
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_usec) * 1000;
  };
  return ns(use.ru_utime) + ns(use.ru_stime);
}

}  // namespace atlas::bench
