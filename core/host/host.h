// The plugin host: finds and loads plugins, runs each on a strand of its own, and gives them the capability tables.
//
// Threads: load(), start(), begin_start(), drain(), stop() and begin_stop() on the thread that owns the node, deliver()
// and peer_event() on the I/O thread; the rest on any. No plugin code runs on the I/O thread, unless the executor runs
// it there (a simulation). The host is destroyed on the loop's thread, or when the loop no longer runs. Ownership: the
// host owns plugins, strands, claims and everything a plugin registered; one routine takes it all back, whether init
// failed, the plugin stopped or it was found at fault.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/result.h"
#include "config/config.h"
#include "host/network.h"
#include "identity/node_key.h"
#include "net/loop.h"
#include "store/store.h"

struct atlas_plugin;

namespace atlas::host {

struct ProtocolSpec;

enum class Mode : std::uint32_t { kDaemon = 1, kClient = 2, kDescribe = 3 };

// Why a plugin is not to be started this time.
struct LeftOut {
  std::string reason;   // for people
  bool wanted = false;  // by the operator, so on_fault = "stop-node" does not matter
};

struct HostSetup {
  Mode mode = Mode::kDaemon;
  std::string version;  // of the program
  const config::Config* config = nullptr;
  std::map<std::string, LeftOut> left_out;    // plugins that are not to be started; their files are not opened
  std::vector<std::filesystem::path> search;  // absolute directories; the first that has <id>.so wins
  Network* network = nullptr;                 // null in kDescribe
  store::Store* store = nullptr;              // null in kDescribe
  net::Loop* loop = nullptr;                  // timers fire there and go to the strand; null in kDescribe
  const base::Clock* clock = nullptr;
  const identity::NodeKey* key = nullptr;  // who this node is; null in kDescribe
  base::Random* random = nullptr;          // any thread
  base::Executor* executor = nullptr;      // runs strands: one task is one turn of one strand
  bool watch_strands = false;              // look for callbacks that do not return; of use with threads only
  // A plugin went out of service; `stop_node` when [plugins.<id>] on_fault = "stop-node". On that plugin's strand.
  std::function<void(const std::string& id, const std::string& reason, bool stop_node)> on_fault;
};

// A request of a peer for a plugin. The payload is copied into the strand's queue.
struct Incoming {
  std::uint8_t type = 0;
  PeerHandle from = 0;
  ReplyHandle reply_to = 0;
  base::ByteView payload;
  // The structure is still to be checked, on the strand: for a large payload it takes longer than the I/O thread has.
  bool unchecked = false;
};
enum class Delivered { kQueued, kNoOwner, kQueueFull };

struct PeerEvent {
  std::uint32_t what = 0;  // ATLAS_PEER_*
  PeerHandle peer = 0;
  std::string node_id;
  std::uint32_t reason = 0;
  bool dialled = false;
};

struct CommandArg {
  std::string name;
  std::uint32_t kind = 1;  // ATLAS_ARG_*
  bool required = false;
  std::string help;
};
struct Command {
  std::string path, plugin, summary, display;
  std::uint32_t where = 0;  // ATLAS_CLI_* bits
  std::vector<CommandArg> args;
};

// Where a running command's output goes; any thread. Calls after finish() are to be ignored. Must not call the host.
class CommandOutput {
 public:
  virtual ~CommandOutput() = default;
  virtual void row(std::string_view json) = 0;
  virtual void progress(std::string_view text) = 0;
  virtual void result(std::string_view json) = 0;
  virtual void finish(int32_t status, std::string_view error) = 0;  // an atlas_status; exactly once
};

struct PluginKey {  // one key that a plugin's init asked for: for the reference and the sample files
  std::string key, type;
  std::string fallback;  // in TOML spelling
  std::string bounds, doc;
};
struct PluginRow {
  std::string id, version, summary, file;
  std::string state;   // refused, left out, ready, running, draining, stopping, stopped, faulted, stuck
  std::string reason;  // refused, left out, stuck, faulted: why
  std::vector<std::uint8_t> types;
  std::vector<std::string> commands;
  std::vector<PluginKey> keys;
  std::uint64_t callbacks = 0, faults = 0, dropped = 0;
  std::uint64_t queue_messages = 0;
};
struct MetricRow {
  std::string name, help;
  bool gauge = false;
  std::int64_t value = 0;
};

class Host {
 public:
  explicit Host(HostSetup setup);
  ~Host();

