// F1 of other people's relays: this tool starts one, kills it and starts it again, and looks when its own clients pass
// traffic again. What these do meanwhile is what their protocol tells them, and no more.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/meter.h"
#include "bench/other_relays.h"
#include "bench/relay_run.h"
#include "bench/stream_pairs.h"
#include "bench/turn_pairs.h"

namespace atlas::bench {

using nlohmann::json;

namespace {

constexpr double kUsualPatience = 60;  // seconds
constexpr base::MonoNs kUpAtMost = 20 * base::kSecond;
constexpr int kPauseMs = 10, kAnswerMs = 50, kStreamMs = 1000;

class Program {
 public:
  explicit Program(const std::vector<std::string>& words) : words_(words) {
    if (words_.empty()) throw std::runtime_error("the words that start the relay are missing; they come after --");
    start();
  }
  ~Program() { end(SIGTERM); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void kill_and_restart() {
    end(SIGKILL);
    start();
  }

 private:
  void start() {
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nowhere = open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) dup2(nowhere, fd);
    std::vector<char*> argv;
    for (const auto& word : words_) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  void end(int signal) {
    ::kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
  }

  const std::vector<std::string> words_;
  pid_t pid_ = -1;
};

// Tries until it works, for so long at most; when it did. Failures are those of a server that is not up yet.
std::optional<base::MonoNs> when(const base::Clock& clock, base::MonoNs patience, const std::function<bool()>& works) {
  for (const base::MonoNs end = clock.mono_ns() + patience;;) {
    try {
      if (works()) return clock.mono_ns();
    } catch (const std::runtime_error&) {
    }
    if (clock.mono_ns() > end) return std::nullopt;
    ::poll(nullptr, 0, kPauseMs);
  }
}

double ms(base::MonoNs from, base::MonoNs to) {
  return static_cast<double>(to - from) / 1e6;
}

bool passes(TurnPairs& pairs) {
  static std::uint64_t number = 0;
  const End client = pairs.client(0, kDatagram), peer = pairs.peer(0, kDatagram);
  base::Bytes message = client.message;
  ++number;
  std::memcpy(message.data() + message.size() - sizeof number, &number, sizeof number);
  if (::send(client.fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return false;
  pollfd waiting{peer.fd, POLLIN, 0};
  base::Bytes got(kMostBytes);
  while (::poll(&waiting, 1, kAnswerMs) > 0) {
    const auto size = ::recv(peer.fd, got.data(), got.size(), MSG_DONTWAIT);
    if (size < 0) return false;
    if (size == static_cast<ssize_t>(kDatagram) &&
        std::memcmp(got.data() + kDatagram - sizeof number, &number, sizeof number) == 0) {
      return true;
    }
  }
  return false;
}

bool passes(const StreamPairs& streams) {
  const StreamPairs::Pair& pair = streams.pairs().front();
  set_waiting(pair.target.get(), kStreamMs);
  const base::Bytes message(kDatagram, 0x5a);
  base::Bytes got(kDatagram);
  return ::send(pair.source.get(), message.data(), message.size(), MSG_NOSIGNAL) ==
             static_cast<ssize_t>(message.size()) &&
         ::recv(pair.target.get(), got.data(), got.size(), MSG_WAITALL) == static_cast<ssize_t>(got.size()) &&
         got == message;
}

base::MonoNs patience_of(const RelayOptions& options) {
  return span_of(options, kUsualPatience);
}

json outcome(base::MonoNs killed, std::optional<base::MonoNs> up, std::optional<base::MonoNs> passed,
             base::MonoNs patience) {
  if (!up) throw std::runtime_error("the relay does not come up again");
  json out = {{"patience_s", in_seconds(patience)}, {"ms_until_it_answers", ms(killed, *up)}, {"seconds", nullptr}};
  if (passed) out["seconds"] = ms(killed, *passed) / 1000;
  return out;
}

}  // namespace

json turn_restart(const net::SocketAddress& server, const RelayOptions& options) {
  const base::SystemClock clock;
  Program program(options.command);
  std::optional<TurnPairs> pairs;
  const auto allocate = [&](std::optional<TurnPairs>& into) {
    into.emplace(server, 1);
    return passes(*into);
  };
  if (!when(clock, kUpAtMost, [&] { return allocate(pairs); })) throw std::runtime_error("the TURN server is not up");
  const base::MonoNs killed = clock.mono_ns();
  program.kill_and_restart();
  std::optional<TurnPairs> others;
  const auto up = when(clock, kUpAtMost, [&] { return allocate(others); });
  const auto passed = when(clock, patience_of(options), [&] { return passes(*pairs); });
  return outcome(killed, up, passed, patience_of(options));
}

json stream_restart(const net::SocketAddress& server, const RelayOptions& options) {
  const base::SystemClock clock;
  Program program(options.command);
  std::optional<StreamPairs> streams;
  const auto join = [&] {
    streams.emplace(server, 1);
    return passes(*streams);
  };
  if (!when(clock, kUpAtMost, join)) throw std::runtime_error("the stream relay is not up");
  const base::MonoNs killed = clock.mono_ns();
  program.kill_and_restart();
  // The streams end with the server, so its clients know; these join again at once.
  const auto passed = when(clock, patience_of(options), join);
  return outcome(killed, passed, passed, patience_of(options));
}

}  // namespace atlas::bench
