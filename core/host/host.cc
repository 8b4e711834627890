// The host as the rest of the node sees it: what concerns all plugins together, and the ways in from network and
// people.
#include "host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "host/drain_wait.h"
#include "host/loader.h"
#include "host/plugin.h"
#include "host/services.h"
#include "host/start_order.h"
#include "host/status.h"
#include "host/stuck_watch.h"

namespace atlas::host {
namespace {

// Runs when every plugin has come to the same point.
struct Countdown {
  Countdown(std::size_t plugins, std::move_only_function<void()> then) : left(plugins), run(std::move(then)) {
    if (plugins == 0) run();
  }
  void count_down() {
    if (left.fetch_sub(1) == 1) run();
  }
  std::atomic<std::size_t> left;
  std::move_only_function<void()> run;
};

}  // namespace

struct Host::State {
  explicit State(HostSetup setup) : services(std::make_shared<Services>(std::move(setup))) {}

  std::shared_ptr<Plugin> find(std::string_view id) const;
  void warn_of_unused_tables() const;
  void watch_strands();
  // Says loudly that a plugin is left out; an operator who wrote on_fault = "stop-node" gets a problem as well.
  void leave_out(PluginRow row, const LeftOut& why, std::vector<config::Problem>& problems);
  // Takes those out that HostSetup::left_out names and those that need them.
  void leave_out(std::vector<config::Problem>& problems);
  std::vector<config::Problem> put_in_order();
  void add(Descriptor descriptor) {
    plugins.push_back(std::make_shared<Plugin>(services, std::move(descriptor)));
    plugins.back()->strand.attach(plugins.back());
  }
  // Stops plugins[0, count) in reverse order, one after the other, except that nobody waits for one that does not
  // return from a callback.
  void stop_before(std::size_t count, std::shared_ptr<Countdown> end);

