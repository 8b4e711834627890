// A host with everything around it made by hand: time, loop, threads, network and store do only what a test says.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "atlas/plugin.h"
#include "base/random.h"
#include "host/connection_pipe.h"
#include "host/ext.h"
#include "host/host.h"
#include "host/status.h"
#include "host/stream_pipe.h"
#include "wire/messages.h"

namespace atlas::host::test {

class ManualClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return now_.load(); }
  std::int64_t unix_ms() const override {
    return 1'700'000'000'000 + static_cast<std::int64_t>(now_ / base::kMillisecond);
  }
  void advance(base::MonoNs span) { now_ += span; }

 private:
  std::atomic<base::MonoNs> now_{base::kSecond};
};

// Keeps tasks until the test runs them, one after the other.
class ManualExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    ++scheduled;
  }
  bool run_one() {
    std::move_only_function<void()> task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) return false;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
    return true;
  }
  std::size_t run_all() {
    std::size_t ran = 0;
    while (run_one()) ++ran;
    return ran;
  }
  std::size_t scheduled = 0;

 private:
  std::mutex mutex_;
  std::deque<std::move_only_function<void()>> tasks_;
};

class ManualLoop final : public net::Loop {
 public:
  explicit ManualLoop(const base::Clock& clock) : clock_(clock) {}

  void post(std::move_only_function<void()> task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    ++posts;
  }
  std::unique_ptr<net::Timer> make_timer(std::function<void()> callback) override {
    auto timer = std::make_unique<ManualTimer>(*this, std::move(callback));
    timers_.insert(timer.get());
    return timer;
  }
  base::Result<std::unique_ptr<net::UdpSocket>> open_udp(const net::SocketAddress&, const net::UdpOptions&,
                                                         net::UdpEvents) override {
    return base::fail(base::Fault::kInternal, "this loop has no sockets");
  }
  const base::Clock& clock() const override { return clock_; }

  // Runs what was posted and what is due, once. False when there was nothing.
  bool run_once() {
    std::deque<std::move_only_function<void()>> posted;
    {
      const std::lock_guard lock(mutex_);
      posted.swap(posted_);
    }
    bool any = !posted.empty();
    for (auto& task : posted) task();
    for (ManualTimer* timer : std::set<ManualTimer*>(timers_)) {
      if (!timers_.contains(timer) || timer->at > clock_.mono_ns()) continue;
      timer->at = base::kNever;
      any = true;
      timer->callback();
    }
    return any;
  }
  std::size_t timers() const { return timers_.size(); }
  std::size_t posts = 0;
  base::MonoNs next_timer() const {
    base::MonoNs next = base::kNever;
    for (const ManualTimer* timer : timers_) next = std::min(next, timer->at);
    return next;
  }

 private:
  struct ManualTimer final : net::Timer {
    ManualTimer(ManualLoop& owner, std::function<void()> fn) : loop(owner), callback(std::move(fn)) {}
    ~ManualTimer() override { loop.timers_.erase(this); }
    void arm(base::MonoNs when) override { at = when; }
    ManualLoop& loop;
    std::function<void()> callback;
    base::MonoNs at = base::kNever;
  };

  const base::Clock& clock_;
  std::mutex mutex_;
  std::deque<std::move_only_function<void()>> posted_;
  std::set<ManualTimer*> timers_;
};

// Notes everything that plugins ask of the network.
class FakeNetwork final : public Network {
 public:
  struct Sent {
    PeerHandle to;
    std::uint8_t type;
    base::Bytes payload;
  };
  struct Reply {
    ReplyHandle to;
    std::uint8_t type;
    base::Bytes payload;
    std::uint32_t error_code() const {
      const auto error = wire::decode_error(payload);
      return type == wire::kError && error ? error->code : 0;
    }
    std::string error_text() const { return wire::decode_error(payload).value_or(wire::ErrorMessage{}).message; }
  };
  struct Request {
    Sent sent;
    base::MonoNs timeout;
    std::uint64_t tag;
    AnswerFn done;
  };

