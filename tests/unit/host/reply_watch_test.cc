// The watch over unanswered requests: it must never believe itself armed when it is not.
#include "host/reply_watch.h"

#include "host/plugin.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ReplyWatchTest = HostTest;

TEST_F(ReplyWatchTest, AnswerOnAnotherThreadDoesNotBlindIt) {
  const auto services = std::make_shared<Services>(setup());
  const auto plugin = std::make_shared<Plugin>(services, Descriptor{});
  const auto watch = std::make_shared<ReplyWatch>(plugin, services->timers);
  const auto first = plugin->replies.open(1, 7, true, base::after(clock.mono_ns(), kAnswerTimeout));
  // The strand has seen it open; before it gets to the watch the plugin's own thread answers.
  ReplyHandle open = 0;
  ASSERT_EQ(plugin->replies.take(first, &open), OpenReplies::Taken::kYes);
  watch->watch();
  settle();
  plugin->replies.open(2, 7, true, base::after(clock.mono_ns(), kAnswerTimeout));
  watch->watch();
  pass(kAnswerTimeout);
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].to, 2u);
  EXPECT_EQ(network.replies[0].error_code(), 5001u);
  services->timers->close();
}

}  // namespace
}  // namespace atlas::host::test
