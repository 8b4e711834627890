// config/systemd/atlas.service says how systemd is to start, stop and restart a node; here its own command line and
// environment run, with another program file, root and port in them, and the program is seen to behave so. The sandbox
// of the unit is systemd's to set up; `systemd-analyze verify` at least reads it, where that is installed.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <set>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::NodeProcess;
using Words = std::vector<std::string>;

std::string with_all_replaced(std::string text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

Words words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// A section of a unit file; this one has no quotes, specifiers or continued lines in what is asked for here.
class Section {
 public:
  explicit Section(const std::string& text, const std::string& wanted = "[Service]") {
    std::istringstream in(text);
    std::string section;
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') continue;
      const auto equals = line.find('=');
      if (line[0] == '[') {
        section = line;
      } else if (section == wanted && equals != std::string::npos) {
        settings_.emplace_back(line.substr(0, equals), line.substr(equals + 1));
      }
    }
  }
  std::vector<std::string> all(const std::string& key) const {
    std::vector<std::string> out;
    for (const auto& [name, value] : settings_) {
      if (name == key) out.push_back(value);
    }
    return out;
  }
  // The last one counts; empty when the setting is not there.
  std::string one(const std::string& key) const {
    const auto values = all(key);
    return values.empty() ? "" : values.back();
  }

 private:
  std::vector<std::pair<std::string, std::string>> settings_;
};

// What the program tells a service manager that listens on NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot bind " + path_);
  }
  ~NotifySocket() { close(socket_); }
  const std::string& path() const { return path_; }
  std::string heard() const {
    std::string out;
    std::array<char, 4096> room;
    for (ssize_t got; (got = recv(socket_, room.data(), room.size(), MSG_DONTWAIT)) > 0;)
      out.append(room.data(), static_cast<std::size_t>(got)) += '\n';
    return out;
  }

 private:
  const std::string path_;
  const int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

class SystemdUnit : public testing::Test {
 protected:
  SystemdUnit()
      : node(home, "atlas"),
        as_shipped(kit::contents(std::filesystem::path(ATLAS_SOURCE_DIR) / "config" / "systemd" / "atlas.service")),
        here(with_all_replaced(with_all_replaced(as_shipped, "/usr/bin/atlas", kit::atlas_program().string()),
                               "/var/lib/atlas", node.root().string())),
        service(here),
        unit(here, "[Unit]") {
    configure("bootstrap");
  }
  ~SystemdUnit() override {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      kit::wait_for(pid);
    }
  }

  // A config file of the seeds with a free port on the loopback.
  void configure(const std::string& seed) {
    const auto folder = std::filesystem::path(ATLAS_SOURCE_DIR) / "tests" / "unit" / "config" / "seeds";
    const std::string text = kit::contents(folder / (seed + ".toml"));
    node.write_config(with_all_replaced(text, "port = 4433\n", "port = 0\nbind = [\"127.0.0.1\"]\n"));
  }

  // As systemd does it: the command line as it is, only the unit's environment, the root directory, no terminal.
  pid_t launch(const Words& command, Words environment) const {
    const std::string out = out_file(), err = err_file();
    std::filesystem::remove(out);
    const mode_t mask = static_cast<mode_t>(std::stoul(service.one("UMask"), nullptr, 8));
    const pid_t child = fork();
    if (child != 0) return child;
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
    umask(mask);
    if (chdir("/") != 0) _exit(126);
    std::vector<char*> argv, envp;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    for (const auto& setting : environment) envp.push_back(const_cast<char*>(setting.c_str()));
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  // The exit code of a service that ends by itself.
  int run_to_its_end(const Words& more = {}) const {
    Words command = words_of(service.one("ExecStart"));
    command.insert(command.end(), more.begin(), more.end());
    return kit::wait_for(launch(command, service.all("Environment")));
  }
  void start(const Words& more_environment = {}) {
    Words environment = service.all("Environment");
    environment.insert(environment.end(), more_environment.begin(), more_environment.end());
    pid = launch(words_of(service.one("ExecStart")), environment);
    ASSERT_TRUE(kit::eventually([&] {
      if (waitpid(pid, nullptr, WNOHANG) == pid) pid = -1;
      return pid < 0 || kit::contents(out_file()).find('\n') != std::string::npos;
    }));
    ASSERT_GT(pid, 0) << "it ended: " << kit::contents(err_file());
  }
  int stop() {
    ::kill(pid, SIGTERM);
    return kit::wait_for(std::exchange(pid, -1));
  }
  std::string out_file() const { return home.path() / "service.out"; }
  std::string err_file() const { return home.path() / "service.err"; }
  std::string ready_line() const { return kit::contents(out_file()); }

  kit::TemporaryHome home;
  NodeProcess node;  // its root, and commands over it; the daemon is the service's
  const std::string as_shipped, here;
  const Section service, unit;
  pid_t pid = -1;
};

TEST_F(SystemdUnit, CommandLineStartsANodeWithEachSeedAndSigtermEndsItWithZero) {
  ASSERT_EQ(words_of(service.one("ExecStart")).front(), kit::atlas_program().string());
  for (const char* seed : {"bootstrap", "relay"}) {
    configure(seed);
    start();
    EXPECT_TRUE(ready_line().starts_with("ready 127.0.0.1:")) << ready_line();
    const auto status = node.run({"net", "status", "--json"});
    ASSERT_EQ(status.exit_code, 0) << status.err;
    EXPECT_NE(ready_line().find(status.json()["node_id"].get<std::string>()), std::string::npos) << ready_line();
    EXPECT_EQ(stop(), 0) << kit::contents(err_file());
    EXPECT_FALSE(std::filesystem::exists(node.root() / "run" / "control.sock"));
  }
}

