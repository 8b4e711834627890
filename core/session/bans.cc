#include "session/bans.h"

namespace atlas::session {

BanList::BanList(base::Random& random, std::size_t most) : bans_(16, Hash{base::KeyedHash(random)}), most_(most) {}

void BanList::load(const std::vector<wire::PeerRecord>& rows, std::int64_t now) {
  for (const auto& row : rows) {
    if (row.ban_until) add(row.node_id, *row.ban_until, row.ban_reason.value_or("banned"), now);
  }
}

std::optional<std::string> BanList::check(std::string_view node_id, std::int64_t now) const {
  const auto found = bans_.find(node_id);
  if (found == bans_.end() || found->second.end->first <= now) return std::nullopt;
  return found->second.reason;
}

std::optional<Ban> BanList::add(std::string_view node_id, std::int64_t until, std::string_view reason,
                                std::int64_t now) {
  if (const auto known = bans_.find(node_id); known != bans_.end()) {
    const std::int64_t old = known->second.end->first;
    if (old >= until && old > now) return Ban{old, known->second.reason};
    erase(known->second.end);
  }
  if (until <= now || most_ == 0) return std::nullopt;
  if (bans_.size() >= most_) expire(now);
  if (bans_.size() >= most_) {
    if (by_end_.begin()->first >= until) return std::nullopt;
    erase(by_end_.begin());
    ++displaced_;
  }
  const auto end = by_end_.emplace(until, std::string(node_id));
  const auto held = bans_.emplace(end->second, Held{std::string(reason.substr(0, kMaxBanReason)), end}).first;
  return Ban{until, held->second.reason};
}

bool BanList::lift(std::string_view node_id) {
  const auto found = bans_.find(node_id);
  if (found == bans_.end()) return false;
  erase(found->second.end);
  return true;
}

std::size_t BanList::expire(std::int64_t now) {
  std::size_t gone = 0;
  while (!by_end_.empty() && by_end_.begin()->first <= now) {
    erase(by_end_.begin());
    ++gone;
  }
  return gone;
}

void BanList::erase(ByEnd::iterator end) {
  bans_.erase(end->second);
  by_end_.erase(end);
}

}  // namespace atlas::session
