// The handshake of section 5: each check with its own code, in its order, on both sides, and what a forwarder can do.
#include "session/handshake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atlas/msgpack.hpp>

namespace atlas::session {
namespace {

using base::kSecond;
using testing::HasSubstr;
using wire::Code;

constexpr base::MonoNs kStart = 500 * kSecond;
constexpr std::int64_t kUnix = 1'700'000'000;

struct Message {
  std::uint8_t type;
  base::Bytes payload;
};

Message opened(const base::Bytes& envelope) {
  wire::EnvelopeReader reader;
  base::ByteView rest = envelope;
  EXPECT_EQ(reader.feed(rest), wire::EnvelopeReader::State::kEnvelope);
  EXPECT_TRUE(rest.empty());
  return {reader.envelope().type, base::Bytes(reader.envelope().payload.begin(), reader.envelope().payload.end())};
}

Message only(const Step& step) {
  EXPECT_EQ(step.send.size(), 1u);
  return step.send.empty() ? Message{0, {}} : opened(step.send[0]);
}

base::Bytes bytes(base::ByteView view) {
  return {view.begin(), view.end()};
}

struct Node {
  explicit Node(std::uint8_t seed, std::string name)
      : key(identity::NodeKey::from_seed([&] {
          base::ByteArray<32> bytes{};
          bytes[0] = seed;
          return bytes;
        }())) {
    self.key = &key;
    self.name = std::move(name);
    self.skills = {"summarise"};
    self.agent_version = "atlas/0.2.0";
    self.features = {"routes"};
  }
  const identity::PublicKey& pub() const { return key.public_key(); }
  identity::NodeKey key;
  Self self;
};

void expect_error(const Step& step, Code code, std::string_view rule) {
  EXPECT_EQ(step.outcome, Step::Outcome::kFailed);
  EXPECT_EQ(step.code, code);
  EXPECT_EQ(step.close_code, 3u);
  EXPECT_TRUE(step.finish);
  EXPECT_THAT(step.reason, HasSubstr(std::string(rule)));
  const Message sent = only(step);
  EXPECT_EQ(sent.type, wire::kError);
  const auto error = wire::decode_error(sent.payload);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, static_cast<std::uint32_t>(code));
}

class HandshakeTest : public testing::Test {
 protected:
  Node a{1, "alice"}, b{2, "bob"}, m{3, "mallory"};
  base::SeededRandom random{7};
  ListenerPolicy policy;

  ListenerHandshake listener(const identity::PublicKey& tls_key) {
    return ListenerHandshake(b.self, policy, tls_key, "192.0.2.7:5000", kStart, random);
  }
  DiallerHandshake dialler(const identity::PublicKey& tls_key) { return DiallerHandshake(a.self, tls_key, kStart); }

  wire::Hello hello_of(const Node& node) {
    return *wire::decode_hello(only(DiallerHandshake(node.self, b.pub(), kStart).begin(kUnix)).payload);
  }
  // What a's Hello, changed, gets from a listener whose TLS saw `tls_key`.
  template <class Change>
  Step answer_to_hello(Change change, const identity::PublicKey& tls_key) {
    wire::Hello hello = hello_of(a);
    change(hello);
    auto machine = listener(tls_key);
    return feed(machine, opened(wire::encode(hello)));
  }
  static Step feed(ListenerHandshake& machine, const Message& message, base::MonoNs now = kStart,
                   std::int64_t unix_now = kUnix) {
    return machine.on_message(message.type, message.payload, now, unix_now);
  }
  static Step feed(DiallerHandshake& machine, const Message& message) {
    return machine.on_message(message.type, message.payload);
  }
  wire::Verify verify_for(const Message& hello_ack, const Node& signer) {
    const auto ack = wire::decode_hello_ack(hello_ack.payload);
    return {bytes(signer.key.sign(ack->challenge)), ack->challenge};
  }
  // A listener that has had a's Hello, and its answer.
  std::pair<ListenerHandshake, Message> greeted() {
    auto machine = listener(a.pub());
    const Step step = feed(machine, opened(wire::encode(hello_of(a))));
    return {std::move(machine), only(step)};
  }
};

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
}  // namespace atlas::session
