// A node that stops comes to an end, whatever its peers do meanwhile (wire protocol, section 4).
#include <gtest/gtest.h>

#include "integration/node_test.h"
#include "node/switchboard.h"

namespace atlas::node {
namespace {

using kit::RawLine;

class Stop : public NodeTest {
 protected:
  // With the session of a peer that has fallen silent: the node's goodbye to it takes its whole time.
  void start_with_a_silent_peer() {
    start();
    peer().session(address());
    newcomer_ = std::make_unique<kit::RawPeer>(world(), late_machine_);
    world().cut(node_.machine(), raw_machine_);
  }
  // A connection of the newcomer's that is in the middle of TLS: its answer takes so long from now on.
  RawLine& half_open(base::MonoNs latency) {
    RawLine& line = newcomer_->dial(address());
    EXPECT_TRUE(world().run_until([&] { return endpoint().half_open == 1; }, base::kSecond));
    sim::LinkPolicy slow;
    slow.latency = latency;
    world().set_link(late_machine_, node_.machine(), slow);
    return line;
  }
  void begin_stop() {
    begun_ = world().now();
    node_.node().begin_stop([this] { over_ = true; });
  }
  // Not a millisecond later than the goodbyes may take, the drain of the roles before them included.
  bool comes_to_an_end() {
    const base::MonoNs latest = begun_ + kStopWait + base::kSecond;
    return world().now() <= latest && world().run_until([&] { return over_; }, latest - world().now());
  }
  const quic::EndpointCounters& endpoint() { return node_.node().endpoint_counters(); }

  sim::SimNode& late_machine_ = world().add_node("late");
  std::unique_ptr<kit::RawPeer> newcomer_;
  base::MonoNs begun_ = 0;
  bool over_ = false;
};

TEST_F(Stop, AConnectionThatLeavesTlsMeanwhileIsClosedAtOnce) {
  start_with_a_silent_peer();
  RawLine& line = half_open(250 * base::kMillisecond);
  begin_stop();
  EXPECT_FALSE(newcomer_->greet(line));
  ASSERT_TRUE(comes_to_an_end());
  EXPECT_EQ(sessions(), 0u);
  world().run_for(base::kSecond);
  EXPECT_TRUE(line.closed_by_peer_with(0));
}

TEST_F(Stop, AConnectionThatStaysInTlsIsClosedInTheEnd) {
  start_with_a_silent_peer();
  RawLine& line = half_open(60 * base::kSecond);
  begin_stop();
  ASSERT_TRUE(comes_to_an_end());
  ASSERT_TRUE(newcomer_->wait_closed(line, base::kSecond)) << "nobody told the newcomer";
  EXPECT_NE(line.closed->by, quic::CloseInfo::By::kHandshakeTimeout);
}

TEST_F(Stop, ASocketThatTakesNothingDoesNotHoldItUp) {
  start();
  peer().session(address());
  ASSERT_EQ(sessions(), 1u);
  node_.machine().loop().block_sending(true);
  begin_stop();
  EXPECT_TRUE(comes_to_an_end());
}

}  // namespace
}  // namespace atlas::node
