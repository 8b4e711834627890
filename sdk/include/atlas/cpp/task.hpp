// atlas/cpp/task.hpp - callbacks that wait at the host for their moment: answers, timers, commits, posted work.
//
// A task is one allocation that holds a callable. The list that it hangs in frees what never ran when the role stops.
// A list is not for several threads at once.
#pragma once

#include <utility>

#include "base.hpp"

namespace atlas {

class Host;

namespace detail {

class TaskList;

struct TaskBase {
  explicit TaskBase(Host* host) : host(host) {}
  TaskBase(const TaskBase&) = delete;
  TaskBase& operator=(const TaskBase&) = delete;
  virtual ~TaskBase();
  // Before it goes: whoever holds a handle to it lets go.
  virtual void release() {}

  Host* host;
  TaskList* list = nullptr;
  TaskBase* previous = nullptr;
  TaskBase* next = nullptr;
};

class TaskList {
 public:
  TaskList() = default;
  TaskList(const TaskList&) = delete;
  TaskList& operator=(const TaskList&) = delete;
  ~TaskList() { clear(); }

  // What a task has captured may own timers and requests of other tasks here: they go one by one, never twice.
  void clear() {
    while (first_ != nullptr) {
      first_->release();
      delete first_;
    }
  }

  void add(TaskBase* task) {
    task->list = this;
    task->next = first_;
    if (first_ != nullptr) first_->previous = task;
    first_ = task;
  }
  void remove(TaskBase* task) {
    (task->previous != nullptr ? task->previous->next : first_) = task->next;
    if (task->next != nullptr) task->next->previous = task->previous;
    task->list = nullptr;
    task->previous = task->next = nullptr;
  }

 private:
  TaskBase* first_ = nullptr;
};

inline TaskBase::~TaskBase() {
  if (list != nullptr) list->remove(this);
}

template <class... Args>
struct Task : TaskBase {
  using TaskBase::TaskBase;
  virtual void run(Args... args) = 0;
};

// The one that holds the callable.
template <class Base, class F, class... Args>
struct Callable final : Base {
  Callable(Host* host, F&& function) : Base(host), function(std::move(function)) {}
  void run(Args... args) override { function(args...); }
  F function;
};

}  // namespace detail
}  // namespace atlas
