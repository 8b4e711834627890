#include "host/reply_watch.h"

#include <vector>

#include "host/plugin.h"

namespace atlas::host {

void ReplyWatch::watch() {
  const auto plugin = plugin_.lock();
  if (!plugin || !driver_) return;
  while (!armed_.exchange(true)) {
    const base::MonoNs next = plugin->replies.next_deadline();
    if (next != base::kNever) return driver_->arm(shared_from_this(), next);
    // The request was answered, or its peer left, on another thread meanwhile. There is nothing to ring for; to stay
    // armed would leave every later request unwatched.
    armed_ = false;
    if (plugin->replies.next_deadline() == base::kNever) return;
  }
}

base::MonoNs ReplyWatch::ring(base::MonoNs now) {
  const auto plugin = plugin_.lock();
  if (!plugin) return base::kNever;
  // First this, then the look: a request that opens in between arms the watch itself.
  armed_ = false;
  std::vector<OpenReplies::Overdue> overdue;
  const base::MonoNs next = plugin->replies.expire(now, overdue);
  for (const OpenReplies::Overdue& request : overdue) {
    if (!request.promised) continue;
    plugin->unanswered.fetch_add(1, std::memory_order_relaxed);
    plugin->send_error(request.network, ATLAS_ERROR_INTERNAL, "no answer in time");
  }
  if (next != base::kNever) armed_ = true;
  return next;
}

}  // namespace atlas::host
