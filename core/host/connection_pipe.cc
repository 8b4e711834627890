#include "host/connection_pipe.h"

#include <algorithm>

namespace atlas::host {

std::string ConnectionPipe::remote() const {
  const std::lock_guard lock(mutex_);
  return remote_;
}

// --- the plugin's half ---

ConnectionPipe::Outcome ConnectionPipe::reserve_stream(bool unidirectional) {
  const std::lock_guard lock(mutex_);
  const std::size_t kind = unidirectional ? 1 : 0;
  if (over_ || closing_) return Outcome::kGone;
  if (!up_) return Outcome::kNotUp;
  if (opened_[kind] >= allowed_[kind]) return Outcome::kFull;
  ++opened_[kind];
  ++streams_;
  return Outcome::kDone;
}

void ConnectionPipe::return_stream(bool unidirectional) {
  {
    const std::lock_guard lock(mutex_);
    --opened_[unidirectional ? 1 : 0];
  }
  stream_over();
}

void ConnectionPipe::stream_over() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    --streams_;
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

bool ConnectionPipe::close() {
  const std::lock_guard lock(mutex_);
  return !over_ && !std::exchange(closing_, true);
}

std::optional<ConnectionPipe::Event> ConnectionPipe::take() {
  std::optional<Event> out;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    if (!has_event()) return std::nullopt;
    if (chain_ && !down_ && !closing_) {
      out.emplace();
      out->chain = std::move(*chain_);
    } else if (up_due_) {
      up_due_ = false;
      out.emplace();
      out->what = Event::What::kUp;
    } else if (streams_ == 0) {
      out = std::exchange(down_, std::nullopt);
    }
    chain_.reset();  // of a connection that is over, or will be, there is nothing to judge
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
  return out;
}

// --- the network's half ---

void ConnectionPipe::on_presented(std::vector<base::Bytes> chain) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    chain_ = std::move(chain);
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

void ConnectionPipe::on_up() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    up_ = up_due_ = true;
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

void ConnectionPipe::on_streams_allowed(bool unidirectional, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  std::uint64_t& allowed = allowed_[unidirectional ? 1 : 0];
  allowed = std::max(allowed, total);
}

void ConnectionPipe::on_moved(std::string remote) {
  const std::lock_guard lock(mutex_);
  remote_ = std::move(remote);
}

void ConnectionPipe::on_down(std::uint32_t why, std::uint64_t code, std::string reason) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(over_, true)) return;
    down_.emplace();
    down_->what = Event::What::kDown;
    down_->why = why;
    down_->code = code;
    down_->reason = std::move(reason);
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

std::shared_ptr<StreamPipe> ConnectionPipe::arrived_stream(bool unidirectional) {
  {
    const std::lock_guard lock(mutex_);
    ++streams_;
  }
  auto pipe = setup_.arrived(unidirectional);
  if (!pipe) stream_over();
  return pipe;
}

}  // namespace atlas::host
