// A role at fault, and what the operator wanted to happen then.
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::NodeProcess;

class RoleFaultTest : public testing::Test {
 protected:
  RoleFaultTest() : node(home, "node") {}
  void configure(const std::string& on_fault) {
    // A role that others could write to would not be loaded.
    node.write_config("[plugins]\nenabled = [\"keepalive\", \"failing\"]\nsearch = [\"" ATLAS_TEST_ROLES "\"]\n" +
                      on_fault);
  }
  std::string state_of(const std::string& role) {
    for (const auto& row : node.run({"plugin", "list", "--json"}).json()) {
      if (row.at("id") == role) return row.at("state");
    }
    return "none";
  }

  kit::TemporaryHome home;
  NodeProcess node;
};

TEST_F(RoleFaultTest, NodeGoesOnWithoutIt) {
  configure("");
  node.start();
  EXPECT_TRUE(kit::eventually([&] { return state_of("failing") == "faulted"; })) << node.log();
  EXPECT_EQ(state_of("keepalive"), "running");
  EXPECT_NE(node.log().find("the moon is not full"), std::string::npos) << node.log();
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(RoleFaultTest, NodeStopsInOrderWhereTheOperatorWantsThat) {
  configure("[plugins.failing]\non_fault = \"stop-node\"\n");
  const Finished stopped = node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(stopped.exit_code, 1) << stopped.err;
  EXPECT_NE(stopped.err.find("failing"), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("stop-node"), std::string::npos) << stopped.err;
  EXPECT_NE(stopped.err.find("the moon is not full"), std::string::npos) << stopped.err;
  EXPECT_FALSE(std::filesystem::exists(node.root() / "run" / "control.sock"));
  configure("");
  node.start();
  EXPECT_EQ(node.stop(), 0) << "the root is in order";
}

}  // namespace
}  // namespace atlas
