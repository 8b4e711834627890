#include "node/peer_journal.h"

#include <algorithm>

namespace atlas::node {

PeerJournal::Pending& PeerJournal::of(const std::string& node_id) {
  const auto found = pending_.find(node_id);
  if (found != pending_.end()) return found->second;
  if (pending_.size() >= kMaxJournal) flush();
  // One alone is written in this turn, so that a node that is killed a moment later finds it; only what comes close
  // behind another waits.
  if (pending_.empty()) deadlines_.set(*this, std::max(deadlines_.now(), base::after(flushed_at_, kJournalPause)));
  return pending_[node_id];
}

void PeerJournal::opened(const wire::PeerRecord& record, store::SessionRecord session) {
  Pending& pending = of(record.node_id);
  pending.proved = record;
  pending.session = std::move(session);
  pending.gone = false;
}

void PeerJournal::moved(store::SessionRecord session) {
  Pending& pending = of(session.node_id);
  pending.session = std::move(session);
}

void PeerJournal::closed(const std::string& node_id, std::int64_t last_seen, bool session_row) {
  const bool known = pending_.contains(node_id);
  Pending& pending = of(node_id);
  pending.seen = last_seen;
  if (!session_row) return;
  // A session that began and ended within the pause never had a row.
  pending.had_row = pending.had_row || !known || !pending.proved;
  pending.session.reset();
  pending.gone = true;
}

void PeerJournal::flush() {
  deadlines_.clear(*this);
  if (!pending_.empty()) flushed_at_ = deadlines_.now();
  for (auto& [node_id, pending] : pending_) {
    if (pending.proved) {
      if (pending.seen) pending.proved->last_seen = std::max(pending.proved->last_seen, *pending.seen);
      store_.put_proved(*pending.proved);
    } else if (pending.seen) {
      store_.touch(node_id, *pending.seen);
    }
    if (pending.session) {
      store_.put_session(*pending.session);
    } else if (pending.gone && pending.had_row) {
      store_.remove_session(node_id);
    }
  }
  pending_.clear();
}

}  // namespace atlas::node
