// atlas/cpp/setup.hpp - what a role registers in its constructor.
//
// Nothing here throws because the host refused: the first refusal is kept, and the plugin's init returns it. Only in
// the constructor; the Host that host() gives lives as long as the role.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>

#include "bus.hpp"
#include "cli.hpp"
#include "incoming.hpp"
#include "protocols.hpp"
#include "routes.hpp"
#include "streams.hpp"

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
  std::map<std::string, std::function<void(void*, const BusEvent&)>, std::less<>> topics;
  std::map<std::string, std::function<Status(void*, const BusRequest&)>, std::less<>> services;
  std::function<void(void*)> listener_changed;
  std::map<std::uint8_t, std::function<StreamHandler(void*, const OpenedStream&)>> stream_types;
  struct ClaimedProtocol {
    std::function<Verdict(void*, const Presented&)> verify;
    std::function<ConnectionHandler(void*, const ConnectionEvent&)> accepted;
  };
  std::vector<ClaimedProtocol> protocols;
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

inline void on_bus_event(void* self, const atlas_bus_event* event) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  static_cast<void>(frame.host.guarded("a bus event", [&] {
    const auto found = frame.topics.find(view(event->topic));
    if (found == frame.topics.end()) return;
    found->second(frame.role, BusEvent{view(event->topic), view(event->from), view(event->body)});
  }));
}

inline atlas_status on_bus_request(void* self, const atlas_bus_request* request) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  return frame.host.guarded("a bus request", [&] {
    const auto found = frame.services.find(view(request->service));
    if (found == frame.services.end()) return Status{ATLAS_E_STATE};
    const auto* table = frame.host.table<atlas_ext_bus>(ATLAS_EXT_BUS);
    return found->second(frame.role, BusRequest{view(request->service), view(request->from),
                                                BusCall(frame.host, table, request->call), view(request->body)});
  });
}

inline atlas_status on_stream_opened(void* self, const atlas_stream_opened* c) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  return frame.host.guarded("a new raw stream", [&] {
    const auto found = frame.stream_types.find(c->type);
    if (found == frame.stream_types.end()) return Status{ATLAS_E_STATE};
    const OpenedStream opened{c->type, c->from, c->stream, view(c->opening)};
    return frame.host.streams().take(c->stream, found->second(frame.role, opened));
  });
}

// A host tells of a connection, but not of which protocol: each has functions of its own.
template <std::size_t Slot>
struct ProtocolEntries {
  static atlas_status verify(void* self, const atlas_presented* c, atlas_verdict* out) noexcept {
    auto& frame = *static_cast<Frame*>(self);
    return frame.host.guarded("a verdict on a peer", [&] {
      const Presented presented{c->connection, c->dialled != 0, view(c->remote), {c->chain, c->chain_count}};
      return Status{frame.protocols[Slot].verify(frame.role, presented).put(out)};
    });
  }
  static void event(void* self, const atlas_connection_event* c) noexcept {
    auto& frame = *static_cast<Frame*>(self);
    static_cast<void>(frame.host.guarded("a connection event", [&] {
      frame.host.protocols().tell(
          *c, [&](const ConnectionEvent& up) { return frame.protocols[Slot].accepted(frame.role, up); });
    }));
  }
  static void put_into(atlas_protocol& out) {
    out.verify = &verify;
    out.event = &event;
    out.stream = &Streams::on_event;
  }
};

template <std::size_t... Slots>
constexpr auto protocol_entries(std::index_sequence<Slots...>) {
  return std::array{&ProtocolEntries<Slots>::put_into...};
}
inline constexpr auto kProtocolEntries = protocol_entries(std::make_index_sequence<kMaxProtocols>());

