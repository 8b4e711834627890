// One plugin of this node: its code, the host table it was given, its strand, and everything it registered or waits
// for.
//
// The record lives as long as the host, so that a table pointer in the plugin's hands never dangles. Everything that
// the plugin's code can reach is safe on any thread; what runs its code (run, begin, retire) is the strand.
#pragma once

#include <cxxabi.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "atlas/plugin.h"
#include "base/limits.h"
#include "base/log.h"
#include "host/bus.h"
#include "host/claims.h"
#include "host/live_connections.h"
#include "host/live_routes.h"
#include "host/live_streams.h"
#include "host/metrics.h"
#include "host/now_running.h"
#include "host/open_paths.h"
#include "host/pending.h"
#include "host/plugin_config.h"
#include "host/plugin_timers.h"
#include "host/replies.h"
#include "host/services.h"
#include "host/strand.h"

namespace atlas::host {

class ReplyWatch;

enum class PluginState : std::uint8_t {
  kRefused,  // nothing is registered, nothing runs
  kInit,     // inside init()
  kReady,    // initialised, not started
  kRunning,
  kDraining,  // running, asked to take no new work
  kStopping,  // what is queued still runs
  kStopped,
  kFaulted,  // out of service
};
std::string_view to_text(PluginState state);
// "message handler 0x30", "timer"; `type` is -1 where there is none.
std::string shown_entry(const char* entry, int type);

// What is known of a plugin before any of its code has run.
struct Descriptor {
  std::string id, version, summary;
  std::string file;
  ::atlas_plugin code{};           // a copy; fields that the plugin does not know are zero
  std::vector<std::string> needs;  // ids of plugins
};

// The table that a plugin gets; its address tells which plugin calls.
struct HostTable {
  atlas_host table{};
  struct Plugin* plugin = nullptr;
};
void fill_host_table(HostTable& out, struct Plugin& plugin);

struct Plugin final : StrandSink, std::enable_shared_from_this<Plugin> {
  Plugin(std::shared_ptr<Services> shared, Descriptor descriptor);

  // The plugin that was given this table.
  static Plugin& of(const atlas_host* host) { return *reinterpret_cast<const HostTable*>(host)->plugin; }

  // --- life cycle (lifecycle.cc) ---
  // Runs init; false when it failed, then nothing is registered. On the loading thread.
  bool initialise();
  // Queues start(); `done` runs when it has returned, or will never be called.
  void begin_start(std::move_only_function<void()> done);
  // Queues drain(). `quiet` runs once: when drain() has returned and nothing that the role waits for or owes a peer is
  // open any more, or when the role ends; at once where there is no drain(). On the strand or the caller's thread.
  void begin_drain(base::MonoNs deadline, std::move_only_function<void()> quiet);
  // Something that a draining plugin had open is closed; on any thread.
  void look_whether_quiet();
  // Takes the plugin out of service behind what is queued already, which finds it in service still. `done` runs when it
  // is; `others` before that, or when the plugin does not return from a callback and nobody is to wait for it.
  void begin_stop(std::move_only_function<void()> others, std::move_only_function<void()> done);
  // The one way out, whatever the reason; on the strand, once. Takes back what the plugin registered, completes what it
  // waits for with STOPPING and calls stop().
  void retire(std::string_view why);
  // Whether a callback has been running for longer than the hard budget: then the plugin is cut off from whoever waits
  // for it, and faulted when the callback returns. On the loop's thread.
  void look_whether_stuck(base::MonoNs now);
  bool stuck() const { return stuck_.load(std::memory_order_acquire); }
  // Puts the plugin out of service. On the strand.
  void fault(std::string reason);
  bool retired() const { return retired_; }

  // --- StrandSink (plugin.cc) ---
  void run(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs now) override;
  void discard(const Item& item) override;
  void settle() override;
  void overrun(const Item& item, base::MonoNs took, bool hard) override;

