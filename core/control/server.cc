#include "control/server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <list>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "control/exit_code.h"
#include "control/listening_socket.h"
#include "control/outbox.h"

namespace atlas::control {
namespace {

constexpr std::size_t kReadPiece = 16 << 10;
constexpr std::size_t kWritePiece = 64 << 10;
// Refused or cut off, with last words that they have not read yet.
constexpr std::size_t kMaxLeaving = base::limits::control_leaving;
constexpr int kAcceptRetryMs = 100;  // after the process ran out of descriptors

class RunningCall final : public Call {
 public:
  explicit RunningCall(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}
  ~RunningCall() override { finish(kFailure, "the command ended without an answer"); }

  bool row(std::string_view json) override { return outbox_->add({AnswerKind::kRow, std::string(json), 0}); }
  bool progress(std::string_view text) override { return outbox_->add({AnswerKind::kProgress, std::string(text), 0}); }
  bool result(std::string_view json) override { return outbox_->add({AnswerKind::kResult, std::string(json), 0}); }
  bool finish(int exit_code, std::string_view error) override {
    return outbox_->add({AnswerKind::kDone, std::string(error), exit_code});
  }
  void on_gone(std::function<void()> callback) override { outbox_->on_gone(std::move(callback)); }

 private:
  const std::shared_ptr<Outbox> outbox_;
};

// One connection. The server's thread only.
class Client {
 public:
  Client(int fd, std::shared_ptr<Outbox> outbox) : fd_(fd), outbox_(std::move(outbox)) {}
  ~Client() {
    ::close(fd_);
    if (const auto gone = outbox_->end()) gone();
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int fd() const { return fd_; }
  // Only its last words are left to write.
  bool leaving() const { return leaving_; }
  bool closed() const { return closed_; }
  short events() const { return static_cast<short>((reads_ ? POLLIN : 0) | (unsent_.empty() ? 0 : POLLOUT)); }

  void on_readable(const Server::Handler& handler);
  // Encodes what the command has said and writes what the socket takes.
  void pump();
  // Last words, written as far as the client reads them; then it is closed.
  void leave(ExitCode exit_code, std::string_view why);
  void close() { closed_ = true; }
  // The last moment of the server: says so to a client whose command still runs.
  void say_farewell();

 private:
  void run(std::string_view line, const Server::Handler& handler);
  void encode_more();
  void write_out();

  const int fd_;
  const std::shared_ptr<Outbox> outbox_;
  std::string received_;
  std::string unsent_;
  std::size_t sent_ = 0;     // of unsent_
  std::size_t encoded_ = 0;  // bytes of entries that unsent_ was made from
  std::uint64_t id_ = 0;
  bool reads_ = true;
  bool requested_ = false;
  bool leaving_ = false;
  bool closed_ = false;
};

void Client::on_readable(const Server::Handler& handler) {
  char piece[kReadPiece];
  const ssize_t got = ::recv(fd_, piece, sizeof piece, MSG_DONTWAIT);
  if (got < 0) {
    if (errno != EINTR && errno != EAGAIN) closed_ = true;
    return;
  }
  if (got == 0) {
    // It will say no more but may still read, as `nc -N` does; one that has left altogether shows as a hang-up.
    reads_ = false;
    if (!requested_) closed_ = true;
    return;
  }
  if (leaving_) return;
  if (requested_) return leave(kUsage, "one request a connection");
  const std::size_t searched = received_.size();
  received_.append(piece, static_cast<std::size_t>(got));
  const std::size_t end = received_.find('\n', searched);
  if (std::min(end, received_.size()) > kMaxLine) {
    return leave(kRefused, fmt::format("the request line is longer than {} bytes", kMaxLine));
  }
  if (end == std::string::npos) return;
  if (end + 1 != received_.size()) return leave(kUsage, "one request a connection");
  const std::string line = std::exchange(received_, {}).substr(0, end);
  run(line, handler);
}

void Client::run(std::string_view line, const Server::Handler& handler) {
  auto request = parse_request(line);
  if (!request) return leave(kUsage, request.error().text);
  requested_ = true;
  id_ = request->id;
  handler(*request, std::make_shared<RunningCall>(outbox_));
}

void Client::leave(ExitCode exit_code, std::string_view why) {
  leaving_ = true;
  received_ = {};
  unsent_ += done_line(id_, exit_code, why) + '\n';
  if (const auto gone = outbox_->end()) gone();
}

void Client::encode_more() {
  for (Outbox::Entry& entry : outbox_->take(kWritePiece)) {
    encoded_ += entry.text.size();
    switch (entry.kind) {
      case AnswerKind::kRow:
      case AnswerKind::kResult: {
        const auto line = json_line(id_, entry.kind, entry.text);
        if (!line) return leave(kFailure, fmt::format("the command gave a broken answer: {}", line.error().text));
        unsent_ += *line;
        break;
      }
      case AnswerKind::kProgress:
        unsent_ += progress_line(id_, entry.text);
        break;
      case AnswerKind::kDone:
        return leave(static_cast<ExitCode>(entry.exit_code), entry.text);
    }
    unsent_ += '\n';
  }
}

void Client::pump() {
  while (!closed_) {
    if (!leaving_) {
      if (const std::string fault = outbox_->fault(); !fault.empty()) leave(kRefused, fault);
    }
    if (unsent_.empty() && !leaving_) encode_more();
    if (unsent_.empty()) break;
    write_out();
    if (!unsent_.empty()) return;
  }
  if (leaving_ && unsent_.empty()) closed_ = true;
}

void Client::write_out() {
  while (sent_ < unsent_.size()) {
    const ssize_t wrote = ::send(fd_, unsent_.data() + sent_, unsent_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (wrote >= 0) {
      sent_ += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      closed_ = true;
      return;
    }
  }
  outbox_->written(encoded_);
  unsent_.clear();
  sent_ = encoded_ = 0;
}

void Client::say_farewell() {
  pump();
  if (closed_ || leaving_) return;
  leave(kFailure, "the node is shutting down");
  pump();
}

class ThreadedServer final : public Server {
 public:
  ThreadedServer(ListeningSocket listening, Handler handler)
      : listening_(std::move(listening)),
        handler_(std::move(handler)),
        wakeup_(std::make_shared<Wakeup>()),
        thread_([this] { serve(); }) {}
  ~ThreadedServer() override {
    stopping_ = true;
    wakeup_->signal();
    thread_.join();
  }

 private:
  void serve();
  void wait_and_answer();
  void accept_clients();
  void admit(int fd);
  void bound_leaving();
  std::size_t running() const;

  ListeningSocket listening_;
  const Handler handler_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::list<Client> clients_;  // the thread's
  bool out_of_descriptors_ = false;
  const base::SystemClock clock_;  // this thread is on the system's time anyway: it waits in poll()
  base::LogGate no_descriptor_{1, 10 * base::kSecond};
  std::atomic<bool> stopping_{false};
  std::thread thread_;  // last: it uses the others
};

void ThreadedServer::serve() {
  // Signals belong to the thread that waits for them.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "atlas-control");
  while (!stopping_) wait_and_answer();
  for (Client& client : clients_) client.say_farewell();
  wakeup_->close();
  clients_.clear();
}

void ThreadedServer::wait_and_answer() {
  std::vector<pollfd> polled{{wakeup_->fd(), POLLIN, 0},
                             {listening_.fd(), static_cast<short>(out_of_descriptors_ ? 0 : POLLIN), 0}};
  for (const Client& client : clients_) polled.push_back({client.fd(), client.events(), 0});
  const int ready = ::poll(polled.data(), polled.size(), out_of_descriptors_ ? kAcceptRetryMs : -1);
  if (ready < 0) return;  // EINTR; the sets are made anew
  out_of_descriptors_ = false;

  if (polled[0].revents != 0) wakeup_->clear();
  for (const auto& task : wakeup_->take_tasks()) task();
  std::size_t i = 2;
  for (Client& client : clients_) {
    const short happened = polled[i++].revents;
    if ((happened & POLLIN) != 0) client.on_readable(handler_);
    if ((happened & (POLLHUP | POLLERR | POLLNVAL)) != 0) client.close();
    client.pump();
  }
  bound_leaving();
  if (polled[1].revents != 0) accept_clients();
}

void ThreadedServer::accept_clients() {
  for (;;) {
    const int fd = ::accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      admit(fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      out_of_descriptors_ = true;
      std::uint32_t left_out = 0;
      if (no_descriptor_.pass(clock_.mono_ns(), &left_out)) {
        base::log(base::Level::kWarn, "control", "no descriptor left for a control client ({} lines left out before)",
                  left_out);
      }
    }
    return;
  }
}

void ThreadedServer::admit(int fd) {
  Client& client = clients_.emplace_back(fd, std::make_shared<Outbox>(wakeup_));
  if (!trusted_peer(fd)) {
    client.leave(kRefused, "the control socket is open to the user that runs the node, and to root");
  } else if (running() > kMaxClients) {
    client.leave(kRefused,
                 fmt::format("the node serves {} control clients already; end one and try again", kMaxClients));
  }
  client.pump();
  bound_leaving();
}

// Clients with unread last words are not counted as running; the oldest of them go when there are too many.
void ThreadedServer::bound_leaving() {
  std::size_t leaving = clients_.size() - running();
  for (Client& client : clients_) {
    if (client.leaving() && leaving > kMaxLeaving) {
      client.close();
      --leaving;
    }
  }
  clients_.remove_if([](const Client& client) { return client.closed(); });
}

std::size_t ThreadedServer::running() const {
  return static_cast<std::size_t>(
      std::count_if(clients_.begin(), clients_.end(), [](const Client& client) { return !client.leaving(); }));
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::start(const std::filesystem::path& socket, Handler handler) {
  auto listening = ListeningSocket::open(socket);
  if (!listening) return std::unexpected(listening.error());
  return std::make_unique<ThreadedServer>(std::move(*listening), std::move(handler));
}

}  // namespace atlas::control
