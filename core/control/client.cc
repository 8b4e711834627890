#include "control/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "control/listening_socket.h"

namespace atlas::control {
namespace {

class Connection {
 public:
  Connection(int fd, std::string socket) : fd_(fd), socket_(std::move(socket)) {}
  ~Connection() { ::close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }

  // A node that refuses may close before it has read the request: its reason can then still be read.
  void write(std::string_view data) {
    while (!data.empty()) {
      const ssize_t wrote = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return;
      data.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }

  base::Result<std::string> read_line() {
    std::size_t searched = 0;
    for (;;) {
      if (const std::size_t end = buffer_.find('\n', searched); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      searched = buffer_.size();
      if (searched > kMaxLine) {
        return base::fail(base::Fault::kInternal,
                          fmt::format("the node sent a line longer than {} bytes over {}", kMaxLine, socket_));
      }
      if (auto more = receive(); !more) return std::unexpected(more.error());
    }
  }

 private:
  base::Result<void> receive() {
    char piece[64 << 10];
    ssize_t got = 0;
    do {
      got = ::recv(fd_, piece, sizeof piece, 0);
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
      buffer_.append(piece, static_cast<std::size_t>(got));
      return {};
    }
    const std::string why = got < 0 ? std::strerror(errno) : "it closed the connection";
    return base::fail(base::Fault::kStopping,
                      fmt::format("the node on {} went away before the command ended ({}); see its log", socket_, why));
  }

  const int fd_;
  const std::string socket_;
  std::string buffer_;
};

}  // namespace

base::Result<Finished> call(const std::filesystem::path& socket, const Request& request, const Answers& answers) {
  const std::string line = to_line(request);
  if (line.size() > kMaxLine) {
    return base::fail(base::Fault::kArgument,
                      fmt::format("the request has {} bytes, the control socket takes {}", line.size(), kMaxLine));
  }
  const auto fd = connect_to(socket);
  if (!fd) return std::unexpected(fd.error());
  Connection connection(*fd, socket.native());
  if (!trusted_peer(connection.fd()) && ::geteuid() != 0) {
    return base::fail(
        base::Fault::kDenied,
        fmt::format("the process that listens on {} belongs to another user; it is not asked", socket.native()));
  }
  connection.write(line + '\n');
  for (;;) {
    const auto received = connection.read_line();
    if (!received) return std::unexpected(received.error());
    const auto answer = parse_answer(*received);
    if (!answer) return std::unexpected(answer.error());
    switch (answer->kind) {
      case AnswerKind::kRow:
        if (answers.row) answers.row(answer->text);
        break;
      case AnswerKind::kProgress:
        if (answers.progress) answers.progress(answer->text);
        break;
      case AnswerKind::kResult:
        if (answers.result) answers.result(answer->text);
        break;
      case AnswerKind::kDone:
        return Finished{answer->exit_code, answer->text};
    }
  }
}

bool daemon_listens(const std::filesystem::path& socket) {
  const auto fd = connect_to(socket);
  if (fd) ::close(*fd);
  return fd.has_value();
}

}  // namespace atlas::control
