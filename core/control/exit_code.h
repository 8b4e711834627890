// What a command tells the shell, whether it ran in a daemon or in the `atlas` process. The numbers are a promise to
// scripts: docs/reference/cli.md lists them.
#pragma once

#include "base/result.h"

namespace atlas::control {

enum ExitCode : int {
  kOk = 0,
  kFailure = 1,      // it did not work; none of the reasons below
  kUsage = 2,        // the command line is wrong
  kConfig = 3,       // config.toml is wrong: every problem is listed
  kUnreachable = 4,  // nobody answered: no address of the peer, or not in time
  kRefused = 5,      // somebody said no: the peer, a permission, a limit
  kNotFound = 6,     // what was asked for does not exist: a key file, a peer, a running daemon
  kBusy = 7,         // it exists already, or somebody has it: another daemon the root, another process the port
};

// No default: a new fault must choose its code.
constexpr ExitCode exit_code_of(base::Fault fault) {
  switch (fault) {
    case base::Fault::kArgument: return kUsage;
    case base::Fault::kState: return kFailure;
    case base::Fault::kConflict: return kBusy;
    case base::Fault::kGone: return kNotFound;
    case base::Fault::kTimeout: return kUnreachable;
    case base::Fault::kFull: return kRefused;
    case base::Fault::kDenied: return kRefused;
    case base::Fault::kConfig: return kConfig;
    case base::Fault::kStopping: return kFailure;
    case base::Fault::kInternal: return kFailure;
    case base::Fault::kUnreachable: return kUnreachable;
  }
  return kFailure;
}

}  // namespace atlas::control