  const std::shared_ptr<Services> services;
  std::vector<const ::atlas_plugin*> linked;
  std::vector<std::shared_ptr<Plugin>>
      plugins;                              // those that others need first, else as configured; constant after load()
  std::vector<PluginRow> unusable;          // found to be no plugin of ours before there was a record
  std::shared_ptr<DrainWait> drain_wait;    // loop thread
  std::shared_ptr<StuckWatch> stuck_watch;  // null where strands are not watched
  bool clean = false;                       // load() found nothing wrong
  std::atomic<bool> dying{false};           // nobody waits for the end of a stop any more
};

Host::Host(HostSetup setup) : state_(std::make_unique<State>(std::move(setup))) {}

Host::~Host() {
  state_->dying = true;
  for (auto plugin = state_->plugins.rbegin(); plugin != state_->plugins.rend(); ++plugin) {
    (*plugin)->strand.seize();
    (*plugin)->retire("the node is shutting down");
  }
  if (state_->services->timers) state_->services->timers->close();
}

std::shared_ptr<Plugin> Host::State::find(std::string_view id) const {
  const auto found = std::ranges::find_if(plugins, [&](const auto& plugin) { return plugin->id == id; });
  return found == plugins.end() ? nullptr : *found;
}

// A table for a role that is not enabled is no error: people switch roles off without deleting their settings.
void Host::State::warn_of_unused_tables() const {
  const config::Config* config = services->setup.config;
  if (config == nullptr) return;
  for (const auto& [id, table] : config->plugin_tables) {
    if (!table.empty() && !find(id) && !services->setup.left_out.contains(id))
      base::log(base::Level::kWarn, "host", "[plugins.{}] has no effect: no such plugin is enabled", id);
  }
}

void Host::State::watch_strands() {
  const HostSetup& setup = services->setup;
  if (!setup.watch_strands || !services->timers) return;
  const base::MonoNs every = std::max<base::MonoNs>(services->limits.hard_budget / 2, 100 * base::kMillisecond);
  stuck_watch = std::make_shared<StuckWatch>(std::vector<std::weak_ptr<Plugin>>(plugins.begin(), plugins.end()),
                                             services->timers, every);
  stuck_watch->begin(setup.clock->mono_ns());
}

void Host::State::leave_out(PluginRow row, const LeftOut& why, std::vector<config::Problem>& problems) {
  row.state = "left out";
  row.reason = why.reason;
  const bool describes = services->setup.mode == Mode::kDescribe;
  if (!describes) base::log(base::Level::kError, row.id, "left out: {}", why.reason);
  if (!describes && !why.wanted && PluginConfig(services->setup.config, row.id).stop_node_on_fault()) {
    problems.push_back(
        {{}, 0, 0, fmt::format("the plugin {} is left out, and its on_fault = \"stop-node\": {}", row.id, why.reason)});
  }
  unusable.push_back(std::move(row));
}

void Host::State::leave_out(std::vector<config::Problem>& problems) {
  std::map<std::string, LeftOut> out = services->setup.left_out;
  for (bool again = !out.empty(); std::exchange(again, false);) {
    for (auto at = plugins.begin(); at != plugins.end();) {
      const auto& plugin = *at;
      auto found = out.find(plugin->id);
      const auto needed = std::ranges::find_if(plugin->needs, [&](const auto& id) { return out.contains(id); });
      if (found == out.end() && needed != plugin->needs.end()) {
        const LeftOut why{"it needs " + *needed + ", which is left out", out.at(*needed).wanted};
        found = out.emplace(plugin->id, why).first;
        again = true;
      }
      if (found == out.end()) {
        ++at;
        continue;
      }
      leave_out(plugin->row(), found->second, problems);
      at = plugins.erase(at);
    }
  }
}

// Those that need what is not there stay where they are, for their claims are to be checked all the same.
std::vector<config::Problem> Host::State::put_in_order() {
  std::vector<PluginNeeds> needs;
  for (const auto& plugin : plugins) needs.push_back({plugin->id, plugin->needs});
  const StartOrder found = start_order(needs, services->setup.mode != Mode::kDescribe);
  std::vector<config::Problem> problems;
  for (const StartOrder::Problem& problem : found.problems) {
    problems.push_back({{}, 0, 0, plugins[problem.plugin]->owner.file + ": " + problem.text});
  }
  if (!problems.empty()) return problems;
  std::vector<std::shared_ptr<Plugin>> ordered;
  for (const std::size_t at : found.order) ordered.push_back(plugins[at]);
  plugins = std::move(ordered);
  return problems;
}

void Host::add_linked(const ::atlas_plugin* descriptor) {
  state_->linked.push_back(descriptor);
}

std::vector<config::Problem> Host::load(const std::vector<std::string>& ids) {
  std::vector<config::Problem> problems;
  const auto complain = [&](const std::string& id, const std::string& text) {
    problems.push_back({{}, 0, 0, text});
    PluginRow row;
    row.id = id;
    row.state = to_text(PluginState::kRefused);
    row.reason = text;
    state_->unusable.push_back(std::move(row));
  };
  const auto take = [&](const std::string& id, base::Result<Descriptor> found) {
    if (!found) return complain(id, found.error().text);
    if (const auto other = state_->find(found->id)) {
      return complain(id,
                      fmt::format("plugin {} is there twice: {} and {}", found->id, other->owner.file, found->file));
    }
    state_->add(std::move(*found));
  };
  for (const ::atlas_plugin* object : state_->linked) {
    take(object->id == nullptr ? "" : object->id, read_descriptor(object, 0, "linked"));
  }
  const std::size_t linked = state_->plugins.size();
  Loader loader(state_->services->setup.search);
  for (const std::string& id : ids) {
    const auto known = state_->find(id);
    // A linked role needs no file.
    const bool is_linked = known && std::ranges::find(state_->plugins, known) - state_->plugins.begin() <
                                        static_cast<std::ptrdiff_t>(linked);
    if (is_linked) continue;
    // Its file is not even opened, for that runs code of it.
    if (const auto out = state_->services->setup.left_out.find(id); out != state_->services->setup.left_out.end()) {
      PluginRow row;
      row.id = id;
      state_->leave_out(std::move(row), out->second, problems);
      continue;
    }
    PluginConfig table(state_->services->setup.config, id);
    const std::string pin = table.pin();
    // A pin that is none must not be taken for no pin.
    if (!table.problems().empty()) {
      problems.insert(problems.end(), table.problems().begin(), table.problems().end());
      continue;
    }
    take(id, loader.load(id, pin));
  }
  state_->leave_out(problems);
  for (auto& problem : state_->put_in_order()) problems.push_back(std::move(problem));
  for (const auto& plugin : state_->plugins) {
    plugin->initialise();
    const auto& found = plugin->config.problems();
    problems.insert(problems.end(), found.begin(), found.end());
  }
  state_->warn_of_unused_tables();
  state_->clean = problems.empty();
  return problems;
}

// --- life cycle ---

void Host::begin_start(std::move_only_function<void()> started) {
  if (!state_->clean || state_->services->setup.mode == Mode::kDescribe) return;
  if (!started) started = [] {};
  const auto all = std::make_shared<Countdown>(state_->plugins.size(), std::move(started));
  for (const auto& plugin : state_->plugins) plugin->begin_start([all] { all->count_down(); });
  state_->watch_strands();
}

void Host::start() {
  if (!state_->clean || state_->services->setup.mode == Mode::kDescribe) return;
  struct Latch {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t left;
  };
  const auto latch = std::make_shared<Latch>();
  latch->left = state_->plugins.size();
  for (const auto& plugin : state_->plugins) {
    plugin->begin_start([latch] {
      const std::lock_guard lock(latch->mutex);
      if (--latch->left == 0) latch->changed.notify_all();
    });
  }
  std::unique_lock lock(latch->mutex);
  latch->changed.wait(lock, [&] { return latch->left == 0; });
  state_->watch_strands();
}

void Host::drain(base::MonoNs deadline) {
  for (const auto& plugin : state_->plugins) plugin->begin_drain(deadline, [] {});
}

void Host::begin_drain(base::MonoNs deadline, std::move_only_function<void()> done) {
  // One more than plugins, for this function itself: nobody is the last before all have been asked.
  auto wait = std::make_shared<DrainWait>(state_->services->setup.loop, state_->plugins.size() + 1, std::move(done));
  state_->drain_wait = wait;
  for (const auto& plugin : state_->plugins) {
    plugin->begin_drain(deadline, [who = std::weak_ptr(wait), loop = state_->services->setup.loop] {
      if (const auto waiting = who.lock(); waiting && waiting->count_down()) {
        loop->post([who] {
          if (const auto still = who.lock()) still->end();
        });
      }
    });
  }
  if (wait->count_down()) return wait->end();
  wait->until(deadline);
}

void Host::State::stop_before(std::size_t count, std::shared_ptr<Countdown> end) {
  if (dying || count == 0) return;
  plugins[count - 1]->begin_stop([this, count, end] { stop_before(count - 1, end); }, [end] { end->count_down(); });
}

void Host::begin_stop(std::move_only_function<void()> done) {
  const std::size_t count = state_->plugins.size();
  auto then = [timers = state_->services->timers, state = state_.get(), done = std::move(done)]() mutable {
    if (state->dying) return;
    if (timers) return timers->close_later(std::move(done));
    done();
  };
  state_->stop_before(count, std::make_shared<Countdown>(count, std::move(then)));
}

void Host::stop() {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
  };
  const auto gate = std::make_shared<Gate>();
  const std::size_t count = state_->plugins.size();
  state_->stop_before(count, std::make_shared<Countdown>(count, [gate] {
                        const std::lock_guard lock(gate->mutex);
                        gate->open = true;
                        gate->changed.notify_all();
                      }));
  {
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->open; });
  }
  for (const auto& plugin : state_->plugins) plugin->strand.seize();
  // The loop may be running or not; where it is not, the destructor closes.
  if (state_->services->timers) state_->services->timers->close_later([] {});
}

