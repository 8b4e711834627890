// Real `atlas` processes for tests: each on a root of its own below a temporary directory, on a port that the kernel
// picks, and ended by its own pid.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace atlas::kit {

inline std::filesystem::path atlas_program() {
  return std::filesystem::path(ATLAS_BUILD_DIR) / "atlas";
}

struct Finished {
  int exit_code = -1;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

// Starts a child with its output in files; the caller waits.
inline pid_t launch(const std::vector<std::string>& words, const std::filesystem::path& out,
                    const std::filesystem::path& err) {
  const pid_t child = fork();
  if (child != 0) return child;
  const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int err_file = open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(open("/dev/null", O_RDONLY), 0);
  dup2(out_file, 1);
  dup2(err_file, 2);
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

inline std::string contents(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Looks again and again until it holds; how often is bounded by `most`, the test's own time-out by ctest.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds most = std::chrono::seconds(30)) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + most;
  while (!holds()) {
    if (Clock::now() > deadline) return false;
    poll(nullptr, 0, 10);  // another process is to get on; it has no event that could be waited for
  }
  return true;
}

class TemporaryHome {
 public:
  TemporaryHome() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atlas-test.XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TemporaryHome() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// One node: its root, and its daemon while that runs.
class NodeProcess {
 public:
  NodeProcess(const TemporaryHome& home, std::string name) : name_(std::move(name)), root_(home.path() / name_) {
    const auto made = run({"id", "init"});
    if (made.exit_code != 0) throw std::runtime_error("id init: " + made.err);
    run({"id", "set-name", name_});
  }
  ~NodeProcess() {
    if (pid_ > 0) kill();
  }

  // A command over this root, to its end.
  Finished run(std::vector<std::string> words) const {
    static int number = 0;
    const auto base = root_.string() + ".run" + std::to_string(getpid()) + "." + std::to_string(++number);
    words.insert(words.begin(), {atlas_program().string(), "--root", root_.string()});
    Finished out;
    out.exit_code = wait_for(launch(words, base + ".out", base + ".err"));
    out.out = contents(base + ".out");
    out.err = contents(base + ".err");
    return out;
  }

  void write_config(const std::string& text) const {
    std::filesystem::create_directories(root_ / "state");
    std::ofstream(root_ / "state" / "config.toml") << text;
  }

  // `atlas net listen` with these words; returns once it is ready, on the port of last time if there was one.
  void start(std::vector<std::string> words = {}) {
    if (!words.empty()) words_ = std::move(words);
    std::vector<std::string> all = {atlas_program().string(), "--root", root_.string(), "net", "listen", "--port",
                                    std::to_string(port_),    "--bind", "127.0.0.1"};
    all.insert(all.end(), words_.begin(), words_.end());
    std::filesystem::remove(ready_file());
    pid_ = launch(all, ready_file(), log_file());
    const bool ready = eventually([&] {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) throw std::runtime_error(name_ + " ended: " + log());
      return contents(ready_file()).find('\n') != std::string::npos;
    });
    if (!ready) throw std::runtime_error(name_ + " did not get ready: " + log());
    std::istringstream line(contents(ready_file()));
    std::string word;
    line >> word >> address_ >> node_id_;
    port_ = std::stoi(address_.substr(address_.rfind(':') + 1));
  }
  // SIGTERM; the exit code.
  int stop() {
    ::kill(pid_, SIGTERM);
    return wait();
  }
  // The exit code of a daemon that has been told to end, or ends by itself.
  int wait() { return wait_for(std::exchange(pid_, -1)); }
  void kill() {
    ::kill(pid_, SIGKILL);
    wait_for(std::exchange(pid_, -1));
  }

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }
  const std::string& node_id() const { return node_id_; }
  const std::filesystem::path& root() const { return root_; }
  pid_t pid() const { return pid_; }
  std::string log() const { return contents(log_file()); }

 private:
  std::filesystem::path ready_file() const { return root_.string() + ".ready"; }
  std::filesystem::path log_file() const { return root_.string() + ".log"; }

  const std::string name_;
  const std::filesystem::path root_;
  std::vector<std::string> words_;
  std::string address_, node_id_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace atlas::kit
