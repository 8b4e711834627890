// What one role does wrong, and that nobody else feels it: the rows of the fault table in docs/abi.md, on real nodes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::NodeProcess;
using ::testing::HasSubstr;

// Two nodes with the role "ill", which misbehaves on one of them only.
class IllRole : public testing::Test {
 protected:
  IllRole() : node(home, "node"), other(home, "other") { configure(other, ""); }

  // `lines`: of [plugins.ill].
  static void configure(const NodeProcess& which, const std::string& lines, const std::string& plugins = "") {
    which.write_config("[plugins]\nenabled = [\"keepalive\", \"messaging\", \"ill\"]\nsearch = [\"" ATLAS_TEST_ROLES
                       "\"]\n" +
                       plugins + "[plugins.ill]\n" + lines);
  }
  void start_both() {
    node.start();
    other.start();
  }
  nlohmann::json row(const std::string& role = "ill") const {
    for (const auto& one : node.run({"plugin", "list", "--json"}).json()) {
      if (one.at("id") == role) return one;
    }
    return {{"state", "none"}, {"reason", ""}};
  }
  std::string state(const std::string& role = "ill") const { return row(role).at("state"); }
  bool comes_to(const std::string& wanted) const {
    return kit::eventually([&] { return state() == wanted; });
  }
  std::int64_t metric(const std::string& name) const {
    return node.run({"net", "status", "--json"}).json().at("metrics").at(name);
  }
  // A ping and a message, each through another role.
  void expect_others_unharmed() {
    const Finished ping = other.run({"net", "ping", node.address(), "--count", "1", "--json"});
    EXPECT_EQ(ping.exit_code, 0) << ping.err << node.log();
    const Finished sent = other.run({"net", "send", node.address(), "are you well?", "--json"});
    ASSERT_EQ(sent.exit_code, 0) << sent.err << node.log();
    EXPECT_EQ(sent.json().at("status"), "received");
    EXPECT_EQ(state("keepalive"), "running");
    EXPECT_EQ(state("messaging"), "running");
  }
  // The other node's request to the role.
  nlohmann::json ask() const {
    const Finished asked = other.run({"net", "ill", "ask", node.address(), "--json"});
    return asked.exit_code == 0 ? asked.json() : nlohmann::json{{"failed", asked.err}};
  }

  kit::TemporaryHome home;
  NodeProcess node, other;
};

TEST_F(IllRole, IsAsGoodAsAnyWhereNothingIsWrong) {
  configure(node, "");
  start_both();
  EXPECT_EQ(ask().at("status"), 0);
  EXPECT_EQ(node.run({"net", "ill", "go"}).exit_code, 0);
  expect_others_unharmed();
  EXPECT_EQ(state(), "running");
  EXPECT_EQ(node.stop(), 0);
}

// --- an exception that leaves an entry ---

struct Entry {
  const char* where;   // as the role calls it
  const char* shown;   // as the host calls it
  const char* begins;  // what leads to it: a command of the node, "ask" of the other one, or nothing
};
class ThrowIn : public IllRole, public testing::WithParamInterface<Entry> {};

TEST_P(ThrowIn, PutsTheRoleOutOfService) {
  const std::string where = GetParam().where, begins = GetParam().begins;
  configure(node, "where = \"" + where + "\"\n");
  start_both();
  if (begins == "ask") {
    const auto told = ask();
    if (where == "message") {
      EXPECT_EQ(told.at("error_code"), 5001) << told;
      EXPECT_EQ(told.at("error"), "internal error") << told;
    }
  } else if (begins == "ask back") {
    node.run({"net", "ill", "ask", other.address()});
  } else if (!begins.empty()) {
    node.run({"net", "ill", begins});
  }
  ASSERT_TRUE(comes_to("faulted")) << row() << node.log();
  EXPECT_EQ(row().at("reason"), "exception in " + std::string(GetParam().shown) + ": ill in " + where);
  EXPECT_EQ(row().at("faults"), 1);
  EXPECT_EQ(metric("atlas_ill_faults"), 1);
  EXPECT_THAT(node.log(), HasSubstr("out of service: exception in " + std::string(GetParam().shown)));
  const auto status = node.run({"net", "status", "--json"}).json().at("plugins");
  EXPECT_THAT(status.dump(), HasSubstr("ill in " + where));
  expect_others_unharmed();
  EXPECT_EQ(node.run({"net", "ill", "go"}).exit_code, 2) << "its commands are gone";
  EXPECT_EQ(node.stop(), 0) << node.log();
}

