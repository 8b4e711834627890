#include "net/uv_loop.h"

#include <fmt/format.h>
#include <uv.h>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/log.h"
#include "net/loop_timers.h"
#include "net/udp_socket.h"

namespace atlas::net {
namespace {

constexpr int kClosingRounds = 16;

uv_handle_t* as_handle(auto* handle) {
  return reinterpret_cast<uv_handle_t*>(handle);
}

struct Signal {
  uv_signal_t handle{};
  std::function<void()> callback;
};

// A loop that is there before the members that put handles on it.
struct OpenLoop {
  OpenLoop() {
    if (const int error = uv_loop_init(&loop); error != 0) {
      throw std::runtime_error(fmt::format("event loop: {}; raise the limit of open files", uv_strerror(error)));
    }
  }
  uv_loop_t loop{};
};

}  // namespace

struct UvLoop::State : OpenLoop {
  using Task = std::move_only_function<void()>;

  explicit State(const base::Clock& with) : clock(with), timers(loop, with) {
    uv_idle_init(&loop, &turn_again);
    uv_idle_init(&loop, &awake);
    awake.data = this;
    uv_prepare_init(&loop, &turn_end);
    turn_end.data = this;
    turn_again.data = this;
    wake_up.data = this;
    if (const int error =
            uv_async_init(&loop, &wake_up, [](uv_async_t* it) { static_cast<State*>(it->data)->woken(); });
        error != 0) {
      close(/*with_wake_up=*/false);
      throw std::runtime_error(fmt::format("event loop: {}; raise the limit of open files", uv_strerror(error)));
    }
  }

  void close(bool with_wake_up) {
    timers.close();
    uv_close(as_handle(&turn_again), nullptr);
    uv_close(as_handle(&awake), nullptr);
    uv_close(as_handle(&turn_end), nullptr);
    if (with_wake_up) uv_close(as_handle(&wake_up), nullptr);
    for (const auto& signal : signals) uv_close(as_handle(&signal->handle), nullptr);
    // Closing is asynchronous: sockets that were destroyed just now still have handles here. One round is enough unless
    // a socket outlives its loop; better a leak that is told of than a hang or a use after free.
    for (int rounds = 0; uv_loop_close(&loop) == UV_EBUSY; ++rounds) {
      if (rounds == kClosingRounds) {
        base::log(base::Level::kError, "net", "a socket outlived its event loop");
        return;
      }
      uv_run(&loop, UV_RUN_NOWAIT);
    }
  }

  void post(Task task) {
    bool first;
    {
      const std::scoped_lock lock(mutex);
      first = tasks.empty();
      tasks.push_back(std::move(task));
    }
    if (first) wake();
  }

  // The loop's own thread needs no system call to be awake.
  void wake() {
    if (thread.load(std::memory_order_relaxed) == std::this_thread::get_id()) {
      uv_idle_start(&turn_again, [](uv_idle_t* handle) { static_cast<State*>(handle->data)->run_tasks(); });
    } else {
      uv_async_send(&wake_up);
    }
  }

  // A loop with an idle handle asks for events and never waits for them.
  void stay_awake(base::MonoNs until) {
    awake_until = until;
    uv_idle_start(&awake, [](uv_idle_t* handle) {
      auto* self = static_cast<State*>(handle->data);
      if (self->clock.mono_ns() >= self->awake_until) uv_idle_stop(handle);
    });
  }

  void woken() {
    run_tasks();
    if (stopping.exchange(false)) uv_stop(&loop);
  }

  void run_tasks() {
    uv_idle_stop(&turn_again);
    {
      const std::scoped_lock lock(mutex);
      running.swap(tasks);
    }
    for (Task& task : running) {
      task();
      task = nullptr;
    }
    running.clear();
  }

  // False when there were none.
  bool discard_tasks() {
    std::vector<Task> left;  // declared before the lock, so that tasks are destroyed outside it: they may post
    const std::scoped_lock lock(mutex);
    left.swap(tasks);
    return !left.empty();
  }

  const base::Clock& clock;
  LoopTimers timers;
  UdpReceiver receiver;
  uv_idle_t turn_again{};
  uv_idle_t awake{};
  base::MonoNs awake_until = 0;
  uv_prepare_t turn_end{};
  std::function<void()> on_turn_end;
  uv_async_t wake_up{};
  std::vector<std::unique_ptr<Signal>> signals;
  std::atomic<bool> stopping{false};
  std::atomic<std::thread::id> thread{};

  std::mutex mutex;
  std::vector<Task> tasks;    // guarded by mutex
  std::vector<Task> running;  // the batch being run; keeps its capacity
};

UvLoop::UvLoop(const base::Clock& clock) : state_(std::make_unique<State>(clock)) {}

UvLoop::~UvLoop() {
  // Tasks may own sockets and timers, and destroying one may post another.
  while (state_->discard_tasks()) {
  }
  state_->close(/*with_wake_up=*/true);
}

void UvLoop::post(std::move_only_function<void()> task) {
  state_->post(std::move(task));
}

void UvLoop::stay_awake(base::MonoNs until) {
  state_->stay_awake(until);
}

std::unique_ptr<Timer> UvLoop::make_timer(std::function<void()> callback) {
  return state_->timers.make(std::move(callback));
}

base::Result<std::unique_ptr<UdpSocket>> UvLoop::open_udp(const SocketAddress& bind, const UdpOptions& options,
                                                          UdpEvents events) {
  return open_uv_udp(state_->loop, state_->receiver, bind, options, std::move(events));
}

const base::Clock& UvLoop::clock() const {
  return state_->clock;
}

void UvLoop::on_signal(int signal_number, std::function<void()> callback) {
  auto signal = std::make_unique<Signal>();
  signal->callback = std::move(callback);
  signal->handle.data = signal.get();
  uv_signal_init(&state_->loop, &signal->handle);
  const int error = uv_signal_start(
      &signal->handle, [](uv_signal_t* handle, int) { static_cast<Signal*>(handle->data)->callback(); }, signal_number);
  if (error != 0) {
    base::log(base::Level::kError, "net", "signal {} cannot be watched: {}", signal_number, uv_strerror(error));
  }
  state_->signals.push_back(std::move(signal));
}

void UvLoop::before_sleep(std::function<void()> callback) {
  uv_prepare_stop(&state_->turn_end);
  state_->on_turn_end = std::move(callback);
  if (!state_->on_turn_end) return;
  uv_prepare_start(&state_->turn_end, [](uv_prepare_t* handle) { static_cast<State*>(handle->data)->on_turn_end(); });
}

void UvLoop::run() {
  state_->thread = std::this_thread::get_id();
  uv_run(&state_->loop, UV_RUN_DEFAULT);
  state_->thread = std::thread::id{};
}

void UvLoop::stop() {
  state_->stopping = true;
  uv_async_send(&state_->wake_up);
}

}  // namespace atlas::net
