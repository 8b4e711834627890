#include "quic/send_queue.h"

#include <algorithm>
#include <span>

namespace atlas::quic {

base::MutableBytes SendQueue::reserve(std::size_t most) {
  if (blocked_) return {};
  if (block_ < blocks_.size() && used_ + most > kBlockBytes) {
    ++block_;
    used_ = 0;
    open_ = false;
  }
  if (block_ == kBlocks && !flush()) return {};
  if (block_ == blocks_.size()) blocks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(kBlockBytes));
  return {blocks_[block_].get() + used_, most};
}

void SendQueue::commit(std::size_t length, const net::SocketAddress& remote, const net::SocketAddress& local,
                       std::uint8_t ecn) {
  const std::uint8_t* start = blocks_[block_].get() + used_;
  used_ += length;
  if (open_) {
    net::SendBatch& run = batches_.back();
    const bool fits = length <= run.segment && segments_ < kMostSegments && run.data.size() + length <= kMostRunBytes;
    if (fits && run.ecn == ecn && run.remote == remote && run.local == local) {
      run.data = {run.data.data(), run.data.size() + length};
      ++segments_;
      open_ = length == run.segment;  // a shorter one is the last of its run
      return;
    }
  }
  batches_.push_back({remote, local, ecn, {start, length}, length});
  segments_ = 1;
  open_ = true;
}

void SendQueue::put(base::ByteView datagram, const net::SocketAddress& remote, const net::SocketAddress& local) {
  const base::MutableBytes room = reserve(datagram.size());
  if (room.empty()) return;
  std::ranges::copy(datagram, room.begin());
  commit(datagram.size(), remote, local, 0);
}

bool SendQueue::flush() {
  if (!batches_.empty()) taken_ += socket_.send(std::span(batches_).subspan(taken_));
  blocked_ = taken_ < batches_.size();
  if (blocked_) return false;
  batches_.clear();
  taken_ = 0;
  block_ = used_ = 0;
  open_ = false;
  return true;
}

}  // namespace atlas::quic
