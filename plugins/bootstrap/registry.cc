// Adding, refreshing and letting go of records. Listings are in registry_listing.cc.
#include "registry.h"

#include <algorithm>

namespace bootstrap {

namespace {

constexpr char kSkill = 's', kOperator = 'o';
// So many records that go at once are taken out of a long list in one pass.
constexpr std::size_t kTogether = 8;

}  // namespace

Registry::Registry(std::size_t capacity, const SipHash::Key& key, SessionSeen session_seen)
    : capacity_(std::min<std::size_t>(capacity, kNoSlot - 1)), hash_(key), session_seen_(std::move(session_seen)) {}

std::uint64_t Registry::term(char kind, std::string_view text) const {
  std::array<char, 1 + 256> keyed;
  const std::size_t size = std::min(text.size(), keyed.size() - 1);
  keyed[0] = kind;
  std::copy_n(text.begin(), size, keyed.begin() + 1);
  return hash_(std::string_view(keyed.data(), 1 + size));
}

Registry::IdEntry* Registry::find_in_ids(std::span<const std::uint8_t, 32> id) {
  const std::uint32_t hash = id_hash(id);
  return ids_.find(hash, [&](const IdEntry& entry) {
    return entry.hash == hash && std::ranges::equal(at(entry.slot_plus_one - 1).record.id(), id);
  });
}

Slot Registry::find(const NodeId& id) {
  const IdEntry* const found = find_in_ids(id);
  return found == nullptr ? kNoSlot : found->slot_plus_one - 1;
}

Slot Registry::free_slot() {
  if (!free_.empty()) {
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
  }
  entries_.emplace_back();
  return static_cast<Slot>(entries_.size() - 1);
}

void Registry::index(Slot slot) {
  const PackedRecord& record = at(slot).record;
  record.each_skill([&](std::string_view skill) {
    skills_.insert(term(kSkill, skill), slot);
    return true;
  });
  if (const auto name = record.operator_username(); !name.empty()) operators_.insert(term(kOperator, name), slot);
}

void Registry::unindex(Slot slot) {
  const PackedRecord& record = at(slot).record;
  record.each_skill([&](std::string_view skill) {
    skills_.erase(term(kSkill, skill), slot);
    return true;
  });
  if (const auto name = record.operator_username(); !name.empty()) operators_.erase(term(kOperator, name), slot);
}

// Of a record that no index shows any more.
void Registry::release(Slot slot) {
  ids_.erase(find_in_ids(at(slot).record.id()));
  entries_[slot] = Entry{};
  free_.push_back(slot);
  --size_;
}

Registry::Put Registry::put(const Record& record, atlas::Peer session, Seconds now) {
  const Slot known = find(record.id);
  if (known == kNoSlot && size_ >= capacity_ && !make_room(now)) return Put::kFull;
  PackedRecord packed(record);
  const Slot slot = known == kNoSlot ? free_slot() : known;
  Entry& entry = entries_[slot];
  entry.session = session;
  entry.last_seen = now;
  if (known != kNoSlot) {
    if (entry.record.same_as(packed)) return Put::kUpdated;  // the usual case: somebody says that he is still here
    unindex(slot);
    entry.record = std::move(packed);
  } else {
    entry.record = std::move(packed);
    ids_.insert(id_hash(record.id), {slot + 1, id_hash(record.id)});
    ++size_;
  }
  index(slot);
  return known == kNoSlot ? Put::kNew : Put::kUpdated;
}

void Registry::session_up(const NodeId& id, atlas::Peer session, Seconds now) {
  const Slot slot = find(id);
  if (slot == kNoSlot || is_stale(slot, now)) return;  // an hour of silence is over only with a register
  entries_[slot].session = session;
}

void Registry::session_down(const NodeId& id, atlas::Peer session) {
  const Slot slot = find(id);
  if (slot != kNoSlot && entries_[slot].session == session) entries_[slot].session = 0;
}

void Registry::note_session(Entry& entry) {
  if (entry.session == 0) return;
  if (const auto seen = session_seen_(entry.session)) {
    entry.last_seen = std::max(entry.last_seen, *seen);
  } else {
    entry.session = 0;
  }
}

bool Registry::is_stale(Slot slot, Seconds now) {
  Entry& entry = entries_[slot];
  const auto silent = [&] { return now > entry.last_seen ? now - entry.last_seen : 0; };
  if (silent() >= kStaleAfter) note_session(entry);
  return silent() >= kStaleAfter;
}

void Registry::sweep(Seconds now) {
  std::vector<Slot> stale;
  const std::size_t slice = std::min(entries_.size(), entries_.size() / kSweepTurn + 1);
  for (std::size_t i = 0; i < slice; ++i, ++sweep_at_) {
    if (sweep_at_ >= entries_.size()) sweep_at_ = 0;
    Entry& entry = entries_[sweep_at_];
    if (!entry.record) continue;
    note_session(entry);
    if (is_stale(static_cast<Slot>(sweep_at_), now)) stale.push_back(static_cast<Slot>(sweep_at_));
  }
  evict(stale);
}

// At capacity: lets go of all that is stale. When nothing is, the search is not repeated before something can be.
bool Registry::make_room(Seconds now) {
  if (now < nothing_stale_before_) return false;
  std::vector<Slot> stale;
  Seconds earliest = now;
  for (Slot slot = 0; slot < entries_.size(); ++slot) {
    if (!entries_[slot].record) continue;
    if (is_stale(slot, now)) {
      stale.push_back(slot);
    } else {
      earliest = std::min(earliest, entries_[slot].last_seen);
    }
  }
  nothing_stale_before_ = earliest + kStaleAfter;
  evict(stale);
  return !stale.empty();
}

void Registry::evict(const std::vector<Slot>& stale) {
  if (stale.size() >= kTogether) {
    unindex_together(stale);
  } else {
    for (const Slot slot : stale) unindex(slot);
  }
  for (const Slot slot : stale) release(slot);
  evicted_ += stale.size();
}

// Each list that one of them is in is walked once, however many of them it has.
void Registry::unindex_together(const std::vector<Slot>& slots) {
  std::vector<std::uint64_t> skills, operators;
  for (const Slot slot : slots) {
    at(slot).record.each_skill([&](std::string_view skill) {
      skills.push_back(term(kSkill, skill));
      return true;
    });
    if (const auto name = at(slot).record.operator_username(); !name.empty()) {
      operators.push_back(term(kOperator, name));
    }
  }
  std::vector<bool> gone(entries_.size());
  for (const Slot slot : slots) gone[slot] = true;
  const auto is_gone = [&](Slot slot) { return gone[slot]; };
  for (auto* const terms : {&skills, &operators}) {
    TermIndex& lists = terms == &skills ? skills_ : operators_;
    std::sort(terms->begin(), terms->end());
    terms->erase(std::unique(terms->begin(), terms->end()), terms->end());
    for (const std::uint64_t it : *terms) lists.erase_if(it, is_gone);
  }
}

std::uint64_t Registry::filter_hash(const Filter& filter) const {
  const auto part = [&](char kind, const std::optional<std::string>& text) { return text ? term(kind, *text) : 0; };
  const std::uint64_t skill = part(kSkill, filter.skill), name = part(kOperator, filter.operator_username);
  return skill ^ std::rotl(name, 21) ^ (filter.node_id ? hash_(*filter.node_id) : 0);
}

std::optional<std::span<const Slot>> Registry::candidates(const Filter& filter, Slot& single) {
  if (filter.node_id) {
    single = find(*filter.node_id);
    return std::span<const Slot>(&single, single == kNoSlot ? 0 : 1);
  }
  std::optional<std::span<const Slot>> out;
  if (filter.skill) out = skills_.slots(term(kSkill, *filter.skill));
  if (filter.operator_username) {
    const auto named = operators_.slots(term(kOperator, *filter.operator_username));
    if (!out || named.size() < out->size()) out = named;
  }
  return out;
}

}  // namespace bootstrap
