// The database of a trial: rows in memory, and commits that wait until the trial lets them happen. Any thread.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "store/store.h"

namespace atlas::trial {

class Rows final : public store::Store {
 public:
  using Key = std::pair<std::string, base::Bytes>;  // plugin, key

  void put_proved(const wire::PeerRecord&) override {}
  void put_told(const wire::PeerRecord&) override {}
  void mark_failure(const std::string&, wire::DialFailure) override {}
  void touch(const std::string&, std::int64_t) override {}
  void set_ban(const std::string&, std::int64_t, const std::string&) override {}
  void lift_ban(const std::string&) override {}
  std::optional<wire::PeerRecord> peer(const std::string&) override { return std::nullopt; }
  std::vector<wire::PeerRecord> peers(std::size_t) override { return {}; }
  std::vector<wire::PeerRecord> bans() override { return {}; }
  void clear_sessions() override {}
  void put_session(const store::SessionRecord&) override {}
  void remove_session(const std::string&) override {}
  std::vector<store::SessionRecord> sessions() override { return {}; }

  std::optional<base::Bytes> get(std::string_view plugin, base::ByteView key) override;
  base::Result<void> put(std::string_view plugin, base::ByteView key, base::ByteView value,
                         store::Durable done) override;
  base::Result<void> remove(std::string_view plugin, base::ByteView key, store::Durable done) override;
  void scan(std::string_view plugin, base::ByteView prefix, base::ByteView after,
            const std::function<bool(base::ByteView, base::ByteView)>& row) override;
  void flush() override {}
  store::StoreCounters counters() const override { return {}; }

  // Tells one who waits for a commit. False when nobody does, or commits are held up.
  bool turn();
  void hold_up(bool on) { held_up_ = on; }
  std::map<Key, base::Bytes>& rows() { return rows_; }

 private:
  std::mutex mutex_;
  std::map<Key, base::Bytes> rows_;
  std::deque<store::Durable> waiting_;
  bool held_up_ = false;
};

}  // namespace atlas::trial
