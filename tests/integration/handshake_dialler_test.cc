// Every refusal of a node that dials (wire protocol, section 5): the listener is a peer that answers wrongly.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "integration/node_test.h"

namespace atlas::node {
namespace {

using kit::RawLine;

class DiallerRefusals : public NodeTest {
 protected:
  void SetUp() override {
    start();
    trap_ = peer().listen(4433);
    peer().on_piece = [this](RawLine& line, quic::StreamId stream) { piece(line, stream); };
  }
  wire::HelloAck right_ack() {
    wire::HelloAck ack;
    ack.node_id = peer().node_id();
    ack.name = "raw";
    ack.public_key.assign(peer().key().public_key().begin(), peer().key().public_key().end());
    ack.challenge.assign(32, 0x11);
    return ack;
  }
  // Runs `atlas net connect` against the listener, which says this for each envelope that arrives.
  sim::FleetNode::Outcome connect() { return node_.run(world(), "connect", {{"target", trap_.text()}}); }
  void answer_hello(base::Bytes bytes, bool fin = false) {
    to_hello_ = std::move(bytes);
    finish_after_hello_ = fin;
  }
  void answer_verify(base::Bytes bytes, bool fin = true) {
    to_verify_ = std::move(bytes);
    finish_after_verify_ = fin;
  }
  // The dial failed, the node said Error `code` behind its Hello, finished, and closed with 3.
  void expect_refused(wire::Code code) {
    const auto outcome = connect();
    EXPECT_NE(outcome.exit_code, 0);
    EXPECT_FALSE(outcome.error.empty());
    ASSERT_EQ(peer().accepted_count(), 1u);
    RawLine& line = peer().accepted(0);
    ASSERT_TRUE(peer().wait_closed(line));
    const auto envelopes = line.streams[0].envelopes();
    ASSERT_EQ(envelopes.size(), 2u);
    EXPECT_EQ(envelopes[0].type, wire::kHello);
    ASSERT_EQ(envelopes[1].type, wire::kError);
    EXPECT_EQ(wire::decode_error(envelopes[1].payload)->code, static_cast<std::uint32_t>(code));
    EXPECT_TRUE(line.streams[0].fin);
    EXPECT_TRUE(line.closed_by_peer_with(3)) << line.closed->code;
    EXPECT_EQ(sessions(), 0u);
  }

  net::SocketAddress trap_;
  quic::StreamId early_ = -1;

  void piece(RawLine& line, quic::StreamId stream) {
    const auto envelopes = line.streams[stream].envelopes();
    if (stream != 0 || envelopes.empty() || envelopes.size() == answered_) return;
    answered_ = envelopes.size();
    auto& answer = envelopes.size() == 1 ? to_hello_ : to_verify_;
    if (answer) peer().say_more(line, 0, *answer, envelopes.size() == 1 ? finish_after_hello_ : finish_after_verify_);
  }

