#include "node/process.h"

#include <signal.h>
#include <unistd.h>

#include <map>
#include <optional>

#include "base/log.h"
#include "control/exit_code.h"
#include "host/claims.h"
#include "host/thread_pool.h"
#include "net/interfaces.h"
#include "net/uv_loop.h"
#include "node/crash_record.h"
#include "node/huge_pages.h"
#include "node/orderly_stop.h"
#include "node/root_lock.h"

namespace atlas::node {
namespace {

constexpr unsigned kStrandThreads = 2;
constexpr base::MonoNs kStartWait = 5 * base::kSecond;  // for the roles, before the node says that it is ready

base::Level level_of(const std::string& name) {
  if (name == "debug") return base::Level::kDebug;
  if (name == "warn") return base::Level::kWarn;
  if (name == "error") return base::Level::kError;
  if (name == "off") return base::Level::kOff;
  return base::Level::kInfo;
}

// For `top -H` and the like.
void name_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

// What a node needs of the system, in the order in which it is taken down.
struct Machine {
  base::SystemClock clock;
  base::SystemRandom random;
  net::UvLoop loop{clock};
  std::unique_ptr<host::ThreadPool> writer = std::make_unique<host::ThreadPool>(1, [] { name_thread("atlas-writer"); });
  std::unique_ptr<host::ThreadPool> strands = std::make_unique<host::ThreadPool>(kStrandThreads, [] {
    name_thread("atlas-roles");
    use_signal_stack();
  });

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

