// Every refusal of a node that was dialled (wire protocol, section 5), over real QUIC: the Error, the stream that it is
// on, and the code of the close, which must not overtake it.
#include <gtest/gtest.h>

#include <vector>

#include "integration/node_test.h"

namespace atlas::node {
namespace {

using kit::RawLine;
using kit::RawStream;
using wire::Code;

class HandshakeRefusals : public NodeTest {
 protected:
  // The node said Error `code` on this stream and finished it, and then closed with `close_code`.
  void expect_refused(RawLine& line, quic::StreamId stream, Code code, std::uint64_t close_code = 3) {
    ASSERT_TRUE(peer().wait_closed(line)) << "the node did not close";
    const RawStream& log = line.streams[stream];
    EXPECT_EQ(log.error_code(), static_cast<std::uint32_t>(code)) << log.error_text();
    EXPECT_TRUE(log.fin);
    EXPECT_FALSE(log.error_text().empty());
    EXPECT_LE(log.ended_at, line.closed_at);
    EXPECT_TRUE(line.closed_by_peer_with(close_code)) << line.closed->code << " " << line.closed->reason;
    EXPECT_EQ(sessions(), 0u);
  }
  void expect_hello_refused(const wire::Hello& hello, Code code) {
    RawLine& line = peer().dial(address());
    peer().send_hello(line, hello);
    expect_refused(line, line.greeting, code);
    EXPECT_EQ(line.streams[line.greeting].envelopes().size(), 1u) << "a refused Hello gets no HelloAck";
  }
  // As far as HelloAck; `spoil` turns the right Verify into a wrong one.
  void expect_verify_refused(const std::function<void(wire::Verify&)>& spoil, Code code) {
    RawLine& line = peer().dial(address());
    const auto answer = peer().send_hello(line, peer().hello());
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->type, wire::kHelloAck);
    wire::Verify verify = kit::RawPeer::verify(*wire::decode_hello_ack(answer->payload), peer().key());
    spoil(verify);
    peer().say_more(line, line.greeting, wire::encode(verify), true);
    ASSERT_TRUE(peer().wait_closed(line));
    const auto envelopes = line.streams[line.greeting].envelopes();
    ASSERT_EQ(envelopes.size(), 2u);
    ASSERT_EQ(envelopes[1].type, wire::kError);
    EXPECT_EQ(wire::decode_error(envelopes[1].payload)->code, static_cast<std::uint32_t>(code));
    EXPECT_TRUE(line.closed_by_peer_with(3));
    EXPECT_EQ(sessions(), 0u);
  }
  // `bytes` as the very first thing on the first stream.
  void expect_first_bytes_refused(base::ByteView bytes, bool fin, Code code) {
    RawLine& line = peer().dial(address());
    ASSERT_TRUE(peer().wait_connected(line));
    const quic::StreamId stream = peer().say(line, bytes, fin);
    expect_refused(line, stream, code);
  }
};

TEST_F(HandshakeRefusals, NothingIsRefusedWhenAllIsRight) {
  start();
  RawLine& line = peer().session(address());
  EXPECT_TRUE(line.streams[line.greeting].fin);
  world().run_for(15 * base::kSecond);
  EXPECT_FALSE(line.closed);
  EXPECT_EQ(sessions(), 1u);
  const auto ack = wire::decode_hello_ack(line.streams[line.greeting].envelopes()[0].payload);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->node_id, node_.node_id());
  EXPECT_EQ(ack->observed, line.connection->local().text());
}

TEST_F(HandshakeRefusals, ProtocolVersionIs1001) {
  start();
  wire::Hello hello = peer().hello();
  hello.protocol_v = 2;
  expect_hello_refused(hello, Code::kProtocolVersion);
  EXPECT_EQ(counter("handshakes_failed"), 1u);
}

// The version is the first check: a Hello of another one may look otherwise too.
TEST_F(HandshakeRefusals, ProtocolVersionIs1001WhateverElseIsOff) {
  start();
  wire::Hello hello = peer().hello();
  hello.protocol_v = 2;
  hello.name = std::string(65, 'n');
  expect_hello_refused(hello, Code::kProtocolVersion);
  msgpack::Writer alone;
  alone.map(1).text("protocol_v").integer(2);
  expect_first_bytes_refused(wire::seal(wire::kHello, alone.bytes()), false, Code::kProtocolVersion);
}

