#include "quic/fair_queue.h"

#include <algorithm>

namespace atlas::quic {

std::size_t FairQueue::put(Lane& lane, base::ByteView data, std::size_t segment, std::uint8_t ecn) {
  std::size_t taken = 0;
  while (taken < data.size()) {
    const std::size_t room = std::min(kMostLaneBytes - lane.bytes_, kMostBytes - bytes_);
    const base::ByteView rest = data.subspan(taken);
    // Runs no longer than a turn, or one lane could send several turns' worth at once.
    std::size_t size = std::min({rest.size(), room, std::max(kQuantum, segment)});
    if (size < rest.size()) size -= size % segment;
    if (size == 0) break;
    lane.runs_.push_back({base::Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size)), segment, ecn});
    lane.bytes_ += size;
    bytes_ += size;
    taken += size;
  }
  if (taken > 0 && !lane.listed_) {
    lane.listed_ = true;
    lane.deficit_ = 0;
    turn_.push_back(&lane);
  }
  return taken;
}

bool FairQueue::drain(const Send& send) {
  while (!turn_.empty()) {
    Lane& lane = *turn_.front();
    // A turn that a full socket cut short goes on with what it had left.
    if (lane.deficit_ < lane.runs_.front().data.size()) lane.deficit_ += kQuantum;
    while (!lane.runs_.empty() && lane.runs_.front().data.size() <= lane.deficit_) {
      if (!send(lane, lane.runs_.front())) return false;
      const std::size_t size = lane.runs_.front().data.size();
      lane.deficit_ -= size;
      lane.bytes_ -= size;
      bytes_ -= size;
      lane.runs_.pop_front();
    }
    turn_.pop_front();
    lane.listed_ = !lane.runs_.empty();
    if (lane.listed_) turn_.push_back(&lane);
  }
  return true;
}

void FairQueue::clear(Lane& lane) {
  if (lane.listed_) std::erase(turn_, &lane);
  bytes_ -= lane.bytes_;
  lane = Lane();
}

}  // namespace atlas::quic
