// A stop happens once, and ends the process when a role or the goodbyes do not let it end.
#include "node/orderly_stop.h"

#include <gtest/gtest.h>

#include "unit/node/manual_loop.h"

namespace atlas::node {
namespace {

class StoppingNode final : public Node {
 public:
  base::Result<void> start() override { return {}; }
  void begin_stop(std::function<void()> done) override {
    ++stops;
    stopped = std::move(done);
  }
  void abandon_roles(std::function<void(const std::vector<std::string>&)> done) override {
    ++abandoned;
    said_goodbye = std::move(done);
  }
  std::vector<net::SocketAddress> listening() const override { return {}; }
  const std::string& node_id() const override { return id; }
  void handle(const control::Request&, std::shared_ptr<control::Call>) override {}
  std::size_t session_count() const override { return 0; }
  const quic::EndpointCounters& endpoint_counters() const override { return counters; }

  int stops = 0, abandoned = 0;
  std::function<void()> stopped;
  std::function<void(const std::vector<std::string>&)> said_goodbye;
  const std::string id;
  const quic::EndpointCounters counters;
};

class OrderlyStopTest : public testing::Test {
 protected:
  ManualLoop loop;
  StoppingNode node;
  int stopped = 0;
  std::vector<int> ended;
  OrderlyStop stop{loop, [this] { ++stopped; }, [this](int code) { ended.push_back(code); }};
};

TEST_F(OrderlyStopTest, TwoRequestsAreOneStop) {
  stop.begin(node);
  stop.begin(node);
  EXPECT_EQ(node.stops, 1);
  node.stopped();
  stop.begin(node);  // a command's end that was on its way when the signal came
  EXPECT_EQ(node.stops, 1);
  EXPECT_EQ(stopped, 1);
  loop.advance(2 * kStopPatience);
  EXPECT_EQ(node.abandoned, 0);
  EXPECT_TRUE(ended.empty());
}

TEST_F(OrderlyStopTest, SecondRequestGivesNoMorePatience) {
  stop.begin(node);
  loop.advance(kStopPatience - base::kSecond);
  stop.begin(node);
  loop.advance(base::kSecond);
  EXPECT_EQ(node.abandoned, 1);
}

TEST_F(OrderlyStopTest, RoleThatDoesNotStopIsLeftBehind) {
  stop.begin(node);
  loop.advance(kStopPatience);
  ASSERT_EQ(node.abandoned, 1);
  EXPECT_TRUE(ended.empty());
  testing::internal::CaptureStderr();
  node.said_goodbye({"hanging"});
  EXPECT_NE(testing::internal::GetCapturedStderr().find("did not stop within 10 s: hanging"), std::string::npos);
  EXPECT_EQ(ended, std::vector<int>{1});
  EXPECT_EQ(stopped, 0);
}

TEST_F(OrderlyStopTest, GoodbyesThatDoNotLeaveAreLeftBehindToo) {
  stop.begin(node);
  loop.advance(kStopPatience + kGoodbyePatience);
  EXPECT_EQ(node.abandoned, 1);
  EXPECT_EQ(ended, std::vector<int>{1});
}

}  // namespace
}  // namespace atlas::node