TEST_F(HandshakeRefusals, NodeIdThatIsNotTheHashOfTheKeyIs1004) {
  start();
  wire::Hello hello = peer().hello();
  hello.node_id = node_.node_id();
  expect_hello_refused(hello, Code::kInvalidIdentity);
}

TEST_F(HandshakeRefusals, KeyOfAnotherLengthIs1004) {
  start();
  wire::Hello hello = peer().hello();
  hello.public_key.pop_back();
  expect_hello_refused(hello, Code::kInvalidIdentity);
}

TEST_F(HandshakeRefusals, KeyThatIsNotTheCertificatesIs1004) {
  start();
  const auto other = identity::NodeKey::generate(world().node(0).random());
  expect_hello_refused(peer().hello(other), Code::kInvalidIdentity);
}

// The hole of the published protocol: a node that is dialled passes the dialler's Hello on to a third node, to get its
// challenge signed by the dialler and be taken for it.
TEST_F(HandshakeRefusals, ForwardedHelloIs1004) {
  start();
  sim::FleetNode& victim = fleet_.add("victim", {"keepalive"});
  victim.start();
  const auto trap = peer().listen(4433);
  RawLine* onward = nullptr;
  quic::StreamId onward_stream = -1;
  peer().on_piece = [&](RawLine& line, quic::StreamId stream) {
    if (onward != nullptr && &line == onward) {
      // Whatever the third node says goes back to the victim, HelloAck included.
      peer().say_more(peer().accepted(0), 0, line.streams[stream].data, false);
    } else if (onward != nullptr && onward->connected && onward_stream < 0) {
      onward_stream = peer().say(*onward, line.streams[stream].data, false);
    }
  };
  onward = &peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(*onward));
  const auto outcome = victim.run(world(), "connect", {{"target", trap.text()}});
  EXPECT_NE(outcome.exit_code, 0);
  ASSERT_GE(onward_stream, 0) << "the victim's Hello was not passed on";
  EXPECT_EQ(onward->streams[onward_stream].error_code(), 1004u);
  ASSERT_TRUE(peer().wait_closed(*onward));
  EXPECT_TRUE(onward->closed_by_peer_with(3));
  EXPECT_EQ(sessions(), 0u);
  EXPECT_EQ(victim.node().session_count(), 0u);
}

