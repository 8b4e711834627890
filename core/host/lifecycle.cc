// From init to stop: what happens to one plugin, and in which order.
#include <fmt/format.h>

#include <utility>

#include "host/on_strand.h"
#include "host/plugin.h"
#include "host/reply_watch.h"
#include "host/status.h"
#include "wire/envelope.h"

namespace atlas::host {

void Plugin::note_exception(const char* entry, int type, std::string_view what) {
  thrown_ = fmt::format("exception in {}: {}", shown_entry(entry, type), base::escaped(what, 256));
}

bool Plugin::initialise() {
  owner.replaces = config.replaces();
  config.pin();  // the loader has looked at it
  stop_node_on_fault = config.stop_node_on_fault();
  state_ = PluginState::kInit;
  const OnStrand here(*this);
  refuse(ATLAS_OK, "");
  const std::size_t known = config.problems().size();
  const atlas_status status = guarded("init", [&] { return code.init(&host.table, &self); });
  if (status >= 0) {
    config.report_unknown();
    state_ = PluginState::kReady;
    return true;
  }
  std::string why = std::exchange(thrown_, {});
  if (why.empty()) {
    why = fmt::format("init failed: {}", status_text(status));
    if (!last_error_text().empty()) why += fmt::format("; last refusal: {}", last_error_text());
  }
  if (config.problems().size() == known) config.note(fmt::format("{}: {}", owner.file, why));
  {
    const std::lock_guard lock(reason_mutex_);
    reason_ = std::move(why);
  }
  unregister();
  return false;
}

// Failed init: as if the plugin had never been asked.
void Plugin::unregister() {
  services->claims.release(id);
  routes.clear();
  stream_routes.clear();
  protocols.clear();
  path_wanted = nullptr;
  commands.clear();
  subscriptions.clear();
  bus_services.clear();
  listener_changed = nullptr;
  metrics.clear();
  strand.close();
  retired_ = true;
  state_ = PluginState::kRefused;
}

void Plugin::publish(bool there) {
  for (const auto& route : routes) {
    services->routes[route->type].store(there ? route.get() : nullptr, std::memory_order_release);
  }
  for (const auto& route : stream_routes) {
    services->stream_routes[route->type].store(there ? route.get() : nullptr, std::memory_order_release);
  }
  if (path_wanted != nullptr) services->path_finder.store(there ? this : nullptr, std::memory_order_release);
}

void Plugin::begin_start(std::move_only_function<void()> done) {
  reply_watch_ = std::make_shared<ReplyWatch>(weak_from_this(), services->timers);
  state_ = PluginState::kRunning;
  strand.append_task(
      [this, done = std::move(done)](bool discarded) mutable {
        if (!discarded) run_start();
        done();
      },
      false);
}

void Plugin::run_start() {
  publish(true);  // here, so that no message overtakes start()
  join_bus();
  if (code.start == nullptr) return;
  const atlas_status status = guarded("start", [&] { return code.start(self); });
  if (status >= 0) return;
  std::string why = std::exchange(thrown_, {});
  if (why.empty()) why = fmt::format("start failed: {}", status_text(status));
  if (!last_error_text().empty()) why += fmt::format("; last refusal: {}", last_error_text());
  fault(std::move(why));
}

void Plugin::begin_drain(base::MonoNs deadline, std::move_only_function<void()> quiet) {
  PluginState running = PluginState::kRunning;
  if (!state_.compare_exchange_strong(running, PluginState::kDraining) || code.drain == nullptr) return quiet();
  auto waiter = std::make_shared<std::move_only_function<void()>>(std::move(quiet));
  const bool queued = strand.append_task(
      [this, deadline, waiter](bool discarded) {
        if (discarded) return (*waiter)();
        quiet_ = std::move(*waiter);
        run_drain(deadline);
      },
      false);
  if (!queued) (*waiter)();
}

void Plugin::run_drain(base::MonoNs deadline) {
  const base::MonoNs left = base::saturating_sub(deadline, services->setup.clock->mono_ns());
  const auto ms = static_cast<std::uint32_t>(std::min<base::MonoNs>(left / base::kMillisecond, UINT32_MAX));
  guarded("drain", [&] {
    code.drain(self, ms);
    return ATLAS_OK;
  });
}

void Plugin::look_whether_quiet() {
  // A callback is followed by settle() anyway; a thread of the plugin's own must see to it that one comes.
  if (state() != PluginState::kDraining || on_strand()) return;
  strand.append_task([](bool) {}, false);
}

void Plugin::begin_stop(std::move_only_function<void()> others, std::move_only_function<void()> done) {
  publish(false);
  if (services->setup.executor == nullptr) {
    retire("the node is shutting down");
    others();
    return done();
  }
  {
    const std::lock_guard lock(stop_mutex_);
    others_ = std::move(others);
  }
  auto waiter = std::make_shared<std::move_only_function<void()>>([this, done = std::move(done)]() mutable {
    let_others_stop();
    done();
  });
  const bool queued = strand.append_task(
      [this, waiter](bool discarded) {
        if (!discarded) retire("the node is shutting down");
        (*waiter)();
      },
      false);
  if (!queued) return (*waiter)();
  if (stuck()) let_others_stop();
}

void Plugin::let_others_stop() {
  std::move_only_function<void()> others;
  {
    const std::lock_guard lock(stop_mutex_);
    others = std::exchange(others_, nullptr);
  }
  if (others) others();
}

void Plugin::look_whether_stuck(base::MonoNs now) {
  const StrandCounters counters = strand.counters();
  if (counters.running_since == 0 || !counters.budgeted || stuck() || retired()) return;
  const base::MonoNs took = base::saturating_sub(now, counters.running_since);
  if (took <= services->limits.hard_budget) return;
  const std::string reason =
      fmt::format("a callback has been running for {} ms and does not return, the hard budget is {} ms",
                  took / base::kMillisecond, services->limits.hard_budget / base::kMillisecond);
  {
    const std::lock_guard lock(reason_mutex_);
    if (reason_.empty()) reason_ = reason;
  }
  stuck_.store(true, std::memory_order_release);
  // It may have returned and been faulted meanwhile. Then whoever takes the mark back has the last word.
  if (state() == PluginState::kFaulted && stuck_.exchange(false)) return;
  services->setup.executor->replace_thread();
  faults.fetch_add(1, std::memory_order_relaxed);
  base::log(base::Level::kError, id, "stuck, and cut off from whoever waits for it: {}", reason);
  cut_off(fmt::format("plugin {} does not return from a callback", id));
  let_others_stop();
  if (services->setup.on_fault) services->setup.on_fault(id, reason, stop_node_on_fault);
}

// Nobody waits for what does not come, and nothing new reaches it. The plugin hears of all this when it is retired.
void Plugin::cut_off(std::string_view why) {
  publish(false);
  for (const Item& item : strand.cut_off()) discard(item);
  leave_bus();
  finish_calls(why, true);
  for (const ReplyHandle open : replies.close_all()) {
    send_error(open, ATLAS_ERROR_INTERNAL, "this role is out of service");
  }
  for (const auto& pipe : live_streams.pipes()) pipe->abandon(static_cast<std::uint64_t>(wire::Code::kInternal));
  for (const auto& spec : protocols) services->setup.network->drop_credentials(spec->claim.alpn);
  for (const auto& pipe : live_connections.pipes()) services->setup.network->close_connection(pipe->tag(), 0, {});
  services->setup.network->hand_over();  // what the callback itself asked for waits for the end of its turn
}

void Plugin::fault(std::string reason) {
  if (retired_) return;  // on its way out already
  state_ = PluginState::kFaulted;
  // The one that was cut off has been counted and told of; its thread is one too many now.
  const bool told = stuck_.exchange(false);
  if (told) services->setup.executor->reclaim_thread();
  if (!told) faults.fetch_add(1, std::memory_order_relaxed);
  base::log(base::Level::kError, id, "out of service: {}", reason);
  {
    const std::lock_guard lock(reason_mutex_);
    reason_ = reason;
  }
  retire(fmt::format("plugin {} is out of service", id));
  if (!told && services->setup.on_fault) services->setup.on_fault(id, reason, stop_node_on_fault);
}

void Plugin::retire(std::string_view why) {
  if (retired_.exchange(true)) return;
  const bool faulted = state() == PluginState::kFaulted;
  if (!faulted) state_ = PluginState::kStopping;
  const OnStrand here(*this);
  publish(false);
  services->claims.release(id);
  strand.close();
  timers.close(services->timers.get());
  leave_bus();
  break_promises();
  end_routes();
  end_streams();
  end_connections();
  finish_calls(why, faulted);
  for (const ReplyHandle open : replies.close_all())
    send_error(open, ATLAS_ERROR_INTERNAL, "this role is out of service");
  if (code.stop != nullptr) {
    guarded("stop", [&] {
      code.stop(self);
      return ATLAS_OK;
    });
  }
  self = nullptr;
  if (quiet_) std::exchange(quiet_, nullptr)();
  if (!thrown_.empty()) {
    base::log(base::Level::kError, id, "while it was being stopped: {}", std::exchange(thrown_, {}));
  }
  strand.discard_leftovers();
  if (!faulted) state_ = PluginState::kStopped;
}

void Plugin::break_promises() {
  for (const Promise& promise : pending.close()) {
    switch (promise.kind) {
      case Promise::Kind::kAnswer: {
        services->setup.network->cancel_request(promise.tag);
        atlas_answer answer{};
        answer.struct_size = sizeof answer;
        answer.status = ATLAS_E_STOPPING;
        guarded("answer callback", [&] {
          promise.answer(promise.argument, &answer);
          return ATLAS_OK;
        });
        break;
      }
      case Promise::Kind::kConnected: {
        atlas_connected result{};
        result.struct_size = sizeof result;
        result.status = ATLAS_E_STOPPING;
        guarded("connect callback", [&] {
          promise.connected(promise.argument, &result);
          return ATLAS_OK;
        });
        break;
      }
      case Promise::Kind::kBusAnswer: {
        atlas_bus_answer answer{};
        answer.struct_size = sizeof answer;
        answer.status = ATLAS_E_STOPPING;
        guarded("bus answer", [&] {
          promise.bus_answer(promise.argument, &answer);
          return ATLAS_OK;
        });
        break;
      }
      case Promise::Kind::kDurable:
        guarded("store callback", [&] {
          promise.durable(promise.argument, ATLAS_E_STOPPING);
          return ATLAS_OK;
        });
        break;
    }
  }
}

void Plugin::finish_calls(std::string_view why, bool faulted) {
  for (const auto& call : services->calls.take_all(*this)) {
    call->output->finish(faulted ? ATLAS_E_INTERNAL : ATLAS_E_STOPPING, why);
  }
}

}  // namespace atlas::host