TEST_F(SystemdUnit, RootIsTheStateDirectoryAndClosedToOthers) {
  const Section shipped(as_shipped);
  const auto environment = shipped.all("Environment");
  const std::string root = "ATLAS_ROOT=/var/lib/" + shipped.one("StateDirectory");
  EXPECT_NE(std::ranges::find(environment, root), environment.end()) << root;
  EXPECT_EQ(shipped.one("StateDirectoryMode"), "0700");
  start();
  EXPECT_EQ(stop(), 0);
  for (const char* file : {"state/peers.db", "keys/node-key.pem", "run/node.lock"}) {
    struct stat status;
    ASSERT_EQ(stat((node.root() / file).c_str(), &status), 0) << file;
    EXPECT_EQ(status.st_mode & 077, 0u) << file;
  }
}

TEST_F(SystemdUnit, TypeIsWhatTheProgramDoes) {
  // Not forking: the process that was started is the one that serves, and no other is there when it has ended.
  // Type=notify would wait for READY=1 for ever, and Type=simple would start others too early if it came.
  const NotifySocket socket(home.path() / "notify");
  start({"NOTIFY_SOCKET=" + socket.path()});
  EXPECT_EQ(kill(pid, 0), 0);
  EXPECT_EQ(stop(), 0);
  const bool says_ready = socket.heard().find("READY=1") != std::string::npos;
  EXPECT_EQ(service.one("Type"), says_ready ? "notify" : "simple");
  EXPECT_EQ(service.one("PIDFile"), "");
}

TEST_F(SystemdUnit, StopIsSystemdsOwn) {
  // Without these systemd sends SIGTERM to the process, and 0 is success; so the program needs nothing else of it.
  const std::string signal = service.one("KillSignal");
  EXPECT_TRUE(signal.empty() || signal == "SIGTERM") << signal;
  EXPECT_EQ(service.one("ExecStop"), "");
  EXPECT_EQ(service.one("SuccessExitStatus"), "");
  EXPECT_EQ(service.one("KillMode"), "");
}

TEST_F(SystemdUnit, IsNotRestartedForWhatARestartCannotMend) {
  ASSERT_EQ(service.one("Restart"), "always");
  std::set<int> seen = {run_to_its_end({"--no-such-option"})};
  const auto key = node.root() / "keys" / "node-key.pem";
  std::filesystem::rename(key, key.string() + ".away");
  seen.insert(run_to_its_end());
  std::filesystem::rename(key.string() + ".away", key);
  node.write_config("[network]\nprot = 1\n");
  seen.insert(run_to_its_end());
  std::set<int> listed;
  for (const auto& word : words_of(service.one("RestartPreventExitStatus"))) listed.insert(std::stoi(word));
  EXPECT_EQ(seen, listed);
}

TEST_F(SystemdUnit, IsRestartedForWhatMayPassButNotForEver) {
  start();
  const int taken = run_to_its_end();  // the root is another's for now
  EXPECT_EQ(taken, 7);
  EXPECT_EQ(stop(), 0);
  std::filesystem::permissions(node.root() / "keys" / "node-key.pem", std::filesystem::perms(0644));
  const int unsafe_key = run_to_its_end();
  EXPECT_EQ(unsafe_key, 1);
  for (const auto& word : words_of(service.one("RestartPreventExitStatus"))) {
    EXPECT_NE(std::stoi(word), taken);
    EXPECT_NE(std::stoi(word), unsafe_key);
  }
  // systemd's own limit of 5 starts in 10 s never bites with this pause; the unit's must be reached by what fails at
  // once.
  const int pause = std::stoi(service.one("RestartSec"));
  const int burst = std::stoi(unit.one("StartLimitBurst")), span = std::stoi(unit.one("StartLimitIntervalSec"));
  EXPECT_LT(burst * pause, span);
  // A start that waits for a command on the root, 10 s, must reach it as well.
  EXPECT_LT(burst * (pause + 10), span);
}

TEST_F(SystemdUnit, SystemdFindsNothingWrongWithIt) {
  const std::string analyze = "/usr/bin/systemd-analyze";
  if (access(analyze.c_str(), X_OK) != 0) GTEST_SKIP() << analyze << " is not installed";
  const auto verify = [&](const std::string& text, const std::string& name) {
    const auto file = home.path() / (name + ".service"), said = home.path() / (name + ".said");
    std::ofstream(file) << text;
    const int code = kit::wait_for(kit::launch({analyze, "verify", "--man=no", file.string()}, said, said));
    return std::pair(code, kit::contents(said));
  };
  EXPECT_EQ(verify(here, "atlas"), std::pair(0, std::string()));
  const auto wrong = verify(with_all_replaced(here, "NoNewPrivileges=", "NoNewPrivilege="), "wrong");
  EXPECT_NE(wrong.second.find("NoNewPrivilege"), std::string::npos) << "it would not have told: " << wrong.second;
}

}  // namespace
}  // namespace atlas