TEST_F(HandshakeRefusals, ClockTooFarInThePastIs1002) {
  start();
  wire::Hello hello = peer().hello();
  hello.timestamp -= 302;
  expect_hello_refused(hello, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, ClockTooFarInTheFutureIs1002) {
  start();
  wire::Hello hello = peer().hello();
  hello.timestamp += 302;
  expect_hello_refused(hello, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, ExtremeTimestampsAre1002) {
  start();
  for (const std::int64_t timestamp : {INT64_MIN, INT64_MAX}) {
    wire::Hello hello = peer().hello();
    hello.timestamp = timestamp;
    expect_hello_refused(hello, Code::kHandshakeFailed);
  }
}

TEST_F(HandshakeRefusals, ClocksWithinTheLimitAreFine) {
  start();
  raw_machine_.clock().jump(-298'000);
  RawLine& line = peer().dial(address());
  EXPECT_TRUE(peer().greet(line));
}

TEST_F(HandshakeRefusals, WrongEchoIs1002) {
  start();
  expect_verify_refused([](wire::Verify& verify) { verify.challenge[31] ^= 1; }, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, ShortEchoIs1002) {
  start();
  expect_verify_refused([](wire::Verify& verify) { verify.challenge.pop_back(); }, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, BadSignatureIs1002) {
  start();
  expect_verify_refused([](wire::Verify& verify) { verify.signature[0] ^= 1; }, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, ShortSignatureIs1002) {
  start();
  expect_verify_refused([](wire::Verify& verify) { verify.signature.pop_back(); }, Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, SignatureOfAnotherKeyIs1002) {
  start();
  const auto other = identity::NodeKey::generate(world().node(0).random());
  expect_verify_refused(
      [&](wire::Verify& verify) {
        const auto signature = other.sign(verify.challenge);
        verify.signature.assign(signature.begin(), signature.end());
      },
      Code::kHandshakeFailed);
}

TEST_F(HandshakeRefusals, SilenceOnAnOpenStreamIs1003AfterTenSecondsInAll) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(line));
  world().run_for(4 * base::kSecond);
  const quic::StreamId stream = peer().say(line, base::ByteView(), false);
  const base::Bytes hello = wire::encode(peer().hello());
  // One byte a second extends nothing.
  for (std::size_t i = 0; i < 20 && !line.closed; ++i) {
    peer().say_more(line, stream, base::ByteView(hello).subspan(i, 1), false);
    world().run_for(base::kSecond);
  }
  expect_refused(line, stream, Code::kHandshakeTimeout);
  const base::MonoNs took = line.streams[stream].first_at - line.started_at;
  EXPECT_GE(took, 10 * base::kSecond);
  EXPECT_LE(took, 10 * base::kSecond + 100 * base::kMillisecond);
  EXPECT_EQ(counter("handshakes_timed_out"), 1u);
}

TEST_F(HandshakeRefusals, NoVerifyIs1003) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().send_hello(line, peer().hello()));
  ASSERT_TRUE(peer().wait_closed(line));
  const auto envelopes = line.streams[line.greeting].envelopes();
  ASSERT_EQ(envelopes.size(), 2u);
  ASSERT_EQ(envelopes[1].type, wire::kError);
  EXPECT_EQ(wire::decode_error(envelopes[1].payload)->code, 1003u);
  EXPECT_TRUE(line.closed_by_peer_with(3));
}

TEST_F(HandshakeRefusals, ConnectionWithoutAStreamEndsAfterTenSeconds) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().wait_closed(line));
  EXPECT_TRUE(line.closed_by_peer_with(3));
  EXPECT_LE(line.closed_at - line.started_at, 10 * base::kSecond + 100 * base::kMillisecond);
  EXPECT_EQ(line.opened_by_peer(true), -1);
}

TEST_F(HandshakeRefusals, SecondStreamBeforeVerifyAckIs2001OnThatStream) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().send_hello(line, peer().hello()));
  const quic::StreamId second = peer().say(line, kPing, ping_payload());
  expect_refused(line, second, Code::kNotVerified);
  EXPECT_EQ(line.streams[line.greeting].envelopes().size(), 1u) << "the handshake's own stream gets nothing more";
  EXPECT_EQ(counter("early_streams_refused"), 1u);
}

TEST_F(HandshakeRefusals, HelloOnAnotherStreamThanTheFirstIs2001OnThatStream) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().wait_connected(line));
  const auto first = line.connection->open_stream();
  ASSERT_TRUE(first);
  ASSERT_EQ(*first, 0);
  const quic::StreamId second = peer().say(line, wire::encode(peer().hello()), false);
  ASSERT_EQ(second, 4);
  expect_refused(line, second, Code::kNotVerified);
  EXPECT_EQ(line.streams[second].envelopes().size(), 1u) << "no HelloAck";
  EXPECT_EQ(counter("early_streams_refused"), 1u);
}

// In the piece that ends the handshake or in one of its own: what follows Verify breaks the same rule.
TEST_F(HandshakeRefusals, BytesBehindVerifyResetTheStreamWith2003) {
  for (const bool same_piece : {true, false}) {
    SCOPED_TRACE(same_piece);
    if (node_.is_up()) node_.kill();
    start();
    RawLine& line = peer().dial(address());
    const auto answer = peer().send_hello(line, peer().hello());
    ASSERT_TRUE(answer);
    base::Bytes verify = wire::encode(kit::RawPeer::verify(*wire::decode_hello_ack(answer->payload), peer().key()));
    const base::Bytes behind = wire::seal(kPing, ping_payload());
    if (same_piece) verify.insert(verify.end(), behind.begin(), behind.end());
    peer().say_more(line, line.greeting, verify, false);
    ASSERT_TRUE(peer().wait([&] { return sessions() == 1; }));
    if (!same_piece) peer().say_more(line, line.greeting, behind, false);
    world().run_for(base::kSecond);
    EXPECT_EQ(line.streams[line.greeting].reset, 2003u);
    EXPECT_FALSE(line.closed);
    EXPECT_EQ(peer().ask(line, kPing, ping_payload()).envelopes().at(0).type, kPong) << "the session goes on";
  }
}

