// The listening half of the control socket: a thread of its own, so that no JSON is made or parsed on the I/O thread.
// The socket is 0600 in a 0700 directory; a client must be the same user or root (SO_PEERCRED).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "control/protocol.h"

namespace atlas::control {

// One request being answered. Any thread; every call after the client has gone returns false and does nothing. A client
// that lets more than kMaxBacklog bytes wait, or a row or result that is no JSON, ends the call as if the client had
// gone, and the client is told why. A call that is let go without finish() finishes as a failure.
class Call {
 public:
  virtual ~Call() = default;
  virtual bool row(std::string_view json) = 0;
  virtual bool progress(std::string_view text) = 0;
  virtual bool result(std::string_view json) = 0;
  // Exactly once; exit code as in docs/reference/cli.md, error empty for success.
  virtual bool finish(int exit_code, std::string_view error) = 0;
  // Runs once, on the server's thread, if the client leaves before finish(), or the server closes before it.
  virtual void on_gone(std::function<void()> callback) = 0;
};

class Server {
 public:
  using Handler = std::function<void(const Request&, std::shared_ptr<Call>)>;  // on the server's thread; must not block
  // Replaces a socket file that nobody answers on. Makes the socket's directory; kArgument, kDenied and kConflict say
  // what is wrong with the path (listening_socket.h).
  static base::Result<std::unique_ptr<Server>> start(const std::filesystem::path& socket, Handler handler);
  virtual ~Server() = default;  // closes, joins and removes the socket file
};

}  // namespace atlas::control
