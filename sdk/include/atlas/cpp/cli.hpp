// atlas/cpp/cli.hpp - commands of a role: what it declares, and the Call that one run of a command is.
//
// Strand only. A Call is a cheap handle: copy it into the callbacks that will emit and finish. When the last copy goes
// and nobody finished, the command ends with an error by itself, so nobody waits for ever at a terminal.
#pragma once

#include <functional>
#include <map>

#include "host.hpp"

namespace atlas {

struct CommandArg {
  const char* name;  // "target", "--count", "--follow"
  std::uint32_t kind = ATLAS_ARG_TEXT;
  bool required = false;
  const char* help = "";
};

struct Command {
  const char* path;     // "ping" = `atlas net ping`
  std::uint32_t where;  // ATLAS_CLI_* bits
  const char* summary;
  std::vector<CommandArg> args = {};
  const char* display = nullptr;  // see ext/cli.h
};

// "1500ms", "90s", "5m", "1h", or a number of seconds that may have a fraction ("0.2").
inline std::optional<Millis> parse_duration(std::string_view text) {
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !(number >= 0)) return std::nullopt;
  const std::string_view unit(rest, text.data() + text.size() - rest);
  const double scale = unit == "ms"                  ? 1
                       : unit.empty() || unit == "s" ? 1e3
                       : unit == "m"                 ? 6e4
                       : unit == "h"                 ? 3.6e6
                                                     : 0;
  if (scale == 0 || number * scale > 1e15) return std::nullopt;
  return Millis(static_cast<Millis::rep>(number * scale + 0.5));
}

namespace detail {

class CallTable;

struct CallState {
  CallState(Host& host, CallTable& table, const atlas_cli_run& run);
  ~CallState();
  void finish(atlas_status status, std::string_view error);

  Host& host;
  CallTable& table;
  atlas_call id;
  bool open = true;  // neither finished nor left by its person
  std::map<std::string, std::string, std::less<>> args;
  std::function<void()> on_cancel;
};

// The calls that are open, by number: how a cancellation finds its Call. Outlives the role.
class CallTable {
 public:
  std::shared_ptr<CallState> open(Host& host, const atlas_cli_run& run) {
    auto state = std::make_shared<CallState>(host, *this, run);
    calls_[run.call] = state;
    return state;
  }
  void cancelled(atlas_call id) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) return;
    const auto state = found->second.lock();
    calls_.erase(found);
    if (!state) return;
    state->open = false;
    if (const auto hook = std::exchange(state->on_cancel, nullptr)) {
      static_cast<void>(state->host.guarded("a cancellation", hook));
    }
  }
  void forget(atlas_call id) { calls_.erase(id); }

 private:
  std::map<atlas_call, std::weak_ptr<CallState>> calls_;
};

inline CallState::CallState(Host& host, CallTable& table, const atlas_cli_run& run)
    : host(host), table(table), id(run.call) {
  for (std::size_t i = 0; i < run.count; ++i) args.emplace(view(run.names[i]), view(run.values[i]));
}
inline CallState::~CallState() {
  finish(ATLAS_E_INTERNAL, "the command ended without a result");
}
inline void CallState::finish(atlas_status status, std::string_view error) {
  if (!std::exchange(open, false)) return;
  table.forget(id);
  on_cancel = nullptr;
  static_cast<void>(ATLAS_CALL(host.cli_table(), atlas_ext_cli, finish, host.c(), id, status, c_text(error)));
}

}  // namespace detail

class Call {
 public:
  explicit Call(std::shared_ptr<detail::CallState> state) : state_(std::move(state)) {}

  // Arguments, by the name they were declared with; a host may hand options over without their dashes.
  std::optional<std::string> text(std::string_view name) const {
    auto found = state_->args.find(name);
    if (found == state_->args.end() && name.starts_with("--")) found = state_->args.find(name.substr(2));
    if (found == state_->args.end()) return std::nullopt;
    return found->second;
  }
  bool flag(std::string_view name) const { return text(name).has_value(); }
  // A value out of range or ill-written ends the command with a message that says so; then nothing comes back.
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t fallback, std::int64_t min,
                                      std::int64_t max) const {
    const auto given = text(name);
    if (!given) return fallback;
    std::int64_t value = 0;
    const auto [rest, error] = std::from_chars(given->data(), given->data() + given->size(), value);
    if (error == std::errc() && rest == given->data() + given->size() && value >= min && value <= max) return value;
    fail({ATLAS_E_ARG}, concat(name, ": expected a whole number from ", min, " to ", max, ", got \"", *given, '"'));
    return std::nullopt;
  }
  std::optional<Millis> duration(std::string_view name, Millis fallback, Millis min, Millis max) const {
    const auto given = text(name);
    if (!given) return fallback;
    const auto value = parse_duration(*given);
    if (value && *value >= min && *value <= max) return value;
    fail({ATLAS_E_ARG}, concat(name, ": expected a duration from ", min.count(), "ms to ", max.count(),
                               "ms such as 500ms or 2s, got \"", *given, '"'));
    return std::nullopt;
  }

  // GONE when the person has left.
  Status result(std::string_view json) const { return emit(ATLAS_EMIT_RESULT, json); }
  Status row(std::string_view json) const { return emit(ATLAS_EMIT_ROW, json); }
  Status progress(std::string_view line) const { return emit(ATLAS_EMIT_PROGRESS, line); }

  // Ends the command; what comes after it is ignored.
  void finish() const { state_->finish(ATLAS_OK, ""); }
  void fail(Status status, std::string_view error) const { state_->finish(status.code, error); }
  bool is_open() const { return state_->open; }
  // fn() once, when the person has left before the end. Do not capture a Call in it.
  void on_cancel(std::function<void()> fn) const { state_->on_cancel = std::move(fn); }

 private:
  Status emit(std::uint32_t kind, std::string_view value) const {
    if (!state_->open) return {ATLAS_E_GONE};
    const Host& host = state_->host;
    return {ATLAS_CALL(host.cli_table(), atlas_ext_cli, emit, host.c(), state_->id, kind, c_text(value))};
  }
  std::shared_ptr<detail::CallState> state_;
};

}  // namespace atlas
