#include "node/restart_notice.h"

#include <algorithm>

#include "base/log.h"

namespace atlas::node {

RestartNotice::RestartNotice(quic::Endpoint& endpoint, Deadlines& deadlines, std::vector<store::SessionRecord> lost,
                             std::function<bool(std::string_view)> is_back)
    : endpoint_(endpoint), deadlines_(deadlines), is_back_(std::move(is_back)) {
  for (auto& session : lost) {
    const auto address = net::SocketAddress::parse(session.address);
    if (!address || !session.loss_token) continue;
    lost_.push_back({std::move(session.node_id), *address, *session.loss_token});
  }
  if (lost_.empty()) return;
  base::log(base::Level::kInfo, "node", "the last process left {} sessions; their peers are told", lost_.size());
  deadlines_.set(*this, deadlines_.now());
}

void RestartNotice::on_expire(base::MonoNs now) {
  for (std::size_t told = 0; told < kNoticesAtOnce && next_ < lost_.size(); ++next_) {
    const Lost& lost = lost_[next_];
    if (is_back_(lost.node_id)) continue;
    endpoint_.announce_loss(lost.address, lost.token);
    ++told;
  }
  if (next_ < lost_.size()) return deadlines_.set(*this, base::after(now, kNoticePause));
  if (--rounds_left_ == 0) return;
  std::erase_if(lost_, [this](const Lost& lost) { return is_back_(lost.node_id); });
  next_ = 0;
  if (!lost_.empty()) deadlines_.set(*this, base::after(now, kNoticeRoundPause));
}

}  // namespace atlas::node
