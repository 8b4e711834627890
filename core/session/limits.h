// Limits by trust, violations and bans (wire protocol, section 10): pure state, time passed in.
// Loop thread only. Peers are counted by authenticated node id; unauthenticated packets never count.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/limits.h"
#include "wire/peer_record.h"

namespace atlas::session {

// One row of the table in section 10.
struct Tier {
  std::uint32_t per_second = base::limits::rate_limit_per_peer_per_second;
  std::uint32_t per_minute = base::limits::rate_limit_per_peer_per_minute;
  std::uint64_t payload_per_minute = base::limits::rate_limit_payload_per_minute;  // bytes
};

struct LimitSettings {
  Tier unknown;  // also bootstrap and relay; per_minute is rate_limit.per_peer_per_minute
  Tier verified{base::limits::rate_limit_verified_per_second, base::limits::rate_limit_verified_per_minute,
                base::limits::rate_limit_verified_payload_per_minute};
  // Token bucket of the per-second figure.
  std::uint32_t burst = base::limits::rate_limit_per_peer_per_second;
  std::uint32_t violations_to_ban = base::limits::security_violations_to_ban;  // 1..PeerBudget::kMaxViolations
  base::MonoNs violation_window = base::limits::security_violation_window * base::kSecond;
  std::uint64_t ban_s = base::limits::security_ban_duration_secs;
  const Tier& tier(wire::Trust trust) const { return trust == wire::Trust::kVerified ? verified : unknown; }
};

// Which rule a request broke; each has its counter.
enum class LimitRule : std::uint8_t { kNone, kPerSecond, kPerMinute, kPayload };
std::string_view to_text(LimitRule rule);  // "per_second", "per_minute", "payload_per_minute"; "" for kNone

// The budget of one peer. Survives its sessions for as long as it remembers something (idle()), so that a reconnect
// does not refill it.
//
// The minute is a sliding log, not an estimate: a steady sender at exactly the figure is never refused, and the next
// request after the figure is. Requests within kSlot of each other share an entry that leaves 60 s after its first, so
// the log never passes kMinute / kSlot entries (16 bytes each) whatever the figure, and the window is exact to kSlot.
class PeerBudget {
 public:
  static constexpr base::MonoNs kMinute = 60 * base::kSecond;
  static constexpr base::MonoNs kSlot = kMinute / base::limits::session_budget_entries;
  static constexpr std::size_t kMaxViolations = base::limits::session_kept_violations;

  // Counts one request with a payload of this many bytes; says which limit it broke (then it is not counted).
  LimitRule admit(const LimitSettings& settings, wire::Trust trust, std::uint64_t payload, base::MonoNs now);
  // One violation, at most one a second; true when it is the one that bans. A ban wipes the slate.
  bool violation(const LimitSettings& settings, base::MonoNs now);
  // Nothing is remembered any more: the object can go.
  bool idle(const LimitSettings& settings, base::MonoNs now) const;
  std::size_t log_entries() const { return log_.size() - log_begin_; }

 private:
  struct Entry {
    base::MonoNs at;
    std::uint32_t requests;
    std::uint32_t payload;
  };
  void refill(const LimitSettings& settings, const Tier& tier, base::MonoNs now);
  void forget(base::MonoNs now);
  void record(std::uint64_t payload, base::MonoNs now);

  std::vector<Entry> log_;  // oldest first, from log_begin_
  std::uint32_t log_begin_ = 0;
  std::uint32_t bucket_milli_ = 0;  // thousandths of a token
  base::MonoNs bucket_at_ = 0;
  std::uint64_t payload_ = 0;  // sums over the log
  std::uint64_t requests_ = 0;
  std::array<base::MonoNs, kMaxViolations> violation_at_{};  // oldest first
  std::uint8_t violations_ = 0;
  bool primed_ = false;
};

// The budgets of all peers, bounded: at capacity the one that was used longest ago goes. Every call but sweep() is
// O(1).
class Budgets {
 public:
  static constexpr std::size_t kDefaultMost = base::limits::session_budgets;

  explicit Budgets(base::Random& random, std::size_t most = kDefaultMost)
      : peers_(16, Hash{base::KeyedHash(random)}), most_(most) {}
  // The budget of this peer, a fresh one if it is new. Valid until the next call.
  PeerBudget& of(std::string_view node_id);
  // Takes this peer's out; a fresh one if it is new.
  PeerBudget take(std::string_view node_id);
  // Drops what is idle; call every few minutes.
  void sweep(const LimitSettings& settings, base::MonoNs now);
  std::size_t size() const { return peers_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    base::KeyedHash keyed;
    std::size_t operator()(std::string_view text) const { return keyed(base::as_bytes(text)); }
  };
  struct Held {
    std::string node_id;
    PeerBudget budget;
  };
  using ByUse = std::list<Held>;  // the longest unused first
  ByUse by_use_;
  std::unordered_map<std::string_view, ByUse::iterator, Hash, std::equal_to<>> peers_;  // keys live in by_use_
  std::size_t most_;
};

}  // namespace atlas::session