 private:
  std::optional<base::Bytes> to_hello_, to_verify_;
  bool finish_after_hello_ = false, finish_after_verify_ = true;
  std::size_t answered_ = 0;
};

TEST_F(DiallerRefusals, NothingIsRefusedWhenAllIsRight) {
  answer_hello(wire::encode(right_ack()));
  answer_verify(wire::encode(wire::VerifyAck{true, {}}));
  const auto outcome = connect();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.result["node_id"], peer().node_id());
  const auto envelopes = peer().accepted(0).streams[0].envelopes();
  ASSERT_EQ(envelopes.size(), 2u);
  const auto verify = wire::decode_verify(envelopes[1].payload);
  ASSERT_TRUE(verify);
  EXPECT_EQ(verify->challenge, base::Bytes(32, 0x11));
  EXPECT_TRUE(identity::verify(node_.key().public_key(), verify->challenge, verify->signature));
  EXPECT_TRUE(peer().accepted(0).streams[0].fin) << "a dialler finishes its side with Verify";
}

TEST_F(DiallerRefusals, ProtocolVersionIs1001) {
  auto ack = right_ack();
  ack.protocol_v = 2;
  answer_hello(wire::encode(ack));
  expect_refused(wire::Code::kProtocolVersion);
}

TEST_F(DiallerRefusals, NodeIdThatIsNotTheHashOfTheKeyIs1004) {
  auto ack = right_ack();
  ack.node_id = node_.node_id();
  answer_hello(wire::encode(ack));
  expect_refused(wire::Code::kInvalidIdentity);
}

TEST_F(DiallerRefusals, KeyThatIsNotTheCertificatesIs1004) {
  const auto other = identity::NodeKey::generate(raw_machine_.random());
  auto ack = right_ack();
  ack.node_id = other.node_id();
  ack.public_key.assign(other.public_key().begin(), other.public_key().end());
  answer_hello(wire::encode(ack));
  expect_refused(wire::Code::kInvalidIdentity);
}

// A longer challenge would let a listener choose what the dialler's key signs.
TEST_F(DiallerRefusals, ChallengeOfAnotherLengthIs2003AndNothingIsSigned) {
  auto ack = right_ack();
  ack.challenge.push_back(0);
  answer_hello(wire::encode(ack));
  expect_refused(wire::Code::kRejected);
}

TEST_F(DiallerRefusals, AnythingElseFirstIs2001) {
  answer_hello(wire::encode(wire::VerifyAck{true, {}}));
  expect_refused(wire::Code::kNotVerified);
}

TEST_F(DiallerRefusals, MalformedHelloAckIs2003) {
  answer_hello(wire::seal(wire::kHelloAck, base::Bytes{0x80}));
  expect_refused(wire::Code::kRejected);
}

TEST_F(DiallerRefusals, PayloadOver16KiBIs2002BeforeItArrives) {
  base::Bytes header(wire::kHeaderSize);
  wire::write_header(header, wire::kHelloAck, wire::kMaxHandshakePayload + 1);
  answer_hello(header);
  expect_refused(wire::Code::kPayloadTooLarge);
}

TEST_F(DiallerRefusals, FinishBeforeHelloAckIs1002) {
  answer_hello({}, true);
  expect_refused(wire::Code::kHandshakeFailed);
}

TEST_F(DiallerRefusals, RejectionEndsTheDialWithItsReason) {
  answer_hello(wire::encode(right_ack()));
  answer_verify(wire::encode(wire::VerifyAck{false, "not today"}));
  const auto outcome = connect();
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.error.find("not today"), std::string::npos) << outcome.error;
  ASSERT_TRUE(peer().wait_closed(peer().accepted(0)));
  EXPECT_TRUE(peer().accepted(0).closed_by_peer_with(2));
  EXPECT_EQ(sessions(), 0u);
}

TEST_F(DiallerRefusals, ErrorEndsTheDialWithItsText) {
  answer_hello(wire::encode(wire::ErrorMessage{1002, "clocks differ", {}}), true);
  const auto outcome = connect();
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.error.find("clocks differ"), std::string::npos) << outcome.error;
  ASSERT_TRUE(peer().wait_closed(peer().accepted(0)));
  EXPECT_EQ(peer().accepted(0).streams[0].envelopes().size(), 1u) << "an Error is not answered";
}

// As for bytes that come later: the stream is stopped, and the session goes on.
TEST_F(DiallerRefusals, BytesBehindVerifyAckStopTheStream) {
  answer_hello(wire::encode(right_ack()));
  base::Bytes verdict = wire::encode(wire::VerifyAck{true, {}});
  verdict.push_back(0);
  answer_verify(verdict, false);
  const auto outcome = connect();
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  world().run_for(base::kSecond);
  RawLine& line = peer().accepted(0);
  EXPECT_TRUE(line.streams[0].closed);
  EXPECT_FALSE(line.closed);
  EXPECT_EQ(peer().ask(line, kPing, ping_payload()).envelopes().at(0).type, kPong);
}