TEST_F(HandshakeRefusals, AnythingElseFirstIs2001) {
  start();
  expect_first_bytes_refused(wire::seal(kPing, ping_payload()), true, Code::kNotVerified);
  expect_first_bytes_refused(wire::encode(wire::VerifyAck{true, {}}), false, Code::kNotVerified);
  expect_first_bytes_refused(wire::encode(wire::Verify{base::Bytes(64), base::Bytes(32)}), false, Code::kNotVerified);
  expect_first_bytes_refused(wire::encode(wire::Disconnect{0, "bye"}), true, Code::kNotVerified);
  expect_first_bytes_refused(wire::seal(kNobodys, ping_payload()), true, Code::kNotVerified);
}

TEST_F(HandshakeRefusals, SecondHelloIs2001) {
  start();
  RawLine& line = peer().dial(address());
  ASSERT_TRUE(peer().send_hello(line, peer().hello()));
  peer().say_more(line, line.greeting, wire::encode(peer().hello()), false);
  ASSERT_TRUE(peer().wait_closed(line));
  const auto envelopes = line.streams[line.greeting].envelopes();
  ASSERT_EQ(envelopes.size(), 2u);
  EXPECT_EQ(wire::decode_error(envelopes[1].payload)->code, 2001u);
  EXPECT_TRUE(line.closed_by_peer_with(3));
}

TEST_F(HandshakeRefusals, FinishBeforeVerifyIs2001) {
  start();
  expect_first_bytes_refused(base::ByteView(), true, Code::kNotVerified);
}

TEST_F(HandshakeRefusals, HeaderFaultsHaveTheirOwnCodes) {
  start();
  base::Bytes hello = wire::encode(peer().hello());
  hello[0] ^= 1;
  expect_first_bytes_refused(hello, false, Code::kRejected);
  hello[0] ^= 1;
  hello[2] = 2;
  expect_first_bytes_refused(hello, false, Code::kProtocolVersion);
}

TEST_F(HandshakeRefusals, HelloCutShortByFinIs2003) {
  start();
  const base::Bytes hello = wire::encode(peer().hello());
  expect_first_bytes_refused(base::ByteView(hello).first(hello.size() - 1), true, Code::kRejected);
  expect_first_bytes_refused(base::ByteView(hello).first(5), true, Code::kRejected);
}

TEST_F(HandshakeRefusals, MalformedHelloIs2003) {
  start();
  msgpack::Writer missing;
  missing.map(1).text("node_id").text(peer().node_id());
  expect_first_bytes_refused(wire::seal(wire::kHello, missing.bytes()), false, Code::kRejected);

  const base::Bytes good = wire::encode(peer().hello());
  base::Bytes trailing(good.begin() + wire::kHeaderSize, good.end());
  trailing.push_back(0xc0);
  expect_first_bytes_refused(wire::seal(wire::kHello, trailing), false, Code::kRejected);

  msgpack::Writer twice;
  twice.map(2).text("name").text("a").text("name").text("b");
  expect_first_bytes_refused(wire::seal(wire::kHello, twice.bytes()), false, Code::kRejected);
}

TEST_F(HandshakeRefusals, NamesAndSkillsOverTheirLimitsAre2003) {
  start();
  wire::Hello hello = peer().hello();
  hello.name = std::string(65, 'n');
  expect_hello_refused(hello, Code::kRejected);
  hello = peer().hello();
  hello.skills.assign(33, "s");
  expect_hello_refused(hello, Code::kRejected);
  hello.skills.assign(1, std::string(65, 's'));
  expect_hello_refused(hello, Code::kRejected);
}

TEST_F(HandshakeRefusals, PayloadOver16KiBIs2002BeforeItArrives) {
  start();
  base::Bytes header(wire::kHeaderSize);
  wire::write_header(header, wire::kHello, wire::kMaxHandshakePayload + 1);
  expect_first_bytes_refused(header, false, Code::kPayloadTooLarge);
}

TEST_F(HandshakeRefusals, NodeLivesAfterAllOfThem) {
  start();
  for (int i = 0; i < 20; ++i) expect_first_bytes_refused(base::Bytes(64, 0xff), false, Code::kRejected);
  EXPECT_TRUE(peer().greet(peer().dial(address())));
  EXPECT_EQ(sessions(), 1u);
}

}  // namespace
}  // namespace atlas::node
