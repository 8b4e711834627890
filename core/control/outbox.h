// What a running command has to say to its client, between the threads that say it and the server's thread, which
// writes it out. Holds at most kMaxBacklog bytes: a client that reads too slowly is cut off, the node never waits for
// it. Any thread, unless a function says otherwise.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/protocol.h"

namespace atlas::control {

// Brings the server's thread out of poll(). Outlives the server where an outbox still holds it.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  int fd() const { return fd_; }
  void signal();
  void clear();
  // Asks for `task` to run on the server's thread; dropped once the server is closing.
  void post(std::function<void()> task);
  std::vector<std::function<void()>> take_tasks();
  void close();

 private:
  int fd_ = -1;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
  bool closed_ = false;
};

class Outbox {
 public:
  struct Entry {
    AnswerKind kind = AnswerKind::kDone;
    std::string text;
    int exit_code = 0;
  };

  explicit Outbox(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

  // False when nobody will read it: the client has gone, was cut off, or has its last answer already.
  bool add(Entry entry);
  void on_gone(std::function<void()> callback);

  // --- the server's thread ---
  // Entries in order, about `most` bytes of them, at least one if there is any.
  std::vector<Entry> take(std::size_t most);
  // The client's socket took entries of this many bytes, out of those that take() gave.
  void written(std::size_t bytes);
  // Not empty: the client is to be cut off with this reason, instead of what still waits.
  std::string fault() const;
  // Ends the conversation; returns the on_gone callback when the command had not finished.
  std::function<void()> end();
  // The same with last words for a client that is still there.
  void fail(std::string reason);

 private:
  void fail_locked(std::string reason);

  mutable std::mutex mutex_;
  const std::shared_ptr<Wakeup> wakeup_;
  std::deque<Entry> entries_;
  std::size_t waiting_ = 0;  // bytes: in entries_, and taken but not yet written
  std::string fault_;
  std::function<void()> on_gone_;
  bool open_ = true;       // add() still has an effect
  bool finished_ = false;  // kDone was accepted
  bool ended_ = false;     // end() was called
};

}  // namespace atlas::control
