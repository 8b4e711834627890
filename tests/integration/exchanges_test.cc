// Streams of a session (wire protocol, section 4): one request each, run at FIN, answered on the stream; everything
// else is reset or answered with an Error, and costs the session nothing.
#include <gtest/gtest.h>

#include "integration/node_test.h"

namespace atlas::node {
namespace {

using kit::RawLine;
using kit::RawStream;

class Exchanges : public NodeTest {
 protected:
  void SetUp() override {
    start();
    line_ = &peer().session(address());
  }
  RawLine& line() { return *line_; }
  void expect_session_lives() {
    world().run_for(2 * base::kSecond);
    const RawStream& pong = peer().ask(line(), kPing, ping_payload(77));
    ASSERT_EQ(pong.envelopes().size(), 1u);
    EXPECT_EQ(pong.envelopes()[0].type, kPong);
    EXPECT_EQ(sessions(), 1u);
  }
  base::Bytes ping() { return wire::seal(kPing, ping_payload()); }

  RawLine* line_ = nullptr;
};

TEST_F(Exchanges, RequestIsAnsweredOnItsStream) {
  const RawStream& answer = peer().ask(line(), kPing, ping_payload(1234));
  EXPECT_TRUE(answer.fin);
  const auto envelopes = answer.envelopes();
  ASSERT_EQ(envelopes.size(), 1u);
  EXPECT_EQ(envelopes[0].type, kPong);
  EXPECT_EQ(msgpack::MapView::of(envelopes[0].payload).find("echo").i64(), 1234);
}

TEST_F(Exchanges, RequestRunsAtFinAndNotBefore) {
  const quic::StreamId stream = peer().say(line(), ping(), false);
  world().run_for(5 * base::kSecond);
  EXPECT_TRUE(line().streams[stream].data.empty());
  EXPECT_EQ(line().streams[stream].ended_at, 0u);
  peer().say_more(line(), stream, {}, true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  ASSERT_EQ(line().streams[stream].envelopes().size(), 1u);
  EXPECT_EQ(line().streams[stream].envelopes()[0].type, kPong);
}

TEST_F(Exchanges, RequestMayArriveByteByByte) {
  const base::Bytes bytes = ping();
  const quic::StreamId stream = peer().say(line(), base::ByteView(), false);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    peer().say_more(line(), stream, base::ByteView(bytes).subspan(i, 1), i + 1 == bytes.size());
    world().run_for(base::kSecond);
  }
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].envelopes().at(0).type, kPong);
}