INSTANTIATE_TEST_SUITE_P(EachEntry, ThrowIn,
                         testing::Values(Entry{"start", "start", ""}, Entry{"message", "message handler 0x90", "ask"},
                                         Entry{"answer", "answer callback", "ask back"},
                                         Entry{"command", "command", "go"}, Entry{"timer", "timer", "go"},
                                         Entry{"post", "posted call", "go"}, Entry{"store", "store callback", "go"},
                                         Entry{"bus event", "bus event", "go"},
                                         Entry{"bus request", "bus request", "go"},
                                         Entry{"bus answer", "bus answer", "go"},
                                         Entry{"peer event", "peer event", "ask"}),
                         [](const auto& info) {
                           std::string name(info.param.where);
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

TEST_F(IllRole, ThatThrowsInInitIsRefused) {
  configure(node, "where = \"init\"\n");
  const Finished refused = node.run({"net", "listen", "--port", "0", "--bind", "127.0.0.1"});
  EXPECT_EQ(refused.exit_code, 3) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("ill.so: exception in init: ill in init"));
  const Finished listed = node.run({"plugin", "list", "--json"});
  EXPECT_EQ(listed.exit_code, 3);
  EXPECT_EQ(state(), "refused");
  EXPECT_EQ(row().at("reason"), "exception in init: ill in init");
  EXPECT_EQ(state("keepalive"), "ready");
}

TEST_F(IllRole, ThatThrowsInDrainOrStopKeepsNobodyFromStopping) {
  for (const std::string where : {"drain", "stop"}) {
    configure(node, "where = \"" + where + "\"\n");
    node.start();
    EXPECT_EQ(node.stop(), 0) << node.log();
    EXPECT_THAT(node.log(), HasSubstr("exception in " + where + ": ill in " + where));
  }
}

TEST_F(IllRole, StopsTheNodeWhereTheOperatorWantsThat) {
  configure(node, "where = \"timer\"\non_fault = \"stop-node\"\n");
  node.start();
  node.run({"net", "ill", "go"});
  EXPECT_EQ(node.wait(), 1);
  EXPECT_THAT(node.log(), HasSubstr("the role ill is out of service, and its on_fault = \"stop-node\": exception in "
                                    "timer: ill in timer"));
  EXPECT_FALSE(std::filesystem::exists(node.root() / "run" / "control.sock"));
}

// --- a callback that takes too long ---

TEST_F(IllRole, ThatBlocksForTenSecondsIsCutOffAndThenOutOfService) {
  configure(node, "where = \"message\"\nwhat = \"block\"\n");
  start_both();
  const auto told = ask();  // an answer long before the role could give one
  EXPECT_EQ(told.at("error_code"), 5001) << told;
  EXPECT_EQ(state(), "stuck");
  EXPECT_THAT(row().at("reason"), HasSubstr("ms and does not return, the hard budget is 1000 ms"));
  EXPECT_THAT(node.log(), HasSubstr("stuck, and cut off from whoever waits for it"));
  EXPECT_EQ(metric("atlas_ill_faults"), 1);
  expect_others_unharmed();
  const Finished command = node.run({"net", "ill", "go"});
  EXPECT_EQ(command.exit_code, 1);
  EXPECT_THAT(command.err, HasSubstr("plugin ill does not return from a callback"));
  ASSERT_TRUE(comes_to("faulted"));
  EXPECT_THAT(row().at("reason"), HasSubstr("message handler 0x90 took 10"));
  EXPECT_EQ(metric("atlas_ill_faults"), 1) << "one fault, not two";
  expect_others_unharmed();
  EXPECT_EQ(node.stop(), 0) << node.log();
}

TEST_F(IllRole, ThatIsSlowIsCountedAndStays) {
  configure(node, "where = \"timer\"\nwhat = \"block\"\nblock_ms = 40\n",
            "soft_budget = \"10ms\"\nhard_budget = \"60s\"\n");
  start_both();
  node.run({"net", "ill", "go"});
  EXPECT_TRUE(kit::eventually([&] { return metric("atlas_ill_slow_callbacks") == 1; })) << node.log();
  EXPECT_THAT(node.log(), HasSubstr("ms, the soft budget is 10 ms"));
  EXPECT_EQ(state(), "running");
  expect_others_unharmed();
}

TEST_F(IllRole, ThatNeverReturnsDoesNotKeepTheNodeFromStopping) {
  configure(node, "where = \"message\"\nwhat = \"hang\"\n", "soft_budget = \"10ms\"\nhard_budget = \"100ms\"\n");
  start_both();
  EXPECT_EQ(ask().at("error_code"), 5001);
  ASSERT_TRUE(comes_to("stuck")) << node.log();
  expect_others_unharmed();
  EXPECT_EQ(node.stop(), 1) << node.log();
  EXPECT_THAT(node.log(), HasSubstr("did not stop within 10 s: ill"));
  configure(node, "");
  node.start();
  EXPECT_EQ(node.run({"net", "inbox", "--json"}).json().size(), 1u) << "the other roles' data is there";
  EXPECT_EQ(node.stop(), 0);
}

TEST_F(IllRole, ThatNeverReturnsStopsTheNodeWhereTheOperatorWantsThat) {
  configure(node, "where = \"command\"\nwhat = \"hang\"\non_fault = \"stop-node\"\n",
            "soft_budget = \"10ms\"\nhard_budget = \"100ms\"\n");
  node.start();
  EXPECT_NE(node.run({"net", "ill", "go"}).exit_code, 0);
  EXPECT_EQ(node.wait(), 1);
  EXPECT_THAT(node.log(), HasSubstr("stuck, and cut off"));
  EXPECT_THAT(node.log(), HasSubstr("did not stop within 10 s: ill"));
}

// --- more and more of something ---

// A kind, and the status that ends it. Of a million sends the network may take all, drop what the peer has no stream
// for, and lose the session when the peer has had enough: then it is OK or GONE, and else FULL as for all others.
struct Kind {
  const char* name;
  std::vector<int> ends;
};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}
class Flood : public IllRole, public testing::WithParamInterface<Kind> {};

