// From init to stop: what happens to one plugin, and in which order.
#include <fmt/format.h>

#include <utility>

#include "host/on_strand.h"
#include "host/plugin.h"
#include "host/reply_watch.h"
#include "host/status.h"

namespace atlas::host {

void Plugin::note_exception(std::string_view entry, std::string_view what) {
  thrown_ = fmt::format("exception in {}: {}", entry, base::escaped(what, 256));
}

bool Plugin::initialise() {
  owner.replaces = config.replaces();
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
  path_wanted = nullptr;
  commands.clear();
  metrics.clear();
  strand.close();
  retired_ = true;
  state_ = PluginState::kRefused;
}

void Plugin::publish(bool there) {
  for (const auto& route : routes) {
    services->routes[route->type].store(there ? route.get() : nullptr, std::memory_order_release);
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

void Plugin::begin_stop(std::move_only_function<void()> done) {
  publish(false);
  if (services->setup.executor == nullptr) {
    retire("the node is shutting down");
    return done();
  }
  auto waiter = std::make_shared<std::move_only_function<void()>>(std::move(done));
  const bool queued = strand.append_task(
      [this, waiter](bool discarded) {
        if (!discarded) retire("the node is shutting down");
        (*waiter)();
      },
      false);
  if (!queued) (*waiter)();
}

void Plugin::fault(std::string reason) {
  if (retired_) return;  // on its way out already
  state_ = PluginState::kFaulted;
  faults.fetch_add(1, std::memory_order_relaxed);
  base::log(base::Level::kError, id, "out of service: {}", reason);
  {
    const std::lock_guard lock(reason_mutex_);
    reason_ = reason;
  }
  retire(fmt::format("plugin {} is out of service", id));
  if (services->setup.on_fault) services->setup.on_fault(id, reason, stop_node_on_fault);
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
  break_promises();
  end_routes();
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
