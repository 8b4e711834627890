#include "quic/fair_ceiling.h"

#include <algorithm>
#include <cmath>

namespace atlas::quic {
namespace {

constexpr double kFull = 0.875;  // of the receive buffer
constexpr double kFirstCut = 0.7, kCut = 0.85, kRise = 1.03;
constexpr int kCalm = 2;                    // rounds
constexpr double kRead = 2, kShedFrom = 4;  // ceilings: what is read of a lane that sheds, who begins to
constexpr double kLeastKept = 1.0 / 256;
constexpr double kNewest = 0.25;  // weight of the last round in what a lane is held to bring
// Credit of a lane that was silent: so much time, and never less than one system call sends.
constexpr double kBurst = static_cast<double>(100 * base::kMillisecond), kLeastBurst = 64 << 10;

}  // namespace

std::size_t FairCeiling::grant(Lane& lane, std::size_t bytes, std::size_t segment, base::MonoNs now) {
  if (lane.round_ != round_) {
    lane.round_ = round_;
    lane.seen_ = lane.datagrams_ = 0;
    ++lanes_;
  }
  lane.seen_ += bytes;
  most_ = std::max(most_, lane.seen_);
  arrived_ += bytes;
  const std::size_t granted = active() ? held(lane, bytes, segment, now) : bytes;
  passed_ += granted;
  return granted;
}

std::size_t FairCeiling::held(Lane& lane, std::size_t bytes, std::size_t segment, base::MonoNs now) {
  const double most = std::max(kLeastBurst, ceiling_ * kBurst);
  if (lane.filled_ < set_at_) lane.credit_ = most;  // its first since there is a ceiling
  if (now > lane.filled_) lane.credit_ += ceiling_ * static_cast<double>(now - lane.filled_);
  lane.filled_ = std::max({lane.filled_, now, set_at_});
  lane.credit_ = std::min(lane.credit_, most);
  lane.datagrams_ += (bytes + segment - 1) / segment;
  std::size_t granted = bytes;
  if (static_cast<double>(bytes) > lane.credit_) {
    granted = static_cast<std::size_t>(lane.credit_) / segment * segment;
    cut_ += bytes - granted;
    if (!lane.listed_ && heavy_.size() < kMostShed) {
      lane.listed_ = true;
      heavy_.push_back(&lane);
    }
  }
  lane.credit_ -= static_cast<double>(granted);
  return granted;
}

bool FairCeiling::close_window(base::MonoNs now, const Load& load) {
  const bool full = load.fullest > kFull && load.ours;
  if (active()) {
    ceiling_ = full ? std::max(ceiling_ * kCut, floor_) : ceiling_ * kRise;
  } else {
    // What a loop that had nothing to do slept through is no window.
    const bool slept = now > base::after(window_began_, 3 * kWindow);
    look_for_overload(now, full && load.lost && !slept);
  }
  window_began_ = now;
  arrived_ = 0;
  if (++windows_ < kRoundWindows) return false;
  close_round(now);
  return true;
}

void FairCeiling::look_for_overload(base::MonoNs now, bool overloaded) {
  if (overloaded && suspected_ && now > round_began_) {
    ceiling_ = static_cast<double>(most_) / static_cast<double>(now - round_began_) * kFirstCut;
    set_at_ = now;
    calm_ = 0;
    heavy_.reserve(kMostShed);
  } else if (overloaded) {
    begin_round(now);  // of which the next window is the first
  }
  suspected_ = overloaded && !active();
}

void FairCeiling::begin_round(base::MonoNs now) {
  ++round_;
  round_began_ = now;
  windows_ = 0;
  lanes_ = most_ = passed_ = cut_ = 0;
}

void FairCeiling::close_round(base::MonoNs now) {
  const auto span = static_cast<double>(std::max<base::MonoNs>(now - round_began_, 1));
  for (Lane* lane : heavy_) weigh(*lane, span);
  std::erase_if(heavy_, [](const Lane* lane) { return !lane->listed_; });
  calm_ = cut_ == 0 ? calm_ + 1 : 0;
  if (calm_ >= kCalm) stop();
  floor_ = lanes_ == 0 ? 0 : static_cast<double>(passed_) / span / static_cast<double>(lanes_);
  begin_round(now);
}

void FairCeiling::weigh(Lane& lane, double span) {
  const bool seen = lane.round_ == round_;
  const double arrived = (seen ? static_cast<double>(lane.seen_) : 0) / lane.keep_ / span;
  if (seen && lane.keep_ < 1) {
    lane.unread_ += static_cast<double>(lane.datagrams_) * (1 / lane.keep_ - 1);
    const double whole = std::floor(lane.unread_);
    lane.unread_ -= whole;
    unread_(lane, static_cast<std::uint64_t>(whole));
  }
  lane.offered_ = lane.offered_ == 0 ? arrived : lane.offered_ * (1 - kNewest) + arrived * kNewest;
  const double wanted = ceiling_ * kRead;
  // Who sheds goes on until it would be let in whole: else it would come and go.
  const bool sheds = sheds_ && active() && lane.offered_ > (lane.keep_ < 1 ? wanted : ceiling_ * kShedFrom);
  if (!sheds) return release(lane);
  lane.keep_ = std::clamp(wanted / lane.offered_, kLeastKept, 1.0);
}

void FairCeiling::release(Lane& lane) {
  lane.keep_ = 1;
  lane.offered_ = 0;
  lane.listed_ = false;
}

void FairCeiling::forget(Lane& lane) {
  if (lane.listed_) std::erase(heavy_, &lane);
  lane = Lane();
}

void FairCeiling::read_all() {
  sheds_ = false;
  for (Lane* lane : heavy_) release(*lane);
  heavy_.clear();
}

void FairCeiling::stop() {
  ceiling_ = floor_ = 0;
  suspected_ = false;
  for (Lane* lane : heavy_) release(*lane);
  heavy_.clear();
}

}  // namespace atlas::quic