// Datagrams change places on the way: a request of the new peer may come before its VerifyAck. It is kept, not refused.
TEST_F(DiallerRefusals, RequestThatOvertookVerifyAckIsAnsweredAfterIt) {
  answer_hello(wire::encode(right_ack()));
  peer().on_piece = [this](RawLine& line, quic::StreamId stream) {
    if (stream != 0 || line.streams[0].envelopes().size() != 1 || early_ >= 0) return;
    peer().say_more(line, 0, wire::encode(right_ack()), false);
    early_ = peer().say(line, kPing, ping_payload(9));
  };
  const auto dialling = begin(node_, "connect", {{"target", trap_.text()}});
  world().run_for(2 * base::kSecond);
  ASSERT_GE(early_, 0);
  RawLine& line = peer().accepted(0);
  EXPECT_EQ(line.streams[early_].ended_at, 0u) << "nothing is answered before VerifyAck";
  EXPECT_FALSE(line.closed);
  peer().say_more(line, 0, wire::encode(wire::VerifyAck{true, {}}), true);
  ASSERT_TRUE(peer().wait_ended(line, early_));
  EXPECT_EQ(line.streams[early_].envelopes().at(0).type, kPong);
  EXPECT_EQ(dialling->exit_code, 0) << dialling->error;
}