  Environment environment() {
    return {.loop = &loop,
            .clock = &clock,
            .random = &random,
            .strands = strands.get(),
            .writer = writer.get(),
            .watch_strands = true,
            .own_addresses = [] { return net::interface_addresses(); }};
  }
};

// From here on a signal that asks for the end gets it at once, whatever the loop and the roles are doing.
void end_at_next_signal() {
  struct sigaction action {};
  action.sa_handler = [](int number) { _exit(128 + number); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// Calls `stop` for each signal that asks for the end, on the loop. A terminal that closes says so more than once, so
// only SIGINT and SIGTERM end the process when they come again.
void watch_signals(net::UvLoop& loop, const std::function<void(int signal_number)>& stop) {
  for (const int number : {SIGINT, SIGTERM}) {
    loop.on_signal(number, [stop, number] {
      end_at_next_signal();
      stop(number);
    });
  }
  struct sigaction inherited {};
  const bool nohup = sigaction(SIGHUP, nullptr, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
  if (!nohup) loop.on_signal(SIGHUP, [stop] { stop(SIGHUP); });
}

ProcessEnd ended(ProcessEnd::Why why, std::string error) {
  ProcessEnd end;
  end.why = why;
  end.error = std::move(error);
  return end;
}

// What a process has before its node: nothing is made below a root that has no key.
struct Claim {
  std::shared_ptr<const identity::NodeKey> key;
  RootLock lock;
};

std::optional<Claim> claim_root(const ProcessSetup& setup, LockUse use, const base::Clock& clock, ProcessEnd& end) {
  using Why = ProcessEnd::Why;
  auto key = identity::NodeKey::load(setup.paths.key);
  if (!key) {
    end = ended(key.error().fault == base::Fault::kGone ? Why::kNoIdentity : Why::kFailed, key.error().text);
    return std::nullopt;
  }
  const auto pause = [](base::MonoNs span) {
    const timespec time{0, static_cast<long>(span)};
    nanosleep(&time, nullptr);
  };
  auto lock = take_patiently(setup.paths.lock, use, {clock, pause, setup.note});
  if (!lock) {
    end = ended(lock.error().fault == base::Fault::kConflict ? Why::kAlreadyRunning : Why::kFailed, lock.error().text);
    return std::nullopt;
  }
  return Claim{std::make_shared<const identity::NodeKey>(std::move(*key)), std::move(*lock)};
}

// A record that cannot be kept is no reason not to run.
void keep_crash_record(const std::filesystem::path& file) {
  if (auto armed = arm_crash_record(file); !armed) base::log(base::Level::kWarn, "node", "{}", armed.error().text);
}

// Makes the node, or says why not.
std::unique_ptr<Node> make_node(const ProcessSetup& setup, Mode mode, const Claim& claim, Machine& machine,
                                ProcessEnd& end, decltype(NodeSetup::on_fatal) on_fatal,
                                std::function<void()> on_started) {
  NodeSetup node_setup;
  node_setup.mode = mode;
  node_setup.version = setup.version;
  node_setup.config = setup.config;
  node_setup.key = claim.key;
  node_setup.database = setup.paths.database;
  if (setup.safe_mode) node_setup.config.plugins.search.clear();
  node_setup.left_out = left_out(setup.config, setup.paths.crashes, machine.clock.unix_s(), setup.safe_mode);
  node_setup.plugin_dirs = setup.plugin_dirs;
  node_setup.linked = setup.linked;
  node_setup.environment = machine.environment();
  node_setup.on_fatal = std::move(on_fatal);
  node_setup.on_started = std::move(on_started);
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
  // A signal asks for the end: Ctrl-C, a supervisor, a terminal that closes.
  void leave(int signal_number) {
    std::function<void()> gone;
    {
      const std::lock_guard lock(mutex_);
      if (done_) return;
      done_ = true;
      finished_.exit_code = 128 + signal_number;
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

ProcessEnd::Why why_not_started(const base::Error& error) {
  return error.fault == base::Fault::kConflict ? ProcessEnd::Why::kPortTaken : ProcessEnd::Why::kFailed;
}

}  // namespace

Paths Paths::below(const std::filesystem::path& root) {
  return {root,
          root / "keys" / "node-key.pem",
          root / "state" / "config.toml",
          root / "state" / "peers.db",
          root / "run" / "control.sock",
          root / "run" / "node.lock",
          root / "state" / "crashes"};
}

std::map<std::string, host::LeftOut> left_out(const config::Config& config, const std::filesystem::path& crashes,
                                              std::int64_t now, bool safe_mode) {
  std::map<std::string, host::LeftOut> out;
  for (const std::string& role : config.roles()) {
    if (safe_mode && !host::is_role(role)) out[role] = {"safe mode starts the roles that come with atlas only", true};
  }
  for (auto& [plugin, reason] : crash_loops(read_crashes(crashes), now, crashes)) {
    out.try_emplace(plugin, host::LeftOut{std::move(reason), safe_mode});
  }
  return out;
}

ProcessEnd run_daemon(const ProcessSetup& setup, const ReadyCallback& ready) {
  base::configure_log(level_of(setup.config.log.level),
                      setup.config.log.format == "json" ? base::LogFormat::kJson : base::LogFormat::kText);
  ProcessEnd end;
  Machine machine;
  const auto claim = claim_root(setup, LockUse::kDaemon, machine.clock, end);
  if (!claim) return end;
  keep_crash_record(setup.paths.crashes);
  OrderlyStop orderly(
      machine.loop, [&] { machine.loop.stop(); }, _exit);
  bool stopping = false;
  std::unique_ptr<Node> node;
  const auto stop = [&] {
    if (std::exchange(stopping, true)) return;
    base::log(base::Level::kInfo, "node", "stopping");
    orderly.begin(*node);
  };
  const auto fail = [&](ProcessEnd::Why why, std::string error) {
    if (!stopping) end = ended(why, std::move(error));
    stop();
  };
  // Who reads it may ask the roles at once. One whose start takes its time keeps nobody waiting for long.
  bool said = false;
  const auto say_ready = [&] {
    if (stopping || std::exchange(said, true)) return;
    if (auto heard = ready(node->listening(), node->node_id()); !heard) {
      fail(ProcessEnd::Why::kFailed, heard.error().text);
    }
  };
  node = make_node(
      setup, Mode::kDaemon, *claim, machine, end,
      [&](const std::string& role, const std::string& reason) {
        machine.loop.post([&, role, reason] {
          fail(ProcessEnd::Why::kFailed,
               "the role " + role + " is out of service, and its on_fault = \"stop-node\": " + reason);
        });
      },
      [&] { machine.loop.post(say_ready); });
  if (!node) return end;
  watch_signals(machine.loop, [&](int) { stop(); });
  std::unique_ptr<control::Server> server;
  if (auto started = node->start(); !started) {
    fail(why_not_started(started.error()), started.error().text);
  } else if (auto made = control::Server::start(
                 setup.paths.socket,
                 [&](const control::Request& request, auto call) { node->handle(request, std::move(call)); });
             !made) {
    fail(ProcessEnd::Why::kFailed, made.error().text);
  } else {
    server = std::move(*made);
  }
  const auto patience = machine.loop.make_timer([&] {
    if (!said) base::log(base::Level::kWarn, "node", "a role is still starting; ready without it");
    say_ready();
  });
  patience->arm(base::after(machine.clock.mono_ns(), kStartWait));
  machine.run();
  server.reset();  // no command comes any more
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
  const auto claim = claim_root(setup, LockUse::kCommand, machine.clock, end);
  if (!claim) return end;
  keep_crash_record(setup.paths.crashes);
  auto node = make_node(setup, Mode::kClient, *claim, machine, end, nullptr, nullptr);
  if (!node) return end;
  OrderlyStop orderly(
      machine.loop, [&] { machine.loop.stop(); }, _exit);
  const auto stop = [&] { orderly.begin(*node); };
  const auto call = std::make_shared<LocalCall>(answers, finished, [&] { machine.loop.post(stop); });
  watch_signals(machine.loop, [&](int signal_number) { call->leave(signal_number); });
  if (auto started = node->start(); !started) {
    end = ended(why_not_started(started.error()), started.error().text);
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