inline void on_listener_changed(void* self) noexcept {
  auto& frame = *static_cast<Frame*>(self);
  static_cast<void>(frame.host.guarded("a change of the listener", [&] { frame.listener_changed(frame.role); }));
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

  // Claims a type for raw streams. opened(const OpenedStream&) gives what hears of the stream from then on; nothing
  // (an empty StreamHandler) refuses it.
  template <class Role>
  Setup& accept(std::uint8_t type, StreamHandler (Role::*opened)(const OpenedStream&)) {
    frame_.stream_types[type] = [opened](void* role, const OpenedStream& stream) {
      return (static_cast<Role*>(role)->*opened)(stream);
    };
    return keep(ATLAS_CALL(frame_.host.table<atlas_ext_streams>(ATLAS_EXT_STREAMS), atlas_ext_streams, accept,
                           frame_.host.c(), type, &detail::on_stream_opened, &Streams::on_event));
  }

  // Claims an ALPN. verify(const Presented&) judges every peer, also those that are dialled, before anything is heard
  // of it; accepted(const ConnectionEvent&) makes the handler of a connection that a peer dialled, once it is up. One
  // that accepts nobody needs no `accepted`.
  template <class Role>
  Setup& claim(const Protocol& protocol, Verdict (Role::*verify)(const Presented&),
               ConnectionHandler (Role::*accepted)(const ConnectionEvent&) = nullptr) {
    const std::size_t slot = frame_.protocols.size();
    if (slot == detail::kMaxProtocols) return keep(ATLAS_E_FULL);
    frame_.protocols.push_back(
        {[verify](void* role, const Presented& presented) { return (static_cast<Role*>(role)->*verify)(presented); },
         [accepted](void* role, const ConnectionEvent& up) {
           return accepted != nullptr ? (static_cast<Role*>(role)->*accepted)(up) : ConnectionHandler();
         }});
    const auto ms = [](Millis value) { return static_cast<std::uint32_t>(value.count()); };
    const atlas_protocol_limits limits{
        sizeof limits,     protocol.max_connections, protocol.max_streams,   protocol.max_unidirectional,
        ms(protocol.idle), ms(protocol.handshake),   protocol.stream_window, protocol.connection_window};
    atlas_protocol c{};
    c.struct_size = sizeof c;
    if (protocol.accepts) c.flags |= ATLAS_PROTOCOL_ACCEPTS;
    if (protocol.client_certificate) c.flags |= ATLAS_PROTOCOL_CLIENT_CERT;
    c.alpn = c_text(protocol.alpn);
    c.limits = &limits;
    detail::kProtocolEntries[slot](c);
    return keep(ATLAS_CALL(frame_.host.table<atlas_ext_protocols>(ATLAS_EXT_PROTOCOLS), atlas_ext_protocols, claim,
                           frame_.host.c(), &c));
  }
  // hear(const BusEvent&) runs for what that topic's plugin publishes.
  template <class Role>
  Setup& hear(std::string_view topic, void (Role::*hear)(const BusEvent&)) {
    frame_.topics[std::string(topic)] = [hear](void* role, const BusEvent& event) {
      (static_cast<Role*>(role)->*hear)(event);
    };
    return keep(ATLAS_CALL(frame_.host.table<atlas_ext_bus>(ATLAS_EXT_BUS), atlas_ext_bus, subscribe, frame_.host.c(),
                           c_text(topic), &detail::on_bus_event));
  }
  // serve(const BusRequest&) answers other plugins, and returns nothing or a Status: a negative one is the answer.
  template <class Role, class Result>
  Setup& offer(std::string_view service, Result (Role::*serve)(const BusRequest&)) {
    frame_.services[std::string(service)] = [serve](void* role, const BusRequest& request) {
      Role& self = *static_cast<Role*>(role);
      if constexpr (std::is_void_v<Result>) {
        (self.*serve)(request);
        return Status{};
      } else {
        return Status((self.*serve)(request));
      }
    };
    return keep(ATLAS_CALL(frame_.host.table<atlas_ext_bus>(ATLAS_EXT_BUS), atlas_ext_bus, offer, frame_.host.c(),
                           c_text(service), &detail::on_bus_request));
  }
  // changed() runs after what Host::listener() gives has changed.
  template <class Role>
  Setup& watch_listener(void (Role::*changed)()) {
    frame_.listener_changed = [changed](void* role) { (static_cast<Role*>(role)->*changed)(); };
    return keep(ATLAS_CALL(frame_.host.table<atlas_ext_listener>(ATLAS_EXT_LISTENER), atlas_ext_listener, watch,
                           frame_.host.c(), &detail::on_listener_changed));
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
