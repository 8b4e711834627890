// Errors as values. Peers' faults and the environment's are both reported this way; exceptions stay at the edges of
// configuration parsing and the command line.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace atlas::base {

// What kind of failure, coarse enough to choose an exit code or a status by.
enum class Fault : int {
  kArgument,     // the caller's value is out of range
  kState,        // not allowed now
  kConflict,     // somebody else owns it
  kGone,         // it does not exist (any more)
  kTimeout,      // no answer in time
  kFull,         // a bound was reached
  kDenied,       // refused by policy or by permissions
  kConfig,       // the configuration does not allow it
  kStopping,     // the node is shutting down
  kInternal,     // disk, system call, library
  kUnreachable,  // no address answered
};

struct Error {
  Fault fault = Fault::kInternal;
  std::string text;  // one line for people: what, where, and what to do
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Fault fault, std::string text) {
  return std::unexpected<Error>(Error{fault, std::move(text)});
}

}  // namespace atlas::base
