// The handshake of section 5: the way through, each check of the listener with its own code, and what is kept.
#include "unit/session/handshake_fixture.h"

namespace atlas::session::test {
namespace {

// --- the way through ---

TEST_F(HandshakeTest, BothSidesFinishAndKnowEachOther) {
  msgpack::Writer op;
  op.map(2).text("fid").integer(42).text("username").text("@alice");
  a.self.operator_map = bytes(op.take());
  auto near = dialler(b.pub());
  auto far = listener(a.pub());

  const Step hello = near.begin(kUnix);
  EXPECT_FALSE(hello.finish);
  const Step ack = feed(far, only(hello));
  EXPECT_EQ(ack.outcome, Step::Outcome::kContinue);
  EXPECT_FALSE(ack.finish);
  const Step verify = feed(near, only(ack));
  EXPECT_TRUE(verify.finish);
  EXPECT_EQ(verify.outcome, Step::Outcome::kContinue);
  EXPECT_FALSE(near.done());
  const Step verdict = feed(far, only(verify));
  EXPECT_EQ(verdict.outcome, Step::Outcome::kDone);
  EXPECT_TRUE(verdict.finish);
  EXPECT_TRUE(far.done());
  const Step end = feed(near, only(verdict));
  EXPECT_EQ(end.outcome, Step::Outcome::kDone);
  EXPECT_TRUE(end.send.empty());
  EXPECT_TRUE(near.done());

  EXPECT_EQ(far.peer().node_id, a.key.node_id());
  EXPECT_EQ(far.peer().key, a.pub());
  EXPECT_EQ(far.peer().name, "alice");
  EXPECT_EQ(far.peer().skills, std::vector<std::string>{"summarise"});
  EXPECT_EQ(far.peer().operator_username, "alice");
  EXPECT_EQ(far.peer().agent_version, "atlas/0.2.0");
  EXPECT_EQ(far.peer().features, std::vector<std::string>{"routes"});
  EXPECT_EQ(far.peer().observed, std::nullopt);
  EXPECT_EQ(near.peer().node_id, b.key.node_id());
  EXPECT_EQ(near.peer().name, "bob");
  EXPECT_EQ(near.peer().operator_username, std::nullopt);
  EXPECT_EQ(near.peer().observed, "192.0.2.7:5000");
  EXPECT_EQ(near.deadline(), base::kNever);
  EXPECT_EQ(far.deadline(), base::kNever);
}

TEST_F(HandshakeTest, PublishedNodesHelloWithoutExtensionsIsEnough) {
  a.self.agent_version.clear();
  a.self.features.clear();
  auto machine = listener(a.pub());
  EXPECT_EQ(feed(machine, opened(wire::encode(hello_of(a)))).outcome, Step::Outcome::kContinue);
  EXPECT_EQ(machine.peer().agent_version, "");
}

TEST_F(HandshakeTest, EveryHandshakeHasAChallengeOfItsOwn) {
  const auto first = wire::decode_hello_ack(greeted().second.payload);
  const auto second = wire::decode_hello_ack(greeted().second.payload);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->challenge.size(), 32u);
  EXPECT_NE(first->challenge, second->challenge);
}

TEST_F(HandshakeTest, FinishAfterVerifyIsFineOnBothSides) {
  auto [machine, ack] = greeted();
  feed(machine, opened(wire::encode(verify_for(ack, a))));
  const Step step = machine.on_finish();
  EXPECT_EQ(step.outcome, Step::Outcome::kDone);
  EXPECT_EQ(step.code, Code{});
  auto near = dialler(b.pub());
  near.begin(kUnix);
  feed(near, ack);
  feed(near, opened(wire::encode(wire::VerifyAck{true, std::nullopt})));
  EXPECT_EQ(near.on_finish().outcome, Step::Outcome::kDone);
}

// --- the listener's checks, each with its code ---

TEST_F(HandshakeTest, OtherProtocolVersionIs1001) {
  for (const std::uint32_t version : {0u, 2u, 4'294'967'295u}) {
    expect_error(answer_to_hello([&](wire::Hello& hello) { hello.protocol_v = version; }, a.pub()),
                 Code::kProtocolVersion, "version");
  }
}

// A message of another version need not look like ours: its version is read first.
TEST_F(HandshakeTest, OtherProtocolVersionIs1001WhateverElseIsOff) {
  const auto spoil = [](auto& message) {
    message.protocol_v = 2;
    message.name = std::string(65, 'n');
  };
  expect_error(answer_to_hello(spoil, a.pub()), Code::kProtocolVersion, "version");
  wire::HelloAck ack = *wire::decode_hello_ack(greeted().second.payload);
  spoil(ack);
  auto near = dialler(b.pub());
  near.begin(kUnix);
  expect_error(feed(near, opened(wire::encode(ack))), Code::kProtocolVersion, "version");

  const auto answer = [&](auto write) {
    msgpack::Writer map;
    map.map(1).text("protocol_v");
    write(map);
    auto far = listener(a.pub());
    return far.on_message(wire::kHello, map.take(), kStart, kUnix);
  };
  expect_error(answer([](auto& map) { map.integer(2); }), Code::kProtocolVersion, "version");
  expect_error(answer([](auto& map) { map.integer(-1); }), Code::kProtocolVersion, "version");
  expect_error(answer([](auto& map) { map.integer(std::uint64_t{1} << 40); }), Code::kProtocolVersion, "version");
  expect_error(answer([](auto& map) { map.integer(1); }), Code::kRejected, "malformed");
  expect_error(answer([](auto& map) { map.text("2"); }), Code::kRejected, "malformed");
}

TEST_F(HandshakeTest, NodeIdThatIsNotTheHashOfTheKeyIs1004) {
  expect_error(answer_to_hello([&](wire::Hello& hello) { hello.node_id = m.key.node_id(); }, a.pub()),
               Code::kInvalidIdentity, "hash");
  expect_error(answer_to_hello(
                   [&](wire::Hello& hello) {
                     hello.node_id[6] ^= 'A' ^ 'a';
                     hello.node_id[6] = 'z';
                   },
                   a.pub()),
               Code::kInvalidIdentity, "hash");
  expect_error(answer_to_hello([&](wire::Hello& hello) { hello.node_id.clear(); }, a.pub()), Code::kInvalidIdentity,
               "hash");
}

TEST_F(HandshakeTest, KeyThatIsNot32BytesIs1004) {
  for (const std::size_t size : {0u, 31u, 33u, 64u}) {
    expect_error(answer_to_hello([&](wire::Hello& hello) { hello.public_key.resize(size); }, a.pub()),
                 Code::kInvalidIdentity, "32 bytes");
  }
}

TEST_F(HandshakeTest, KeyThatTlsDidNotProveIs1004) {
  expect_error(answer_to_hello([](wire::Hello&) {}, m.pub()), Code::kInvalidIdentity, "TLS");
}

TEST_F(HandshakeTest, ClockDriftOverTheLimitIs1002) {
  for (const std::int64_t drift : {-301, 301}) {
    expect_error(answer_to_hello([&](wire::Hello& hello) { hello.timestamp = kUnix + drift; }, a.pub()),
                 Code::kHandshakeFailed, "clock");
  }
  for (const std::int64_t drift : {-300, 0, 300}) {
    EXPECT_EQ(answer_to_hello([&](wire::Hello& hello) { hello.timestamp = kUnix + drift; }, a.pub()).outcome,
              Step::Outcome::kContinue);
  }
  for (const std::int64_t far : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    expect_error(answer_to_hello([&](wire::Hello& hello) { hello.timestamp = far; }, a.pub()), Code::kHandshakeFailed,
                 "clock");
  }
}

TEST_F(HandshakeTest, ChecksOfHelloComeInTheirOrder) {
  // Everything wrong at once; mending one fault shows the next.
  wire::Hello hello = hello_of(a);
  hello.protocol_v = 2;
  hello.node_id = b.key.node_id();
  hello.timestamp = 0;
  const auto answer = [&](const identity::PublicKey& tls_key) {
    auto machine = listener(tls_key);
    return feed(machine, opened(wire::encode(hello)));
  };
  expect_error(answer(m.pub()), Code::kProtocolVersion, "version");
  hello.protocol_v = 1;
  expect_error(answer(m.pub()), Code::kInvalidIdentity, "hash");
  hello.node_id = a.key.node_id();
  expect_error(answer(m.pub()), Code::kInvalidIdentity, "TLS");
  expect_error(answer(a.pub()), Code::kHandshakeFailed, "clock");
  hello.timestamp = kUnix;
  EXPECT_EQ(answer(a.pub()).outcome, Step::Outcome::kContinue);
}

TEST_F(HandshakeTest, EchoThatIsNotTheChallengeIs1002) {
  for (int bit : {0, 100, 255}) {
    auto [machine, ack] = greeted();
    wire::Verify verify = verify_for(ack, a);
    verify.challenge[bit / 8] ^= 1 << bit % 8;
    expect_error(feed(machine, opened(wire::encode(verify))), Code::kHandshakeFailed, "echo");
  }
  for (const std::size_t size : {0u, 31u, 33u}) {
    auto [machine, ack] = greeted();
    wire::Verify verify = verify_for(ack, a);
    verify.challenge.resize(size);
    expect_error(feed(machine, opened(wire::encode(verify))), Code::kHandshakeFailed, "echo");
  }
}

TEST_F(HandshakeTest, SignatureThatDoesNotVerifyIs1002) {
  for (const std::size_t at : {0u, 31u, 63u}) {
    auto [machine, ack] = greeted();
    wire::Verify verify = verify_for(ack, a);
    verify.signature[at] ^= 1;
    expect_error(feed(machine, opened(wire::encode(verify))), Code::kHandshakeFailed, "signature");
  }
  for (const std::size_t size : {0u, 63u, 65u}) {
    auto [machine, ack] = greeted();
    wire::Verify verify = verify_for(ack, a);
    verify.signature.resize(size);
    expect_error(feed(machine, opened(wire::encode(verify))), Code::kHandshakeFailed, "signature");
  }
  auto [machine, ack] = greeted();
  expect_error(feed(machine, opened(wire::encode(verify_for(ack, m)))), Code::kHandshakeFailed, "signature");
}

TEST_F(HandshakeTest, EchoIsCheckedBeforeTheSignature) {
  auto [machine, ack] = greeted();
  wire::Verify verify = verify_for(ack, m);
  verify.challenge[0] ^= 1;
  expect_error(feed(machine, opened(wire::encode(verify))), Code::kHandshakeFailed, "echo");
}

TEST_F(HandshakeTest, PolicyRefusalIsRejectedWithItsReasonAndClosesWith2) {
  policy.refuse = [](const PeerIdentity& peer) -> std::optional<std::string> { return "banned: " + peer.name; };
  auto [machine, ack] = greeted();
  const Step step = feed(machine, opened(wire::encode(verify_for(ack, a))));
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.close_code, 2u);
  EXPECT_EQ(step.code, Code{});
  EXPECT_TRUE(step.finish);
  EXPECT_EQ(step.reason, "banned: alice");
  const Message sent = only(step);
  EXPECT_EQ(sent.type, wire::kVerifyAck);
  const auto verdict = wire::decode_verify_ack(sent.payload);
  ASSERT_TRUE(verdict);
  EXPECT_FALSE(verdict->ok);
  EXPECT_EQ(verdict->reason, "banned: alice");
  EXPECT_FALSE(machine.done());
}

TEST_F(HandshakeTest, PolicyIsAskedOnlyAboutAProvedIdentity) {
  int asked = 0;
  policy.refuse = [&](const PeerIdentity&) -> std::optional<std::string> {
    ++asked;
    return std::nullopt;
  };
  {
    auto [machine, ack] = greeted();
    feed(machine, opened(wire::encode(verify_for(ack, m))));
  }
  EXPECT_EQ(asked, 0);
  auto [machine, ack] = greeted();
  feed(machine, opened(wire::encode(verify_for(ack, a))));
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(machine.done());
}

TEST_F(HandshakeTest, LongReasonOfPolicyIsCut) {
  policy.refuse = [](const PeerIdentity&) { return std::optional<std::string>(std::string(9000, 'x')); };
  auto [machine, ack] = greeted();
  EXPECT_EQ(feed(machine, opened(wire::encode(verify_for(ack, a)))).reason.size(), kMaxReasonBytes);
}

TEST_F(HandshakeTest, TenSecondsInAllThen1003) {
  auto machine = listener(a.pub());
  EXPECT_EQ(machine.deadline(), kStart + 10 * kSecond);
  expect_error(machine.on_timeout(), Code::kHandshakeTimeout, "10 s");
  // Between Hello and Verify too, and a message that comes with the deadline is late.
  auto [second, ack] = greeted();
  EXPECT_EQ(second.deadline(), kStart + 10 * kSecond);
  expect_error(feed(second, opened(wire::encode(verify_for(ack, a))), kStart + 10 * kSecond), Code::kHandshakeTimeout,
               "10 s");
  auto [third, third_ack] = greeted();
  EXPECT_EQ(feed(third, opened(wire::encode(verify_for(third_ack, a))), kStart + 10 * kSecond - 1).outcome,
            Step::Outcome::kDone);
}

// --- what is kept of what a peer says ---

TEST_F(HandshakeTest, OperatorUsernameIsTakenWithoutItsSign) {
  const auto username_from = [&](auto write) {
    msgpack::Writer map;
    write(map);
    a.self.operator_map = bytes(map.take());
    auto machine = listener(a.pub());
    EXPECT_EQ(feed(machine, opened(wire::encode(hello_of(a)))).outcome, Step::Outcome::kContinue);
    return machine.peer().operator_username;
  };
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").text("alice"); }), "alice");
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").text("@alice"); }), "alice");
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").text("@@a"); }), "@a");
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").text("@"); }), std::nullopt);
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").integer(7); }), std::nullopt);
  EXPECT_EQ(username_from([](auto& map) { map.map(1).text("username").text(std::string(65, 'u')); }), std::nullopt);
  EXPECT_EQ(username_from([](auto& map) { map.map(0); }), std::nullopt);
}

TEST_F(HandshakeTest, LongOptionalTextsAreNotKept) {
  wire::Hello hello = hello_of(a);
  hello.agent_version = std::string(kMaxAgentVersionBytes + 1, 'v');
  hello.wallet = std::string(kMaxWalletBytes + 1, 'w');
  auto machine = listener(a.pub());
  EXPECT_EQ(feed(machine, opened(wire::encode(hello))).outcome, Step::Outcome::kContinue);
  EXPECT_EQ(machine.peer().agent_version, "");
  EXPECT_EQ(machine.peer().wallet, std::nullopt);
}

}  // namespace
}  // namespace atlas::session::test
