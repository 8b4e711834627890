// What an exchange costs in datagrams: acknowledgements and stream credit travel with the answer where there is one.
#include "party.h"

namespace atlas::quic {
namespace {

constexpr auto kMs = base::kMillisecond;

class AcknowledgementsTest : public PairTest {
 protected:
  // Alice asks on streams of their own, Bob answers each after `delay`.
  void begin(base::MonoNs delay) {
    start();
    bob->events.data_hook = [this, delay](Connection& connection, StreamId stream, base::ByteView, bool fin) {
      if (!fin) return;
      if (delay == 0) return static_cast<void>(connection.write(stream, bytes("answer"), true));
      answers_.emplace_back(connection.number(), stream);
      timer_ = bob_node.loop().make_timer([this, &connection] {
        for (const auto& [number, late] : answers_) connection.write(late, bytes("answer"), true);
        answers_.clear();
      });
      timer_->arm(world.now() + delay);
    };
    connect();
    world.run_for(2 * base::kSecond);  // path MTU probes and connection ids
  }
  void exchange() {
    const std::size_t before = alice->events.streams_closed;
    const auto stream = here->open_stream();
    ASSERT_TRUE(stream.has_value());
    here->write(*stream, bytes("question"), true);
    ASSERT_TRUE(run_until([&] { return alice->events.streams_closed > before; }));
    world.run_for(200 * kMs);  // whatever is late
  }
  std::uint64_t sent(const Party& party) const { return party.endpoint->udp_counters().sent_datagrams; }

  std::vector<std::pair<std::uint64_t, StreamId>> answers_;
  std::unique_ptr<net::Timer> timer_;
};

TEST_F(AcknowledgementsTest, AnswerTakesTheAcknowledgementAlong) {
  begin(0);
  const auto alice_before = sent(*alice), bob_before = sent(*bob);
  for (int i = 0; i < 20; ++i) exchange();
  EXPECT_EQ(sent(*bob) - bob_before, 20u) << "the answers and nothing else";
  EXPECT_EQ(sent(*alice) - alice_before, 40u) << "each question, and an acknowledgement of each answer";
}

TEST_F(AcknowledgementsTest, AnswerOfAnotherThreadStillTakesIt) {
  begin(500 * base::kMicrosecond);
  const auto bob_before = sent(*bob);
  std::uint64_t alone = 0;
  for (int i = 0; i < 20; ++i) {
    world.run_for(3 * kMs + 100 * base::kMicrosecond);  // anywhere within the tick
    exchange();
  }
  alone = sent(*bob) - bob_before - 20;
  EXPECT_LE(alone, 3u) << "only where the tick ends in between";
}

TEST_F(AcknowledgementsTest, QuestionWithoutAnAnswerIsAcknowledgedInTime) {
  start();
  connect();
  world.run_for(2 * base::kSecond);
  const auto bob_before = sent(*bob), alice_before = sent(*alice);
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("question"), true);
  // 10 ms there, at most 10 ms (and a tick) on the spot, 10 ms back.
  ASSERT_TRUE(run_until([&] { return alice->events.log(*here, stream).written; }, 32 * kMs));
  EXPECT_EQ(sent(*bob) - bob_before, 1u);
  EXPECT_EQ(sent(*alice) - alice_before, 1u) << "nothing was sent twice";
}

TEST_F(AcknowledgementsTest, SecondDatagramIsAcknowledgedAtOnce) {
  start();
  connect();
  world.run_for(2 * base::kSecond);
  const StreamId stream = here->open_stream().value();
  here->write(stream, bytes("one"), false);
  world.run_for(kMs);
  here->write(stream, bytes("two"), false);
  const auto bob_before = sent(*bob);
  const base::MonoNs written = world.now();
  ASSERT_TRUE(run_until([&] { return sent(*bob) > bob_before; }));
  EXPECT_LE(world.now() - written, 11 * kMs);
}

TEST_F(AcknowledgementsTest, StreamsAreGivenBackBeforeTheyRunOut) {
  if (!alice) alice = std::make_unique<Party>(alice_node, 1);
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.max_streams = 4;
  start();
  connect();
  // Nobody answers, so no packet of Bob's goes anyway.
  bob->events.data_hook = [](Connection& connection, StreamId stream, base::ByteView, bool fin) {
    if (fin) connection.write(stream, {}, true);
  };
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(run_until([&] {
      const auto stream = here->open_stream();
      if (!stream) return false;
      here->write(*stream, bytes("x"), true);
      return true;
    })) << i;
  }
  ASSERT_TRUE(run_until([&] { return bob->events.streams_closed == 40; }));
}

TEST_F(AcknowledgementsTest, OneStreamAtATimeIsGivenBackToo) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.max_streams = 1;
  begin(0);
  for (int i = 0; i < 5; ++i) exchange();
}

TEST_F(AcknowledgementsTest, AnswerGivesItsStreamBackAtOnce) {
  bob = std::make_unique<Party>(bob_node, 2);
  bob->protocol.max_streams = 4;
  begin(0);
  for (int round = 0; round < 5; ++round) {
    const auto bob_before = sent(*bob);
    for (int i = 0; i < 4; ++i) {
      const auto stream = here->open_stream();
      ASSERT_TRUE(stream.has_value()) << "all four were given back with the answers before";
      here->write(*stream, bytes("question"), true);
    }
    EXPECT_FALSE(here->open_stream().has_value());
    world.run_for(200 * kMs);
    EXPECT_EQ(sent(*bob) - bob_before, 1u) << "in the packet of the answers";
  }
}

// A lost answer comes again although the acknowledgements wait.
TEST_F(AcknowledgementsTest, LossIsRepairedAsBefore) {
  begin(0);
  world.set_default_link({.latency = 10 * kMs, .drop = 0.2});
  for (int i = 0; i < 50; ++i) exchange();
  EXPECT_EQ(alice->events.streams_closed, 50u);
}

}  // namespace
}  // namespace atlas::quic
