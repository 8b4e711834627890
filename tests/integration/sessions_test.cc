// One session for each node id, and goodbyes in the right order (wire protocol, sections 4 to 6).
#include <gtest/gtest.h>

#include <string>

#include "integration/node_test.h"

namespace atlas::node {
namespace {

using kit::RawLine;
using kit::RawStream;

class Session : public NodeTest {
 protected:
  bool answers(RawLine& line) {
    const RawStream& stream = peer().ask(line, kPing, ping_payload());
    return !stream.envelopes().empty() && stream.envelopes()[0].type == kPong;
  }
  // The node said Disconnect with this reason, finished that stream, and closed with the same code afterwards.
  void expect_goodbye(RawLine& line, std::uint32_t reason, const std::string& note = "") {
    ASSERT_TRUE(peer().wait_closed(line));
    EXPECT_TRUE(line.closed_by_peer_with(reason)) << line.closed->code << " " << line.closed->reason;
    const quic::StreamId stream = line.opened_by_peer(true);
    ASSERT_GE(stream, 0) << "no Disconnect before the close";
    const RawStream& log = line.streams[stream];
    ASSERT_EQ(log.envelopes().size(), 1u);
    ASSERT_EQ(log.envelopes()[0].type, wire::kDisconnect);
    const auto goodbye = wire::decode_disconnect(log.envelopes()[0].payload);
    ASSERT_TRUE(goodbye);
    EXPECT_EQ(goodbye->reason, reason);
    EXPECT_TRUE(note.empty() || goodbye->note == note) << goodbye->note;
    EXPECT_TRUE(log.fin);
    EXPECT_LT(log.ended_at, line.closed_at) << "the close overtook the reason";
  }
};

TEST_F(Session, NewerConnectionReplacesTheOlder) {
  start();
  RawLine& older = peer().session(address());
  RawLine& newer = peer().session(address());
  expect_goodbye(older, 4);
  EXPECT_EQ(sessions(), 1u);
  EXPECT_TRUE(answers(newer));
  EXPECT_EQ(counter("sessions_replaced"), 1u);
}

TEST_F(Session, UnfinishedHandshakeReplacesNothing) {
  start();
  RawLine& older = peer().session(address());
  RawLine& connected = peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(connected));
  RawLine& greeted = peer().dial(address());
  ASSERT_TRUE(peer().send_hello(greeted, peer().hello()));
  EXPECT_TRUE(answers(older));
  world().run_for(15 * base::kSecond);
  EXPECT_TRUE(connected.closed);
  EXPECT_TRUE(greeted.closed);
  EXPECT_FALSE(older.closed);
  EXPECT_TRUE(answers(older));
}

TEST_F(Session, FailedHandshakeReplacesNothing) {
  start();
  RawLine& older = peer().session(address());
  RawLine& forger = peer().dial(address());
  const auto answer = peer().send_hello(forger, peer().hello());
  ASSERT_TRUE(answer);
  auto verify = kit::RawPeer::verify(*wire::decode_hello_ack(answer->payload), peer().key());
  verify.signature[5] ^= 1;
  peer().say_more(forger, forger.greeting, wire::encode(verify), true);
  ASSERT_TRUE(peer().wait_closed(forger));
  EXPECT_FALSE(older.closed);
  EXPECT_TRUE(answers(older));
}

TEST_F(Session, AHundredReconnectsLeaveOneSession) {
  start();
  RawLine* last = nullptr;
  for (int i = 0; i < 100; ++i) last = &peer().session(address());
  world().run_for(5 * base::kSecond);
  EXPECT_EQ(sessions(), 1u);
  EXPECT_EQ(node_.node().endpoint_counters().connections, 1u);
  EXPECT_FALSE(last->closed);
}

// Two nodes dial each other, one of them so many milliseconds after the other; negative: the smaller id is the later.
class BothDial : public Session, public testing::WithParamInterface<int> {};

TEST_P(BothDial, OneSessionStaysAndBothSidesMeanTheSame) {
  start();
  sim::FleetNode& other = fleet_.add("other", {"keepalive"});
  other.config().plugin_tables["keepalive"]["interval"] = {std::string("24h"), 0, 0};
  other.start();
  const bool node_first = (node_.node_id() < other.node_id()) == (GetParam() >= 0);
  sim::FleetNode& first = node_first ? node_ : other;
  sim::FleetNode& second = node_first ? other : node_;
  const auto one = begin(first, "connect", {{"target", second.address().text()}});
  world().run_for(static_cast<base::MonoNs>(std::abs(GetParam())) * base::kMillisecond);
  const auto two = begin(second, "connect", {{"target", first.address().text()}});
  ASSERT_TRUE(peer().wait([&] { return one->exit_code >= 0 && two->exit_code >= 0; }));
  EXPECT_EQ(one->exit_code, 0) << one->error;
  EXPECT_EQ(two->exit_code, 0) << two->error;
  world().run_for(5 * base::kSecond);
  for (sim::FleetNode* node : {&first, &second}) {
    EXPECT_EQ(node->node().session_count(), 1u);
    EXPECT_EQ(node->node().endpoint_counters().connections, 1u);
    const auto& target = (node == &first ? second : first).node_id();
    const auto ping = node->run(world(), "ping", {{"target", target}, {"--count", "1"}});
    EXPECT_EQ(ping.exit_code, 0) << ping.error;
  }
}

INSTANTIATE_TEST_SUITE_P(HeadStartMs, BothDial, testing::Values(0, 1, -1, 5, -5, 9, -9, 12, -12, 25, -25));

// The same with a peer on the other side that dials and is dialled, so that it shows whose connection stays.
class WhoseDialStays : public Session {
 protected:
  // Starts with a peer whose node id is smaller or larger than the node's.
  void use_key(bool smaller) {
    start();
    while ((peer().node_id() < node_.node_id()) != smaller) {
      peer_ = std::make_unique<kit::RawPeer>(world(), raw_machine_);
    }
  }
  // Plays the listener for the node's dial; runs the peer's own dial at the same time.
  void both_dial() {
    const auto trap = peer().listen(4433);
    peer().on_piece = [this](RawLine& line, quic::StreamId stream) {
      if (&line == ours_ || stream != 0 || line.streams[0].envelopes().size() == answered_) return;
      if (++answered_ == 1) {
        wire::HelloAck ack;
        ack.node_id = peer().node_id();
        ack.name = "raw";
        ack.public_key.assign(peer().key().public_key().begin(), peer().key().public_key().end());
        ack.challenge.assign(32, 0x22);
        peer().say_more(line, 0, wire::encode(ack), false);
      } else {
        peer().say_more(line, 0, wire::encode(wire::VerifyAck{true, {}}), true);
      }
    };
    const auto dialling = begin(node_, "connect", {{"target", trap.text()}});
    ours_ = &peer().dial(address());
    peer().greet(*ours_);
    ASSERT_TRUE(peer().wait([&] { return dialling->exit_code >= 0; }));
    EXPECT_EQ(dialling->exit_code, 0) << dialling->error;
    world().run_for(5 * base::kSecond);
    ASSERT_EQ(peer().accepted_count(), 1u);
    EXPECT_EQ(sessions(), 1u);
  }

