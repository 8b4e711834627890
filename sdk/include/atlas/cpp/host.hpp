// atlas/cpp/host.hpp - the node as a role sees it: time, randomness, log, timers, requests, peers, store, routes.
//
// Threads: on the role's strand, except post(), log, now and random, which any thread may call.
// Ownership: the wrapper owns every callback handed to it until it has run, was cancelled, or the role stopped.
// Exceptions that a callback throws end there, with a line in the log.
#pragma once

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "../ext/cli.h"
#include "../ext/log.h"
#include "../ext/messages.h"
#include "../ext/routes.h"
#include "../ext/store.h"
#include "../ext/timers.h"
#include "../msgpack.hpp"
#include "config.hpp"
#include "connections.hpp"
#include "metrics.hpp"
#include "peers.hpp"
#include "task.hpp"

namespace atlas {

using Millis = std::chrono::milliseconds;
using Micros = std::chrono::microseconds;

// What a peer answered, or why it did not; borrowed.
struct Answer {
  Status status;  // not ok: there was no answer (TIMEOUT, GONE, STOPPING)
  std::uint8_t type = 0;
  std::uint32_t error_code = 0;  // of the Error that the peer answered with
  std::string_view error_text;
  Bytes body;
  Micros rtt{0};  // monotonic, from the request's write

  // An answer came and it is no Error.
  bool ok() const { return status.ok() && error_code == 0; }
  msgpack::MapView map() const { return ok() ? msgpack::MapView::of(body) : msgpack::MapView(); }
  // For people: why ok() is false.
  std::string why() const {
    if (!status.ok()) return std::string(status.text());
    return error_code == 0 ? "" : concat("error ", error_code, ": ", error_text);
  }
};

namespace detail {

struct TimerTask;
struct RequestTask;

template <class Task>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Task* task) : task_(task) {
    if (task_ != nullptr) task_->handle = this;
  }
  Handle(Handle&& other) noexcept { take(other); }
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      forget();
      take(other);
    }
    return *this;
  }
  ~Handle() { forget(); }
  explicit operator bool() const { return task_ != nullptr; }

 protected:
  friend Task;
  void take(Handle& other) {
    task_ = std::exchange(other.task_, nullptr);
    if (task_ != nullptr) task_->handle = this;
  }
  void forget() {
    if (task_ != nullptr) std::exchange(task_, nullptr)->handle = nullptr;
  }
  Task* task_ = nullptr;
};

struct TimerTask : Task<> {
  using Task::Task;
  ~TimerTask() override { TimerTask::release(); }
  void release() override {
    if (handle != nullptr) std::exchange(handle, nullptr)->task_ = nullptr;
  }
  Handle<TimerTask>* handle = nullptr;
  atlas_timer id = 0;
  bool periodic = false, running = false, cancelled = false;
};

struct RequestTask : Task<const Answer&> {
  using Task::Task;
  ~RequestTask() override { RequestTask::release(); }
  void release() override {
    if (handle != nullptr) std::exchange(handle, nullptr)->task_ = nullptr;
  }
  Handle<RequestTask>* handle = nullptr;
  atlas_request id = 0;
};

}  // namespace detail

// A running timer. Letting go of it stops it: its callback does not run again.
class [[nodiscard]] Timer : detail::Handle<detail::TimerTask> {
 public:
  Timer() = default;
  explicit Timer(detail::TimerTask* task) : Handle(task) {}
  Timer(Timer&&) = default;
  Timer& operator=(Timer&& other) noexcept {
    if (this != &other) {
      cancel();
      Handle::operator=(std::move(other));
    }
    return *this;
  }
  ~Timer() { cancel(); }
  using Handle::operator bool;  // it will fire (again)
  void cancel();
};

// A request under way. Letting go of it changes nothing: the answer still comes.
class Request : detail::Handle<detail::RequestTask> {
 public:
  Request() = default;
  explicit Request(detail::RequestTask* task) : Handle(task) {}
  using Handle::operator bool;  // its answer is still to come
  // The callback will not run any more.
  void cancel();
};

class Bus;
class Identity;
class Store;
class Routes;
class Streams;
class Protocols;
struct Listener;

class Host {
 public:
  explicit Host(const atlas_host* host)
      : c_(host),
        log_(table<atlas_ext_log>(ATLAS_EXT_LOG)),
        messages_(table<atlas_ext_messages>(ATLAS_EXT_MESSAGES)),
        timers_(table<atlas_ext_timers>(ATLAS_EXT_TIMERS)),
        peers_(table<atlas_ext_peers>(ATLAS_EXT_PEERS)),
        store_(table<atlas_ext_store>(ATLAS_EXT_STORE)),
        routes_(table<atlas_ext_routes>(ATLAS_EXT_ROUTES)),
        cli_(table<atlas_ext_cli>(ATLAS_EXT_CLI)) {}
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  bool is_client() const { return c_->mode == ATLAS_MODE_CLIENT; }        // inside a terminal command; it only dials
  bool is_describing() const { return c_->mode == ATLAS_MODE_DESCRIBE; }  // only the constructor will run
  std::string_view version() const { return c_->version != nullptr ? c_->version : ""; }

  // Monotonic; only differences mean something.
  Millis now() const { return Millis(ATLAS_HAS(c_, atlas_host, now_ms) ? c_->now_ms(c_) : 0); }
  // Wall clock; may jump.
  std::int64_t unix_ms() const { return ATLAS_HAS(c_, atlas_host, unix_ms) ? c_->unix_ms(c_) : 0; }
  std::int64_t unix_seconds() const { return unix_ms() / 1000; }