// A large request is many datagrams; what is bounded is its bytes and the streams, not the pieces.
TEST_F(DiallerRefusals, LargeRequestThatOvertookVerifyAckIsOneOfFewStreams) {
  node_.kill();
  node_.config().transport.max_streams_per_conn = 3;
  node_.start();
  msgpack::Writer large;
  large.map(2).text("ts").integer(9).text("x").text(std::string(5'000, 'x'));
  const auto payload = large.take();
  peer().on_piece = [&](RawLine& line, quic::StreamId stream) {
    if (stream != 0 || line.streams[0].envelopes().size() != 1 || early_ >= 0) return;
    peer().say_more(line, 0, wire::encode(right_ack()), false);
    early_ = peer().say(line, kPing, payload);
  };
  const auto dialling = begin(node_, "connect", {{"target", trap_.text()}});
  world().run_for(2 * base::kSecond);
  ASSERT_GE(early_, 0);
  RawLine& line = peer().accepted(0);
  EXPECT_FALSE(line.streams[early_].reset) << *line.streams[early_].reset;
  peer().say_more(line, 0, wire::encode(wire::VerifyAck{true, {}}), true);
  ASSERT_TRUE(peer().wait_ended(line, early_));
  ASSERT_EQ(line.streams[early_].envelopes().size(), 1u);
  EXPECT_EQ(line.streams[early_].envelopes()[0].type, kPong);
  EXPECT_EQ(dialling->exit_code, 0) << dialling->error;
  EXPECT_EQ(counter("early_streams_refused"), 0u);
}

TEST_F(DiallerRefusals, RequestThatThePeerTookBackBeforeVerifyAckIsForgotten) {
  peer().on_piece = [&](RawLine& line, quic::StreamId stream) {
    if (stream != 0 || line.streams[0].envelopes().size() != 1 || early_ >= 0) return;
    peer().say_more(line, 0, wire::encode(right_ack()), false);
    early_ = peer().say(line, wire::seal(kPing, ping_payload(9)), false);
  };
  begin(node_, "connect", {{"target", trap_.text()}});
  world().run_for(base::kSecond);
  ASSERT_GE(early_, 0);
  RawLine& line = peer().accepted(0);
  line.connection->reset(early_, 0);
  world().run_for(base::kSecond);
  peer().say_more(line, 0, wire::encode(wire::VerifyAck{true, {}}), true);
  ASSERT_TRUE(peer().wait([&] { return sessions() == 1; }));
  world().run_for(12 * base::kSecond);
  EXPECT_EQ(counter("exchanges_timed_out"), 0u) << "nobody waits for the rest of it";
}

TEST_F(DiallerRefusals, WhatOvertakesVerifyAckIsBoundedAndThenReset2001) {
  peer().on_piece = [this](RawLine& line, quic::StreamId stream) {
    if (stream != 0 || line.streams[0].envelopes().size() != 1 || early_ >= 0) return;
    peer().say_more(line, 0, wire::encode(right_ack()), false);
    early_ = peer().say(line, base::Bytes(200'000), false);
  };
  begin(node_, "connect", {{"target", trap_.text()}});
  world().run_for(2 * base::kSecond);
  ASSERT_GE(early_, 0);
  EXPECT_EQ(peer().accepted(0).streams[early_].reset, 2001u);
  EXPECT_FALSE(peer().accepted(0).closed) << "the handshake itself goes on";
}

TEST_F(DiallerRefusals, SilentListenerEndsTheDialAfterItsFiveSeconds) {
  const base::MonoNs began = world().now();
  const auto outcome = connect();
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_GE(world().now() - began, 5 * base::kSecond);
  EXPECT_LE(world().now() - began, 6 * base::kSecond);
  EXPECT_NE(outcome.error.find("expired"), std::string::npos) << outcome.error;
  RawLine& line = peer().accepted(0);
  ASSERT_TRUE(peer().wait_closed(line));
  const auto envelopes = line.streams[0].envelopes();
  ASSERT_EQ(envelopes.size(), 2u);
  ASSERT_EQ(envelopes[1].type, wire::kError);
  EXPECT_EQ(wire::decode_error(envelopes[1].payload)->code, 1003u);
  EXPECT_TRUE(line.streams[0].fin);
  EXPECT_TRUE(line.closed_by_peer_with(3)) << line.closed->code << " " << line.closed->reason;
  EXPECT_EQ(counter("handshakes_timed_out"), 1u);
}

TEST_F(DiallerRefusals, ListenerSilentAfterVerifyIsClosedWith3WithoutAnError) {
  answer_hello(wire::encode(right_ack()));
  const auto outcome = connect();
  EXPECT_NE(outcome.error.find("expired"), std::string::npos) << outcome.error;
  RawLine& line = peer().accepted(0);
  ASSERT_TRUE(peer().wait_closed(line));
  EXPECT_EQ(line.streams[0].envelopes().size(), 2u) << "its side of the stream ended with Verify";
  EXPECT_TRUE(line.closed_by_peer_with(3)) << line.closed->code << " " << line.closed->reason;
}

TEST_F(DiallerRefusals, AddressWithoutAnyAnswerIsUnreachable) {
  const auto outcome = node_.run(world(), "connect", {{"target", raw_machine_.at(4434).text()}});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.error.find("unreachable"), std::string::npos) << outcome.error;
}

// Section 10: a ban refuses at the handshake, whoever dialled.
TEST_F(DiallerRefusals, BannedListenerGetsNoSignatureAndCloseCode2) {
  peer().on_piece = nullptr;
  RawLine& offender = peer().session(address());
  for (int round = 0; round < 3 && !offender.closed; ++round) {
    for (int i = 0; i < 6; ++i) peer().say(offender, kPing, ping_payload(i));
    world().run_for(1100 * base::kMillisecond);
  }
  ASSERT_EQ(counter("bans"), 1u);
  ASSERT_TRUE(peer().wait_closed(offender));

  answer_hello(wire::encode(right_ack()));
  answer_verify(wire::encode(wire::VerifyAck{true, {}}));
  peer().on_piece = [this](RawLine& line, quic::StreamId stream) { piece(line, stream); };
  const auto by_address = connect();
  EXPECT_NE(by_address.exit_code, 0);
  EXPECT_NE(by_address.error.find("rejected"), std::string::npos) << by_address.error;
  EXPECT_NE(by_address.error.find("over the limit"), std::string::npos) << by_address.error;
  ASSERT_EQ(peer().accepted_count(), 1u);
  RawLine& line = peer().accepted(0);
  ASSERT_TRUE(peer().wait_closed(line));
  EXPECT_EQ(line.streams[0].envelopes().size(), 1u) << "Hello and nothing more";
  EXPECT_TRUE(line.closed_by_peer_with(2)) << line.closed->code << " " << line.closed->reason;
  EXPECT_EQ(sessions(), 0u);
  EXPECT_EQ(counter("handshakes_rejected"), 1u);

  const std::uint64_t dials = counter("dials");
  const auto by_id = node_.run(world(), "connect", {{"target", peer().node_id()}});
  EXPECT_NE(by_id.exit_code, 0);
  EXPECT_NE(by_id.error.find("over the limit"), std::string::npos) << by_id.error;
  EXPECT_EQ(counter("dials"), dials) << "not even tried";
}

}  // namespace
}  // namespace atlas::node
