#include "host/stream_pipe.h"

#include <algorithm>
#include <utility>

namespace atlas::host {
namespace {

// WRITABLE waits for so much room at least, or a writer of small pieces would be told of every acknowledgement.
constexpr std::size_t kLeastRoom = StreamPipe::kSendBudget / 4;

}  // namespace

StreamPipe::StreamPipe(Setup setup) : setup_(std::move(setup)) {
  read_over_ = !setup_.reads;
  write_over_ = !setup_.writes;
}

StreamPipe::~StreamPipe() {
  drop_incoming();
}

void StreamPipe::drop_incoming() {
  std::uint64_t bytes = 0;
  for (const auto& piece : incoming_) bytes += piece.size();
  incoming_.clear();
  if (setup_.held && bytes != 0) setup_.held->fetch_sub(bytes, std::memory_order_relaxed);
}

// --- the plugin's half ---

StreamPipe::Outcome StreamPipe::write(base::ByteView data) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (write_over_ || closed_) return Outcome::kEnded;
    if (unacknowledged_ + data.size() > kSendBudget) {
      wanted_ = std::max(data.size(), kLeastRoom);
      return Outcome::kFull;
    }
    if (data.empty()) return Outcome::kDone;
    outgoing_.insert(outgoing_.end(), data.begin(), data.end());
    unacknowledged_ += data.size();
    wake = note_order();
  }
  if (wake) setup_.wake_network();
  return Outcome::kDone;
}

StreamPipe::Outcome StreamPipe::finish() {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (write_over_ || closed_) return Outcome::kEnded;
    write_over_ = true;
    writable_ = false;
    wanted_ = 0;
    orders_.fin = true;
    wake = note_order();
  }
  if (wake) setup_.wake_network();
  return Outcome::kDone;
}

StreamPipe::Outcome StreamPipe::reset(std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // After finish() what the peer has not got can still be given up.
    if (!setup_.writes || closed_ || std::exchange(sending_lost_, true)) return Outcome::kEnded;
    write_over_ = true;
    writable_ = false;
    wanted_ = 0;
    outgoing_ = {};
    orders_.fin = false;
    orders_.reset = code;
    wake = note_order();
  }
  if (wake) setup_.wake_network();
  return Outcome::kDone;
}

StreamPipe::Outcome StreamPipe::stop(std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (read_over_ || closed_) return Outcome::kEnded;
    read_over_ = true;
    drop_incoming();
    orders_.stop = code;
    orders_.credit += received_ - credited_;
    credited_ = received_;
    wake = note_order();
  }
  if (wake) setup_.wake_network();
  return Outcome::kDone;
}

StreamPipe::Outcome StreamPipe::credit(std::uint64_t bytes) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (!setup_.reads) return Outcome::kEnded;
    if (read_over_) return Outcome::kDone;  // stop() has given it all back
    if (bytes > delivered_ - credited_) return Outcome::kTooMuch;
    credited_ += bytes;
    if (closed_ || bytes == 0) return Outcome::kDone;
    orders_.credit += bytes;
    wake = note_order();
  }
  if (wake) setup_.wake_network();
  return Outcome::kDone;
}

void StreamPipe::abandon(std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(abandoned_, true)) return;
    drop_incoming();
    if (closed_) return;
    orders_.abandoned = true;
    // What was finished may still arrive.
    if (!write_over_) {
      outgoing_ = {};
      orders_.reset = code;
    }
    if (!read_over_) orders_.stop = code;
    orders_.credit += received_ - credited_;
    credited_ = received_;
    read_over_ = write_over_ = true;
    wake = note_order();
  }
  if (wake) setup_.wake_network();
}

bool StreamPipe::has_event() const {
  const bool data = !read_over_ && (!incoming_.empty() || (fin_came_ && !fin_told_));
  return data || reset_ || stopped_ || writable_ || closed_event_;
}

std::optional<StreamPipe::Event> StreamPipe::take() {
  std::optional<Event> out;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    strand_woken_ = false;
    if (abandoned_ || !has_event()) return std::nullopt;
    out.emplace();
    if (!read_over_ && (!incoming_.empty() || (fin_came_ && !fin_told_))) {
      out->what = ATLAS_STREAM_DATA;
      if (!incoming_.empty()) {
        out->data = std::move(incoming_.front());
        incoming_.pop_front();
        delivered_ += out->data.size();
        if (setup_.held) setup_.held->fetch_sub(out->data.size(), std::memory_order_relaxed);
      }
      out->fin = fin_came_ && incoming_.empty();
      fin_told_ = out->fin;
    } else if (reset_) {
      out->what = ATLAS_STREAM_RESET;
      out->code = *std::exchange(reset_, std::nullopt);
    } else if (stopped_) {
      out->what = ATLAS_STREAM_STOPPED;
      out->code = *std::exchange(stopped_, std::nullopt);
    } else if (std::exchange(writable_, false)) {
      out->what = ATLAS_STREAM_WRITABLE;
    } else {
      out = std::exchange(closed_event_, std::nullopt);
    }
    wake = has_event() && note_event();
  }
  if (wake) setup_.wake_strand();
  return out;
}

// --- the network's half ---

StreamPipe::Orders StreamPipe::take_orders() {
  const std::lock_guard lock(mutex_);
  network_woken_ = false;
  Orders out = std::exchange(orders_, Orders{});
  out.data = std::exchange(outgoing_, {});
  return out;
}

void StreamPipe::on_data(base::ByteView data, bool fin) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || read_over_) return;
    received_ += data.size();
    if (setup_.held) setup_.held->fetch_add(data.size(), std::memory_order_relaxed);
    while (!data.empty()) {
      if (incoming_.empty() || incoming_.back().size() == kMostPiece) incoming_.emplace_back();
      base::Bytes& last = incoming_.back();
      const base::ByteView part = data.first(std::min(data.size(), kMostPiece - last.size()));
      last.insert(last.end(), part.begin(), part.end());
      data = data.subspan(part.size());
    }
    fin_came_ = fin_came_ || fin;
    wake = has_event() && note_event();
  }
  if (wake) setup_.wake_strand();
}

void StreamPipe::on_acknowledged(std::size_t bytes) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    unacknowledged_ -= std::min(bytes, unacknowledged_);
    if (wanted_ == 0 || write_over_ || closed_ || unacknowledged_ + wanted_ > kSendBudget) return;
    wanted_ = 0;
    writable_ = true;
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

void StreamPipe::on_reset(std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    reset_ = code;
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

void StreamPipe::on_stopped(std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    stopped_ = code;
    write_over_ = sending_lost_ = true;
    writable_ = false;
    wanted_ = 0;
    outgoing_ = {};
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

void StreamPipe::on_closed(atlas_status status, std::uint64_t code) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    closed_event_.emplace();
    closed_event_->what = ATLAS_STREAM_CLOSED;
    closed_event_->status = status;
    closed_event_->code = code;
    writable_ = false;
    write_over_ = true;
    outgoing_ = {};
    orders_ = {};
    wake = note_event();
  }
  if (wake) setup_.wake_strand();
}

}  // namespace atlas::host
