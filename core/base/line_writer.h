// Lines to a descriptor, without ever waiting for the one who reads it: a terminal that was stopped, a pipe that is
// full or a journal that hangs would else hold up whoever logs. What the descriptor takes at once is written at once by
// the caller; the rest waits in a queue for a thread, which is started when it is first needed. A line that finds the
// queue full is left out, and as soon as half of the queue is free again one line says how many there were.
//
// Any thread. It has no end: its thread may wait for ever inside write(), so make it with new and keep it. flush()
// before the process ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

namespace atlas::base {

class LineWriter {
 public:
  // `left_out` makes the line that tells of so many lines that were left out; it must not call this object.
  LineWriter(int fd, std::size_t most_waiting, std::function<std::string(std::uint64_t count)> left_out)
      : fd_(fd), most_(most_waiting), left_out_line_(std::move(left_out)) {}
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // With its newline. At most PIPE_BUF bytes leave at once; longer lines take the way over the thread.
  void write(std::string line);
  // Waits until everything is written, at most for `patience`; whether it is.
  bool flush(std::chrono::milliseconds patience);

 private:
  // How many bytes the descriptor took without making us wait.
  std::size_t write_at_once(const std::string& line);
  void queue(std::string line);
  void serve();
  void write_patiently(const std::string& line);

  const int fd_;
  const std::size_t most_;
  const std::function<std::string(std::uint64_t)> left_out_line_;
  std::mutex mutex_;
  std::condition_variable more_, empty_;
  std::deque<std::string> waiting_;  // the first one stays until it is written
  std::uint64_t left_out_ = 0;
  bool has_thread_ = false;
};

}  // namespace atlas::base
