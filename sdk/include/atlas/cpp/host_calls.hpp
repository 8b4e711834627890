// atlas/cpp/host_calls.hpp - how Host hands a callable through the C tables and takes it back. Included by host.hpp.
#pragma once

#include "host.hpp"

namespace atlas {

inline void Host::log_failure(const char* what, const char* why) const noexcept {
  try {
    error(what, " failed: ", std::string_view(why));
  } catch (...) {  // no memory even for the line
    write(ATLAS_LOG_ERROR, what);
  }
}

template <class F>
atlas_status Host::guarded(const char* what, F&& fn) const noexcept {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      fn();
      return ATLAS_OK;
    } else {
      return Status(fn()).code;
    }
  } catch (const std::exception& exception) {
    log_failure(what, exception.what());
  } catch (...) {
    log_failure(what, "unknown exception");
  }
  return ATLAS_E_INTERNAL;
}

inline std::string Host::last_error() const {
  char text[512];
  if (!ATLAS_HAS(c_, atlas_host, last_error)) return "";
  const std::size_t size = c_->last_error(c_, text, sizeof text);
  return std::string(text, std::min(size, sizeof text));
}

// Frees the task, whatever the callable does.
template <class... Args>
void Host::run_once(const char* what, detail::Task<Args...>* task, Args... args) noexcept {
  const std::unique_ptr<detail::Task<Args...>> owned(task);
  static_cast<void>(task->host->guarded(what, [&] { task->run(args...); }));
}

template <class F>
Timer Host::start_timer(Millis delay, Millis period, F&& fn) {
  auto task = std::make_unique<detail::Callable<detail::TimerTask, std::decay_t<F>>>(this, std::move(fn));
  task->periodic = period.count() > 0;
  const auto number = [](Millis value) { return static_cast<std::uint64_t>(std::max<Millis::rep>(value.count(), 0)); };
  const atlas_status status =
      ATLAS_CALL(timers_, atlas_ext_timers, start, c_, number(delay), number(period), &Host::on_timer,
                 static_cast<void*>(static_cast<detail::TimerTask*>(task.get())), &task->id);
  if (status < 0) return Timer();
  tasks_.add(task.get());
  return Timer(task.release());
}

inline void Host::on_timer(void* arg) noexcept {
  auto* task = static_cast<detail::TimerTask*>(arg);
  if (!task->periodic) task->release();  // so that fn may start the next one into the same Timer
  task->running = true;
  static_cast<void>(task->host->guarded("a timer", [task] { task->run(); }));
  task->running = false;
  if (!task->periodic || task->cancelled) delete task;
}

inline void Timer::cancel() {
  if (task_ == nullptr) return;
  detail::TimerTask* task = task_;
  forget();
  const Host& host = *task->host;
  static_cast<void>(ATLAS_CALL(host.timers_, atlas_ext_timers, cancel, host.c_, task->id));
  task->cancelled = true;
  if (!task->running) delete task;
}

template <class F>
Status Host::post(F fn) {
  auto* task = new detail::Callable<detail::Task<>, F>(this, std::move(fn));
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.add(task);
  }
  const Status status{
      ATLAS_CALL(c_, atlas_host, post, c_, &Host::on_post, static_cast<void*>(static_cast<detail::Task<>*>(task)))};
  if (!status.ok()) {
    const std::lock_guard lock(posted_mutex_);
    delete task;
  }
  return status;
}

inline void Host::on_post(void* arg) noexcept {
  auto* task = static_cast<detail::Task<>*>(arg);
  {
    const std::lock_guard lock(task->host->posted_mutex_);
    task->list->remove(task);
  }
  run_once("posted work", task);
}

template <class F>
Request Host::request(Peer to, std::uint8_t type, ByteArg body, Millis timeout, F done) {
  auto task = std::make_unique<detail::Callable<detail::RequestTask, F, const Answer&>>(this, std::move(done));
  const auto limit = static_cast<std::uint32_t>(std::clamp<Millis::rep>(timeout.count(), 1, 600'000));
  const Status status{ATLAS_CALL(messages_, atlas_ext_messages, request, c_, to, type, c_bytes(body.bytes), limit,
                                 &Host::on_answer, static_cast<void*>(static_cast<detail::RequestTask*>(task.get())),
                                 &task->id)};
  if (!status.ok()) {
    Answer none;
    none.status = status;
    static_cast<void>(guarded("an answer", [&] { task->run(none); }));
    return Request();
  }
  tasks_.add(task.get());
  return Request(task.release());
}

inline void Host::on_answer(void* arg, const atlas_answer* c_answer) noexcept {
  auto* task = static_cast<detail::RequestTask*>(arg);
  task->release();
  Answer answer;
  answer.status = {c_answer->status};
  answer.type = c_answer->type;
  answer.error_code = c_answer->error_code;
  answer.error_text = view(c_answer->error_text);
  answer.body = view(c_answer->body);
  answer.rtt = Micros(c_answer->rtt_us);
  run_once<const Answer&>("an answer", task, answer);
}

inline void Request::cancel() {
  if (task_ == nullptr) return;
  const std::unique_ptr<detail::RequestTask> task(task_);
  forget();
  const Host& host = *task->host;
  static_cast<void>(ATLAS_CALL(host.messages_, atlas_ext_messages, cancel, host.c_, task->id));
}

template <class F>
void Host::connect(std::string_view target, Millis timeout, F done) {
  auto task =
      std::make_unique<detail::Callable<detail::Task<const Connected&>, F, const Connected&>>(this, std::move(done));
  const auto limit = static_cast<std::uint32_t>(std::clamp<Millis::rep>(timeout.count(), 1, 60'000));
  tasks_.add(task.get());  // before the call: done may be queued at once
  const Status status{ATLAS_CALL(peers_, atlas_ext_peers, connect, c_, c_text(target), limit, &Host::on_connected,
                                 static_cast<void*>(static_cast<detail::Task<const Connected&>*>(task.get())))};
  if (!status.ok()) {
    const std::string why = last_error();
    const Connected none{status, 0, {}, why.empty() ? status.text() : std::string_view(why), false};
    static_cast<void>(guarded("a dial", [&] { task->run(none); }));
    return;
  }
  static_cast<void>(task.release());
}

inline void Host::on_connected(void* arg, const atlas_connected* result) noexcept {
  const Connected connected{
      {result->status}, result->peer, view(result->node_id), view(result->error), result->existing != 0};
  run_once<const Connected&>("a dial", static_cast<detail::Task<const Connected&>*>(arg), connected);
}

inline void Host::on_durable(void* arg, atlas_status status) noexcept {
  run_once<Status>("a commit", static_cast<detail::Task<Status>*>(arg), Status{status});
}

}  // namespace atlas