  bool send(PeerHandle to, std::uint8_t type, base::Bytes payload) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    sent.push_back({to, type, std::move(payload)});
    return true;
  }
  void request(PeerHandle to, std::uint8_t type, base::Bytes payload, base::MonoNs timeout, std::uint64_t tag,
               AnswerFn done) override {
    const std::lock_guard lock(mutex_);
    requests.push_back({{to, type, std::move(payload)}, timeout, tag, std::move(done)});
  }
  void cancel_request(std::uint64_t tag) override {
    const std::lock_guard lock(mutex_);
    cancelled.push_back(tag);
  }
  bool reply(ReplyHandle to, std::uint8_t type, base::Bytes payload) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    replies.push_back({to, type, std::move(payload)});
    return true;
  }
  void connect(std::string target, base::MonoNs timeout, ConnectedFn done) override {
    const std::lock_guard lock(mutex_);
    dials.push_back({std::move(target), timeout, std::move(done)});
  }
  bool disconnect(PeerHandle peer, std::uint32_t reason, std::string note) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    disconnects.push_back({peer, reason, std::move(note)});
    return true;
  }
  RouteAdmission admits_route(PeerHandle a, PeerHandle b) const override {
    const std::lock_guard lock(mutex_);
    const auto one = live_peers.find(a), other = live_peers.find(b);
    if (one == live_peers.end() || other == live_peers.end()) return RouteAdmission::kGone;
    if (a == b) return RouteAdmission::kSame;
    if (one->second.relayed || other->second.relayed) return RouteAdmission::kRelayed;
    return without_routes.contains(a) || without_routes.contains(b) ? RouteAdmission::kNoFeature : RouteAdmission::kYes;
  }
  bool add_route(RouteOrder order) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    routes.push_back(std::move(order));
    return true;
  }
  bool remove_route(std::uint64_t route) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    removed_routes.push_back(route);
    return true;
  }
  bool path_found(std::uint64_t reach, PathOffer offer) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    found_paths.push_back({reach, std::move(offer)});
    return true;
  }
  bool path_not_found(std::uint64_t reach, base::Fault fault, std::string reason) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    missing_paths.push_back({reach, fault, std::move(reason)});
    return true;
  }
  bool expect_path(PathOffer offer) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    expected_paths.push_back(std::move(offer));
    return true;
  }

  LivePeer self() const override { return me; }
  Listener listener() const override { return listening; }
  std::optional<LivePeer> peer(PeerHandle handle) const override {
    const std::lock_guard lock(mutex_);
    const auto found = live_peers.find(handle);
    return found == live_peers.end() ? std::nullopt : std::optional(found->second);
  }
  PeerHandle find(std::string_view node_id) const override {
    const std::lock_guard lock(mutex_);
    for (const auto& [handle, live] : live_peers) {
      if (live.record.node_id == node_id) return handle;
    }
    return 0;
  }
  std::vector<LivePeer> peers() const override {
    const std::lock_guard lock(mutex_);
    std::vector<LivePeer> out;
    for (const auto& [handle, live] : live_peers) out.push_back(live);
    return out;
  }
  void add_peer(PeerHandle handle, std::string node_id) {
    LivePeer live;
    live.handle = handle;
    live.record.node_id = std::move(node_id);
    live.record.address = "192.0.2.1:4433";
    live.record.skills = {"echo", "store"};
    const std::lock_guard lock(mutex_);
    live_peers[handle] = std::move(live);
  }

  bool open_stream(StreamOrder order) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    streams.push_back(std::move(order));
    return true;
  }
  void serve_stream(std::uint64_t tag) override {
    const std::lock_guard lock(mutex_);
    served_streams.push_back(tag);
  }

  base::Result<void> set_credentials(const std::string& alpn, std::span<const base::ByteView> chain,
                                     base::ByteView) override {
    const std::lock_guard lock(mutex_);
    if (chain.empty()) return base::fail(base::Fault::kArgument, "no certificate");
    credentials.insert(alpn);
    return {};
  }
  void drop_credentials(const std::string& alpn) override {
    const std::lock_guard lock(mutex_);
    credentials.erase(alpn);
  }
  bool dial_protocol(ProtocolDial dial) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    protocol_dials.push_back(std::move(dial));
    return true;
  }
  bool open_connection_stream(ConnectionStreamOrder order) override {
    const std::lock_guard lock(mutex_);
    if (full) return false;
    connection_streams.push_back(std::move(order));
    return true;
  }
  void judge_connection(std::uint64_t tag, bool accepted) override {
    const std::lock_guard lock(mutex_);
    verdicts.emplace_back(tag, accepted);
  }
  void close_connection(std::uint64_t tag, std::uint64_t code, std::string reason) override {
    const std::lock_guard lock(mutex_);
    closed_connections.push_back({tag, code, std::move(reason)});
  }

  // As an I/O thread would, for tests that have one.
  void answer_everything() {
    std::vector<Request> asked;
    std::vector<Dial> dialled;
    std::vector<RouteOrder> routed;
    {
      const std::lock_guard lock(mutex_);
      asked.swap(requests);
      dialled.swap(dials);
      routed.swap(routes);
    }
    for (Request& request : asked) {
      Answer answer;
      answer.ok = true;
      answer.type = 0x91;
      answer.body = {1, 2, 3};
      request.done(std::move(answer));
    }
    for (Dial& dial : dialled) dial.done(Connected{});
    for (RouteOrder& order : routed) {
      order.tally->dropped_rate = 1;
      order.ended(ATLAS_ROUTE_IDLE);
    }
  }

  // Streams are over and connections down.
  void end_everything() {
    std::vector<StreamOrder> opened;
    std::vector<ProtocolDial> dialled;
    std::vector<ConnectionStreamOrder> inside;
    {
      const std::lock_guard lock(mutex_);
      opened.swap(streams);
      dialled.swap(protocol_dials);
      inside.swap(connection_streams);
    }
    for (const StreamOrder& order : opened) order.pipe->on_closed(ATLAS_E_GONE, 0);
    for (const ConnectionStreamOrder& order : inside) order.pipe->on_closed(ATLAS_E_GONE, 0);
    for (const ProtocolDial& dial : dialled) dial.pipe->on_down(ATLAS_CLOSED_PEER, 0, "over");
  }

  struct Dial {
    std::string target;
    base::MonoNs timeout;
    ConnectedFn done;
  };
  struct Disconnect {
    PeerHandle peer;
    std::uint32_t reason;
    std::string note;
  };
  struct FoundPath {
    std::uint64_t reach;
    PathOffer offer;
  };
  struct MissingPath {
    std::uint64_t reach;
    base::Fault fault;
    std::string reason;
  };
  struct ClosedConnection {
    std::uint64_t tag, code;
    std::string reason;
  };
  std::set<std::string> credentials;
  std::vector<ProtocolDial> protocol_dials;
  std::vector<ConnectionStreamOrder> connection_streams;
  std::vector<std::pair<std::uint64_t, bool>> verdicts;
  std::vector<ClosedConnection> closed_connections;
  std::vector<StreamOrder> streams;
  std::vector<std::uint64_t> served_streams;
  std::vector<RouteOrder> routes;
  std::vector<std::uint64_t> removed_routes;
  std::vector<FoundPath> found_paths;
  std::vector<MissingPath> missing_paths;
  std::vector<PathOffer> expected_paths;
  std::set<PeerHandle> without_routes;  // sessions whose peer does not show the feature
  std::vector<Sent> sent;
  std::vector<Request> requests;
  std::vector<std::uint64_t> cancelled;
  std::vector<Reply> all_replies() {
    const std::lock_guard lock(mutex_);
    return replies;
  }
  std::vector<Reply> replies;
  std::vector<Dial> dials;
  std::vector<Disconnect> disconnects;
  std::map<PeerHandle, LivePeer> live_peers;
  Listener listening;
  LivePeer me;
  bool full = false;  // it takes nothing that it could refuse

 private:
  mutable std::mutex mutex_;
};