TEST_P(Flood, EndsAtItsLimitAndHarmsNobody) {
  // A callback that does nothing else for so long is another matter.
  configure(node, "", "soft_budget = \"60s\"\nhard_budget = \"60s\"\n");
  NodeProcess flooded(home, "flooded");
  configure(flooded, "");
  flooded.start();
  start_both();
  ASSERT_EQ(node.run({"net", "connect", flooded.address()}).exit_code, 0);
  const Finished flood = node.run({"net", "ill", "flood", GetParam().name, flooded.node_id(), "--json"});
  ASSERT_EQ(flood.exit_code, 0) << flood.err << node.log();
  EXPECT_THAT(GetParam().ends, testing::Contains(flood.json().at("status").get<int>())) << flood.out;
  EXPECT_GT(flood.json().at("accepted"), 0) << flood.out;
  expect_others_unharmed();
  EXPECT_EQ(state(), "running") << row();
  EXPECT_EQ(node.stop(), 0) << node.log();
  EXPECT_EQ(flooded.stop(), 0) << flooded.log();
}

INSTANTIATE_TEST_SUITE_P(Each, Flood,
                         testing::Values(Kind{"sends", {-6, -4, 0}}, Kind{"requests", {-6}}, Kind{"timers", {-6}},
                                         Kind{"posts", {-6}}, Kind{"rows", {-6}}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace atlas
