// Messages that wait for their receiver: durable before the first attempt, tried again with growing pauses until they
// are received, refused or too old, with a row for every attempt. One at a time goes to each target, no faster than the
// other side allows.
// Strand only.
#pragma once

#include <atlas/plugin.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deliver.h"
#include "lane.h"
#include "message.h"

namespace messaging {

class Outbox {
 public:
  struct Limits {
    std::uint64_t messages = 1'000;     // outbox_messages; beyond it ATLAS_E_FULL
    std::uint64_t bytes = 64ull << 20;  // outbox_bytes; beyond it ATLAS_E_FULL
    std::uint64_t audit_rows = 10'000;  // outbox_audit_rows: the oldest go first
    atlas::Millis first_pause{5'000};
    atlas::Millis longest_pause{300'000};
    atlas::Millis keep_for{7 * 24 * 3'600'000ll};
  };
  static constexpr std::size_t kMaxUnderWay = 32;      // attempts at once
  static constexpr atlas::Millis kTellWithin{20'000};  // a person hears of a message that waits behind others

  // A message as it stands.
  struct Entry {
    std::uint64_t number = 0;
    std::string target;  // as it was given
    std::string to;      // the node that the target turned out to be; the message is for no other from then on
    std::string id;
    std::int64_t created_at = 0;  // Unix seconds
    std::uint32_t attempts = 0;
    std::int64_t next_at = 0;  // Unix seconds, not before; for people; 0: not known yet
    std::string reason;        // why the last attempt did not work
  };
  struct Attempt {
    std::string id, target, outcome, reason;
    std::int64_t at = 0;
    std::uint32_t attempt = 0;
  };
  using Told = std::function<void(Outcome, const Entry&)>;
  using Refused = std::function<void(atlas::Status, const std::string& why)>;

  // `ended` runs for every message that leaves the outbox, with what became of it.
  Outbox(atlas::Host& host, Limits limits, std::function<void(Outcome)> ended)
      : host_(host), limits_(limits), ended_(std::move(ended)) {}
  // Reads what is in the store; before the first add().
  void load();
  // Stores, then tries at once. `told` runs once, after the first attempt or kTellWithin; when the message cannot be
  // kept, `refused` runs in its place: FULL for a limit of the outbox, STOPPING, or what the store says.
  void add(std::string target, Message message, Told told, Refused refused);
  // The node is there (again): what waits for it is tried now.
  void peer_is_up(std::string_view node_id, std::string_view address);
  std::vector<Entry> list() const;
  // The newest `most`, oldest first.
  std::vector<Attempt> audit(std::size_t most) const;
  // Gives up on one; false when there is no such message.
  bool remove(std::string_view id);
  // No more attempts; what is under way may end.
  void stop();
  std::size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    Entry entry;
    std::uint64_t bytes = 0;
    atlas::Millis due{0};  // of the host's clock
    atlas::Millis tell_by{0};
    bool stored = true;  // committed
    bool under_way = false;
    Told told;
  };
  using Place = std::map<std::uint64_t, Waiting>::iterator;

  void load_rows();
  void load_attempts();
  void load_audit();
  Place insert(Waiting waiting);
  void stored(std::uint64_t number);
  std::string why_no_room(std::uint64_t bytes) const;
  std::string why_not_stored(atlas::Status status, const std::string& host_says) const;
  bool may_start(const Waiting& waiting, atlas::Millis now) const;
  void start_due();
  void attempt(Place place);
  void attempted(std::uint64_t number, const std::string& target, const Delivery& delivery);
  void wait_on(Waiting& waiting, const Delivery& delivery, Lane& lane);
  void tell_those_behind(const Entry& first);
  std::string why_waiting(const Waiting& waiting) const;
  Entry shown(const Waiting& waiting) const;
  void end(Place place, Outcome outcome);
  void expire(const std::string& target);
  bool is_too_old(const Entry& entry) const;
  void tell(Waiting& waiting, Outcome outcome);
  void save(const Entry& entry);
  void note(const Entry& entry, std::string_view outcome);
  void trim_audit();
  void drop(Place place);
  void arm();
  void on_wake();
  atlas::Millis pause_after(std::uint32_t attempts) const;

  atlas::Host& host_;
  const Limits limits_;
  std::function<void(Outcome)> ended_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::map<std::string, Lane> lanes_;  // by target
  std::deque<std::uint64_t> audit_;    // numbers of the rows, oldest first
  std::uint64_t next_ = 1, next_audit_ = 1;
  std::uint64_t bytes_ = 0;
  std::size_t under_way_ = 0;
  bool stopped_ = false;
  atlas::Timer wake_;
};

}  // namespace messaging
