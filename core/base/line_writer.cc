#include "base/line_writer.h"

#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <system_error>
#include <thread>
#include <utility>

namespace atlas::base {

void LineWriter::write(std::string line) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    const std::size_t wrote = write_at_once(line);
    if (wrote == line.size()) return;
    line.erase(0, wrote);
  }
  queue(std::move(line));
}

std::size_t LineWriter::write_at_once(const std::string& line) {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return line.size();  // closed: there is nobody to tell
  ssize_t wrote = 0;
  if (S_ISREG(status.st_mode)) {
    wrote = ::write(fd_, line.data(), line.size());
  } else if (S_ISSOCK(status.st_mode)) {
    wrote = ::send(fd_, line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else if (S_ISFIFO(status.st_mode) && line.size() <= PIPE_BUF) {
    // A pipe that is ready has room for PIPE_BUF bytes (pipe(7)).
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 1 && ready.revents == POLLOUT) wrote = ::write(fd_, line.data(), line.size());
  }
  // A terminal may be ready and take a part only: the thread waits for it.
  return wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
}

void LineWriter::queue(std::string line) {
  // While some are left out all are, so that the notice stands where they are missing.
  if (left_out_ > 0 || waiting_.size() >= most_) {
    ++left_out_;
    return;
  }
  waiting_.push_back(std::move(line));
  if (!has_thread_) {
    // Signals belong to the thread that waits for them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this] {
        pthread_setname_np(pthread_self(), "atlas-log");
        serve();
      }).detach();
      has_thread_ = true;
    } catch (const std::system_error&) {
      // No thread can be had now; the next line tries again.
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  more_.notify_one();
}

void LineWriter::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    more_.wait(lock, [this] { return !waiting_.empty(); });
    const std::string& line = waiting_.front();  // stays where it is while others are added behind it
    lock.unlock();
    write_patiently(line);
    lock.lock();
    waiting_.pop_front();
    if (left_out_ > 0 && waiting_.size() <= most_ / 2) {
      waiting_.push_back(left_out_line_(std::exchange(left_out_, 0)));
    }
    if (waiting_.empty()) empty_.notify_all();
  }
}

void LineWriter::write_patiently(const std::string& line) {
  std::size_t done = 0;
  while (done < line.size()) {
    const ssize_t wrote = ::write(fd_, line.data() + done, line.size() - done);
    if (wrote >= 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (errno == EAGAIN) {  // somebody made it non-blocking
      pollfd ready{fd_, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return;  // nobody will read it
    }
  }
}

bool LineWriter::flush(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, patience, [this] { return waiting_.empty(); });
}

}  // namespace atlas::base
