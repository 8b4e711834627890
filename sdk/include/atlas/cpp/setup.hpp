// atlas/cpp/setup.hpp - what a role registers in its constructor.
//
// Nothing here throws because the host refused: the first refusal is kept, and the plugin's init returns it. Only in
// the constructor; the Host that host() gives lives as long as the role.
#pragma once

#include <array>
#include <functional>
#include <memory>

#include "cli.hpp"
#include "incoming.hpp"
#include "routes.hpp"

namespace atlas {

namespace detail {

inline constexpr std::size_t kMaxCommands = 16;  // of one role

// Everything of one role in one process: what `self` points to on the C side.
struct Frame {
  explicit Frame(const atlas_host* c_host) : host(c_host) {}

  Host host;
  CallTable calls;
  std::array<std::function<Status(void*, const Incoming&)>, 256> handlers;
  std::vector<std::function<void(void*, const Call&)>> commands;
  std::function<void(void*, const PathRequest&)> path_provider;
  struct Every {
    Millis period;
    std::function<void(void*)> fn;
  };
  std::vector<Every> repeated;
  std::vector<Timer> timers;
  Status refused;
  void* role = nullptr;
};

template <std::size_t Slot>
atlas_status run_command(void* self, const atlas_cli_run* run) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  std::shared_ptr<CallState> state;
  const atlas_status status = frame.host.guarded("a command", [&] {
    state = frame.calls.open(frame.host, *run);
    frame.commands[Slot](frame.role, Call(state));
  });
  if (status < 0 && state) state->finish(status, "the command failed inside the plugin");
  return state ? ATLAS_OK : status;
}

template <std::size_t... Slots>
constexpr auto command_runners(std::index_sequence<Slots...>) {
  return std::array{&run_command<Slots>...};
}
inline constexpr auto kCommandRunners = command_runners(std::make_index_sequence<kMaxCommands>());

inline void command_cancelled(void* self, atlas_call call) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  static_cast<void>(frame.host.guarded("a cancellation", [&] { frame.calls.cancelled(call); }));
}

inline atlas_status on_message(void* self, const atlas_message* message) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  return frame.host.guarded("a message handler", [&] {
    const auto& handler = frame.handlers[message->type];
    if (!handler) return Status{ATLAS_E_STATE};
    return handler(frame.role,
                   Incoming{message->type, message->from, ReplyTo(frame.host, message->reply_to), view(message->body)});
  });
}

inline void path_wanted(void* self, const atlas_path_request* request) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  static_cast<void>(frame.host.guarded("a request for a path", [&] {
    frame.path_provider(frame.role, PathRequest{request->reach, view(request->node_id), view(request->relay)});
  }));
}

}  // namespace detail

class Setup {
 public:
  explicit Setup(detail::Frame& frame)
      : frame_(frame),
        messages_(frame.host.messages_table()),
        metrics_(frame.host.table<atlas_ext_metrics>(ATLAS_EXT_METRICS)),
        config_(frame.host.c(), frame.host.table<atlas_ext_config>(ATLAS_EXT_CONFIG)) {}

  Host& host() { return frame_.host; }
  const Config& config() const { return config_; }

  // Claims a message type. The handler gets const Incoming& and returns nothing, or a Status: a negative one has the
  // core answer Error 2003 (5001 for INTERNAL) in its place. flags: ATLAS_HANDLE_*.
  template <class Role, class Result>
  Setup& on(std::uint8_t type, Result (Role::*handler)(const Incoming&), std::uint32_t flags = ATLAS_HANDLE_ANSWERS) {
    frame_.handlers[type] = [handler](void* role, const Incoming& message) {
      Role& self = *static_cast<Role*>(role);
      if constexpr (std::is_void_v<Result>) {
        (self.*handler)(message);
        return Status{};
      } else {
        return Status((self.*handler)(message));
      }
    };
    return keep(ATLAS_CALL(messages_, atlas_ext_messages, handle, frame_.host.c(), type, flags, &detail::on_message));
  }

  // Runs each period from start() until the role stops.
  template <class Role>
  Setup& every(Millis period, void (Role::*tick)()) {
    frame_.repeated.push_back({period, [tick](void* role) { (static_cast<Role*>(role)->*tick)(); }});
    return *this;
  }

  // `atlas net <path>`.
  template <class Role>
  Setup& command(const Command& command, void (Role::*run)(const Call&)) {
    const std::size_t slot = frame_.commands.size();
    if (slot == detail::kMaxCommands) return keep(ATLAS_E_FULL);
    frame_.commands.push_back([run](void* role, const Call& call) { (static_cast<Role*>(role)->*run)(call); });
    std::vector<atlas_cli_arg> args;
    for (const CommandArg& arg : command.args) {
      args.push_back({sizeof(atlas_cli_arg), arg.name, arg.kind, arg.required ? 1u : 0u, arg.help});
    }
    const atlas_cli_command c_command{sizeof(atlas_cli_command),
                                      command.path,
                                      command.where,
                                      command.summary,
                                      args.data(),
                                      args.size(),
                                      command.display};
    return keep(ATLAS_CALL(frame_.host.cli_table(), atlas_ext_cli, command, frame_.host.c(), &c_command,
                           detail::kCommandRunners[slot], &detail::command_cancelled));
  }

  // This role finds paths through forwarders: wanted(const PathRequest&) runs for each dial whose next candidate is a
  // relay, and is answered with Routes::found() or not_found() within 5 s.
  template <class Role>
  Setup& provide(void (Role::*wanted)(const PathRequest&)) {
    frame_.path_provider = [wanted](void* role, const PathRequest& request) {
      (static_cast<Role*>(role)->*wanted)(request);
    };
    return keep(
        ATLAS_CALL(frame_.host.routes_table(), atlas_ext_routes, provide, frame_.host.c(), &detail::path_wanted));
  }

  Counter counter(const char* name, const char* help) {
    return {frame_.host.c(), metrics_, define(name, ATLAS_METRIC_COUNTER, help)};
  }
  Gauge gauge(const char* name, const char* help) {
    return {frame_.host.c(), metrics_, define(name, ATLAS_METRIC_GAUGE, help)};
  }

  // A rule of the role's own that does not hold: init fails with it.
  void refuse(Status status) { keep(status.code); }

 private:
  Setup& keep(atlas_status status) {
    if (status < 0 && frame_.refused.ok()) frame_.refused = {status};
    return *this;
  }
  atlas_metric define(const char* name, std::uint32_t kind, const char* help) {
    atlas_metric id = 0;
    // A host without metrics is no reason not to run; a clash of names is a mistake.
    if (metrics_ != nullptr) {
      keep(ATLAS_CALL(metrics_, atlas_ext_metrics, define, frame_.host.c(), name, kind, help, &id));
    }
    return id;
  }

  detail::Frame& frame_;
  const atlas_ext_messages* messages_;
  const atlas_ext_metrics* metrics_;
  Config config_;
};

}  // namespace atlas
