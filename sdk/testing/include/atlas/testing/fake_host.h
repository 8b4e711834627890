// A host for one role inside a test: every capability table, virtual time, peers that exist only here.
//
// The test is the only thread. The role's callbacks run from deliver(), advance(), settle() and the other functions
// that say so, never from inside a call of the role into the host. Everything that crosses is copied.
//
//   FakeHost host(atlas_plugin_v1);
//   host.config["interval"] = "60s";
//   ASSERT_EQ(host.init(), ATLAS_OK);
//   host.start();
//   const auto peer = host.connect_peer({.node_id = node_id(1)});
//   host.advance(60'000);
//   host.answer(host.requests.at(0), 0xf1, body);
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fake_values.h"

namespace atlas::kit {

class FakeHost {
  // Removes what has that id from a queue of things under way.
  template <class Queue>
  auto take(Queue& queue, std::uint64_t id) {
    const auto found = std::find_if(queue.begin(), queue.end(), [id](const auto& it) { return it.id == id; });
    if (found == queue.end()) throw std::runtime_error("it has ended already");
    auto copy = *found;
    queue.erase(found);
    return copy;
  }

 public:
  explicit FakeHost(const atlas_plugin& plugin, std::uint32_t mode = ATLAS_MODE_DAEMON) : plugin_(plugin) {
    fill_tables(mode);
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() { stop(); }

  // -- before init() ------------------------------------------------------------------------------------------------
  std::map<std::string, FakeValue> config;                    // [plugins.<id>]
  std::map<std::string, std::vector<std::string>> node_keys;  // keys of the core
  std::set<std::string> missing;                              // capability ids that this host lacks
  FakePeer self{.node_id = node_id(0xfeed), .name = "self"};
  std::int64_t unix_ms_at_start = 1'700'000'000'000;
  std::size_t timer_quota = 1'000'000;

  // -- the life of the plugin ---------------------------------------------------------------------------------------
  atlas_status init() {
    const atlas_status status = plugin_.init(&c_.host, &role_);
    initialised_ = status >= 0;
    in_init_ = false;
    return status;
  }
  atlas_status start() {
    const atlas_status status = plugin_.start != nullptr ? plugin_.start(role_) : ATLAS_OK;
    settle();
    return status;
  }
  // init and start; throws where one fails.
  void run() {
    if (const auto status = init(); status < 0) throw std::runtime_error("init " + std::to_string(status));
    if (const auto status = start(); status < 0) throw std::runtime_error("start " + std::to_string(status));
  }
  void drain(std::uint32_t deadline_ms = 1000) {
    if (plugin_.drain != nullptr) plugin_.drain(role_, deadline_ms);
    settle();
  }
  // Completes what is pending with STOPPING first, as the core does.
  void stop() {
    if (!std::exchange(initialised_, false)) return;
    while (!requests.empty()) fail_request(requests.front(), ATLAS_E_STOPPING);
    while (!bus_requests.empty()) answer_bus(bus_requests.front(), ATLAS_E_STOPPING, {});
    while (!streams.empty()) stream_closed(streams.begin()->first, ATLAS_E_STOPPING);
    while (!connections.empty()) connection_down(connections.begin()->first, ATLAS_CLOSED_LOCAL);
    while (!dials.empty()) fail_dial(dials.front(), ATLAS_E_STOPPING, "stopping");
    settle();
    while (!routes.empty()) end_route(routes.begin()->first, ATLAS_ROUTE_REMOVED);
    timers_.clear();
    if (plugin_.stop != nullptr) plugin_.stop(role_);
  }

  // -- time ---------------------------------------------------------------------------------------------------------
  std::uint64_t now_ms = 1'000'000;
  std::int64_t wall_jump_ms = 0;  // the wall clock alone
  std::int64_t unix_seconds() const { return (unix_ms_at_start + elapsed() + wall_jump_ms) / 1000; }
  // Fires timers and ends requests in the order of their times.
  void advance(std::uint64_t ms) {
    const std::uint64_t until = now_ms + ms;
    settle();
    while (fire_next(until)) settle();
    now_ms = until;
    settle();
  }
  // Runs what the role has posted and what waits for the strand, until nothing does.
  void settle() {
    while (!strand_.empty()) {
      const auto next = std::move(strand_.front());
      strand_.pop_front();
      next();
    }
  }
  std::size_t running_timers() const { return timers_.size(); }

  // -- peers --------------------------------------------------------------------------------------------------------
  std::map<atlas_peer, FakePeer> peers;  // live sessions
  std::vector<FakePeer> known;           // rows of the database
  std::vector<FakePeer> upserted;
  std::vector<FakeDisconnect> disconnects;  // asked for by the role
  std::deque<FakeDial> dials;               // under way
  atlas_status connect_status = ATLAS_OK;   // what connect() returns
  atlas_peer connect_peer(FakePeer peer) {
    peer.handle = ++last_id_;
    if (peer.last_seen == 0) peer.last_seen = unix_seconds();
    if (peer.connected_at == 0) peer.connected_at = unix_seconds();
    peers[peer.handle] = peer;
    peer_event(ATLAS_PEER_UP, peer, 0);
    return peer.handle;
  }
  void lose_peer(atlas_peer handle, std::uint32_t reason = 0) {
    const auto found = peers.find(handle);
    if (found == peers.end()) return;
    const FakePeer peer = found->second;
    peers.erase(found);
    for (bool again = true; std::exchange(again, false);) {
      for (const FakeRequest& request : requests) {
        if (request.to != handle) continue;
        fail_request(request, ATLAS_E_GONE);
        again = true;
        break;
      }
    }
    close_streams([handle](const FakeStream& it) { return it.peer == handle; });
    for (bool again = true; std::exchange(again, false);) {
      for (const auto& [route, it] : routes) {
        if (it.a != handle && it.b != handle) continue;
        end_route(route, ATLAS_ROUTE_PEER_GONE);
        again = true;
        break;
      }
    }
    peer_event(ATLAS_PEER_DOWN, peer, reason);
  }
  void peer_event(std::uint32_t what, const FakePeer& peer, std::uint32_t reason) {
    const atlas_peer_event event{sizeof event, what, peer.handle, text_to(peer.node_id), reason, peer.dialled};
    if (plugin_.peer_event != nullptr && initialised_) plugin_.peer_event(role_, &event);
    settle();
  }
  // The dial succeeds with a new session, or with `existing`.
  void finish_dial(const FakeDial& dial, FakePeer peer) {
    const FakeDial copy = take(dials, dial.id);
    const atlas_peer handle = connect_peer(std::move(peer));
    const atlas_connected result{sizeof result, ATLAS_OK, handle, text_to(peers.at(handle).node_id), {}, 0};
    copy.done(copy.arg, &result);
    settle();
  }
  void finish_dial_existing(const FakeDial& dial, atlas_peer handle) {
    const FakeDial copy = take(dials, dial.id);
    const atlas_connected result{sizeof result, ATLAS_OK, handle, text_to(peers.at(handle).node_id), {}, 1};
    copy.done(copy.arg, &result);
    settle();
  }
  void fail_dial(const FakeDial& dial, atlas_status status, std::string_view error) {
    const FakeDial copy = take(dials, dial.id);
    const atlas_connected result{sizeof result, status, 0, {}, text_to(error), 0};
    copy.done(copy.arg, &result);
    settle();
  }

  // -- messages -----------------------------------------------------------------------------------------------------
  std::map<std::uint8_t, std::uint32_t> claimed;  // type -> flags
  std::deque<FakeRequest> requests;               // of the role, waiting for an answer
  std::vector<FakeSent> sent;                     // without an answer
  atlas_status request_status = ATLAS_OK;         // what request() and send() return
  // Answers every request at the moment it is made, when set: returns type and body, or nothing to leave it waiting.
  std::function<std::optional<FakeReply>(const FakeRequest&)> responder;
  std::uint64_t responder_rtt_us = 1000;

  // Delivers a message of a peer; gives what the role has answered when it and all that it queued has run.
  FakeReply deliver(atlas_peer from, std::uint8_t type, const Bytes& body) {
    const atlas_reply_to handle = deliver_open(from, type, body);
    return replies[handle];
  }
  // The same, for an answer that comes later: look at replies[handle].
  atlas_reply_to deliver_open(atlas_peer from, std::uint8_t type, const Bytes& body) {
    const auto owner = handlers_.find(type);
    if (owner == handlers_.end()) throw std::runtime_error("no owner for this type");
    const atlas_reply_to handle = ++last_id_;
    replies[handle] = {};
    const atlas_message message{sizeof message, type, {}, from, handle, bytes_to(body)};
    const atlas_status status = owner->second(role_, &message);
    settle();
    if (status < 0 && !replies[handle].answered) {
      replies[handle] = {true, 0xe0, {}, status == ATLAS_E_INTERNAL ? 5001u : 2003u, ""};
    }
    return handle;
  }
  std::map<atlas_reply_to, FakeReply> replies;

  void answer(const FakeRequest& request, std::uint8_t type, const Bytes& body, std::uint64_t rtt_us = 1000) {
    complete(request, {sizeof(atlas_answer), ATLAS_OK, type, {}, 0, {}, bytes_to(body), rtt_us});
  }
  void answer_error(const FakeRequest& request, std::uint32_t code, std::string_view text) {
    complete(request, {sizeof(atlas_answer), ATLAS_OK, 0xe0, {}, code, text_to(text), {}, 1000});
  }
  void fail_request(const FakeRequest& request, atlas_status status) {
    complete(request, {sizeof(atlas_answer), status, 0, {}, 0, {}, {}, 0});
  }

  // -- routes and paths (fake_routes.h) ------------------------------------------------------------------------------
  std::map<atlas_route, FakeRoute> routes;   // in force
  atlas_status route_status = ATLAS_OK;      // what add() returns
  std::map<atlas_reach, FakeReach> reaches;  // dials that asked for a path
  std::vector<FakePath> expected;
  atlas_status path_status = ATLAS_OK;  // what found() and expect() return
  bool provides_paths() const { return path_provider_ != nullptr; }
  void end_route(atlas_route handle, std::uint32_t why);
  // A dial asks for a path; what it is told gathers in reaches.at(the number that comes back).
  atlas_reach want_path(std::string_view node_id, std::string_view relay);

  // -- other plugins, identity, listener (fake_bus.h) ----------------------------------------------------------------
  std::vector<FakePublished> published;
  std::uint32_t bus_receivers = 0;          // what publish() reports
  std::deque<FakeBusRequest> bus_requests;  // of the role, waiting for an answer
  atlas_status bus_status = ATLAS_OK;       // what request() returns
  std::map<atlas_bus_call, FakeBusAnswer> bus_answers;
  // Another plugin publishes; the topic must be one that the role hears.
  void bus_event(const std::string& topic, const Bytes& body);
  // Another plugin asks; gives what the role has answered when all that it queued has run.
  FakeBusAnswer bus_request(const std::string& service, const std::string& from, const Bytes& body);
  // The same, for an answer that comes later: look at bus_answers[call].
  atlas_bus_call bus_request_open(const std::string& service, const std::string& from, const Bytes& body);
  void answer_bus(const FakeBusRequest& request, atlas_status status, const Bytes& body, std::string_view error = "");
  atlas_public_key self_key{{0xed, 0xfe}};
  FakeListener listener;
  void change_listener(FakeListener to);

  // -- raw streams (fake_streams.h) ----------------------------------------------------------------------------------
  std::map<atlas_stream, FakeStream> streams;  // that are open, whoever opened them
  atlas_status stream_status = ATLAS_OK;       // what open() returns
  std::size_t stream_room = 256 << 10;         // unacknowledged, on one of them; write() is FULL beyond it
  // A peer opens one; 0 when the role refuses it.
  atlas_stream open_stream(atlas_peer from, std::uint8_t type, const Bytes& opening);
  void stream_data(atlas_stream stream, const Bytes& data, bool fin = false);
  // The peer has all that was written so far: WRITABLE where a write() was FULL.
  void stream_acknowledged(atlas_stream stream);
  void stream_event(atlas_stream stream, std::uint32_t what, std::uint64_t code = 0);
  void stream_closed(atlas_stream stream, atlas_status status = ATLAS_OK, std::uint64_t code = 0);

  // -- other protocols (fake_protocols.h) ----------------------------------------------------------------------------
  std::map<std::string, FakeProtocol> protocols;           // that the role has claimed
  std::map<atlas_connection, FakeConnection> connections;  // whose end has not been told
  atlas_status protocol_status = ATLAS_OK;                 // what dial() returns
  atlas_status credentials_status = ATLAS_OK;
  // A peer dials and shows that chain; 0 when the role refuses it. UP has been told.
  atlas_connection present(const std::string& alpn, const std::string& remote, const std::vector<Bytes>& chain);
  // The same for one that the role has dialled; when it refuses, DOWN is told.
  bool answer_protocol_dial(atlas_connection connection, const std::vector<Bytes>& chain);
  atlas_stream open_connection_stream(atlas_connection connection, bool unidirectional = false);
  // Its streams end first.
  void connection_down(atlas_connection connection, std::uint32_t why, std::uint64_t code = 0,
                       std::string_view reason = "");

  // -- commands -----------------------------------------------------------------------------------------------------
  std::map<std::string, FakeCommand> commands;
  std::map<atlas_call, FakeCall> calls;
  // Starts `atlas net <path>`; its output gathers in calls.at(the number that comes back).
  atlas_call run_command(const std::string& path, const std::map<std::string, std::string>& args) {
    const FakeCommand& command = commands.at(path);
    const atlas_call call = ++last_id_;
    calls[call].cancelled = command.cancelled;
    std::vector<atlas_text> names, values;
    for (const auto& [name, value] : args) {
      names.push_back(text_to(name));
      values.push_back(text_to(value));
    }
    const atlas_cli_run run{sizeof run, call, names.data(), values.data(), names.size()};
    const atlas_status status = command.run(role_, &run);
    settle();
    if (status < 0 && !calls[call].finished) {
      calls[call].finished = true;
      calls[call].status = status;
    }
    return call;
  }
  void cancel_command(atlas_call call) {
    FakeCall& it = calls.at(call);
    it.finished = true;
    if (it.cancelled != nullptr) it.cancelled(role_, call);
    settle();
  }

  // -- metrics, log, config, store ----------------------------------------------------------------------------------
  std::vector<FakeMetric> metrics;
  std::int64_t metric(std::string_view name) const {
    for (const FakeMetric& it : metrics) {
      if (it.name == name) return it.value;
    }
    throw std::runtime_error("no such metric: " + std::string(name));
  }
  std::vector<std::pair<std::uint32_t, std::string>> log;
  bool logged(std::string_view part) const {
    return std::any_of(log.begin(), log.end(), [&](const auto& it) { return it.second.find(part) != it.second.npos; });
  }
  std::vector<std::string> problems;         // notes of the config getters and of reject()
  std::map<std::string, std::string> asked;  // key -> "type fallback min max" as the role declared it
  std::map<Bytes, Bytes> rows;               // the store; shared between runs of a role by copying it
  atlas_status store_status = ATLAS_OK;      // what put() returns
  atlas_status commit_status = ATLAS_OK;     // what durable() is told
  std::string last_error;                    // for the next failure
  std::uint64_t random_state = 1;            // seed of random()
  std::function<void(std::uint8_t*, std::size_t)> random_source;

  // The tables themselves, so that a test can shorten one.
  struct Tables {
    atlas_ext_log log{};
    atlas_ext_config config{};
    atlas_ext_messages messages{};
    atlas_ext_timers timers{};
    atlas_ext_peers peers{};
    atlas_ext_store store{};
    atlas_ext_metrics metrics{};
    atlas_ext_routes routes{};
    atlas_ext_streams streams{};
    atlas_ext_protocols protocols{};
    atlas_ext_bus bus{};
    atlas_ext_identity identity{};
    atlas_ext_listener listener{};
    atlas_ext_cli cli{};
  } tables;
  void* role() const { return role_; }
  const atlas_host* c_host() const { return &c_.host; }

 private:
  struct CHost {
    atlas_host host{};
    FakeHost* owner = nullptr;
  };
  struct FakeTimer {
    std::uint64_t due, period;
    void (*fn)(void*);
    void* arg;
  };

  static FakeHost& of(const atlas_host* host) { return *reinterpret_cast<const CHost*>(host)->owner; }
  std::int64_t elapsed() const { return static_cast<std::int64_t>(now_ms) - 1'000'000; }

  void complete(const FakeRequest& request, const atlas_answer& answer) {
    const FakeRequest copy = take(requests, request.id);
    copy.done(copy.arg, &answer);
    settle();
  }

  bool fire_next(std::uint64_t until) {
    auto timer = timers_.end();
    for (auto it = timers_.begin(); it != timers_.end(); ++it) {
      if (it->second.due <= until && (timer == timers_.end() || it->second.due < timer->second.due)) timer = it;
    }
    const FakeRequest* request = nullptr;
    for (const FakeRequest& it : requests) {
      if (it.deadline_ms <= until && (request == nullptr || it.deadline_ms < request->deadline_ms)) request = &it;
    }
    const FakeBusRequest* bus_request = nullptr;
    for (const FakeBusRequest& it : bus_requests) {
      if (it.deadline_ms <= until && (bus_request == nullptr || it.deadline_ms < bus_request->deadline_ms)) {
        bus_request = &it;
      }
    }
    const std::uint64_t asked = request == nullptr ? UINT64_MAX : request->deadline_ms;
    if (bus_request != nullptr && bus_request->deadline_ms < asked &&
        (timer == timers_.end() || bus_request->deadline_ms < timer->second.due)) {
      now_ms = std::max(now_ms, bus_request->deadline_ms);
      answer_bus(*bus_request, ATLAS_E_TIMEOUT, {}, "no answer in time");
      return true;
    }
    if (request != nullptr && (timer == timers_.end() || request->deadline_ms < timer->second.due)) {
      now_ms = std::max(now_ms, request->deadline_ms);
      fail_request(*request, ATLAS_E_TIMEOUT);
      return true;
    }
    if (timer == timers_.end()) return false;
    now_ms = std::max(now_ms, timer->second.due);
    const FakeTimer copy = timer->second;
    if (copy.period == 0) {
      timers_.erase(timer);
    } else {
      timer->second.due = now_ms + copy.period;
    }
    copy.fn(copy.arg);
    return true;
  }

  atlas_status fail(atlas_status status, std::string_view why) {
    last_error = why;
    return status;
  }

  struct Info {  // a FakePeer in the C form; borrows it
    explicit Info(const FakePeer& peer) {
      for (const auto& it : peer.skills) skills.push_back(text_to(it));
      for (const auto& it : peer.relays) relays.push_back(text_to(it));
      c = {sizeof c,
           peer.handle,
           text_to(peer.node_id),
           text_to(peer.address),
           text_to(peer.public_address),
           text_to(peer.name),
           skills.data(),
           skills.size(),
           text_to(peer.operator_username),
           relays.data(),
           relays.size(),
           peer.trust,
           peer.dialled,
           peer.last_seen,
           peer.connected_at,
           peer.rtt_us};
    }
    std::vector<atlas_text> skills, relays;
    atlas_peer_info c{};
  };

  void fill_tables(std::uint32_t mode);
  void fill_timers();
  void fill_metrics();
  void fill_messages();
  void fill_peers();
  void fill_config();
  void fill_store();
  void fill_routes();
  void fill_forwarding();
  void fill_paths();
  void fill_cli();
  struct StreamClaim {
    atlas_status (*opened)(void*, const atlas_stream_opened*);
    atlas_stream_event_fn event;
  };
  void fill_streams();
  void fill_stream_ends();
  void fill_protocols();
  template <class Which>
  void close_streams(Which&& which);  // whose session or connection is over
  bool judge(atlas_connection connection, const std::vector<Bytes>& chain);
  void tell_connection(atlas_connection connection, FakeConnectionEvent told);
  void tell_stream(atlas_stream stream, atlas_stream_event event);
  FakeStream* find_stream(atlas_stream stream) {
    const auto found = streams.find(stream);
    return found == streams.end() ? nullptr : &found->second;
  }
  void fill_bus();
  void fill_identity();
  void fill_listener();
  atlas_status settle_bus(atlas_bus_call call, atlas_status status, Bytes body, std::string error);
  void note(const char* key, std::string_view why) { problems.push_back(std::string(key) + ": " + std::string(why)); }
  template <class T>
  const T* configured(const char* key) {
    const auto found = config.find(key);
    if (found == config.end()) return nullptr;
    const T* value = std::get_if<T>(&found->second);
    if (value == nullptr) note(key, "wrong type");
    return value;
  }
  static std::optional<std::uint64_t> millis_of(const FakeValue& value);

  const atlas_plugin& plugin_;
  CHost c_;
  void* role_ = nullptr;
  bool initialised_ = false, in_init_ = true;
  std::uint64_t last_id_ = 0;
  std::deque<std::function<void()>> strand_;
  std::map<atlas_timer, FakeTimer> timers_;
  std::map<std::uint8_t, atlas_status (*)(void*, const atlas_message*)> handlers_;
  void (*path_provider_)(void*, const atlas_path_request*) = nullptr;
  std::map<std::string, void (*)(void*, const atlas_bus_event*)> topics_;
  std::map<std::string, atlas_status (*)(void*, const atlas_bus_request*)> services_;
  void (*listener_changed_)(void*) = nullptr;
  std::map<std::uint8_t, StreamClaim> stream_claims_;
  std::set<atlas_route> removed_;  // their ends are on their way
};

}  // namespace atlas::kit

#include "fake_bus.h"
#include "fake_protocols.h"
#include "fake_routes.h"
#include "fake_streams.h"
#include "fake_tables.h"