  RawLine* ours_ = nullptr;
  std::size_t answered_ = 0;
};

TEST_F(WhoseDialStays, ThePeersWhenItsIdIsSmaller) {
  use_key(true);
  both_dial();
  EXPECT_FALSE(ours_->closed);
  EXPECT_TRUE(answers(*ours_));
  RawLine& theirs = peer().accepted(0);
  EXPECT_TRUE(theirs.closed_by_peer_with(4));
  const quic::StreamId stream = theirs.opened_by_peer(false, 0);
  ASSERT_GE(stream, 0);
  EXPECT_EQ(wire::decode_disconnect(theirs.streams[stream].envelopes().at(0).payload)->reason, 4u);
}

TEST_F(WhoseDialStays, TheNodesWhenItsIdIsSmaller) {
  use_key(false);
  both_dial();
  RawLine& theirs = peer().accepted(0);
  EXPECT_FALSE(theirs.closed);
  EXPECT_TRUE(answers(theirs));
  expect_goodbye(*ours_, 4);
}

TEST_F(Session, DisconnectComesBeforeTheClose) {
  start();
  RawLine& line = peer().session(address());
  const auto outcome = node_.run(world(), "disconnect", {{"target", peer().node_id()}});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  expect_goodbye(line, 0, "operator requested disconnect");
  EXPECT_EQ(sessions(), 0u);
}

TEST_F(Session, ClosesAfterAckOrHalfASecond) {
  start();
  RawLine& prompt = peer().session(address());
  node_.run(world(), "disconnect", {{"target", peer().node_id()}});
  ASSERT_TRUE(peer().wait_closed(prompt));
  const base::MonoNs with_ack = prompt.closed_at - prompt.streams[prompt.opened_by_peer(true)].ended_at;
  EXPECT_LT(with_ack, 200 * base::kMillisecond);

  RawLine& mute = peer().session(address());
  sim::LinkPolicy nothing;
  nothing.drop = 1;
  world().run_for(base::kSecond);
  world().set_link(raw_machine_, node_.machine(), nothing);  // acknowledgements are lost, what the node says is not
  const base::MonoNs asked = world().now();
  node_.run(world(), "disconnect", {{"target", peer().node_id()}});
  ASSERT_TRUE(peer().wait_closed(mute));
  EXPECT_GE(mute.closed_at - asked, 500 * base::kMillisecond);
  EXPECT_LE(mute.closed_at - asked, 600 * base::kMillisecond);
}

TEST_F(Session, ShutdownSaysGoodbyeToEverybody) {
  start();
  const auto neighbour = identity::NodeKey::generate(raw_machine_.random());
  RawLine& one = peer().session(address());
  RawLine& other = peer().session(address(), &neighbour);
  RawLine& greeting = peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(greeting));
  node_.stop(world());
  expect_goodbye(one, 0);
  expect_goodbye(other, 0);
  EXPECT_TRUE(peer().wait_closed(greeting));
}

