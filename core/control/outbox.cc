#include "control/outbox.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace atlas::control {
namespace {

// Text for people; escaped as JSON it still fits into a line.
constexpr std::size_t kMaxWords = base::limits::control_words_bytes;

}  // namespace

Wakeup::Wakeup() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Wakeup::~Wakeup() {
  if (fd_ >= 0) ::close(fd_);
}

void Wakeup::signal() {
  // Fails only when the counter is full, and then the thread is awake anyway.
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto wrote = ::write(fd_, &one, sizeof one);
}

void Wakeup::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

void Wakeup::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    tasks_.push_back(std::move(task));
  }
  signal();
}

std::vector<std::function<void()>> Wakeup::take_tasks() {
  const std::lock_guard lock(mutex_);
  return std::exchange(tasks_, {});
}

void Wakeup::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

bool Outbox::add(Entry entry) {
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return false;
    if (entry.kind == AnswerKind::kDone) {
      finished_ = true;
      open_ = false;
      on_gone_ = nullptr;
    }
    if (entry.kind == AnswerKind::kDone || entry.kind == AnswerKind::kProgress) {
      if (entry.text.size() > kMaxWords) entry.text.resize(kMaxWords);
    } else if (entry.text.size() > kMaxText) {
      fail_locked(fmt::format("the answer has {} bytes, {} is the most that the control socket carries in one piece",
                              entry.text.size(), kMaxText));
      return false;
    }
    if (!finished_ && waiting_ + entry.text.size() > kMaxBacklog) {
      fail_locked(fmt::format("cut off: more than {} MiB waited to be read by this terminal", kMaxBacklog >> 20));
      return false;
    }
    waiting_ += entry.text.size();
    entries_.push_back(std::move(entry));
  }
  wakeup_->signal();
  return true;
}

void Outbox::on_gone(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (!ended_) {
      on_gone_ = std::move(callback);
      return;
    }
  }
  wakeup_->post(std::move(callback));
}

std::vector<Outbox::Entry> Outbox::take(std::size_t most) {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> taken;
  std::size_t bytes = 0;
  while (!entries_.empty() && (taken.empty() || bytes + entries_.front().text.size() <= most)) {
    bytes += entries_.front().text.size();
    taken.push_back(std::move(entries_.front()));
    entries_.pop_front();
  }
  return taken;
}

void Outbox::written(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  waiting_ -= std::min(waiting_, bytes);
}

std::string Outbox::fault() const {
  const std::lock_guard lock(mutex_);
  return fault_;
}

std::function<void()> Outbox::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  open_ = false;
  entries_.clear();
  waiting_ = 0;
  return std::exchange(on_gone_, nullptr);
}

void Outbox::fail(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (open_) fail_locked(std::move(reason));
}

void Outbox::fail_locked(std::string reason) {
  open_ = false;
  fault_ = std::move(reason);
  entries_.clear();
  waiting_ = 0;
  wakeup_->signal();
}

}  // namespace atlas::control