TEST_F(Exchanges, SecondRequestOnAStreamIsReset2003) {
  base::Bytes twice = ping();
  const base::Bytes once = twice;
  twice.insert(twice.end(), once.begin(), once.end());
  const quic::StreamId stream = peer().say(line(), twice, true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  EXPECT_TRUE(line().streams[stream].data.empty());
  expect_session_lives();
}

TEST_F(Exchanges, SecondRequestInAnotherPieceIsReset2003) {
  const quic::StreamId stream = peer().say(line(), ping(), false);
  world().run_for(base::kSecond);
  peer().say_more(line(), stream, ping(), true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  EXPECT_TRUE(line().streams[stream].data.empty());
  expect_session_lives();
}

TEST_F(Exchanges, IncompleteEnvelopeAtFinIsReset2003) {
  const base::Bytes bytes = ping();
  for (const std::size_t length : {std::size_t{3}, wire::kHeaderSize, bytes.size() - 1}) {
    const quic::StreamId stream = peer().say(line(), base::ByteView(bytes).first(length), true);
    ASSERT_TRUE(peer().wait_ended(line(), stream));
    EXPECT_EQ(line().streams[stream].reset, 2003u) << length << " bytes";
  }
  expect_session_lives();
}

TEST_F(Exchanges, EmptyStreamIsReset2003) {
  const quic::StreamId stream = peer().say(line(), base::ByteView(), true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  expect_session_lives();
}

TEST_F(Exchanges, StreamWithNothingForTenSecondsIsReset2003) {
  const quic::StreamId stream = peer().say(line(), base::ByteView(ping()).first(9), false);
  world().run_for(9 * base::kSecond);
  EXPECT_EQ(line().streams[stream].ended_at, 0u);
  const base::MonoNs last = world().now();
  peer().say_more(line(), stream, base::ByteView(ping()).subspan(9, 1), false);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  EXPECT_GE(line().streams[stream].ended_at - last, 10 * base::kSecond);
  EXPECT_LE(line().streams[stream].ended_at - last, 10 * base::kSecond + 100 * base::kMillisecond);
  EXPECT_EQ(counter("exchanges_timed_out"), 1u);
  expect_session_lives();
}

TEST_F(Exchanges, WholeRequestThatNeverFinishesIsReset2003) {
  const quic::StreamId stream = peer().say(line(), ping(), false);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  expect_session_lives();
}

TEST_F(Exchanges, HeaderFaultsAreAnsweredAtOnceAndWithoutFin) {
  base::Bytes magic = ping(), version = ping(), length = ping();
  magic[1] ^= 1;
  version[2] = 9;
  wire::write_header(base::MutableBytes(length).first(wire::kHeaderSize), kPing, wire::kMaxPayload + 1);
  const std::pair<base::Bytes, std::uint32_t> cases[] = {{magic, 2003}, {version, 1001}, {length, 2002}};
  for (const auto& [bytes, code] : cases) {
    const quic::StreamId stream = peer().say(line(), base::ByteView(bytes).first(wire::kHeaderSize), false);
    ASSERT_TRUE(peer().wait_ended(line(), stream, base::kSecond));
    EXPECT_EQ(line().streams[stream].error_code(), code);
    EXPECT_TRUE(line().streams[stream].fin);
  }
  expect_session_lives();
}

// A peer that goes on sending what was refused is stopped, and the stream is given back.
TEST_F(Exchanges, RestOfARefusedPayloadIsStopped) {
  base::Bytes header(wire::kHeaderSize);
  wire::write_header(header, kPing, wire::kMaxPayload + 1);
  for (int i = 0; i < 60; ++i) {
    const quic::StreamId stream = peer().say(line(), header, false);
    ASSERT_TRUE(peer().wait_ended(line(), stream, base::kSecond)) << i;
    EXPECT_EQ(line().streams[stream].error_code(), 2002u);
    const auto closed = [&] { return line().streams[stream].closed; };
    ASSERT_TRUE(peer().wait(closed, base::kSecond)) << i << ": the node still listens on that stream";
  }
  expect_session_lives();
}

TEST_F(Exchanges, LargestPayloadIsTaken) {
  msgpack::Writer out;
  out.map(2).text("ts").integer(5).text("x").bin(base::Bytes(wire::kMaxPayload - 12));
  ASSERT_EQ(out.size(), wire::kMaxPayload);
  const RawStream& answer = peer().ask(line(), kPing, out.bytes());
  ASSERT_EQ(answer.envelopes().size(), 1u);
  EXPECT_EQ(answer.envelopes()[0].type, kPong);
}

TEST_F(Exchanges, MalformedPayloadIs2003) {
  const base::Bytes cases[] = {{},                                  // no map at all
                               {0xc0},                              // nil
                               {0x81, 0xa1, 'a'},                   // cut short
                               {0x80, 0x80},                        // trailing
                               {0x82, 0xa1, 'a', 1, 0xa1, 'a', 2},  // a key twice
                               {0x81, 0xa1, 0xff, 1},               // no UTF-8
                               {0x81, 0xa1, 'a', 0xdd, 0xff, 0xff, 0xff, 0xff}};
  for (const base::Bytes& payload : cases) {
    EXPECT_EQ(peer().ask(line(), kPing, payload).error_code(), 2003u) << base::to_hex(payload);
    world().run_for(base::kSecond);
  }
  base::Bytes deep(17, 0x81);
  for (std::size_t i = 0; i < deep.size(); i += 3)
    deep.insert(deep.begin() + static_cast<std::ptrdiff_t>(i) + 1, {0xa1, 'a'});
  EXPECT_EQ(peer().ask(line(), kPing, deep).error_code(), 2003u);
  expect_session_lives();
}

// A large payload is checked on the role's strand; the peer sees no difference.
TEST_F(Exchanges, LargeMalformedPayloadIs2003) {
  base::Bytes payload = {0x82, 0xa1, 'a', 0xdc, 0x7d, 0x00};  // a key twice, 32 000 numbers in between
  payload.resize(payload.size() + 32'000, 1);
  payload.insert(payload.end(), {0xa1, 'a', 2});
  EXPECT_EQ(peer().ask(line(), kPing, payload).error_code(), 2003u);
  expect_session_lives();
}

// The loop has no time for four megabytes of items: a goodbye of that size is none.
TEST_F(Exchanges, LargeDisconnectIsNotRead) {
  wire::Disconnect goodbye;
  goodbye.reason = 2;
  goodbye.note = std::string(100'000, 'x');
  const quic::StreamId stream = peer().say(line(), wire::encode(goodbye), true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(line().streams[stream].error_code(), 2003u);
  expect_session_lives();
}

TEST_F(Exchanges, MalformedDisconnectIs2003) {
  EXPECT_EQ(peer().ask(line(), wire::kDisconnect, base::Bytes{0xc1}).error_code(), 2003u);
  expect_session_lives();
}

// --- what a peer cannot make the node hold ---

TEST_F(Exchanges, UnfinishedRequestsAreBoundedInBytes) {
  base::Bytes most(wire::kHeaderSize + 3'000'000);
  wire::write_header(base::MutableBytes(most).first(wire::kHeaderSize), kPing, wire::kMaxPayload);
  std::vector<quic::StreamId> streams;
  for (int i = 0; i < 4; ++i) {
    streams.push_back(peer().say(line(), most, false));
    world().run_for(3 * base::kSecond);
  }
  EXPECT_EQ(line().streams[streams[0]].error_code(), 0u);
  EXPECT_EQ(line().streams[streams[1]].error_code(), 0u);
  EXPECT_EQ(line().streams[streams[2]].error_code(), 5001u) << "the third passes eight mebibytes";
  EXPECT_EQ(line().streams[streams[3]].error_code(), 5001u);
  EXPECT_EQ(counter("refused_unfinished"), 2u);
  world().run_for(15 * base::kSecond);  // those that stand still are reset
  EXPECT_EQ(line().streams[streams[0]].reset, 2003u);
  const quic::StreamId again = peer().say(line(), most, false);
  world().run_for(3 * base::kSecond);
  EXPECT_EQ(line().streams[again].error_code(), 0u) << "there is room again";
  expect_session_lives();
}

class BulkExchanges : public Exchanges {
 protected:
  static constexpr std::uint8_t kAsk = 0x98;
  void SetUp() override {
    node_.config().plugins.search.emplace_back(ATLAS_TEST_ROLES);
    node_.config().plugins.enabled.emplace_back("bulk");
    node_.config().rate_limit.per_peer_per_minute = node_.config().rate_limit.per_peer_per_second = 100'000;
    Exchanges::SetUp();
  }
  static base::Bytes size_payload(std::uint64_t size) {
    msgpack::Writer out;
    out.map(1).text("size").integer(size);
    return out.take();
  }
};

TEST_F(BulkExchanges, UnreadAnswersAreBoundedInBytes) {
  peer().consume = false;
  std::vector<quic::StreamId> streams;
  for (int i = 0; i < 6; ++i) {
    streams.push_back(peer().say(line(), kAsk, size_payload(3'000'000)));
    world().run_for(base::kSecond);
  }
  int refused = 0;
  for (const auto stream : streams) refused += line().streams[stream].error_code() == 5001;
  EXPECT_EQ(refused, 4) << "two of three million bytes fit";
  EXPECT_EQ(counter("refused_unread"), 4u);
}

TEST_F(BulkExchanges, AnswerThatNobodyReadsIsReset2003) {
  peer().consume = false;
  const quic::StreamId stream = peer().say(line(), kAsk, size_payload(3'000'000));
  world().run_for(9 * base::kSecond);
  EXPECT_FALSE(line().streams[stream].reset);
  world().run_for(12 * base::kSecond);
  EXPECT_EQ(line().streams[stream].reset, 2003u);
  EXPECT_EQ(counter("exchanges_timed_out"), 1u);
  peer().consume = true;
  const RawStream& small = peer().ask(line(), kAsk, size_payload(10));
  EXPECT_EQ(small.envelopes().size(), 1u);
}

// The link is slow, the reader is not: 3 MB take a minute and arrive.
TEST_F(BulkExchanges, SlowAnswerThatMovesArrives) {
  world().set_default_link({.bytes_per_second = 50'000});
  const quic::StreamId stream = peer().say(line(), kAsk, size_payload(3'000'000));
  ASSERT_TRUE(peer().wait_ended(line(), stream, 120 * base::kSecond));
  EXPECT_FALSE(line().streams[stream].reset);
  EXPECT_EQ(line().streams[stream].envelopes().size(), 1u);
}

// --- what counts ---

// Section 10: whatever their type.
TEST_F(Exchanges, MessagesOfTheCoreCountToo) {
  for (int i = 0; i < 40; ++i) {
    wire::ErrorMessage error;
    error.code = 5001;
    peer().say(line(), wire::encode(error), true);
    world().run_for(100 * base::kMillisecond);
    if (line().closed) break;
  }
  ASSERT_TRUE(line().closed) << "three violations are a ban";
  EXPECT_TRUE(line().closed_by_peer_with(2));
  EXPECT_EQ(counter("bans"), 1u);
}

TEST_F(Exchanges, UnknownTypeIs2003AndNoViolation) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(peer().ask(line(), kNobodys, ping_payload()).error_code(), 2003u) << i;
  }
  EXPECT_EQ(counter("violations"), 0u);
  EXPECT_EQ(counter("refused_no_owner"), 100u);
  EXPECT_EQ(peer().ask(line(), kPing, ping_payload()).envelopes().at(0).type, kPong) << "they count against no limit";
}

TEST_F(Exchanges, AnswersThatNobodyAskedForAreNoRequests) {
  EXPECT_EQ(peer().ask(line(), kPong, ping_payload()).error_code(), 2003u);
  EXPECT_EQ(peer().ask(line(), wire::kHello, ping_payload()).error_code(), 2003u);
  const RawStream& error = peer().ask(line(), wire::kError, base::Bytes{0x80});
  EXPECT_TRUE(error.fin);
  EXPECT_TRUE(error.data.empty()) << "an Error is never answered with an Error";
  expect_session_lives();
}

TEST_F(Exchanges, MoreOnTheHandshakeStreamIsNoRequest) {
  // A line whose handshake stream was left open.
  const auto key = identity::NodeKey::generate(raw_machine_.random());
  RawLine& other = peer().dial(address(), &key);
  const auto answer = peer().send_hello(other, peer().hello(key));
  ASSERT_TRUE(answer);
  const auto verify = kit::RawPeer::verify(*wire::decode_hello_ack(answer->payload), key);
  peer().say_more(other, other.greeting, wire::encode(verify), false);
  ASSERT_TRUE(peer().wait([&] { return other.streams[other.greeting].envelopes().size() == 2; }));
  peer().say_more(other, other.greeting, ping(), false);
  world().run_for(base::kSecond);
  EXPECT_EQ(other.streams[other.greeting].envelopes().size(), 2u);
  EXPECT_FALSE(other.closed);
  EXPECT_EQ(peer().ask(other, kPing, ping_payload()).envelopes().at(0).type, kPong);
}

TEST_F(Exchanges, PeerThatResetsItsRequestCostsNothing) {
  for (int i = 0; i < 200; ++i) {
    const quic::StreamId stream = peer().say(line(), base::ByteView(ping()).first(10), false);
    line().connection->reset(stream, 1);
    if (i % 20 == 19) world().run_for(100 * base::kMillisecond);
  }
  expect_session_lives();
}

TEST_F(Exchanges, ManyAtOnceAreAllAnswered) {
  world().run_for(base::kSecond);  // the handshake's stream is given back
  std::vector<quic::StreamId> streams;
  for (int i = 0; i < 50; ++i) streams.push_back(peer().say(line(), kNobodys, ping_payload()));
  for (const auto stream : streams) {
    ASSERT_TRUE(peer().wait_ended(line(), stream));
    EXPECT_EQ(line().streams[stream].error_code(), 2003u);
  }
}

}  // namespace
}  // namespace atlas::node