// Rows in a map; commits happen when the test says so.
class FakeStore final : public store::Store {
 public:
  void put_proved(const wire::PeerRecord&) override {}
  void put_told(const wire::PeerRecord& record) override { told.push_back(record); }
  void mark_failure(const std::string&, wire::DialFailure) override {}
  void touch(const std::string&, std::int64_t) override {}
  void set_ban(const std::string&, std::int64_t, const std::string&) override {}
  void lift_ban(const std::string&) override {}
  std::optional<wire::PeerRecord> peer(const std::string&) override { return std::nullopt; }
  std::vector<wire::PeerRecord> peers(std::size_t) override { return known; }
  std::vector<wire::PeerRecord> bans() override { return {}; }
  void clear_sessions() override {}
  void put_session(const store::SessionRecord&) override {}
  void remove_session(const std::string&) override {}
  std::vector<store::SessionRecord> sessions() override { return {}; }

  std::optional<base::Bytes> get(std::string_view plugin, base::ByteView key) override {
    const std::lock_guard lock(mutex_);
    const auto found = rows.find(name(plugin, key));
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  base::Result<void> put(std::string_view plugin, base::ByteView key, base::ByteView value,
                         store::Durable done) override {
    const std::lock_guard lock(mutex_);
    if (full) return base::fail(base::Fault::kFull, "the quota of this plugin is spent");
    rows[name(plugin, key)] = {value.begin(), value.end()};
    waiting.push_back(std::move(done));
    return {};
  }
  base::Result<void> remove(std::string_view plugin, base::ByteView key, store::Durable done) override {
    const std::lock_guard lock(mutex_);
    rows.erase(name(plugin, key));
    waiting.push_back(std::move(done));
    return {};
  }
  void scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
            const std::function<bool(base::ByteView, base::ByteView)>& row) override {
    const std::string space = std::string(plugin) + '/';
    for (const auto& [full_key, value] : rows) {
      const std::string_view key = std::string_view(full_key).substr(std::min(space.size(), full_key.size()));
      if (!full_key.starts_with(space) || !key.starts_with(base::as_text(prefix)) || key <= base::as_text(after))
        continue;
      if (!row(base::as_bytes(key), value)) return;
    }
  }
  void flush() override { ++flushed; }
  int flushed = 0;
  store::StoreCounters counters() const override { return {}; }

