// After a restart the peers of lost sessions are told, a batch at a time.
#include "node/restart_notice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "unit/host/host_fixture.h"
#include "unit/node/fake_endpoint.h"

namespace atlas::node {
namespace {

class RestartNoticeTest : public testing::Test {
 protected:
  static constexpr std::int64_t kNow = 1'700'000'000;

  RestartNoticeTest() : loop(clock), deadlines(loop) {}

  static store::SessionRecord session(std::size_t number, std::int64_t connected_at = kNow - 60) {
    store::SessionRecord out;
    out.node_id = "atlas_" + std::to_string(number);
    out.address = "192.0.2.1:" + std::to_string(number + 1);
    out.connected_at = connected_at;
    out.loss_token = base::ByteArray<16>{};
    return out;
  }
  void settle() {
    while (loop.run_once()) {
    }
  }

  std::function<bool(std::string_view)> is_back() {
    return [this](std::string_view node_id) { return std::ranges::find(back, node_id) != back.end(); };
  }

  host::test::ManualClock clock;
  host::test::ManualLoop loop;
  Deadlines deadlines;
  FakeEndpoint endpoint;
  std::vector<std::string> back;
};

TEST_F(RestartNoticeTest, TellsInBatches) {
  std::vector<store::SessionRecord> lost;
  for (std::size_t i = 0; i < 2 * kNoticesAtOnce + 1; ++i) lost.push_back(session(i));
  RestartNotice notice(endpoint, deadlines, std::move(lost), is_back());
  settle();
  EXPECT_EQ(endpoint.told.size(), kNoticesAtOnce);
  settle();
  EXPECT_EQ(endpoint.told.size(), kNoticesAtOnce) << "the next batch has to wait";
  clock.advance(kNoticePause);
  settle();
  EXPECT_EQ(endpoint.told.size(), 2 * kNoticesAtOnce);
  clock.advance(kNoticePause);
  settle();
  EXPECT_EQ(endpoint.told.size(), 2 * kNoticesAtOnce + 1);
  EXPECT_EQ(notice.left(), 2 * kNoticesAtOnce + 1) << "the next round looks at all of them";
}

TEST_F(RestartNoticeTest, LeavesOutWhoCannotBeTold) {
  auto without_token = session(1);
  without_token.loss_token.reset();
  auto without_address = session(2);
  without_address.address = "nowhere";
  const RestartNotice notice(endpoint, deadlines, {without_token, without_address, session(3)}, is_back());
  settle();
  EXPECT_EQ(endpoint.told, std::vector<std::string>{"192.0.2.1:4"});
}

// A notice may be lost: whoever is not back hears it again, a few times and no more.
TEST_F(RestartNoticeTest, TellsThoseAgainThatAreNotBack) {
  RestartNotice notice(endpoint, deadlines, {session(0), session(1)}, is_back());
  settle();
  EXPECT_EQ(endpoint.told.size(), 2u);
  back.push_back("atlas_0");
  std::vector<std::string> expected = endpoint.told;
  for (int round = 1; round < kNoticeRounds + 2; ++round) {
    clock.advance(kNoticeRoundPause);
    settle();
    if (round < kNoticeRounds) expected.push_back("192.0.2.1:2");
    EXPECT_EQ(endpoint.told, expected) << "round " << round;
  }
}

TEST_F(RestartNoticeTest, IsOverWhenAllAreBack) {
  RestartNotice notice(endpoint, deadlines, {session(0)}, is_back());
  settle();
  back.push_back("atlas_0");
  clock.advance(kNoticeRoundPause);
  settle();
  EXPECT_EQ(endpoint.told.size(), 1u);
  EXPECT_EQ(notice.left(), 0u);
  EXPECT_FALSE(notice.armed());
}

}  // namespace
}  // namespace atlas::node
