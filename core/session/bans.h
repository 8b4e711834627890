// Who is banned, in memory: asked at every handshake, kept in the peer database by the node.
// Loop thread only. Keys are authenticated node ids; times are Unix seconds, passed in.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/keyed_hash.h"
#include "base/limits.h"
#include "base/random.h"
#include "wire/peer_record.h"

namespace atlas::session {

struct Ban {
  std::int64_t until = 0;  // Unix seconds; over at this second
  std::string reason;
};

class BanList {
 public:
  static constexpr std::size_t kDefaultMost = base::limits::session_bans;
  static constexpr std::size_t kMaxBanReason = base::limits::session_reason_bytes;  // bytes; cut

  explicit BanList(base::Random& random, std::size_t most = kDefaultMost);

  // Rows of the database at start: those with a ban_until that lies ahead.
  void load(const std::vector<wire::PeerRecord>& rows, std::int64_t now);
  // The reason when the node is banned at `now`.
  std::optional<std::string> check(std::string_view node_id, std::int64_t now) const;
  // Of two bans the one that ends later stays, with its reason. At capacity those that are over go first, then the one
  // that ends soonest; a ban that would end sooner than all of them is not added. Returns the ban in force.
  std::optional<Ban> add(std::string_view node_id, std::int64_t until, std::string_view reason, std::int64_t now);
  bool lift(std::string_view node_id);   // false: there was none
  std::size_t expire(std::int64_t now);  // how many went
  std::size_t size() const { return bans_.size(); }
  std::uint64_t displaced() const { return displaced_; }  // bans that capacity ended early

 private:
  struct Hash {
    using is_transparent = void;
    base::KeyedHash keyed;
    std::size_t operator()(std::string_view text) const { return keyed(base::as_bytes(text)); }
  };
  using ByEnd = std::multimap<std::int64_t, std::string>;
  struct Held {
    std::string reason;
    ByEnd::iterator end;
  };
  void erase(ByEnd::iterator end);

  std::unordered_map<std::string, Held, Hash, std::equal_to<>> bans_;
  ByEnd by_end_;
  std::size_t most_;
  std::uint64_t displaced_ = 0;
};

}  // namespace atlas::session
