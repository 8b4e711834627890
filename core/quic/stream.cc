#include "quic/stream.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace atlas::quic {

SendBuffer::~SendBuffer() {
  while (first_ != nullptr) {
    Chunk* gone = first_;
    first_ = gone->next;
    ::operator delete(gone);
  }
}

void SendBuffer::add_chunk(std::size_t capacity) {
  auto* chunk = static_cast<Chunk*>(::operator new(sizeof(Chunk) + capacity));
  new (chunk) Chunk{nullptr, 0, static_cast<std::uint32_t>(capacity)};
  (last_ != nullptr ? last_->next : first_) = chunk;
  last_ = chunk;
}

void SendBuffer::append(base::ByteView data) {
  unsent_ += data.size();
  unacknowledged_ += data.size();
  while (!data.empty()) {
    if (last_ == nullptr || last_->size == last_->capacity) {
      add_chunk(std::clamp(data.size(), kLeastChunk, kMostChunk));
    }
    if (sending_ == nullptr) {
      sending_ = last_;
      sending_at_ = last_->size;
    }
    const std::size_t room = last_->capacity - last_->size;
    const base::ByteView piece = data.first(std::min(data.size(), room));
    std::memcpy(last_->bytes() + last_->size, piece.data(), piece.size());
    last_->size += static_cast<std::uint32_t>(piece.size());
    data = data.subspan(piece.size());
  }
}

base::ByteView SendBuffer::next() const {
  if (sending_ == nullptr) return {};
  return {sending_->bytes() + sending_at_, sending_->size - sending_at_};
}

void SendBuffer::mark_sent(std::size_t bytes) {
  unsent_ -= bytes;
  while (bytes > 0) {
    const auto step = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, sending_->size - sending_at_));
    sending_at_ += step;
    bytes -= step;
    if (sending_at_ < sending_->size) continue;
    sending_ = sending_->next;
    sending_at_ = 0;
  }
}

void SendBuffer::mark_acknowledged(std::size_t bytes) {
  bytes = std::min(bytes, unacknowledged_ - unsent_);  // only what was sent can be acknowledged
  unacknowledged_ -= bytes;
  while (bytes > 0) {
    const auto step = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, first_->size - acknowledged_at_));
    acknowledged_at_ += step;
    bytes -= step;
    if (acknowledged_at_ < first_->size) continue;
    Chunk* gone = first_;
    first_ = gone->next;
    if (first_ == nullptr) last_ = nullptr;
    acknowledged_at_ = 0;
    ::operator delete(gone);
  }
}

std::uint64_t ReceiveWindow::grow(std::uint64_t bytes, std::uint64_t first, std::uint64_t most) {
  const std::uint64_t window = first + growth;
  consumed += bytes;
  if (consumed < window || window >= most) return 0;
  consumed = 0;
  const std::uint64_t more = std::min(window, most - window);
  growth += more;
  return more;
}

void Stream::consume(std::uint64_t bytes) {
  bytes = std::min(bytes, unconsumed);
  const std::uint64_t ahead = std::min(bytes, released);
  unconsumed -= bytes;
  released -= ahead;
  credit += bytes;
  connection_credit += bytes - ahead;
}

void Stream::release(std::uint64_t bytes) {
  bytes = std::min(bytes, unconsumed - released);
  released += bytes;
  connection_credit += bytes;
}

std::uint64_t Stream::take_left() {
  const std::uint64_t left = unconsumed - released + connection_credit;
  unconsumed = released = credit = connection_credit = 0;
  return left;
}

void WorkList::add(Stream& stream) {
  if (stream.listed) return;
  stream.listed = true;
  stream.later = nullptr;
  stream.earlier = last_;
  (last_ != nullptr ? last_->later : first_) = &stream;
  last_ = &stream;
}

void WorkList::remove(Stream& stream) {
  if (!stream.listed) return;
  stream.listed = false;
  (stream.earlier != nullptr ? stream.earlier->later : first_) = stream.later;
  (stream.later != nullptr ? stream.later->earlier : last_) = stream.earlier;
}

}  // namespace atlas::quic