  // --- for the tables ---
  bool on_strand() const;
  PluginState state() const { return state_.load(std::memory_order_acquire); }
  bool initialising() const { return state() == PluginState::kInit && on_strand(); }
  // OK while requests, dials, timers and the like may be begun; else why not.
  atlas_status in_service();
  // A callback that the plugin is owed from now on.
  atlas_status promise(const Promise& promise, std::uint64_t* handle);
  // Notes why a host call fails, for last_error, and hands the status back.
  atlas_status refuse(atlas_status status, std::string_view why);
  // The plugin did what the ABI forbids.
  atlas_status contract_break(atlas_status status, std::string_view why);
  std::size_t last_error(char* buffer, std::size_t capacity) const;
  std::string_view last_error_text() const;
  // A claim or a key that init asked for and cannot have: the node will not start.
  atlas_status refuse_claim(const base::Error& error);
  bool send_error(ReplyHandle to, std::uint32_t code, std::string_view text);  // false: the network is full

  // --- forwarding (plugin_routes.cc) ---
  // A pair of routes has ended; on the I/O thread.
  void queue_route_ended(std::uint64_t handle, std::uint32_t why);
  // A dial wants a path; false when it cannot be asked for. On the I/O thread.
  bool queue_path_wanted(std::uint64_t reach, const std::string& node_id, const std::string& relay);

  // --- raw streams (plugin_streams.cc) ---
  std::shared_ptr<StreamPipe> make_pipe(std::uint64_t handle, bool reads, bool writes);
  // A peer opened one; null when there is no room for it. On the I/O thread.
  std::shared_ptr<StreamPipe> arrived_stream(const StreamRoute& route, PeerHandle from, base::ByteView opening);
  std::shared_ptr<StreamPipe> arrived_connection_stream(std::uint64_t connection, bool unidirectional);

  // --- connections of other protocols (plugin_connections.cc) ---
  std::shared_ptr<ConnectionPipe> make_connection(std::uint64_t handle, std::string remote);
  // A peer has shown who it is, and TLS that it is. Null when nobody is there for it. On the I/O thread.
  std::shared_ptr<ConnectionPipe> arrived_connection(ProtocolSpec& spec, std::string remote);
  // The one that it claimed under this name, or null.
  ProtocolSpec* protocol(std::string_view alpn) const;

  // Of messages or of raw streams.
  bool claimed_type(std::uint8_t type) const;

  // A command of a person, on the strand.
  atlas_status run_command(const CommandSpec& command, const atlas_cli_run& run);
  void run_cancelled(const CommandSpec& command, atlas_call call);

  PluginRow row() const;
  void append_metrics(std::vector<MetricRow>& out) const;
  // What it holds now beside its claims, a line each: "echo: 2 timers" (holdings.cc).
  void append_holdings(std::vector<std::string>& out) const;
  std::string reason() const;

  const std::shared_ptr<Services> services;
  const std::string id, version, summary;
  const ::atlas_plugin code;
  const std::vector<std::string> needs;  // ids of plugins
  Owner owner;
  HostTable host;
  void* self = nullptr;
  bool stop_node_on_fault = false;

  Strand strand;
  Pending pending;
  OpenReplies replies;
  PluginTimers timers;
  LiveRoutes live_routes;
  LiveStreams live_streams;
  LiveConnections live_connections;
  WantedPaths wanted_paths;
  ExpectedPaths expected_paths;
  void (*path_wanted)(void* self, const atlas_path_request* request) = nullptr;  // set only in init
  Metrics metrics;
  PluginConfig config;
  std::vector<std::unique_ptr<Route>> routes;                // grow only in init
  std::vector<std::unique_ptr<StreamRoute>> stream_routes;   // grow only in init
  std::vector<std::unique_ptr<CommandSpec>> commands;        // grow only in init
  std::vector<std::unique_ptr<Subscription>> subscriptions;  // grow only in init
  std::vector<std::unique_ptr<BusService>> bus_services;     // grow only in init
  std::vector<std::unique_ptr<ProtocolSpec>> protocols;      // grow only in init
  void (*listener_changed)(void* self) = nullptr;            // set only in init
  std::atomic<bool> listener_change_queued{false};

