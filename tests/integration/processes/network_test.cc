// A bootstrap node and two agents as processes: they register, discover, connect, ping and exchange messages.
#include <gtest/gtest.h>

#include "kit/processes.h"

namespace atlas {
namespace {

using kit::Finished;
using kit::NodeProcess;

class NetworkTest : public testing::Test {
 protected:
  NetworkTest() : bootstrap(home, "bootstrap"), alice(home, "alice"), bob(home, "bob") {
    bootstrap.write_config("[plugins]\nenabled = [\"bootstrap\", \"keepalive\"]\n");
    bob.run({"id", "add-skill", "translate"});
    bootstrap.start();
    alice.start({"--bootstrap", bootstrap.address()});
    bob.start({"--bootstrap", bootstrap.address()});
  }
  bool both_are_registered() {
    return kit::eventually([&] { return bootstrap.run({"net", "registry", "--json"}).json().size() == 2; });
  }

  kit::TemporaryHome home;
  NodeProcess bootstrap, alice, bob;
};

TEST_F(NetworkTest, FromRegisterToMessage) {
  ASSERT_TRUE(both_are_registered()) << bootstrap.log() << alice.log();
  const Finished found = alice.run({"net", "discover", "--skill", "translate", "--json"});
  ASSERT_EQ(found.exit_code, 0) << found.err;
  ASSERT_EQ(found.json().size(), 1u) << found.out;
  EXPECT_EQ(found.json()[0]["node_id"], bob.node_id());
  EXPECT_EQ(found.json()[0]["address"], bob.address());
  EXPECT_EQ(found.json()[0]["name"], "bob");

  const Finished connected = alice.run({"net", "connect", bob.node_id(), "--json"});
  ASSERT_EQ(connected.exit_code, 0) << connected.err;
  EXPECT_EQ(connected.json()["node_id"], bob.node_id());
  EXPECT_EQ(connected.json()["path"], "direct");
  EXPECT_EQ(connected.json()["trust_level"], "unknown");
  EXPECT_GT(connected.json()["rtt_ms"].get<double>(), 0.0);

  const Finished ping = alice.run({"net", "ping", bob.node_id(), "--count", "2", "--interval", "50ms", "--json"});
  ASSERT_EQ(ping.exit_code, 0) << ping.err;
  EXPECT_EQ(ping.json()["received"], 2);

  const Finished sent = alice.run({"net", "send", bob.node_id(), R"({"text":"hello bob"})", "--json"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(sent.json()["status"], "received");
  const Finished inbox = bob.run({"net", "inbox", "--json"});
  ASSERT_EQ(inbox.json().size(), 1u) << inbox.out;
  EXPECT_EQ(inbox.json()[0]["body"]["text"], "hello bob");
  EXPECT_EQ(inbox.json()[0]["id"], sent.json()["id"]);
}

TEST_F(NetworkTest, PeersShowTheBootstrapNodeAsBootstrap) {
  ASSERT_TRUE(both_are_registered());
  const auto peers = alice.run({"net", "peers", "--json"}).json();
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_EQ(peers[0]["trust_level"], "bootstrap");
  EXPECT_EQ(peers[0]["connected"], true);
}

TEST_F(NetworkTest, DisconnectEndsTheSessionOnBothSides) {
  ASSERT_EQ(alice.run({"net", "connect", bob.address(), "--json"}).exit_code, 0);
  const Finished parted = alice.run({"net", "disconnect", bob.node_id()});
  EXPECT_EQ(parted.exit_code, 0) << parted.err;
  const auto gone = [&](NodeProcess& node, const std::string& peer) {
    for (const auto& row : node.run({"net", "peers", "--json"}).json()) {
      if (row["node_id"] == peer) return row["connected"] == false;
    }
    return false;
  };
  EXPECT_TRUE(kit::eventually([&] { return gone(alice, bob.node_id()) && gone(bob, alice.node_id()); }));
  EXPECT_EQ(alice.run({"net", "disconnect", bob.node_id()}).exit_code, 6);
}

TEST_F(NetworkTest, MessageWaitsForAReceiverThatIsAway) {
  ASSERT_EQ(alice.run({"net", "connect", bob.address()}).exit_code, 0);
  ASSERT_EQ(bob.stop(), 0);
  const Finished sent = alice.run({"net", "send", bob.node_id(), "are you there?", "--json"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(sent.json()["status"], "waiting");
  bob.start();
  EXPECT_TRUE(kit::eventually([&] { return bob.run({"net", "inbox", "--json"}).json().size() == 1; }));
  // The acknowledgement comes back a moment after the message is there.
  nlohmann::json audit;
  EXPECT_TRUE(kit::eventually([&] {
    audit = alice.run({"net", "outbox", "--audit", "--json"}).json();
    return !audit.empty() && audit.back()["outcome"] == "received";
  })) << audit;
  EXPECT_GE(audit.size(), 2u);
}

TEST_F(NetworkTest, CommandsWorkWithoutADaemon) {
  NodeProcess carol(home, "carol");
  const Finished ping = carol.run({"net", "ping", bob.address(), "--count", "1", "--json"});
  ASSERT_EQ(ping.exit_code, 0) << ping.err;
  EXPECT_EQ(ping.json()["node_id"], bob.node_id());
  const Finished sent = carol.run({"net", "send", bob.address(), "from outside", "--json"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  EXPECT_EQ(sent.json()["status"], "received");
  EXPECT_EQ(bob.run({"net", "inbox", "--json"}).json()[0]["body"], "from outside");
}

TEST_F(NetworkTest, StopIsClean) {
  ASSERT_TRUE(both_are_registered());
  EXPECT_EQ(alice.stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(alice.root() / "run" / "control.sock"));
  EXPECT_FALSE(std::filesystem::exists(alice.root() / "state" / "peers.db-wal"));
  EXPECT_EQ(bob.stop(), 0);
  EXPECT_EQ(bootstrap.stop(), 0);
}

}  // namespace
}  // namespace atlas
