// When the next message may go to one target: the limits that the other side sets us (protocol, section 10), so that a
// full outbox ends in no ban, and the pause while nobody is there.
// Strand only; a plain value.
#pragma once

#include <algorithm>
#include <atlas/plugin.hpp>

namespace messaging {

class Lane {
 public:
  // An unknown peer may send 5 requests a second, 60 and 10 MB a minute. This comes to 50 and 8.4 MB in the worst
  // minute; other roles have the rest.
  static constexpr std::int64_t kBurst = 10;
  static constexpr atlas::Millis kGap{250}, kPerMessage{1'500};
  static constexpr std::int64_t kBytesPerSecond = 75'000;
  // A second Error 4001 within 5 minutes of the first, and a third, would be a ban.
  static constexpr atlas::Millis kAfterLimit{200'000};

  bool busy = false;        // one message at a time
  std::size_t waiting = 0;  // messages of the outbox for this target

  // What keeps the next message.
  //   kBusy     one is under way
  //   kPaced    others went a moment ago
  //   kLimited  the other side said that it were too many
  //   kAway     nobody was there a moment ago
  enum class Hold { kNone, kBusy, kPaced, kLimited, kAway };
  Hold hold(atlas::Millis now) const {
    if (busy) return Hold::kBusy;
    if (ready_at() <= now) return Hold::kNone;
    if (away_until_ >= std::max(paced_at(), limited_until_)) return Hold::kAway;
    return limited_until_ >= paced_at() ? Hold::kLimited : Hold::kPaced;
  }
  atlas::Millis ready_at() const { return std::max({paced_at(), limited_until_, away_until_}); }

  void sent(atlas::Millis now, std::size_t bytes) {
    messages_ = std::max(messages_, now) + kPerMessage;
    const auto for_bytes = atlas::Millis(static_cast<std::int64_t>(bytes) * 1'000 / kBytesPerSecond);
    paced_until_ = std::max({paced_until_, now + kGap, now + for_bytes});
  }
  void limited(atlas::Millis now) { limited_until_ = std::max(limited_until_, now + kAfterLimit); }
  void away(atlas::Millis until) { away_until_ = until; }
  // Somebody may be there after all: what the other side's limits ask for stays.
  void hurry() { away_until_ = atlas::Millis::min(); }

 private:
  atlas::Millis paced_at() const { return std::max(paced_until_, messages_ - (kBurst - 1) * kPerMessage); }

  atlas::Millis paced_until_ = atlas::Millis::min(), limited_until_ = atlas::Millis::min(),
                away_until_ = atlas::Millis::min();
  atlas::Millis messages_{0};  // the time up to which messages have been paid for
};

}  // namespace messaging
