// Limits by trust, violations and bans (wire protocol, section 10): pure state, time passed in.
// Loop thread only. Peers are counted by authenticated node id; unauthenticated packets never count.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "wire/peer_record.h"

namespace atlas::session {

// One row of the table in section 10.
struct Tier {
  std::uint32_t per_second = 5;
  std::uint32_t per_minute = 60;
  std::uint64_t payload_per_minute = 10'000'000;  // bytes
};

struct LimitSettings {
  Tier unknown{5, 60, 10'000'000};     // also bootstrap and relay; per_minute is rate_limit.per_peer_per_minute
  Tier verified{20, 300, 50'000'000};
  std::uint32_t burst = 5;             // token bucket of the per-second figure
  std::uint32_t violations_to_ban = 3;
  base::MonoNs violation_window = 300 * base::kSecond;
  std::uint64_t ban_s = 600;           // security.ban_duration_secs where set
  const Tier& tier(wire::Trust trust) const { return trust == wire::Trust::kVerified ? verified : unknown; }
};

// Which rule a request broke; each has its counter.
enum class LimitRule : std::uint8_t { kNone, kPerSecond, kPerMinute, kPayload };
std::string_view to_text(LimitRule rule);  // "per_second", "per_minute", "payload_per_minute"

// The budget of one peer. Survives its sessions for as long as it remembers something (idle()), so that a reconnect
// does not refill it. 64 bytes or so: the sliding minute is two counters, not a list.
class PeerBudget {
 public:
  // Counts one request with a payload of this many bytes; says which limit it broke (then it is not counted).
  LimitRule admit(const LimitSettings& settings, wire::Trust trust, std::uint64_t payload, base::MonoNs now);
  // One violation, at most one a second; true when it is the one that bans.
  bool violation(const LimitSettings& settings, base::MonoNs now);
  // Nothing is remembered any more: the object can go.
  bool idle(const LimitSettings& settings, base::MonoNs now) const;

 private:
  base::MonoNs bucket_at_ = 0;
  std::uint32_t bucket_milli_ = 0;  // thousandths of a token
  bool primed_ = false;
  base::MonoNs minute_start_ = 0;
  std::uint32_t requests_now_ = 0, requests_before_ = 0;
  std::uint64_t payload_now_ = 0, payload_before_ = 0;
  base::MonoNs violation_at_[3] = {};
  std::uint8_t violations_ = 0;
  base::MonoNs last_used_ = 0;
};

}  // namespace atlas::session
