// After a node died without a word, its peers wait for a silence to become long enough. The next process tells them:
// the sessions that the last one left in the database get a stateless reset each, in batches, and their peers come back
// within a moment instead of minutes. A datagram may be lost, and peers that all come back at once lose many: those
// that are not back are told again, a few times.
//
// Loop thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "node/deadlines.h"
#include "quic/endpoint.h"
#include "store/store.h"

namespace atlas::node {

inline constexpr std::size_t kNoticesAtOnce = base::limits::node_notices;  // small datagrams in one turn
inline constexpr base::MonoNs kNoticePause = 20 * base::kMillisecond;      // so 10 000 sessions take a second
inline constexpr int kNoticeRounds = base::limits::node_notice_rounds;
inline constexpr base::MonoNs kNoticeRoundPause = base::kSecond;  // from the end of one round to the next

class RestartNotice final : public net::TimerHeap::Entry {
 public:
  // `lost` as the store had it at start, longest connected first. `is_back` tells whether a node has a session again.
  RestartNotice(quic::Endpoint& endpoint, Deadlines& deadlines, std::vector<store::SessionRecord> lost,
                std::function<bool(std::string_view node_id)> is_back);
  ~RestartNotice() override { deadlines_.clear(*this); }
  void on_expire(base::MonoNs now) override;
  // Peers that this round has still to look at.
  std::size_t left() const { return lost_.size() - next_; }

 private:
  struct Lost {
    std::string node_id;
    net::SocketAddress address;
    base::ByteArray<16> token;
  };
  quic::Endpoint& endpoint_;
  Deadlines& deadlines_;
  std::vector<Lost> lost_;
  const std::function<bool(std::string_view)> is_back_;
  std::size_t next_ = 0;
  int rounds_left_ = kNoticeRounds;
};

}  // namespace atlas::node