// --- from the network ---

Delivered Host::deliver(const Incoming& message) {
  const Route* route = state_->services->routes[message.type].load(std::memory_order_acquire);
  if (route == nullptr) return Delivered::kNoOwner;
  Item item;
  item.kind = ItemKind::kMessage;
  item.type = message.type;
  item.a = message.from;
  item.b = message.reply_to;
  item.route = route;
  item.flag = message.unchecked;
  const Appended appended = route->plugin->strand.append(item, message.payload, {}, Admission::kCounted);
  return appended == Appended::kQueued ? Delivered::kQueued : Delivered::kQueueFull;
}

bool Host::owns(std::uint8_t type) const {
  return state_->services->routes[type].load(std::memory_order_acquire) != nullptr;
}

bool Host::takes_streams(std::uint8_t type) const {
  return state_->services->stream_routes[type].load(std::memory_order_acquire) != nullptr;
}

std::shared_ptr<StreamPipe> Host::deliver_stream(std::uint8_t type, PeerHandle from, base::ByteView opening) {
  const StreamRoute* route = state_->services->stream_routes[type].load(std::memory_order_acquire);
  return route == nullptr ? nullptr : route->plugin->arrived_stream(*route, from, opening);
}

std::vector<std::pair<ProtocolSpec*, ProtocolClaim>> Host::protocols() const {
  std::vector<std::pair<ProtocolSpec*, ProtocolClaim>> out;
  for (const auto& plugin : state_->plugins) {
    for (const auto& spec : plugin->protocols) out.emplace_back(spec.get(), spec->claim);
  }
  return out;
}

