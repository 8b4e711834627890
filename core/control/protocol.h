// What goes over the control socket: one JSON document a line, at most kMaxLine bytes.
//
//   request  {"id":1,"path":"ping","args":{"target":"...","--count":"4"}}
//   answers  {"id":1,"row":…}* {"id":1,"progress":"…"}* {"id":1,"result":…}? {"id":1,"done":0,"error":"…"?}
//   listing  path "commands": result is the array of commands that the daemon offers
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace atlas::control {

inline constexpr std::size_t kMaxLine = 8u << 20;
inline constexpr std::size_t kMaxClients = 32;

struct Request {
  std::string path;                         // "status", "ping", "relay status"
  std::map<std::string, std::string> args;  // by name, flags "true"
};

}  // namespace atlas::control
