// What sessions prove about peers, on its way to the database. A row that comes within a moment of the last
// write waits for the rest of it, so that where many peers come and go each costs one write in place of four, and the
// writer wakes once for many of them. A killed node loses at most this moment of rows that a session can prove again.
//
// Loop thread only.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "base/limits.h"
#include "node/deadlines.h"
#include "store/store.h"

namespace atlas::node {

inline constexpr base::MonoNs kJournalPause = 50 * base::kMillisecond;
inline constexpr std::size_t kMaxJournal = base::limits::node_journal;  // peers; then it is written at once

class PeerJournal final : public net::TimerHeap::Entry {
 public:
  PeerJournal(store::Store& store, Deadlines& deadlines) : store_(store), deadlines_(deadlines) {}
  // What was not flushed is lost, as when the process dies.
  ~PeerJournal() override { deadlines_.clear(*this); }

  void opened(const wire::PeerRecord& record, store::SessionRecord session);
  void moved(store::SessionRecord session);
  // `session_row`: the session's row is this one's to remove, not a newer session's of the same peer.
  void closed(const std::string& node_id, std::int64_t last_seen, bool session_row);
  void flush();
  void on_expire(base::MonoNs) override { flush(); }
  std::size_t size() const { return pending_.size(); }

 private:
  struct Pending {
    std::optional<wire::PeerRecord> proved;
    std::optional<store::SessionRecord> session;
    bool had_row = false;  // a session row may be in the database from before
    bool gone = false;
    std::optional<std::int64_t> seen;
  };
  Pending& of(const std::string& node_id);

  store::Store& store_;
  Deadlines& deadlines_;
  std::unordered_map<std::string, Pending> pending_;
  base::MonoNs flushed_at_ = 0;
};

}  // namespace atlas::node
