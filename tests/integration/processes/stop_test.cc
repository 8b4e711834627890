// A daemon ends when it is asked to, also where a role does not.
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

class StopTest : public testing::Test {
 protected:
  StopTest() : node(home, "node") {
    node.write_config("[plugins]\nenabled = [\"keepalive\", \"hanging\"]\nsearch = [\"" ATLAS_TEST_ROLES "\"]\n");
    node.start();
  }
  kit::TemporaryHome home;
  kit::NodeProcess node;
};

TEST_F(StopTest, RoleThatDoesNotStopIsNamedAndLeftBehind) {
  EXPECT_EQ(node.stop(), 1) << node.log();
  EXPECT_NE(node.log().find("did not stop within 10 s: hanging"), std::string::npos) << node.log();
}

TEST_F(StopTest, SecondSignalEndsItAtOnce) {
  kill(node.pid(), SIGTERM);
  ASSERT_TRUE(kit::eventually([&] { return node.log().find("stopping") != std::string::npos; })) << node.log();
  EXPECT_EQ(node.stop(), 128 + SIGTERM) << node.log();
  EXPECT_EQ(node.log().find("did not stop within"), std::string::npos) << node.log();
}

// A terminal that closes may say so more than once.
TEST(HangUp, IsAnOrderlyStopHoweverOftenItComes) {
  kit::TemporaryHome home;
  kit::NodeProcess node(home, "node");
  node.start();
  kill(node.pid(), SIGHUP);
  kill(node.pid(), SIGHUP);
  EXPECT_EQ(node.wait(), 0) << node.log();
  EXPECT_NE(node.log().find("stopping"), std::string::npos) << node.log();
}

TEST(HangUp, IsNothingUnderNohup) {
  kit::TemporaryHome home;
  kit::NodeProcess node(home, "node");
  signal(SIGHUP, SIG_IGN);  // what nohup leaves to the program
  node.start();
  signal(SIGHUP, SIG_DFL);
  kill(node.pid(), SIGHUP);
  EXPECT_EQ(node.run({"net", "status"}).exit_code, 0) << node.log();
  EXPECT_EQ(node.stop(), 0);
}

}  // namespace
}  // namespace atlas