  void commit(base::Result<void> result = {}) {
    std::vector<store::Durable> due;
    {
      const std::lock_guard lock(mutex_);
      due.swap(waiting);
    }
    for (auto& done : due) done(result);
  }
  std::map<std::string, base::Bytes> rows;
  std::vector<store::Durable> waiting;
  std::vector<wire::PeerRecord> told, known;
  bool full = false;

 private:
  static std::string name(std::string_view plugin, base::ByteView key) {
    return std::string(plugin) + '/' + std::string(base::as_text(key));
  }
  std::mutex mutex_;
};

class RecordedOutput final : public CommandOutput {
 public:
  void row(std::string_view json) override { rows.emplace_back(json); }
  void progress(std::string_view text) override { said.emplace_back(text); }
  void result(std::string_view json) override { results.emplace_back(json); }
  void finish(std::int32_t status, std::string_view error) override { ended.emplace_back(status, error); }
  std::vector<std::string> rows, said, results;
  std::vector<std::pair<std::int32_t, std::string>> ended;
};

// What the test plugin in one slot does. The ABI's functions carry no context before init, hence the slots.
struct Script {
  std::string id = "echo";
  const atlas_host* host = nullptr;
  std::function<atlas_status()> init, start;
  std::function<void(std::uint32_t)> drain;
  std::function<void()> stop;
  std::function<void(const atlas_peer_event&)> peer_event;
  std::function<atlas_status(const atlas_message&)> handler;
  std::function<atlas_status(const atlas_cli_run&)> command;
  std::function<void(atlas_call)> cancelled;
  std::function<void(const atlas_path_request&)> path_wanted;
  std::function<atlas_status(const atlas_stream_opened&)> stream_opened;
  std::function<void(const atlas_stream_event&)> stream_event;
  std::function<atlas_status(const atlas_presented&, atlas_verdict&)> verify;
  std::function<void(const atlas_connection_event&)> connection_event;
  std::vector<std::string> calls;  // "init", "start", ...

