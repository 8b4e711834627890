#include "node/restart_notice.h"

#include <algorithm>

#include "base/log.h"

namespace atlas::node {

RestartNotice::RestartNotice(quic::Endpoint& endpoint, Deadlines& deadlines, std::vector<store::SessionRecord> lost,
                             std::int64_t unix_now)
    : endpoint_(endpoint), deadlines_(deadlines) {
  for (const auto& session : lost) {
    const auto address = net::SocketAddress::parse(session.address);
    if (!address || !session.loss_token || base::distance(unix_now, session.connected_at) > kNoticeAge) continue;
    lost_.push_back({*address, *session.loss_token});
  }
  if (lost_.empty()) return;
  base::log(base::Level::kInfo, "node", "the last process left {} sessions; their peers are told", lost_.size());
  deadlines_.set(*this, deadlines_.now());
}

void RestartNotice::on_expire(base::MonoNs now) {
  for (std::size_t i = 0; i < kNoticesAtOnce && next_ < lost_.size(); ++i, ++next_) {
    endpoint_.announce_loss(lost_[next_].address, lost_[next_].token);
  }
  if (next_ < lost_.size()) deadlines_.set(*this, base::after(now, kNoticePause));
}

}  // namespace atlas::node
