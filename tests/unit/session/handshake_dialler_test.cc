// The handshake of section 5: the dialler's checks, and what a node in the middle can do.
#include "unit/session/handshake_fixture.h"

namespace atlas::session::test {
namespace {

// --- the dialler's checks ---

class DiallerChecks : public HandshakeTest {
 protected:
  template <class Change>
  Step answer_to_ack(Change change, const identity::PublicKey& tls_key) {
    wire::HelloAck ack = *wire::decode_hello_ack(greeted().second.payload);
    change(ack);
    auto machine = dialler(tls_key);
    machine.begin(kUnix);
    return feed(machine, opened(wire::encode(ack)));
  }
};

TEST_F(DiallerChecks, HelloAckIsCheckedLikeHello) {
  expect_error(answer_to_ack([](wire::HelloAck& ack) { ack.protocol_v = 2; }, b.pub()), Code::kProtocolVersion, "");
  expect_error(answer_to_ack([&](wire::HelloAck& ack) { ack.node_id = m.key.node_id(); }, b.pub()),
               Code::kInvalidIdentity, "hash");
  expect_error(answer_to_ack([](wire::HelloAck& ack) { ack.public_key.pop_back(); }, b.pub()), Code::kInvalidIdentity,
               "32 bytes");
  expect_error(answer_to_ack([](wire::HelloAck&) {}, m.pub()), Code::kInvalidIdentity, "TLS");
}

TEST_F(DiallerChecks, NothingButA32ByteChallengeIsSigned) {
  for (const std::size_t size : {0u, 31u, 33u, 64u}) {
    expect_error(answer_to_ack([&](wire::HelloAck& ack) { ack.challenge.resize(size); }, b.pub()), Code::kRejected,
                 "HelloAck");
  }
}

TEST_F(DiallerChecks, ObservedAddressIsKeptOnlyInCanonicalForm) {
  const auto observed_after = [&](std::optional<std::string> text) {
    wire::HelloAck ack = *wire::decode_hello_ack(greeted().second.payload);
    ack.observed = std::move(text);
    auto machine = dialler(b.pub());
    machine.begin(kUnix);
    EXPECT_EQ(feed(machine, opened(wire::encode(ack))).outcome, Step::Outcome::kContinue);
    return machine.peer().observed;
  };
  EXPECT_EQ(observed_after("[::ffff:192.0.2.9]:99"), "192.0.2.9:99");
  EXPECT_EQ(observed_after("evil\n[ok] ready"), std::nullopt);
  EXPECT_EQ(observed_after(std::nullopt), std::nullopt);
}

TEST_F(DiallerChecks, ErrorOfTheListenerEndsItWithItsCode) {
  for (const bool after_ack : {false, true}) {
    auto machine = dialler(b.pub());
    machine.begin(kUnix);
    if (after_ack) feed(machine, greeted().second);
    const Step step = feed(machine, opened(wire::encode(wire::ErrorMessage{1004, "no\nsuch id", std::nullopt})));
    EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
    EXPECT_EQ(step.code, Code::kInvalidIdentity);
    EXPECT_EQ(step.close_code, 3u);
    EXPECT_EQ(step.reason, "no\\x0asuch id");
    EXPECT_TRUE(step.send.empty());
  }
}

TEST_F(DiallerChecks, RejectedCarriesItsReasonAndCode2) {
  auto machine = dialler(b.pub());
  machine.begin(kUnix);
  feed(machine, greeted().second);
  const Step step = feed(machine, opened(wire::encode(wire::VerifyAck{false, "banned until\x1b[31m"})));
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.close_code, 2u);
  EXPECT_EQ(step.code, Code{});
  EXPECT_EQ(step.reason, "banned until\\x1b[31m");
  EXPECT_FALSE(machine.done());
}

TEST_F(DiallerChecks, PolicyRefusesAListenerBeforeAnythingIsSigned) {
  std::vector<std::string> asked;
  const auto refuse = [&](const PeerIdentity& peer) -> std::optional<std::string> {
    asked.push_back(peer.node_id);
    return "banned: " + std::string(9000, 'x');
  };
  const Message ack = greeted().second;
  DiallerHandshake unproved(a.self, m.pub(), kStart, refuse);
  unproved.begin(kUnix);
  expect_error(feed(unproved, ack), Code::kInvalidIdentity, "TLS");
  EXPECT_TRUE(asked.empty()) << "only a proved identity is worth a question";

  DiallerHandshake machine(a.self, b.pub(), kStart, refuse);
  machine.begin(kUnix);
  const Step step = feed(machine, ack);
  EXPECT_EQ(asked, std::vector<std::string>{b.key.node_id()});
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.close_code, 2u);
  EXPECT_EQ(step.code, Code{});
  EXPECT_TRUE(step.send.empty());
  EXPECT_TRUE(step.reason.starts_with("banned: "));
  EXPECT_EQ(step.reason.size(), kMaxReasonBytes);
  EXPECT_FALSE(machine.done());
}

