// The handshake of section 5: messages out of order, malformed or too large, on both sides.
#include "unit/session/handshake_fixture.h"

namespace atlas::session::test {
namespace {

// --- order, structure, size ---

TEST_F(HandshakeTest, AnyOtherTypeInAnyStateOfTheListenerIs2001) {
  const Message hello = opened(wire::encode(hello_of(a)));
  for (int type = 0; type < 256; ++type) {
    if (type != wire::kHello) {
      auto fresh = listener(a.pub());
      expect_error(fresh.on_message(static_cast<std::uint8_t>(type), hello.payload, kStart, kUnix), Code::kNotVerified,
                   "order");
    }
    if (type != wire::kVerify && type != wire::kError) {
      auto [waiting, ack] = greeted();
      expect_error(waiting.on_message(static_cast<std::uint8_t>(type), hello.payload, kStart, kUnix),
                   Code::kNotVerified, "order");
    }
  }
}

TEST_F(HandshakeTest, AnyOtherTypeInAnyStateOfTheDiallerIs2001) {
  const Message ack = greeted().second;
  for (int type = 0; type < 256; ++type) {
    if (type == wire::kError) continue;
    if (type != wire::kHelloAck) {
      auto fresh = dialler(b.pub());
      fresh.begin(kUnix);
      expect_error(fresh.on_message(static_cast<std::uint8_t>(type), ack.payload), Code::kNotVerified, "order");
    }
    if (type != wire::kVerifyAck) {
      auto waiting = dialler(b.pub());
      waiting.begin(kUnix);
      feed(waiting, ack);
      const Step step = waiting.on_message(static_cast<std::uint8_t>(type), ack.payload);
      EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
      EXPECT_EQ(step.code, Code::kNotVerified);
      EXPECT_EQ(step.close_code, 3u);
      EXPECT_TRUE(step.send.empty());  // its side of the stream ended with Verify
    }
  }
}

TEST_F(HandshakeTest, EveryTruncationOfEveryMessageIs2003) {
  const Message hello = opened(wire::encode(hello_of(a)));
  for (std::size_t size = 0; size < hello.payload.size(); ++size) {
    auto machine = listener(a.pub());
    expect_error(machine.on_message(hello.type, base::ByteView(hello.payload).first(size), kStart, kUnix),
                 Code::kRejected, "malformed Hello");
  }
  const auto [unused, ack] = greeted();
  for (std::size_t size = 0; size < ack.payload.size(); ++size) {
    auto machine = dialler(b.pub());
    machine.begin(kUnix);
    expect_error(machine.on_message(ack.type, base::ByteView(ack.payload).first(size)), Code::kRejected,
                 "malformed HelloAck");
  }
  const Message verify = opened(wire::encode(verify_for(ack, a)));
  for (std::size_t size = 0; size < verify.payload.size(); ++size) {
    auto [machine, its_ack] = greeted();
    expect_error(machine.on_message(verify.type, base::ByteView(verify.payload).first(size), kStart, kUnix),
                 Code::kRejected, "malformed Verify");
  }
}

TEST_F(HandshakeTest, NamesAndSkillsOverTheirLimitsAre2003) {
  expect_error(answer_to_hello([](wire::Hello& hello) { hello.name = std::string(65, 'n'); }, a.pub()), Code::kRejected,
               "Hello");
  expect_error(answer_to_hello([](wire::Hello& hello) { hello.skills.assign(33, "s"); }, a.pub()), Code::kRejected,
               "Hello");
  expect_error(answer_to_hello([](wire::Hello& hello) { hello.skills = {std::string(65, 's')}; }, a.pub()),
               Code::kRejected, "Hello");
  EXPECT_EQ(answer_to_hello(
                [](wire::Hello& hello) {
                  hello.name = std::string(64, 'n');
                  hello.skills.assign(32, std::string(64, 's'));
                },
                a.pub())
                .outcome,
            Step::Outcome::kContinue);
}

TEST_F(HandshakeTest, PayloadOver16KiBIs2002OnBothSides) {
  const base::Bytes big(wire::kMaxHandshakePayload + 1);
  auto far = listener(a.pub());
  expect_error(far.on_message(wire::kHello, big, kStart, kUnix), Code::kPayloadTooLarge, "16 KiB");
  auto near = dialler(b.pub());
  near.begin(kUnix);
  expect_error(near.on_message(wire::kHelloAck, big), Code::kPayloadTooLarge, "16 KiB");
}

TEST_F(HandshakeTest, FramingFaultsAndSecondStreamsAnswerTheirCode) {
  for (const Code code : {Code::kRejected, Code::kProtocolVersion, Code::kPayloadTooLarge, Code::kNotVerified}) {
    auto far = listener(a.pub());
    expect_error(far.on_fault(code), code, "");
    auto near = dialler(b.pub());
    near.begin(kUnix);
    expect_error(near.on_fault(code), code, "");
  }
}

TEST_F(HandshakeTest, SecondStreamAfterVerifyIsAnsweredOnThatStream) {
  auto near = dialler(b.pub());
  near.begin(kUnix);
  ASSERT_TRUE(feed(near, greeted().second).finish);
  expect_error(near.on_fault(Code::kNotVerified), Code::kNotVerified, "VerifyAck");
  auto framing = dialler(b.pub());
  framing.begin(kUnix);
  feed(framing, greeted().second);
  const Step step = framing.on_fault(Code::kRejected);  // on the handshake stream, where its side has ended
  EXPECT_EQ(step.code, Code::kRejected);
  EXPECT_TRUE(step.send.empty());
}

TEST_F(HandshakeTest, FinishBeforeVerifyIs2001) {
  auto fresh = listener(a.pub());
  expect_error(fresh.on_finish(), Code::kNotVerified, "finished");
  auto [waiting, ack] = greeted();
  expect_error(waiting.on_finish(), Code::kNotVerified, "finished");
}

TEST_F(HandshakeTest, MachineThatFailedStaysFailedAndSilent) {
  auto machine = listener(m.pub());
  const Message hello = opened(wire::encode(hello_of(a)));
  expect_error(feed(machine, hello), Code::kInvalidIdentity, "TLS");
  for (const Step& step :
       {feed(machine, hello), machine.on_fault(Code::kRejected), machine.on_finish(), machine.on_timeout()}) {
    EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
    EXPECT_EQ(step.code, Code::kInvalidIdentity);
    EXPECT_TRUE(step.send.empty());
    EXPECT_FALSE(step.finish);
  }
  EXPECT_EQ(machine.deadline(), base::kNever);
}

TEST_F(HandshakeTest, MessageAfterTheEndAsksForAResetAndUndoesNothing) {
  auto [machine, ack] = greeted();
  const Message verify = opened(wire::encode(verify_for(ack, a)));
  feed(machine, verify);
  const Step again = feed(machine, verify);
  EXPECT_EQ(again.outcome, Step::Outcome::kDone);
  EXPECT_EQ(again.code, Code::kRejected);
  EXPECT_TRUE(again.send.empty());
  EXPECT_EQ(machine.on_timeout().outcome, Step::Outcome::kDone);
  EXPECT_TRUE(machine.done());
}

}  // namespace
}  // namespace atlas::session::test