TEST_F(Session, PeersDisconnectEndsTheSessionAtOnce) {
  start();
  RawLine& line = peer().session(address());
  const quic::StreamId stream = peer().say(line, wire::encode(wire::Disconnect{0, "bye"}), true);
  ASSERT_TRUE(peer().wait_ended(line, stream));
  EXPECT_TRUE(line.streams[stream].data.empty()) << "a Disconnect is not answered";
  EXPECT_EQ(sessions(), 0u);
  EXPECT_FALSE(line.closed) << "its sender closes";
  ASSERT_TRUE(peer().wait_closed(line, 5 * base::kSecond)) << "and when it does not, the node does";
}

TEST_F(Session, PeerThatVanishesIsForgottenWhenItsConnectionEnds) {
  start();
  RawLine& line = peer().session(address());
  line.connection->close(0, "gone");
  world().run_for(base::kSecond);
  EXPECT_EQ(sessions(), 0u);
  EXPECT_EQ(node_.node().endpoint_counters().connections, 0u);
}

TEST_F(Session, NodeThatDiedAndCameBackResetsOldConnections) {
  start();
  RawLine& line = peer().session(address());
  node_.kill();
  world().run_for(base::kSecond);
  node_.start();
  const quic::StreamId stream = peer().say(line, kPing, ping_payload());
  ASSERT_TRUE(peer().wait_closed(line));
  EXPECT_EQ(line.closed->by, quic::CloseInfo::By::kReset);
  EXPECT_TRUE(line.streams[stream].data.empty());
  EXPECT_TRUE(peer().greet(peer().dial(address())));
}

// The role that waits for an answer cancels it when it is stopped, and by then the sessions are gone.
TEST_F(Session, NodeThatDiesWithARequestUnderWayLeavesNothingBehind) {
  start([](config::Config& config) { config.plugin_tables["keepalive"]["interval"] = {std::string("1s"), 0, 0}; });
  kit::RawLine& line = peer().session(address());
  ASSERT_TRUE(peer().wait([&] { return line.opened_by_peer(true) >= 0; })) << "a ping";
  node_.kill();
  world().run_for(20 * base::kSecond);
  EXPECT_FALSE(node_.is_up());
  node_.start();
  peer().session(address());
  EXPECT_EQ(sessions(), 1u);
}

TEST_F(Session, ComesUpOverABadLink) {
  start();
  sim::LinkPolicy bad;
  bad.drop = 0.1;
  bad.duplicate = 0.1;
  bad.reorder = 0.3;
  bad.corrupt = 0.02;
  world().set_default_link(bad);
  for (int i = 0; i < 10; ++i) {
    sim::FleetNode& other = fleet_.add("other-" + std::to_string(i), {"keepalive"});
    other.start();
    const auto ping = other.run(world(), "ping", {{"target", address().text()}, {"--count", "4"}});
    EXPECT_EQ(ping.exit_code, 0) << ping.error;
    EXPECT_EQ(ping.result["received"], 4);
  }
  EXPECT_EQ(sessions(), 10u);
}

TEST_F(Session, DialToItselfIsRefused) {
  start();
  const auto outcome = node_.run(world(), "connect", {{"target", address().text()}});
  EXPECT_NE(outcome.exit_code, 0);
  world().run_for(5 * base::kSecond);
  EXPECT_EQ(sessions(), 0u);
  EXPECT_EQ(node_.node().endpoint_counters().connections, 0u);
}

}  // namespace
}  // namespace atlas::node
