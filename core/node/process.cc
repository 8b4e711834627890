#include "node/process.h"

#include <signal.h>
#include <unistd.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "control/exit_code.h"
#include "host/thread_pool.h"
#include "net/uv_loop.h"
#include "node/huge_pages.h"
#include "node/root_lock.h"

namespace atlas::node {
namespace {

constexpr unsigned kStrandThreads = 2;
constexpr base::MonoNs kLockPatience = 10 * base::kSecond;    // of a command that finds another one at work
constexpr base::MonoNs kStopPatience = 10 * base::kSecond;    // with both, well below systemd's TimeoutStopSec
constexpr base::MonoNs kGoodbyePatience = 2 * base::kSecond;  // of a stop that the roles did not let end
constexpr base::MonoNs kLockRetry = 50 * base::kMillisecond;

base::Level level_of(const std::string& name) {
  if (name == "debug") return base::Level::kDebug;
  if (name == "warn") return base::Level::kWarn;
  if (name == "error") return base::Level::kError;
  if (name == "off") return base::Level::kOff;
  return base::Level::kInfo;
}

// What a node needs of the system, in the order in which it is taken down.
struct Machine {
  base::SystemClock clock;
  base::SystemRandom random;
  net::UvLoop loop{clock};
  std::unique_ptr<host::ThreadPool> writer = std::make_unique<host::ThreadPool>(1);
  std::unique_ptr<host::ThreadPool> strands = std::make_unique<host::ThreadPool>(kStrandThreads);

  // The loop wakes the threads of the roles at most once in a turn, however many messages and events it has for them.
  void run() {
    HugePages pages(system_heap());
    loop.before_sleep([this, &pages] {
      strands->release();
      pages.look();
    });
    strands->gather(true);
    loop.run();
    loop.before_sleep(nullptr);
    strands->gather(false);
  }

