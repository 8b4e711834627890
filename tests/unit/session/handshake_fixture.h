// Two nodes and somebody between them, for tests of the handshake: what they say to each other, step by step.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atlas/msgpack.hpp>

#include "session/handshake.h"

namespace atlas::session::test {

using base::kSecond;
using testing::HasSubstr;
using wire::Code;

inline constexpr base::MonoNs kStart = 500 * kSecond;
inline constexpr std::int64_t kUnix = 1'700'000'000;

struct Message {
  std::uint8_t type;
  base::Bytes payload;
};

inline Message opened(const base::Bytes& envelope) {
  wire::EnvelopeReader reader;
  base::ByteView rest = envelope;
  EXPECT_EQ(reader.feed(rest), wire::EnvelopeReader::State::kEnvelope);
  EXPECT_TRUE(rest.empty());
  return {reader.envelope().type, base::Bytes(reader.envelope().payload.begin(), reader.envelope().payload.end())};
}

inline Message only(const Step& step) {
  EXPECT_EQ(step.send.size(), 1u);
  return step.send.empty() ? Message{0, {}} : opened(step.send[0]);
}

inline base::Bytes bytes(base::ByteView view) {
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

inline void expect_error(const Step& step, Code code, std::string_view rule) {
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

}  // namespace atlas::session::test
