// The asking half of the control socket; blocking, for the `atlas` program.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "control/protocol.h"

namespace atlas::control {

struct Answers {
  std::function<void(std::string_view json)> row;
  std::function<void(std::string_view text)> progress;
  std::function<void(std::string_view json)> result;
};

struct Finished {
  int exit_code = 0;
  std::string error;
};

// kUnreachable when nobody listens there: the text names the socket that was tried. kStopping when the node went away
// before the command ended, as by a crash: a command that a stopping node ends has the same exit code.
base::Result<Finished> call(const std::filesystem::path& socket, const Request& request, const Answers& answers);
bool daemon_listens(const std::filesystem::path& socket);

}  // namespace atlas::control