  Environment environment() { return {&loop, &clock, &random, strands.get(), writer.get()}; }
};

// From here on a signal that asks for the end gets it at once, whatever the loop and the roles are doing.
void end_at_next_signal() {
  struct sigaction action {};
  action.sa_handler = [](int number) { _exit(128 + number); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// Sees to it that a stop ends the process even when a role's callback never returns. On the loop's thread.
class OrderlyStop {
 public:
  explicit OrderlyStop(Machine& machine) : machine_(machine) {}

  void begin(Node& node) {
    patience_ = machine_.loop.make_timer([this, &node] { give_up(node); });
    patience_->arm(base::after(machine_.clock.mono_ns(), kStopPatience));
    node.begin_stop([this] {
      patience_->arm(base::kNever);
      machine_.loop.stop();
    });
  }

 private:
  void give_up(Node& node) {
    // The goodbyes have not left either: that was all that could be done.
    if (std::exchange(gave_up_, true)) _exit(control::kFailure);
    patience_->arm(base::after(machine_.clock.mono_ns(), kGoodbyePatience));
    node.abandon_roles([](const std::vector<std::string>& stuck) {
      base::log(base::Level::kError, "node", "ends without an orderly stop; this role did not stop within {} s: {}",
                kStopPatience / base::kSecond, fmt::join(stuck, ", "));
      // Destructors would wait for the callback that does not return.
      _exit(control::kFailure);
    });
  }

  Machine& machine_;
  std::unique_ptr<net::Timer> patience_;
  bool gave_up_ = false;
};

ProcessEnd ended(ProcessEnd::Why why, std::string error) {
  ProcessEnd end;
  end.why = why;
  end.error = std::move(error);
  return end;
}

// Makes the node, or says why not.
std::unique_ptr<Node> make_node(const ProcessSetup& setup, Mode mode, Machine& machine, ProcessEnd& end,
                                decltype(NodeSetup::on_fatal) on_fatal) {
  auto key = identity::NodeKey::load(setup.paths.key);
  if (!key) {
    end = ended(key.error().fault == base::Fault::kGone ? ProcessEnd::Why::kNoIdentity : ProcessEnd::Why::kFailed,
                key.error().text);
    return nullptr;
  }
  NodeSetup node_setup;
  node_setup.mode = mode;
  node_setup.version = setup.version;
  node_setup.config = setup.config;
  node_setup.key = std::make_shared<const identity::NodeKey>(std::move(*key));
  node_setup.database = setup.paths.database;
  node_setup.plugin_dirs = setup.plugin_dirs;
  node_setup.environment = machine.environment();
  node_setup.on_fatal = std::move(on_fatal);
  auto made = Node::make(std::move(node_setup));
  if (!made.error.empty()) {
    end = ended(ProcessEnd::Why::kFailed, made.error);
  } else if (!made.problems.empty()) {
    end.why = ProcessEnd::Why::kConfig;
    end.problems = std::move(made.problems);
  }
  return std::move(made.node);
}

// Answers of a command that runs in this process.
class LocalCall final : public control::Call {
 public:
  LocalCall(const control::Answers& answers, control::Finished& finished, std::function<void()> over)
      : answers_(answers), finished_(finished), over_(std::move(over)) {}

  bool row(std::string_view json) override { return deliver(answers_.row, json); }
  bool progress(std::string_view text) override { return deliver(answers_.progress, text); }
  bool result(std::string_view json) override { return deliver(answers_.result, json); }
  bool finish(int exit_code, std::string_view error) override {
    {
      const std::lock_guard lock(mutex_);
      if (done_) return false;
      done_ = true;
      finished_.exit_code = exit_code;
      finished_.error = error;
    }
    over_();
    return true;
  }
  void on_gone(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    gone_ = std::move(callback);
  }
  // The person pressed Ctrl-C.
  void leave() {
    std::function<void()> gone;
    {
      const std::lock_guard lock(mutex_);
      if (done_) return;
      done_ = true;
      finished_.exit_code = 128 + SIGINT;
      gone = std::move(gone_);
    }
    if (gone) gone();
    over_();
  }

 private:
  bool deliver(const std::function<void(std::string_view)>& to, std::string_view what) {
    const std::lock_guard lock(mutex_);
    if (done_) return false;
    if (to) to(what);
    return true;
  }

  std::mutex mutex_;
  const control::Answers& answers_;
  control::Finished& finished_;
  std::function<void()> over_;
  std::function<void()> gone_;
  bool done_ = false;
};

// Another command may hold the lock for a moment; a daemon would have answered on its socket.
base::Result<RootLock> take_lock_patiently(const std::filesystem::path& file, const base::Clock& clock) {
  const base::MonoNs deadline = base::after(clock.mono_ns(), kLockPatience);
  for (;;) {
    auto lock = RootLock::take(file);
    if (lock || lock.error().fault != base::Fault::kConflict || clock.mono_ns() >= deadline) return lock;
    const timespec pause{0, static_cast<long>(kLockRetry)};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

Paths Paths::below(const std::filesystem::path& root) {
  return {root,
          root / "keys" / "node-key.pem",
          root / "state" / "config.toml",
          root / "state" / "peers.db",
          root / "run" / "control.sock",
          root / "run" / "node.lock"};
}

ProcessEnd run_daemon(
    const ProcessSetup& setup,
    const std::function<void(const std::vector<net::SocketAddress>&, const std::string& node_id)>& ready) {
  base::configure_log(level_of(setup.config.log.level),
                      setup.config.log.format == "json" ? base::LogFormat::kJson : base::LogFormat::kText);
  auto lock = RootLock::take(setup.paths.lock);
  if (!lock) {
    const bool busy = lock.error().fault == base::Fault::kConflict;
    return ended(busy ? ProcessEnd::Why::kAlreadyRunning : ProcessEnd::Why::kFailed, lock.error().text);
  }
  ProcessEnd end;
  Machine machine;
  OrderlyStop orderly(machine);
  bool stopping = false;
  std::unique_ptr<Node> node;
  const auto stop = [&] {
    if (std::exchange(stopping, true)) return;
    base::log(base::Level::kInfo, "node", "stopping");
    orderly.begin(*node);
  };
  const auto stop_or_end = [&] {
    end_at_next_signal();
    stop();
  };
  node = make_node(setup, Mode::kDaemon, machine, end, [&](const std::string& role, const std::string& reason) {
    machine.loop.post([&, role, reason] {
      if (!stopping) {
        end = ended(ProcessEnd::Why::kFailed,
                    "the role " + role + " is out of service, and its on_fault = \"stop-node\": " + reason);
      }
      stop();
    });
  });
  if (!node) return end;
  machine.loop.on_signal(SIGINT, stop_or_end);
  machine.loop.on_signal(SIGTERM, stop_or_end);
  if (auto started = node->start(); !started) {
    end = ended(ProcessEnd::Why::kFailed, started.error().text);
    stop();
    machine.run();
    return end;
  }
  auto server = control::Server::start(
      setup.paths.socket, [&](const control::Request& request, auto call) { node->handle(request, std::move(call)); });
  if (!server) {
    end = ended(ProcessEnd::Why::kFailed, server.error().text);
    stop();
  } else {
    ready(node->listening(), node->node_id());
  }
  machine.run();
  if (server) server->reset();  // no command comes any more
  machine.strands.reset();
  machine.writer.reset();
  node.reset();
  return end;
}

ProcessEnd run_command(const ProcessSetup& setup, const control::Request& request, const control::Answers& answers,
                       control::Finished& finished) {
  base::configure_log(base::Level::kWarn, base::LogFormat::kText);
  ProcessEnd end;
  Machine machine;
  auto lock = take_lock_patiently(setup.paths.lock, machine.clock);
  if (!lock) {
    const bool busy = lock.error().fault == base::Fault::kConflict;
    return ended(busy ? ProcessEnd::Why::kAlreadyRunning : ProcessEnd::Why::kFailed, lock.error().text);
  }
  auto node = make_node(setup, Mode::kClient, machine, end, nullptr);
  if (!node) return end;
  OrderlyStop orderly(machine);
  const auto stop = [&] { orderly.begin(*node); };
  const auto call = std::make_shared<LocalCall>(answers, finished, [&] { machine.loop.post(stop); });
  const auto leave_or_end = [&] {
    end_at_next_signal();
    call->leave();
  };
  machine.loop.on_signal(SIGINT, leave_or_end);
  machine.loop.on_signal(SIGTERM, leave_or_end);
  if (auto started = node->start(); !started) {
    end = ended(ProcessEnd::Why::kFailed, started.error().text);
    machine.loop.post(stop);
  } else {
    node->handle(request, call);
  }
  machine.run();
  machine.strands.reset();
  machine.writer.reset();
  node.reset();
  return end;
}

}  // namespace atlas::node