  const atlas_ext_messages& messages() const { return *table<atlas_ext_messages>(ATLAS_EXT_MESSAGES); }
  const atlas_ext_timers& timers() const { return *table<atlas_ext_timers>(ATLAS_EXT_TIMERS); }
  const atlas_ext_config& config() const { return *table<atlas_ext_config>(ATLAS_EXT_CONFIG); }
  const atlas_ext_peers& peers() const { return *table<atlas_ext_peers>(ATLAS_EXT_PEERS); }
  const atlas_ext_store& store() const { return *table<atlas_ext_store>(ATLAS_EXT_STORE); }
  const atlas_ext_metrics& metrics() const { return *table<atlas_ext_metrics>(ATLAS_EXT_METRICS); }
  const atlas_ext_log& log() const { return *table<atlas_ext_log>(ATLAS_EXT_LOG); }
  const atlas_ext_cli& cli() const { return *table<atlas_ext_cli>(ATLAS_EXT_CLI); }
  const atlas_ext_streams& streams() const { return *table<atlas_ext_streams>(ATLAS_EXT_STREAMS); }
  const atlas_ext_protocols& protocols() const { return *table<atlas_ext_protocols>(ATLAS_EXT_PROTOCOLS); }
  const atlas_ext_routes& routes() const { return *table<atlas_ext_routes>(ATLAS_EXT_ROUTES); }
  template <class T>
  const T* table(const char* name) const {
    return static_cast<const T*>(host->extension(host, name));
  }
  std::string last_error() const {
    std::string out(512, '\0');
    out.resize(std::min<std::size_t>(out.size(), host->last_error(host, out.data(), out.size())));
    return out;
  }
};

inline atlas_status handle_message(void* self, const atlas_message* message) {
  return static_cast<Script*>(self)->handler(*message);
}
inline atlas_status run_command(void* self, const atlas_cli_run* run) {
  return static_cast<Script*>(self)->command(*run);
}
inline void command_cancelled(void* self, atlas_call call) {
  static_cast<Script*>(self)->cancelled(call);
}

inline void path_wanted(void* self, const atlas_path_request* request) {
  static_cast<Script*>(self)->path_wanted(*request);
}

inline atlas_status stream_opened(void* self, const atlas_stream_opened* opened) {
  return static_cast<Script*>(self)->stream_opened(*opened);
}
inline atlas_status verify(void* self, const atlas_presented* presented, atlas_verdict* verdict) {
  return static_cast<Script*>(self)->verify(*presented, *verdict);
}
inline void connection_event(void* self, const atlas_connection_event* event) {
  static_cast<Script*>(self)->connection_event(*event);
}
inline void stream_event(void* self, const atlas_stream_event* event) {
  static_cast<Script*>(self)->stream_event(*event);
}

template <int Slot>
struct Scripted {
  static inline Script* script = nullptr;