  // Finds, probes and initialises every enabled plugin, in the order given. All claims are made first; every conflict
  // and every configuration error of every plugin is reported, none starts unless the list is empty.
  std::vector<config::Problem> load(const std::vector<std::string>& ids);
  // A plugin linked into this program or a test: same life cycle, no file.
  void add_linked(const ::atlas_plugin* descriptor);

  void start();                       // runs start() on every strand and waits for it
  void drain(base::MonoNs deadline);  // asks every plugin, returns at once
  // The same; `done` runs once nothing is open any more in a plugin that drains, at `deadline` at the latest: on the
  // loop, or right here where there is nothing to wait for. Not at all when the host is destroyed before. Loop thread.
  void begin_drain(base::MonoNs deadline, std::move_only_function<void()> done);
  void stop();  // completes what is pending with STOPPING, then stop() in reverse order
  // The same in pieces that never wait, for a simulation where this thread is every thread. `done` runs on the loop;
  // not at all when the host is destroyed before.
  // `started`, if given, runs once every plugin's start has returned, whatever it said; on any thread, here or later.
  void begin_start(std::move_only_function<void()> started = {});
  void begin_stop(std::move_only_function<void()> done);

  Delivered deliver(const Incoming& message);
  bool owns(std::uint8_t type) const;  // by a plugin in service
  // Whether a plugin in service takes raw streams that begin with this type. I/O thread, as all of these.
  bool takes_streams(std::uint8_t type) const;
  // A peer has opened one; the payload's structure is checked. Null: there is no room for it, or nobody any more.
  std::shared_ptr<StreamPipe> deliver_stream(std::uint8_t type, PeerHandle from, base::ByteView opening);
  // ALPNs that plugins claimed; constant after load().
  std::vector<std::pair<ProtocolSpec*, ProtocolClaim>> protocols() const;
  // A peer has come over one of them. Null: the plugin is not in service, or has as many as it wants.
  std::shared_ptr<ConnectionPipe> deliver_connection(ProtocolSpec& spec, std::string remote);
  void peer_event(const PeerEvent& event);
  // What Network::listener() says has changed. Any thread.
  void listener_changed();

  // Whether a plugin in service finds paths (atlas/ext/routes.h, provide).
  bool provides_paths() const;
  // Asks it for one; false when there is none or its queue is full. It answers through Network::path_found() and
  // path_not_found(). I/O thread.
  bool want_path(std::uint64_t reach, const std::string& node_id, const std::string& relay);
  // The dial is over before its 5 s are: an answer to it is GONE from now on. I/O thread.
  void forget_path(std::uint64_t reach);

  std::vector<Command> commands() const;
  // Runs on the plugin's strand; returns a token for cancel_command, 0 when there is no such command (output
  // untouched).
  std::uint64_t run_command(const std::string& path, const std::map<std::string, std::string>& args,
                            std::shared_ptr<CommandOutput> output);
  void cancel_command(std::uint64_t token);

  std::vector<PluginRow> plugins() const;
  // After begin_stop(): the plugins that keep it from ending because a callback has not returned.
  std::vector<std::string> unstopped() const;
  std::vector<std::string> claims() const;  // "type 0x90: echo", "command ping: keepalive", ...
  // Everything that plugins hold in this node now: claims, what of them is in service, bus, timers, requests, streams
  // and the like, a line each in one order. Equal lists mean equal registries.
  std::vector<std::string> holdings() const;
  std::vector<MetricRow> metrics() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace atlas::host
