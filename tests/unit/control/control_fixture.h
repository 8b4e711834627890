// A directory, a server and raw connections for the tests of the control socket.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "control/client.h"
#include "control/server.h"

namespace atlas::control {

// A connection that says what the test wants, not what a client would.
class RawClient {
 public:
  explicit RawClient(const std::filesystem::path& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void close_writing_half() { ::shutdown(fd_, SHUT_WR); }

  // False when the server closed before it had all.
  bool say(std::string_view text) {
    while (!text.empty()) {
      const ssize_t wrote = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (wrote <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return true;
  }

  // The first piece of what comes; the rest stays where it is.
  bool hear_something() { return !heard_.empty() || hear_more(); }

  // Everything until the server closes.
  std::string hear_all() {
    while (hear_more()) {
    }
    return std::exchange(heard_, {});
  }

  std::string hear_line() {
    std::size_t end = 0;
    while ((end = heard_.find('\n')) == std::string::npos) {
      if (!hear_more()) return std::exchange(heard_, {});
    }
    std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return line;
  }

 private:
  bool hear_more() {
    char piece[64 << 10];
    const ssize_t got = ::recv(fd_, piece, sizeof piece, 0);
    if (got > 0) heard_.append(piece, static_cast<std::size_t>(got));
    return got > 0;
  }

  int fd_;
  std::string heard_;
  bool connected_ = false;
};

class ControlFixture : public testing::Test {
 protected:
  ControlFixture() {
    std::string name = (std::filesystem::temp_directory_path() / "atlas-control-XXXXXX").string();
    base_ = ::mkdtemp(name.data());
    socket_ = base_ / "run" / "control.sock";
  }
  ~ControlFixture() override {
    server_.reset();
    std::filesystem::remove_all(base_);
  }

  base::Result<void> start(Server::Handler handler) {
    auto server = Server::start(socket_, std::move(handler));
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    return {};
  }
  void start_or_fail(Server::Handler handler) {
    const auto started = start(std::move(handler));
    ASSERT_TRUE(started) << started.error().text;
  }
  // Answers every request with its path, as a JSON string.
  void start_echo() {
    start_or_fail([](const Request& request, const std::shared_ptr<Call>& call) {
      call->result('"' + request.path + '"');
      call->finish(0, "");
    });
  }

  static std::uint32_t mode_of(const std::filesystem::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }

  std::filesystem::path base_, socket_;
  std::unique_ptr<Server> server_;
};

}  // namespace atlas::control
