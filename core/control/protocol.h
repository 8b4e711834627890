// What goes over the control socket: one JSON document a line, at most kMaxLine bytes. One request a connection.
//
//   request  {"id":1,"path":"ping","args":{"target":"...","--count":"4"}}
//   answers  {"id":1,"row":…}* {"id":1,"progress":"…"}* {"id":1,"result":…}? {"id":1,"done":0,"error":"…"?}
//   listing  path "commands": result is the array of commands that the daemon offers
//
// The functions here are pure: any thread, nothing owned. JSON text that a plugin made is checked before it is sent on,
// so that one line stays one line and nesting stays within kMaxDepth whatever the plugin does.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/result.h"

namespace atlas::control {

inline constexpr std::size_t kMaxLine = base::limits::control_line_bytes;
inline constexpr std::size_t kMaxClients = base::limits::control_clients;
// Bytes that wait for one client; then it is dropped.
inline constexpr std::size_t kMaxBacklog = base::limits::control_backlog_bytes;
inline constexpr std::size_t kMaxText = kMaxLine - 256;                     // one row, result, progress or error text
inline constexpr std::size_t kMaxDepth = base::limits::control_json_depth;  // nesting of a row or a result

struct Request {
  std::string path;                         // "status", "ping", "relay status"
  std::map<std::string, std::string> args;  // by name, flags "true"
  std::uint64_t id = 1;                     // shown again in every answer
};

enum class AnswerKind { kRow, kProgress, kResult, kDone };

// Lines without the newline.
std::string to_line(const Request& request);
base::Result<Request> parse_request(std::string_view line);

// `json` is one JSON value, for kRow and kResult only; kArgument when it is not, or is nested too deeply.
base::Result<std::string> json_line(std::uint64_t id, AnswerKind kind, std::string_view json);
std::string progress_line(std::uint64_t id, std::string_view text);
std::string done_line(std::uint64_t id, int exit_code, std::string_view error);

struct AnswerLine {
  AnswerKind kind = AnswerKind::kDone;
  std::string text;   // JSON for a row and a result, plain text for progress and the error of done
  int exit_code = 0;  // kDone
};
base::Result<AnswerLine> parse_answer(std::string_view line);

// The same value without the white space between its tokens; kArgument when `json` is not exactly one value.
base::Result<std::string> compact_json(std::string_view json);

}  // namespace atlas::control