  static atlas_status init(const atlas_host* host, void** self) {
    script->host = host;
    script->calls.emplace_back("init");
    *self = script;
    return script->init ? script->init() : ATLAS_OK;
  }
  static atlas_status start(void* self) {
    auto& me = *static_cast<Script*>(self);
    me.calls.emplace_back("start");
    return me.start ? me.start() : ATLAS_OK;
  }
  static void drain(void* self, std::uint32_t ms) {
    auto& me = *static_cast<Script*>(self);
    me.calls.emplace_back("drain");
    if (me.drain) me.drain(ms);
  }
  static void stop(void* self) {
    auto& me = *static_cast<Script*>(self);
    me.calls.emplace_back("stop");
    if (me.stop) me.stop();
  }
  static void peer_event(void* self, const atlas_peer_event* event) {
    auto& me = *static_cast<Script*>(self);
    if (me.peer_event) me.peer_event(*event);
  }
  static ::atlas_plugin descriptor(Script& of) {
    script = &of;
    ::atlas_plugin out{};
    out.struct_size = sizeof out;
    out.abi_major = ATLAS_ABI_MAJOR;
    out.id = of.id.c_str();
    out.version = "1.0";
    out.summary = "A plugin of the tests.";
    out.init = init;
    out.start = start;
    out.drain = drain;
    out.stop = stop;
    out.peer_event = peer_event;
    return out;
  }
};

class HostTest : public ::testing::Test {
 protected:
  HostTest() : loop(clock), random(7) {
    for (int i = 0; i < 3; ++i) scripts[i].id = std::string("plugin") + std::to_string(i);
  }

  HostSetup setup(Mode mode = Mode::kDaemon) {
    HostSetup out;
    out.mode = mode;
    out.version = "0.2.0";
    out.config = &config;
    out.network = &network;
    out.store = &store;
    out.loop = &loop;
    out.clock = &clock;
    out.random = &random;
    out.executor = &executor;
    return out;
  }
  // The first `count` scripts as linked plugins.
  std::vector<config::Problem> load(int count = 1, Mode mode = Mode::kDaemon) {
    HostSetup with = setup(mode);
    with.on_fault = [this](const std::string& id, const std::string& reason, bool stop_node) {
      faults.push_back({id, reason, stop_node});
    };
    host = std::make_unique<Host>(std::move(with));
    descriptors[0] = Scripted<0>::descriptor(scripts[0]);
    descriptors[1] = Scripted<1>::descriptor(scripts[1]);
    descriptors[2] = Scripted<2>::descriptor(scripts[2]);
    for (int i = 0; i < count; ++i) host->add_linked(&descriptors[i]);
    return host->load({});
  }
  void start(int count = 1) {
    const auto problems = load(count);
    ASSERT_TRUE(problems.empty()) << problems.front().to_string();
    host->begin_start();
    settle();
  }
  void stop() {
    bool done = false;
    host->begin_stop([&] { done = true; });
    settle();
    EXPECT_TRUE(done);
  }
  // Until nobody has anything to do at this point in time.
  void settle() {
    bool busy = true;
    while (busy) {
      busy = executor.run_all() > 0;
      busy = loop.run_once() || busy;
    }
  }
  void pass(base::MonoNs span) {
    clock.advance(span);
    settle();
  }
  // A message of peer 7 with that reply handle.
  Delivered deliver(std::uint8_t type, ReplyHandle reply_to, std::string_view payload = "payload") {
    return host->deliver({type, 7, reply_to, base::as_bytes(payload)});
  }
  PluginRow row(const std::string& id = "plugin0") {
    for (const PluginRow& row : host->plugins()) {
      if (row.id == id) return row;
    }
    ADD_FAILURE() << "no plugin " << id;
    return {};
  }
  std::int64_t metric(const std::string& name) {
    for (const MetricRow& row : host->metrics()) {
      if (row.name == name) return row.value;
    }
    return -1;
  }

  struct FaultSeen {
    std::string id, reason;
    bool stop_node;
  };
  ManualClock clock;
  ManualExecutor executor;
  ManualLoop loop;
  FakeNetwork network;
  FakeStore store;
  base::SeededRandom random;
  config::Config config;
  Script scripts[3];
  ::atlas_plugin descriptors[3];
  std::vector<FaultSeen> faults;
  std::unique_ptr<Host> host;
  Script& script = scripts[0];
};

inline atlas_bytes bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string string_of(atlas_bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data), bytes.size};
}
inline std::string string_of(const base::Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace atlas::host::test
