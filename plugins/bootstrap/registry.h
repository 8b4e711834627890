// The registry: who is here, by node id, by skill and by operator.
//
// Strand only; owns the records. Time comes in as whole seconds of a monotonic clock, so that no jump of the wall clock
// makes anybody stale. A record keeps its slot for as long as it lives, which is what makes listings in pages complete.
//
// Cost: a register and a lookup by node id touch a handful of cache lines; memory is about 100 bytes a record plus its
// texts. No request scans the registry, except a register at capacity, at most once a second.
#pragma once

#include <functional>
#include <limits>
#include <unordered_map>

#include "cursor.h"
#include "record.h"
#include "term_index.h"

namespace bootstrap {

using Seconds = std::uint32_t;  // monotonic

inline constexpr Seconds kStaleAfter = 3600;  // since last seen
inline constexpr Seconds kSweepTurn = 30;     // every record is looked at once in that time

struct Filter {
  std::optional<NodeId> node_id = std::nullopt;
  std::optional<std::string> skill = std::nullopt;
  std::optional<std::string> operator_username = std::nullopt;
};

struct Listed {
  Record record;
  Seconds last_seen;
  bool connected;
};

class Registry {
 public:
  // When the session last had an exchange, 0 before its first one; nothing when it has ended.
  using SessionSeen = std::function<std::optional<Seconds>(atlas::Peer)>;
  // Takes one record of an answer; false when it had no more room for it.
  using Take = std::function<bool(const Listed&)>;
  using RandomBelow = std::function<std::uint64_t(std::uint64_t)>;

  Registry(std::size_t capacity, const SipHash::Key& key, SessionSeen session_seen);

  enum class Put { kNew, kUpdated, kFull };
  Put put(const Record& record, atlas::Peer session, Seconds now);

  // A node that has a record came back, or left. Neither refreshes the record: exchanges do. A session that has ended
  // tells nothing any more, so what counts is what the sweep saw of it last, at most kSweepTurn before.
  void session_up(const NodeId& id, atlas::Peer session, Seconds now);
  void session_down(const NodeId& id, atlas::Peer session);

  // Looks at the next slice of the registry: notes when sessions were last seen, lets go of what is stale. Call it each
  // second.
  void sweep(Seconds now);

  // At most `most` records that match, a fresh random choice when there are more.
  void sample(const Filter& filter, std::size_t most, Seconds now, const RandomBelow& random, const Take& take);
  // At most `most` from the cursor on; gives where the next page begins when more match.
  std::optional<Cursor> page(const Filter& filter, const Cursor& from, std::size_t most, Seconds now, const Take& take);
  // A first page begins anywhere, so that nobody is always the first in the list.
  Cursor first_page(const RandomBelow& random) const;

  std::vector<std::uint8_t> seal(const Cursor& cursor, const Filter& filter) const;
  std::optional<Cursor> unseal(std::span<const std::uint8_t> bytes, const Filter& filter) const;

  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::size_t skills() const { return skills_.size(); }
  std::size_t operators() const { return operators_.size(); }
  std::uint64_t evicted() const { return evicted_; }

 private:
  struct Entry {
    PackedRecord record;  // empty: the slot is free
    atlas::Peer session = 0;
    Seconds last_seen = 0;  // at least so late; a live session may know better
  };
  struct IdEntry {
    Slot slot_plus_one = 0;  // 0: nobody
    std::uint32_t hash = 0;  // of the id: the table grows without a look at the records
  };
  struct IdTraits {
    bool empty(const IdEntry& entry) const { return entry.slot_plus_one == 0; }
    std::uint64_t hash(const IdEntry& entry) const { return entry.hash; }
  };
  static constexpr Slot kNoSlot = std::numeric_limits<Slot>::max();

  const Entry& at(Slot slot) const { return entries_[slot]; }
  Slot find(const NodeId& id);
  std::uint32_t id_hash(std::span<const std::uint8_t, 32> id) const { return static_cast<std::uint32_t>(hash_(id)); }
  IdEntry* find_in_ids(std::span<const std::uint8_t, 32> id);
  Slot free_slot();
  std::uint64_t term(char kind, std::string_view text) const;
  void index(Slot slot);
  void unindex(Slot slot);
  void release(Slot slot);

  bool is_stale(Slot slot, Seconds now);
  void note_session(Entry& entry);
  bool make_room(Seconds now);
  void evict(const std::vector<Slot>& stale);
  void unindex_together(const std::vector<Slot>& slots);

  // What a filter leaves to look at: a sorted list, or nothing for every slot there is.
  std::optional<std::span<const Slot>> candidates(const Filter& filter, Slot& single);
  bool matches(const Filter& filter, Slot slot, Seconds now);
  bool give(Slot slot, const Take& take) const;
  Slot next_candidate(const std::optional<std::span<const Slot>>& list, Slot from) const;
  std::uint64_t filter_hash(const Filter& filter) const;

  std::size_t capacity_;
  SipHash hash_;
  SessionSeen session_seen_;
  std::vector<Entry> entries_;
  std::vector<Slot> free_;
  std::size_t size_ = 0;
  ProbeTable<IdEntry, IdTraits> ids_;
  TermIndex skills_, operators_;
  std::size_t sweep_at_ = 0;
  Seconds nothing_stale_before_ = 0;  // known from the last search for room
  std::uint64_t evicted_ = 0;
};

}  // namespace bootstrap