std::shared_ptr<ConnectionPipe> Host::deliver_connection(ProtocolSpec& spec, std::string remote) {
  return spec.plugin->arrived_connection(spec, std::move(remote));
}

void Host::peer_event(const PeerEvent& event) {
  Item item;
  item.kind = ItemKind::kPeerEvent;
  item.a = event.peer;
  item.b = event.what;
  item.code = event.reason;
  item.flag = event.dialled;
  for (const auto& plugin : state_->plugins) {
    if (event.what == ATLAS_PEER_DOWN) plugin->replies.peer_gone(event.peer);
    const PluginState now = plugin->state();
    if (plugin->code.peer_event == nullptr || (now != PluginState::kRunning && now != PluginState::kDraining)) continue;
    plugin->strand.append(item, base::as_bytes(event.node_id), {}, Admission::kEvent);
  }
}

void Host::listener_changed() {
  Item item;
  item.kind = ItemKind::kListenerChanged;
  for (const auto& plugin : state_->plugins) {
    const PluginState now = plugin->state();
    if (plugin->listener_changed == nullptr || (now != PluginState::kRunning && now != PluginState::kDraining)) {
      continue;
    }
    // One that waits tells of this change, too.
    if (plugin->listener_change_queued.exchange(true)) continue;
    const Appended appended = plugin->strand.append(item, {}, {}, Admission::kEvent);
    if (appended != Appended::kQueued) plugin->listener_change_queued = false;
  }
}

bool Host::provides_paths() const {
  return state_->services->path_finder.load(std::memory_order_acquire) != nullptr;
}

bool Host::want_path(std::uint64_t reach, const std::string& node_id, const std::string& relay) {
  Plugin* finder = state_->services->path_finder.load(std::memory_order_acquire);
  return finder != nullptr && finder->queue_path_wanted(reach, node_id, relay);
}

void Host::forget_path(std::uint64_t reach) {
  Plugin* finder = state_->services->path_finder.load(std::memory_order_acquire);
  if (finder != nullptr) finder->wanted_paths.drop(reach);
}

// --- from people ---

std::vector<Command> Host::commands() const {
  std::vector<Command> out;
  for (const auto& plugin : state_->plugins) {
    if (plugin->retired()) continue;
    for (const auto& command : plugin->commands) out.push_back(command->shown);
  }
  return out;
}

namespace {

// Runs one command on its plugin's strand.
void run_call(Plugin& plugin, std::uint64_t token) {
  const auto call = plugin.services->calls.find(token);
  if (!call || call->begun.exchange(true)) return;  // the person has left already
  std::vector<atlas_text> names, values;
  for (const auto& [name, value] : call->args) {
    names.push_back(text_of(name));
    values.push_back(text_of(value));
  }
  atlas_cli_run run{};
  run.struct_size = sizeof run;
  run.call = token;
  run.names = names.data();
  run.values = values.data();
  run.count = names.size();
  const atlas_status status = plugin.run_command(*call->spec, run);
  if (status >= 0) return;
  const auto open = plugin.services->calls.take(token);
  if (!open) return;
  const std::string_view why = plugin.last_error_text();
  open->output->finish(status, why.empty() ? status_text(status) : why);
}

}  // namespace

