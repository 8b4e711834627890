// What runs on a plugin's strand, and what the tables need of a plugin's record. Its life cycle is in lifecycle.cc.
#include "host/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host/on_strand.h"
#include "host/reply_watch.h"
#include "host/status.h"
#include "wire/envelope.h"
#include "wire/messages.h"

namespace atlas::host {
namespace {

const char* entry_of(ItemKind kind) {
  switch (kind) {
    case ItemKind::kMessage:
      return "message handler";
    case ItemKind::kPost:
      return "posted call";
    case ItemKind::kTimer:
      return "timer";
    case ItemKind::kAnswer:
      return "answer callback";
    case ItemKind::kConnected:
      return "connect callback";
    case ItemKind::kDurable:
      return "store callback";
    case ItemKind::kPeerEvent:
      return "peer event";
    case ItemKind::kPathWanted:
      return "search for a path";
    case ItemKind::kRouteEnded:
      return "end of a route";
    case ItemKind::kBusEvent:
      return "bus event";
    case ItemKind::kBusRequest:
      return "bus request";
    case ItemKind::kBusAnswer:
      return "bus answer";
    case ItemKind::kListenerChanged:
      return "change of the listener";
    case ItemKind::kStream:
      return "stream event";
    case ItemKind::kConnection:
      return "connection event";
    case ItemKind::kTask:
      return "command";
    case ItemKind::kWithdrawn:
      break;
  }
  return "callback";
}

std::string shown(const Item& item) {
  return shown_entry(entry_of(item.kind), item.kind == ItemKind::kMessage ? item.type : -1);
}

}  // namespace

std::string shown_entry(const char* entry, int type) {
  return type < 0 ? std::string(entry) : fmt::format("{} 0x{:02x}", entry, type);
}

std::string_view to_text(PluginState state) {
  switch (state) {
    case PluginState::kRefused:
      return "refused";
    case PluginState::kInit:
      return "init";
    case PluginState::kReady:
      return "ready";
    case PluginState::kRunning:
      return "running";
    case PluginState::kDraining:
      return "draining";
    case PluginState::kStopping:
      return "stopping";
    case PluginState::kStopped:
      return "stopped";
    case PluginState::kFaulted:
      return "faulted";
  }
  return "unknown";
}

Plugin::Plugin(std::shared_ptr<Services> shared, Descriptor descriptor)
    : services(std::move(shared)),
      id(std::move(descriptor.id)),
      version(std::move(descriptor.version)),
      summary(std::move(descriptor.summary)),
      code(descriptor.code),
      needs(std::move(descriptor.needs)),
      owner{id, std::move(descriptor.file), {}},
      strand(services->setup.executor, services->setup.clock, services->limits, *this),
      metrics(id),
      config(services->setup.config, id) {
  fill_host_table(host, *this);
}

void Plugin::run(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs now) {
  {
    const OnStrand here(*this);
    run_item(item, first, second, now);
  }
  if (!thrown_.empty()) fault(std::exchange(thrown_, {}));
}

void Plugin::run_item(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs now) {
  switch (item.kind) {
    case ItemKind::kMessage:
      return run_message(item, first, now);
    case ItemKind::kAnswer:
      return run_answer(item, first, second);
    case ItemKind::kConnected:
      return run_connected(item, first, second);
    case ItemKind::kPeerEvent:
      return run_peer_event(item, first);
    case ItemKind::kPathWanted:
      return run_path_wanted(item, first, second);
    case ItemKind::kRouteEnded:
      return run_route_ended(item);
    case ItemKind::kBusEvent:
      return run_bus_event(item, first);
    case ItemKind::kBusRequest:
      return run_bus_request(item, first, second);
    case ItemKind::kBusAnswer:
      return run_bus_answer(item, first, second);
    case ItemKind::kListenerChanged:
      listener_change_queued = false;
      guarded(entry_of(item.kind), [&] {
        listener_changed(self);
        return ATLAS_OK;
      });
      return;
    case ItemKind::kStream:
      return run_stream(item);
    case ItemKind::kConnection:
      return run_connection(item);
    case ItemKind::kTask:
      return strand.task_of(item)(false);
    case ItemKind::kWithdrawn:
      return;
    case ItemKind::kPost:
      guarded(entry_of(item.kind), [&] {
        item.call(item.argument);
        return ATLAS_OK;
      });
      return;
    case ItemKind::kTimer:
      if (const auto due = timers.take_due(item.a)) {
        guarded(entry_of(item.kind), [&] {
          due->callback(due->argument);
          return ATLAS_OK;
        });
      }
      return;
    case ItemKind::kDurable:
      if (const auto promise = pending.take(item.a)) {
        guarded(entry_of(item.kind), [&] {
          promise->durable(promise->argument, item.status);
          return ATLAS_OK;
        });
      }
      return;
  }
}

// Of a payload that was too large to look at on the loop. What a peer sends must not use up the plugin's time.
bool Plugin::check_structure(base::ByteView payload) {
  const bool good = wire::structure_ok(payload);
  if (!good) services->setup.network->refused_structure();
  strand.begin_callback();
  return good;
}

void Plugin::run_message(const Item& item, base::ByteView body, base::MonoNs now) {
  const Route& route = *item.route;
  const PeerHandle from = item.a;
  const ReplyHandle network_reply = item.b;
  if (item.flag && !check_structure(body)) {
    if (network_reply != 0) send_error(network_reply, ATLAS_ERROR_REJECTED, "the payload is malformed");
    return;
  }
  atlas_reply_to handle = 0;
  if (network_reply != 0) {
    handle = replies.open(network_reply, from, route.promised, base::after(now, kAnswerTimeout));
    if (handle == 0) {
      send_error(network_reply, ATLAS_ERROR_INTERNAL, "too many requests wait for an answer");
      return;
    }
  }
  const atlas_message message{sizeof(atlas_message), item.type, {}, from, handle, {body.data(), body.size()}};
  const atlas_status status = guarded(
      entry_of(item.kind), [&] { return route.handler(self, &message); }, item.type);
  if (handle == 0) return;
  if (status < 0) {
    ReplyHandle open = 0;
    if (replies.take(handle, &open) != OpenReplies::Taken::kYes) return;
    const bool internal = status == ATLAS_E_INTERNAL;
    send_error(open, internal ? ATLAS_ERROR_INTERNAL : ATLAS_ERROR_REJECTED,
               internal ? "internal error" : status_text(status));
    return;
  }
  if (replies.is_open(handle)) reply_watch_->watch();
}

void Plugin::run_answer(const Item& item, base::ByteView body, base::ByteView error) {
  const auto promise = pending.take(item.a);
  if (!promise) return;
  atlas_answer answer{};
  answer.struct_size = sizeof answer;
  answer.status = item.status;
  if (item.flag && !check_structure(body)) {
    answer.status = ATLAS_E_INTERNAL;
    body = {};
  }
  answer.type = item.type;
  answer.error_code = item.code;
  answer.error_text = text_of(base::as_text(error));
  answer.body = {body.data(), body.size()};
  answer.rtt_us = item.b;
  guarded(entry_of(item.kind), [&] {
    promise->answer(promise->argument, &answer);
    return ATLAS_OK;
  });
}

void Plugin::run_connected(const Item& item, base::ByteView node_id, base::ByteView error) {
  const auto promise = pending.take(item.a);
  if (!promise) return;
  atlas_connected result{};
  result.struct_size = sizeof result;
  result.status = item.status;
  result.peer = item.b;
  result.node_id = text_of(base::as_text(node_id));
  result.error = text_of(base::as_text(error));
  result.existing = item.flag ? 1 : 0;
  guarded(entry_of(item.kind), [&] {
    promise->connected(promise->argument, &result);
    return ATLAS_OK;
  });
}

void Plugin::run_peer_event(const Item& item, base::ByteView node_id) {
  atlas_peer_event event{};
  event.struct_size = sizeof event;
  event.what = static_cast<std::uint32_t>(item.b);
  event.peer = item.a;
  event.node_id = text_of(base::as_text(node_id));
  event.reason = item.code;
  event.dialled = item.flag ? 1 : 0;
  guarded(entry_of(item.kind), [&] {
    code.peer_event(self, &event);
    return ATLAS_OK;
  });
}

atlas_status Plugin::run_command(const CommandSpec& command, const atlas_cli_run& run) {
  refuse(ATLAS_OK, "");  // what last_error says afterwards, this command did
  return guarded("command", [&] { return command.run(self, &run); });
}

void Plugin::run_cancelled(const CommandSpec& command, atlas_call call) {
  guarded("command", [&] {
    command.cancelled(self, call);
    return ATLAS_OK;
  });
}

void Plugin::discard(const Item& item) {
  if (item.kind == ItemKind::kTask) return strand.task_of(item)(true);
  if (item.kind == ItemKind::kMessage && item.b != 0) {
    send_error(item.b, ATLAS_ERROR_INTERNAL, "this role is out of service");
  }
}

void Plugin::settle() {
  if (services->setup.network != nullptr) services->setup.network->hand_over();
  if (quiet_ && pending.unfinished() == 0 && replies.promised() == 0) std::exchange(quiet_, nullptr)();
}

void Plugin::overrun(const Item& item, base::MonoNs took, bool hard) {
  const std::uint64_t ms = took / base::kMillisecond;
  if (hard) {
    return fault(fmt::format("{} took {} ms, the hard budget is {} ms", shown(item), ms,
                             services->limits.hard_budget / base::kMillisecond));
  }
  std::uint32_t left_out = 0;
  if (!slow_gate_.pass(services->setup.clock->mono_ns(), &left_out)) return;
  base::log(base::Level::kWarn, id, "{} took {} ms, the soft budget is {} ms ({} more of these not shown)", shown(item),
            ms, services->limits.soft_budget / base::kMillisecond, left_out);
}

bool Plugin::claimed_type(std::uint8_t type) const {
  const auto has = [type](const auto& route) { return route->type == type; };
  return std::ranges::any_of(routes, has) || std::ranges::any_of(stream_routes, has);
}

atlas_status Plugin::in_service() {
  switch (state()) {
    case PluginState::kRunning:
    case PluginState::kDraining:
      return ATLAS_OK;
    case PluginState::kInit:
    case PluginState::kReady:
      return refuse(ATLAS_E_STATE, "init only registers; begin this in start()");
    case PluginState::kRefused:
    case PluginState::kStopping:
    case PluginState::kStopped:
    case PluginState::kFaulted:
      break;
  }
  return refuse(ATLAS_E_STOPPING, "the plugin is being stopped");
}

atlas_status Plugin::promise(const Promise& promise, std::uint64_t* handle) {
  *handle = pending.add(promise);
  if (*handle != 0) return ATLAS_OK;
  const atlas_status status = in_service();
  return status != ATLAS_OK ? status : refuse(ATLAS_E_FULL, "too many requests, dials and commits wait");
}

atlas_status Plugin::contract_break(atlas_status status, std::string_view why) {
  contract_breaks.fetch_add(1, std::memory_order_relaxed);
  if (contract_gate_.pass(services->setup.clock->mono_ns())) {
    base::log(base::Level::kWarn, id, "the plugin broke the plugin ABI: {}", why);
  }
  return refuse(status, why);
}

atlas_status Plugin::refuse_claim(const base::Error& error) {
  config.note(error.text);
  return refuse(status_of(error.fault), error.text);
}

bool Plugin::send_error(ReplyHandle to, std::uint32_t error_code, std::string_view text) {
  wire::ErrorMessage error;
  error.code = error_code;
  error.message = text;
  base::Bytes payload = wire::encode(error);
  payload.erase(payload.begin(), payload.begin() + wire::kHeaderSize);
  return services->setup.network->reply(to, wire::kError, std::move(payload));
}

std::string Plugin::reason() const {
  const std::lock_guard lock(reason_mutex_);
  return reason_;
}

PluginRow Plugin::row() const {
  const StrandCounters counters = strand.counters();
  PluginRow out;
  out.id = id;
  out.version = version;
  out.summary = summary;
  out.file = owner.file;
  out.state = to_text(state());
  out.reason = reason();
  const base::MonoNs running =
      counters.running_since == 0 ? 0 : base::saturating_sub(services->setup.clock->mono_ns(), counters.running_since);
  if (running > services->limits.hard_budget || stuck()) {
    out.state = "stuck";
    if (out.reason.empty())
      out.reason = fmt::format("a callback has been running for {} ms", running / base::kMillisecond);
  }
  for (const auto& route : routes) out.types.push_back(route->type);
  for (const auto& route : stream_routes) out.types.push_back(route->type);
  for (const auto& command : commands) out.commands.push_back(command->shown.path);
  out.keys = config.keys();
  out.callbacks = counters.callbacks;
  out.faults = faults.load(std::memory_order_relaxed);
  out.dropped = counters.dropped;
  out.queue_messages = counters.queue_messages;
  return out;
}

void Plugin::append_metrics(std::vector<MetricRow>& out) const {
  const StrandCounters counters = strand.counters();
  const auto value = [](std::uint64_t v) { return static_cast<std::int64_t>(v); };
  const auto count = [&](std::string_view name, std::string_view help, std::uint64_t v) {
    out.push_back({metrics.exported(name), std::string(help), false, value(v)});
  };
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t v) {
    out.push_back({metrics.exported(name), std::string(help), true, value(v)});
  };
  count("callbacks", "Callbacks that ran.", counters.callbacks);
  count("callback_us", "Microseconds spent in callbacks.", counters.callback_ns / base::kMicrosecond);
  count("slow_callbacks", "Callbacks over the soft budget.", counters.slow);
  gauge("queue_messages", "Messages and posts that wait.", counters.queue_messages);
  gauge("queue_bytes", "Bytes that wait.", counters.queue_bytes);
  count("dropped", "Messages, posts and events that found the queue full.", counters.dropped);
  count("unanswered", "Requests of peers that the plugin promised to answer and did not.", unanswered.load());
  count("contract_breaks", "Calls that the plugin ABI forbids.", contract_breaks.load());
  count("faults", "Times that the plugin was put out of service.", faults.load());
  gauge("streams", "Raw streams that are open.", live_streams.size());
  gauge("connections", "Connections of other protocols.", live_connections.size());
  gauge("stream_bytes", "Bytes of raw streams that wait for the plugin.", live_streams.held->load());
  metrics.append_to(out);
}

}  // namespace atlas::host