  void random(std::span<std::uint8_t> out) const {
    ATLAS_CALL_VOID(c_, atlas_host, random, c_, out.data(), out.size());
  }
  std::uint64_t random_u64() const {
    std::uint64_t out = 0;
    random({reinterpret_cast<std::uint8_t*>(&out), sizeof out});
    return out;
  }
  // 0 .. bound-1, every value as likely; bound is at least 1.
  std::uint64_t random_below(std::uint64_t bound) const {
    const std::uint64_t unfair = (0 - bound) % bound;  // so many of the smallest numbers would count twice
    std::uint64_t number = random_u64();
    for (int again = 0; number < unfair && again < 64; ++again) number = random_u64();
    return number % bound;
  }

  template <class... Pieces>
  void debug(const Pieces&... pieces) const {
    write(ATLAS_LOG_DEBUG, concat(pieces...));
  }
  template <class... Pieces>
  void info(const Pieces&... pieces) const {
    write(ATLAS_LOG_INFO, concat(pieces...));
  }
  template <class... Pieces>
  void warn(const Pieces&... pieces) const {
    write(ATLAS_LOG_WARN, concat(pieces...));
  }
  template <class... Pieces>
  void error(const Pieces&... pieces) const {
    write(ATLAS_LOG_ERROR, concat(pieces...));
  }
  void write(std::uint32_t level, std::string_view line) const {
    ATLAS_CALL_VOID(log_, atlas_ext_log, write, c_, level, c_text(line));
  }

  // Why the last call of this strand failed, for people.
  std::string last_error() const;

  // fn() on the strand after delay. An empty Timer when the quota of timers is spent.
  template <class F>
  Timer after(Millis delay, F fn) {
    return start_timer(delay, Millis(0), std::move(fn));
  }
  // fn() on the strand each period, the first time after one period.
  template <class F>
  Timer every(Millis period, F fn) {
    return start_timer(period, period, std::move(fn));
  }
  template <class F>
  Timer every(Millis first, Millis period, F fn) {
    return start_timer(first, period, std::move(fn));
  }

  // fn() on the strand, soon; from any thread.
  template <class F>
  Status post(F fn);

  // One envelope, no answer awaited.
  Status send(Peer to, std::uint8_t type, ByteArg body) const {
    return {ATLAS_CALL(messages_, atlas_ext_messages, send, c_, to, type, c_bytes(body.bytes))};
  }
  // done(const Answer&) runs exactly once on the strand, unless cancelled. When the host takes no request at all, done
  // runs with that status before this returns. timeout 1 ms .. 10 min.
  template <class F>
  Request request(Peer to, std::uint8_t type, ByteArg body, Millis timeout, F done);

  Peers peers() const { return {c_, peers_}; }
  // Target is "ip:port" or a node id. done(const Connected&) runs exactly once, as for request(). timeout 1 ms .. 60 s.
  template <class F>
  void connect(std::string_view target, Millis timeout, F done);

  Store store();
  Routes routes();
  Streams streams();
  Protocols protocols();
  Bus bus();
  Identity identity() const;
  std::optional<Listener> listener() const;

  // Frees every callback that has not run; for the end of a role.
  void drop_callbacks() {
    tasks_.clear();
    posted_.clear();
    connections_.clear();
  }

  const atlas_host* c() const { return c_; }
  const atlas_ext_messages* messages_table() const { return messages_; }
  const atlas_ext_cli* cli_table() const { return cli_; }
  const atlas_ext_routes* routes_table() const { return routes_; }
  template <class T>
  const T* table(const char* id) const {
    return ATLAS_HAS(c_, atlas_host, extension) ? static_cast<const T*>(c_->extension(c_, id)) : nullptr;
  }

  // Runs fn(); an exception becomes a status and a line in the log.
  template <class F>
  atlas_status guarded(const char* what, F&& fn) const noexcept;

 private:
  friend class Bus;
  friend class Timer;
  friend class Request;
  friend class Store;
  friend class Routes;
  friend class Protocols;

  template <class F>
  Timer start_timer(Millis delay, Millis period, F&& fn);
  static void on_timer(void* arg) noexcept;
  static void on_answer(void* arg, const atlas_answer* answer) noexcept;
  static void on_connected(void* arg, const atlas_connected* result) noexcept;
  static void on_post(void* arg) noexcept;
  static void on_durable(void* arg, atlas_status status) noexcept;
  void log_failure(const char* what, const char* why) const noexcept;
  template <class... Args>
  static void run_once(const char* what, detail::Task<Args...>* task, Args... args) noexcept;

  const atlas_host* c_;
  const atlas_ext_log* log_;
  const atlas_ext_messages* messages_;
  const atlas_ext_timers* timers_;
  const atlas_ext_peers* peers_;
  const atlas_ext_store* store_;
  const atlas_ext_routes* routes_;
  const atlas_ext_cli* cli_;
  detail::TaskList tasks_;
  std::mutex posted_mutex_;  // guards posted_
  detail::TaskList posted_;
  std::map<Connection, ConnectionHandler> connections_;  // of other protocols
};

}  // namespace atlas

#include "bus.hpp"
#include "host_calls.hpp"
#include "identity.hpp"
#include "listener.hpp"
#include "protocols.hpp"
#include "routes.hpp"
#include "store.hpp"
#include "streams.hpp"
