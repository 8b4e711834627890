#include "node/orderly_stop.h"

#include <fmt/ranges.h>

#include <utility>

#include "base/log.h"
#include "control/exit_code.h"

namespace atlas::node {

void OrderlyStop::begin(Node& node) {
  if (patience_) return;
  patience_ = loop_.make_timer([this, &node] { give_up(node); });
  patience_->arm(base::after(loop_.clock().mono_ns(), kStopPatience));
  node.begin_stop([this] {
    patience_->arm(base::kNever);
    stopped_();
  });
}

void OrderlyStop::give_up(Node& node) {
  // The goodbyes have not left either: that was all that could be done.
  if (std::exchange(gave_up_, true)) return end_process_(control::kFailure);
  patience_->arm(base::after(loop_.clock().mono_ns(), kGoodbyePatience));
  node.abandon_roles([this](const std::vector<std::string>& stuck) {
    base::log(base::Level::kError, "node", "ends without an orderly stop; this role did not stop within {} s: {}",
              kStopPatience / base::kSecond, fmt::join(stuck, ", "));
    end_process_(control::kFailure);
  });
}

}  // namespace atlas::node
