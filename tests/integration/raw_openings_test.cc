// The one envelope in front of a raw stream, and peers that do not keep to the rules for it (wire protocol, section 4).
#include <gtest/gtest.h>

#include "integration/node_test.h"
#include "kit/stream_role.h"

namespace atlas::node {
namespace {

using kit::RawLine;
using kit::RawStream;
using kit::StreamRole;

constexpr std::uint8_t kType = 0x91;

class RawOpenings : public NodeTest {
 protected:
  void SetUp() override {
    node_.linked = {role_.plugin<3>()};
    start();
    line_ = &peer().session(address());
  }
  void TearDown() override { node_.kill(); }  // the role hears of ends until then
  RawLine& line() { return *line_; }
  static base::Bytes opening(std::string_view behind = "") {
    base::Bytes out = wire::seal(kType, base::as_bytes("\x80"));
    out.insert(out.end(), behind.begin(), behind.end());
    return out;
  }
  void expect_reset(quic::StreamId stream, std::uint64_t code) {
    ASSERT_TRUE(peer().wait_ended(line(), stream));
    EXPECT_EQ(line().streams[stream].reset, code);
    EXPECT_TRUE(line().streams[stream].data.empty());
  }
  void expect_session_lives() {
    world().run_for(2 * base::kSecond);
    EXPECT_EQ(peer().ask(line(), kPing, ping_payload(5)).envelopes().size(), 1u);
  }
  StreamRole::Log& log(std::size_t index = 0) { return role_.logs[role_.arrived.at(index)]; }

  StreamRole role_{"node.role", kType};
  RawLine* line_ = nullptr;
};

TEST_F(RawOpenings, MayComeByteByByteAndTheRestIsData) {
  role_.echoes = true;
  const base::Bytes bytes = opening("tail");
  const quic::StreamId stream = peer().say(line(), base::ByteView(bytes).first(1), false);
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    world().run_for(base::kSecond);
    peer().say_more(line(), stream, base::ByteView(bytes).subspan(i, 1), i + 1 == bytes.size());
  }
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(base::as_text(line().streams[stream].data), "tail");
  EXPECT_EQ(log().opening, "\x80");
}

TEST_F(RawOpenings, MayComeWithDataAndFinAtOnce) {
  role_.echoes = true;
  const quic::StreamId stream = peer().say(line(), opening("all of it"), true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  EXPECT_EQ(base::as_text(line().streams[stream].data), "all of it");
  ASSERT_TRUE(peer().wait([&] { return log().closed; }));
  EXPECT_EQ(log().status, ATLAS_OK);
}

TEST_F(RawOpenings, FinInTheMiddleIsReset2003) {
  for (const std::size_t length : {std::size_t{5}, wire::kHeaderSize}) {
    const base::Bytes bytes = opening();
    expect_reset(peer().say(line(), base::ByteView(bytes).first(length), true), 2003);
  }
  EXPECT_TRUE(role_.arrived.empty());
  EXPECT_EQ(counter("refused_framing"), 2u);
  expect_session_lives();
}

TEST_F(RawOpenings, TooFewBytesForATypeAreTreatedAsAnExchange) {
  expect_reset(peer().say(line(), base::ByteView(opening()).first(2), true), 2003);
  const base::Bytes ping = wire::seal(kPing, ping_payload(9));
  const quic::StreamId stream = peer().say(line(), base::ByteView(ping).first(2), false);
  world().run_for(base::kSecond);
  peer().say_more(line(), stream, base::ByteView(ping).subspan(2), true);
  ASSERT_TRUE(peer().wait_ended(line(), stream));
  ASSERT_EQ(line().streams[stream].envelopes().size(), 1u);
  EXPECT_EQ(line().streams[stream].envelopes()[0].type, kPong);
}

TEST_F(RawOpenings, SilenceInTheMiddleIsReset2003) {
  const base::MonoNs before = world().now();
  const quic::StreamId one = peer().say(line(), base::ByteView(opening()).first(3), false);
  const quic::StreamId other = peer().say(line(), base::ByteView(opening()).first(8), false);
  expect_reset(one, 2003);
  expect_reset(other, 2003);
  EXPECT_GE(line().streams[one].ended_at - before, 10 * base::kSecond);
  EXPECT_EQ(counter("exchanges_timed_out"), 2u);
  expect_session_lives();
}

TEST_F(RawOpenings, AfterTheOpeningSilenceIsAllowed) {
  const quic::StreamId stream = peer().say(line(), opening(), false);
  world().run_for(100 * base::kSecond);
  EXPECT_FALSE(line().streams[stream].reset);
  peer().say_more(line(), stream, base::as_bytes("here again"), true);
  ASSERT_TRUE(peer().wait([&] { return log().fin; }));
  EXPECT_EQ(log().data, "here again");
}

TEST_F(RawOpenings, LongOpeningIsReset2002) {
  const base::Bytes much(wire::kMaxOpening + 1, 0);
  expect_reset(peer().say(line(), wire::seal(kType, much), false), 2002);
  EXPECT_EQ(counter("refused_framing"), 1u);
  expect_session_lives();
}

TEST_F(RawOpenings, WhatIsNoMapIsReset2003) {
  expect_reset(peer().say(line(), wire::seal(kType, base::as_bytes("\x01")), false), 2003);
  EXPECT_EQ(counter("refused_structure"), 1u);
  EXPECT_TRUE(role_.arrived.empty());
  expect_session_lives();
}

TEST_F(RawOpenings, AnotherVersionIsReset1001) {
  base::Bytes bytes = opening();
  bytes[2] = 9;
  expect_reset(peer().say(line(), bytes, false), 1001);
  expect_session_lives();
}

TEST_F(RawOpenings, OneThatThePeerGivesUpIsForgotten) {
  const quic::StreamId stream = peer().say(line(), base::ByteView(opening()).first(8), false);
  world().run_for(base::kSecond);
  line().connection->reset(stream, 7);
  world().run_for(20 * base::kSecond);
  EXPECT_EQ(counter("exchanges_timed_out"), 0u);
  expect_session_lives();
}

TEST_F(RawOpenings, AllThatIsOpenedAndHeldIsBoundedByTheWindows) {
  role_.credits = false;
  const base::Bytes much(1 << 20, 'x');
  const quic::StreamId stream = peer().say(line(), opening(), false);
  peer().say_more(line(), stream, much, true);
  world().run_for(30 * base::kSecond);
  EXPECT_LE(log().received, 64u << 10);
  EXPECT_GE(log().received, (64u << 10) - 64);
}

// The session is over while the role still reads what has come.
TEST_F(RawOpenings, WhatHasComeIsDeliveredBeforeTheEnd) {
  peer().say(line(), opening("last words"), false);
  ASSERT_TRUE(peer().wait([&] { return !role_.arrived.empty() && log().received > 0; }));
  line().connection->close(0, "");
  ASSERT_TRUE(peer().wait([&] { return log().closed; }));
  EXPECT_EQ(log().data, "last words");
  EXPECT_EQ(log().status, ATLAS_E_GONE);
}

}  // namespace
}  // namespace atlas::node