  base::LogGate log_gate{base::limits::plugins_log_lines, 10 * base::kSecond};
  std::atomic<std::uint64_t> faults{0}, contract_breaks{0}, unanswered{0};

 private:
  // Runs code of the plugin. An exception is noted and becomes INTERNAL.
  template <class Code>
  atlas_status guarded(const char* entry, Code&& body, int type = -1) {
    const RunningEntry running(id.c_str(), entry, type);
    try {
      return body();
    } catch (const abi::__forced_unwind&) {
      throw;  // the thread is being cancelled
    } catch (const std::exception& error) {
      note_exception(entry, type, error.what());
    } catch (...) {
      note_exception(entry, type, "not a std::exception");
    }
    return ATLAS_E_INTERNAL;
  }
  void note_exception(const char* entry, int type, std::string_view what);

  void run_item(const Item& item, base::ByteView first, base::ByteView second, base::MonoNs now);
  bool check_structure(base::ByteView payload);
  void run_message(const Item& item, base::ByteView body, base::MonoNs now);
  void run_answer(const Item& item, base::ByteView body, base::ByteView error);
  void run_connected(const Item& item, base::ByteView node_id, base::ByteView error);
  void run_peer_event(const Item& item, base::ByteView node_id);
  void run_start();
  void run_drain(base::MonoNs deadline);
  void run_path_wanted(const Item& item, base::ByteView node_id, base::ByteView relay);
  void run_route_ended(const Item& item);
  void tell_route_ended(std::uint64_t handle, const LiveRoute& route, std::uint32_t why);
  void run_bus_event(const Item& item, base::ByteView body);
  void run_bus_request(const Item& item, base::ByteView body, base::ByteView from);
  void run_bus_answer(const Item& item, base::ByteView body, base::ByteView error);
  void queue_stream(std::uint64_t handle);
  void run_stream(const Item& item);
  void tell_stream_arrived(std::uint64_t handle, const LiveStream& stream);
  void tell_stream(std::uint64_t handle, const LiveStream& stream, const StreamPipe::Event& told);
  void end_streams();
  void tell_connection_stream(std::uint64_t handle, const LiveStream& stream);
  void queue_connection(std::uint64_t handle);
  void run_connection(const Item& item);
  void judge(std::uint64_t handle, const LiveConnection& connection, const std::vector<base::Bytes>& chain);
  void tell_connection(std::uint64_t handle, const LiveConnection& connection, atlas_connection_event& event);
  void tell_connection_down(std::uint64_t handle, const LiveConnection& connection, const ConnectionPipe::Event& down);
  void end_connections();
  void join_bus();
  void leave_bus();
  void break_promises();
  void end_routes();
  void finish_calls(std::string_view why, bool faulted);
  // Whether what the plugin claimed reaches it.
  void publish(bool there);
  void cut_off(std::string_view why);
  void let_others_stop();
  void unregister();

  std::atomic<PluginState> state_{PluginState::kReady};
  std::atomic<bool> retired_{false};
  std::atomic<bool> stuck_{false};
  std::string thrown_;                     // strand: an exception of the callback that runs
  std::move_only_function<void()> quiet_;  // strand: waits for the end of what is open
  mutable std::mutex reason_mutex_;
  std::string reason_;  // guarded by reason_mutex_
  std::mutex stop_mutex_;
  std::move_only_function<void()> others_;   // wait to be stopped until this one is; guarded by stop_mutex_
  std::shared_ptr<ReplyWatch> reply_watch_;  // made when the plugin starts
  base::LogGate slow_gate_, contract_gate_;
};

}  // namespace atlas::host
