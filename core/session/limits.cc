#include "session/limits.h"

#include <algorithm>
#include <limits>

namespace atlas::session {
namespace {

constexpr std::uint32_t kMilli = 1000;
// Nanoseconds for a thousandth of a token at one token a second.
constexpr std::uint64_t kNsPerMilli = base::kSecond / kMilli;

}  // namespace

std::string_view to_text(LimitRule rule) {
  switch (rule) {
    case LimitRule::kNone:
      return "";
    case LimitRule::kPerSecond:
      return "per_second";
    case LimitRule::kPerMinute:
      return "per_minute";
    case LimitRule::kPayload:
      return "payload_per_minute";
  }
  return "";
}

void PeerBudget::refill(const LimitSettings& settings, const Tier& tier, base::MonoNs now) {
  const std::uint64_t capacity = std::uint64_t{settings.burst} * kMilli;
  if (!primed_) {
    primed_ = true;
    bucket_at_ = now;
    bucket_milli_ = static_cast<std::uint32_t>(capacity);
    return;
  }
  if (now <= bucket_at_ || tier.per_second == 0) return;
  // Longer than it takes to fill from empty is as good as full, and keeps the product below in range.
  const std::uint64_t to_fill = capacity * kNsPerMilli / tier.per_second + 1;
  const std::uint64_t elapsed = now - bucket_at_;
  if (elapsed >= to_fill) {
    bucket_milli_ = static_cast<std::uint32_t>(capacity);
    bucket_at_ = now;
    return;
  }
  const std::uint64_t gained = elapsed * tier.per_second / kNsPerMilli;
  const std::uint64_t level = bucket_milli_ + gained;
  if (level >= capacity) {
    bucket_milli_ = static_cast<std::uint32_t>(capacity);
    bucket_at_ = now;
    return;
  }
  bucket_milli_ = static_cast<std::uint32_t>(level);
  // Only the time that became tokens is used up; rounded up, so that fractions never add a token.
  bucket_at_ += (gained * kNsPerMilli + tier.per_second - 1) / tier.per_second;
}

void PeerBudget::forget(base::MonoNs now) {
  while (log_begin_ < log_.size() && base::saturating_sub(now, log_[log_begin_].at) >= kMinute) {
    requests_ -= log_[log_begin_].requests;
    payload_ -= log_[log_begin_].payload;
    ++log_begin_;
  }
  if (log_begin_ == log_.size()) {
    log_ = {};  // a busy minute's memory goes with it
    log_begin_ = 0;
  } else if (log_begin_ * 2 >= log_.size()) {
    log_.erase(log_.begin(), log_.begin() + log_begin_);
    log_begin_ = 0;
  }
}

void PeerBudget::record(std::uint64_t payload, base::MonoNs now) {
  const auto bytes =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(payload, std::numeric_limits<std::uint32_t>::max()));
  ++requests_;
  payload_ += bytes;
  if (!log_.empty()) {
    Entry& last = log_.back();
    const bool fits = last.payload <= std::numeric_limits<std::uint32_t>::max() - bytes;
    if (fits && base::saturating_sub(now, last.at) < kSlot) {
      ++last.requests;
      last.payload += bytes;
      return;
    }
  }
  log_.push_back({now, 1, bytes});
}

LimitRule PeerBudget::admit(const LimitSettings& settings, wire::Trust trust, std::uint64_t payload, base::MonoNs now) {
  const Tier& tier = settings.tier(trust);
  refill(settings, tier, now);
  forget(now);
  if (bucket_milli_ < kMilli) return LimitRule::kPerSecond;
  if (requests_ >= tier.per_minute) return LimitRule::kPerMinute;
  if (base::saturating_add(payload_, payload) > tier.payload_per_minute) return LimitRule::kPayload;
  bucket_milli_ -= kMilli;
  record(payload, now);
  return LimitRule::kNone;
}

bool PeerBudget::violation(const LimitSettings& settings, base::MonoNs now) {
  if (violations_ > 0 && base::saturating_sub(now, violation_at_[violations_ - 1]) < base::kSecond) return false;
  const auto stale = std::find_if(violation_at_.begin(), violation_at_.begin() + violations_, [&](base::MonoNs at) {
    return base::saturating_sub(now, at) < settings.violation_window;
  });
  const auto kept = std::move(stale, violation_at_.begin() + violations_, violation_at_.begin());
  violations_ = static_cast<std::uint8_t>(kept - violation_at_.begin());
  const std::size_t to_ban = std::clamp<std::size_t>(settings.violations_to_ban, 1, kMaxViolations);
  if (violations_ + 1u >= to_ban) {
    violations_ = 0;
    return true;
  }
  violation_at_[violations_++] = now;
  return false;
}

bool PeerBudget::idle(const LimitSettings& settings, base::MonoNs now) const {
  if (!log_.empty() && base::saturating_sub(now, log_.back().at) < kMinute) return false;
  // A minute refills any bucket that a sane per-second figure has; the log above has just said that one went by.
  return violations_ == 0 || base::saturating_sub(now, violation_at_[violations_ - 1]) >= settings.violation_window;
}

PeerBudget& Budgets::of(std::string_view node_id) {
  if (const auto known = peers_.find(node_id); known != peers_.end()) {
    by_use_.splice(by_use_.end(), by_use_, known->second);
    return known->second->budget;
  }
  if (!by_use_.empty() && by_use_.size() >= most_) {
    peers_.erase(by_use_.front().node_id);
    by_use_.pop_front();
  }
  const auto fresh = by_use_.insert(by_use_.end(), Held{std::string(node_id), {}});
  peers_.emplace(fresh->node_id, fresh);
  return fresh->budget;
}

PeerBudget Budgets::take(std::string_view node_id) {
  const auto known = peers_.find(node_id);
  if (known == peers_.end()) return {};
  const ByUse::iterator held = known->second;
  PeerBudget out = std::move(held->budget);
  peers_.erase(known);
  by_use_.erase(held);
  return out;
}

void Budgets::sweep(const LimitSettings& settings, base::MonoNs now) {
  for (auto at = by_use_.begin(); at != by_use_.end();) {
    if (!at->budget.idle(settings, now)) {
      ++at;
      continue;
    }
    peers_.erase(at->node_id);
    at = by_use_.erase(at);
  }
}

}  // namespace atlas::session