std::uint64_t Host::run_command(const std::string& path, const std::map<std::string, std::string>& args,
                                std::shared_ptr<CommandOutput> output) {
  Plugin* owner = nullptr;
  const CommandSpec* spec = nullptr;
  for (const auto& plugin : state_->plugins) {
    if (plugin->retired()) continue;
    for (const auto& command : plugin->commands) {
      if (command->shown.path != path) continue;
      owner = plugin.get();
      spec = command.get();
    }
  }
  if (owner == nullptr) return 0;
  auto call = std::make_shared<Call>();
  call->plugin = owner;
  call->spec = spec;
  call->output = output;
  Calls& calls = state_->services->calls;
  const std::uint64_t token = calls.add(call);
  // From here on whoever takes the call out of the table finishes it.
  const auto refuse = [&](atlas_status status, std::string_view why) {
    if (token == 0 || calls.take(token)) output->finish(status, why);
    return token == 0 ? UINT64_MAX : token;
  };
  if (token == 0) return refuse(ATLAS_E_FULL, "too many commands are running");
  if (state_->services->setup.mode == Mode::kClient && (spec->shown.where & ATLAS_CLI_CLIENT) == 0) {
    return refuse(ATLAS_E_STATE, fmt::format("{} needs a running daemon", path));
  }
  auto checked = check_args(spec->shown, args);
  if (!checked) return refuse(status_of(checked.error().fault), checked.error().text);
  call->args = std::move(*checked);
  if (owner->in_service() != ATLAS_OK) {
    return refuse(ATLAS_E_STOPPING, fmt::format("plugin {} is not running", owner->id));
  }
  const auto refuse_stuck = [&] {
    return refuse(ATLAS_E_INTERNAL, fmt::format("plugin {} does not return from a callback", owner->id));
  };
  if (owner->stuck()) return refuse_stuck();
  const bool queued = owner->strand.append_task(
      [owner, token](bool discarded) {
        if (!discarded) run_call(*owner, token);
      },
      true);
  if (!queued) return refuse(ATLAS_E_STOPPING, fmt::format("plugin {} is being stopped", owner->id));
  if (owner->stuck()) return refuse_stuck();  // it was cut off meanwhile
  return token;
}

void Host::cancel_command(std::uint64_t token) {
  const auto call = state_->services->calls.take(token);
  if (!call) return;
  call->output->finish(ATLAS_E_GONE, "cancelled");
  // A command that has not begun finds itself gone when its turn comes.
  if (!call->begun || call->spec->cancelled == nullptr) return;
  call->plugin->strand.append_task(
      [call, token](bool discarded) {
        if (!discarded) call->plugin->run_cancelled(*call->spec, token);
      },
      true);
}

// --- about plugins ---

std::vector<PluginRow> Host::plugins() const {
  std::vector<PluginRow> out;
  for (const auto& plugin : state_->plugins) out.push_back(plugin->row());
  out.insert(out.end(), state_->unusable.begin(), state_->unusable.end());
  return out;
}

std::vector<std::string> Host::unstopped() const {
  std::vector<std::string> inside, left;
  for (const auto& plugin : state_->plugins) {
    const PluginState now = plugin->state();
    if (plugin->strand.counters().running_since != 0) inside.push_back(plugin->id);
    if (now != PluginState::kStopped && now != PluginState::kFaulted && now != PluginState::kRefused) {
      left.push_back(plugin->id);
    }
  }
  return inside.empty() ? left : inside;
}

std::vector<MetricRow> Host::metrics() const {
  std::vector<MetricRow> out;
  for (const auto& plugin : state_->plugins) plugin->append_metrics(out);
  return out;
}

std::vector<std::string> Host::claims() const {
  return state_->services->claims.snapshot();
}

std::vector<std::string> Host::holdings() const {
  std::vector<std::string> out = claims();
  append_shared_holdings(*state_->services, out);
  for (const auto& plugin : state_->plugins) plugin->append_holdings(out);
  return out;
}

}  // namespace atlas::host