TEST_F(DiallerChecks, BanThatComesBeforeVerifyAckStillRefuses) {
  bool banned = false;
  DiallerHandshake machine(a.self, b.pub(), kStart, [&](const PeerIdentity&) {
    return banned ? std::optional<std::string>("banned") : std::nullopt;
  });
  machine.begin(kUnix);
  EXPECT_EQ(feed(machine, greeted().second).outcome, Step::Outcome::kContinue);
  banned = true;
  const Step step = feed(machine, opened(wire::encode(wire::VerifyAck{true, std::nullopt})));
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.close_code, 2u);
  EXPECT_EQ(step.reason, "banned");
  EXPECT_FALSE(machine.done());
}

TEST_F(DiallerChecks, GivenUpByItsDialIs1003WhileItsSideIsOpen) {
  auto waiting = dialler(b.pub());
  waiting.begin(kUnix);
  expect_error(waiting.on_given_up(), Code::kHandshakeTimeout, "dial");
  auto verified = dialler(b.pub());
  verified.begin(kUnix);
  feed(verified, greeted().second);
  const Step step = verified.on_given_up();
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.close_code, 3u);
  EXPECT_TRUE(step.send.empty()) << "its side of the stream ended with Verify";
}

TEST_F(DiallerChecks, ListenerThatFinishesEarlyOrIsSilentFailsIt) {
  auto early = dialler(b.pub());
  early.begin(kUnix);
  expect_error(early.on_finish(), Code::kHandshakeFailed, "finished");
  auto silent = dialler(b.pub());
  silent.begin(kUnix);
  EXPECT_EQ(silent.deadline(), kStart + 10 * kSecond);
  expect_error(silent.on_timeout(), Code::kHandshakeTimeout, "10 s");
}

TEST_F(HandshakeTest, ErrorOfTheDiallerInPlaceOfVerifyEndsTheListener) {
  auto [machine, ack] = greeted();
  const Step step = feed(machine, opened(wire::encode(wire::ErrorMessage{1004, "not you", std::nullopt})));
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.code, Code::kInvalidIdentity);
  EXPECT_TRUE(step.send.empty());
  auto [other, other_ack] = greeted();
  expect_error(other.on_message(wire::kError, base::Bytes{0xc0}, kStart, kUnix), Code::kRejected, "malformed Error");
}

// --- a node in the middle: A dials M, M dials B and wants to be A there ---

TEST_F(HandshakeTest, ForwardedHelloIsRefusedByTheKeyOfTls) {
  // M passes A's Hello on; the TLS connection to B is M's.
  auto at_b = listener(m.pub());
  expect_error(feed(at_b, only(DiallerHandshake(a.self, m.pub(), kStart).begin(kUnix))), Code::kInvalidIdentity, "TLS");
}

TEST_F(HandshakeTest, ForwardedHelloAckIsRefusedByTheKeyOfTls) {
  // M passes B's HelloAck back to A as it is; A's TLS connection is with M.
  auto at_a = dialler(m.pub());
  at_a.begin(kUnix);
  expect_error(feed(at_a, greeted().second), Code::kInvalidIdentity, "TLS");
}

TEST_F(HandshakeTest, SignatureFetchedFromAnotherConnectionProvesNothing) {
  // M asks B for a challenge under its own name, has A sign it by putting it into M's HelloAck, and sends the
  // signature.
  auto at_b = listener(m.pub());
  const Message from_b = only(feed(at_b, opened(wire::encode(hello_of(m)))));
  const auto challenge = wire::decode_hello_ack(from_b.payload)->challenge;
  wire::HelloAck bait;
  bait.node_id = m.key.node_id();
  bait.name = "mallory";
  bait.public_key = bytes(m.pub());
  bait.challenge = challenge;
  auto at_a = dialler(m.pub());
  at_a.begin(kUnix);
  const Message signed_by_a = only(feed(at_a, opened(wire::encode(bait))));
  ASSERT_EQ(signed_by_a.type, wire::kVerify);
  expect_error(feed(at_b, signed_by_a), Code::kHandshakeFailed, "signature");
}

TEST_F(HandshakeTest, RecordedVerifyDoesNotOpenASecondSession) {
  auto [first, ack] = greeted();
  const Message verify = opened(wire::encode(verify_for(ack, a)));
  ASSERT_EQ(feed(first, verify).outcome, Step::Outcome::kDone);
  auto [second, other_ack] = greeted();
  expect_error(feed(second, verify), Code::kHandshakeFailed, "echo");
}

}  // namespace
}  // namespace atlas::session::test
