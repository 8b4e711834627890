// What waits in the outbox: why, in which order, whole after every restart; and that nothing waits without a daemon.
#include <set>

#include "outbox_fixture.h"

namespace messaging::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

class OutboxClient : public RoleTest {
 protected:
  OutboxClient() : RoleTest(ATLAS_MODE_CLIENT) {}
};

// --- why one waits, and in which order ---

TEST_F(OutboxTest, WhoWaitsBehindALimitIsToldOfIt) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  refuse(4001, "slow down");
  const auto behind = send(node_id(1));
  host->advance(20 * kSecond);
  EXPECT_EQ(status_of(behind), "waiting");
  EXPECT_THAT(std::string(result(behind).at("reason")), HasSubstr("the receiver limits our rate"));
  EXPECT_EQ(run("outbox").at(1).at("next_at"), host->unix_seconds() + 180);
}

TEST_F(OutboxTest, WhoWaitsForSomebodyAwayIsToldWithTheFirst) {
  host->run();
  send(node_id(1));
  const auto behind = send(node_id(1));
  EXPECT_FALSE(host->calls.at(behind).finished);
  unreachable();
  ASSERT_TRUE(host->calls.at(behind).finished);
  EXPECT_EQ(status_of(behind), "waiting");
  EXPECT_EQ(result(behind).at("reason"), "nobody there");
  EXPECT_EQ(result(behind).at("attempts"), 0);
}

TEST_F(OutboxTest, AfterARestartWhatWaitsSaysForWhat) {
  host->run();
  send(node_id(1));
  restart();
  EXPECT_THAT(std::string(run("outbox").at(0).at("reason")), HasSubstr("the receiver is tried in "));
}

TEST_F(OutboxTest, WhoWaitsForAPlaceIsToldSo) {
  host->run();
  for (std::uint64_t i = 1; i <= Outbox::kMaxUnderWay; ++i) send(node_id(i));
  const auto call = send(node_id(100));
  host->advance(20 * kSecond);
  EXPECT_THAT(std::string(result(call).at("reason")), HasSubstr("32 other receivers"));
}

// The texts that arrive, until the outbox is empty.
std::vector<std::string> arriving(FakeHost& host) {
  std::vector<std::string> out;
  host.responder = [&](const FakeRequest& request) {
    std::string why;
    const Message message = decode(atlas::msgpack::MapView::of(request.body), why).value();
    out.push_back(*atlas::json::from_msgpack(message.body));
    return FakeReply{true, 0x11, encode_ack(message.id), 0, ""};
  };
  for (int i = 0; i < 600 && host.metric("outbox_messages") != 0; ++i) {
    while (!host.dials.empty()) host.finish_dial(host.dials.at(0), {.node_id = host.dials.at(0).target});
    host.advance(100);
  }
  return out;
}

TEST_F(OutboxTest, AKillChangesNotTheOrderForAReceiver) {
  host->run();
  std::vector<std::string> sent;
  for (int i = 0; i < 8; ++i) {
    sent.push_back(std::to_string(i));
    send(node_id(1), sent.back());
  }
  restart();
  sent.push_back("8");
  send(node_id(1), "8");  // what comes after the restart goes behind the others
  EXPECT_EQ(arriving(*host), sent);
}

TEST_F(OutboxTest, AReceiverThatComesBackGetsTheOldestFirst) {
  host->run();
  send(node_id(1), "0");
  unreachable();
  send(node_id(1), "1");
  EXPECT_EQ(arriving(*host), (std::vector<std::string>{"0", "1"}));
}

TEST_F(OutboxTest, ReceiversAreNotAllDialledAtOnceAfterARestart) {
  host->run();
  for (std::uint64_t i = 1; i <= 20; ++i) send(node_id(i));
  restart();
  host->advance(100);
  EXPECT_LT(host->dials.size(), 10u);
  host->advance(5 * kSecond + 100);
  EXPECT_EQ(host->dials.size(), 20u);
}

TEST_F(OutboxTest, WhatNeverIsAnAddressIsGivenUp) {
  host->run();
  const auto call = send(node_id(1));
  host->fail_dial(host->dials.at(0), ATLAS_E_ARG, "host names are not looked up");
  EXPECT_EQ(status_of(call), "refused");
  EXPECT_EQ(rows_with("out/"), 0u);
}

// --- restarts ---

TEST_F(OutboxTest, KilledBeforeTheFirstAttemptItIsSentAfterwards) {
  host->run();
  send(node_id(1));
  restart();
  wait_for_attempt(kMinute);
  answer_dial(1);
  acknowledge();
  EXPECT_EQ(host->metric("sent"), 1);
  EXPECT_EQ(rows_with("out/"), 0u);
}

TEST_F(OutboxTest, KilledBetweenSendingAndTheAckItGoesOutAgainUnderTheSameId) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  const Bytes first = host->requests.at(0).body;
  restart();
  wait_for_attempt(kMinute);
  answer_dial(1);
  EXPECT_EQ(host->requests.at(0).body, first);
}

TEST_F(OutboxTest, ARestartForgetsNoAttempt) {
  host->run();
  send(node_id(1));
  for (int i = 0; i < 8; ++i) {
    wait_for_attempt(kHour);
    unreachable();
  }
  restart();
  EXPECT_EQ(run("outbox").at(0).at("attempts"), 8);
  EXPECT_EQ(run("outbox").at(0).at("reason"), "nobody there");
  EXPECT_LE(wait_for_attempt(kMinute), 5 * kSecond + 100);
  unreachable();
  EXPECT_GE(wait_for_attempt(kHour), 225 * kSecond);
}

TEST_F(OutboxTest, AfterARestartNewMessagesDoNotTakeThePlaceOfOldOnes) {
  host->run();
  send(node_id(1), "old");
  restart();
  send(node_id(2), "new");
  EXPECT_EQ(rows_with("out/"), 2u);
  EXPECT_EQ(run("outbox").size(), 2u);
}

TEST_F(OutboxTest, RowsOfANewerVersionAreLeftAlone) {
  const Bytes key = {'o', 'u', 't', '/', 0, 0, 0, 0, 0, 0, 0, 9};
  host->rows[key] = {0x80};
  host->rows[{'t', 'r', 'y', '/', 0, 0, 0, 0, 0, 0, 0, 3}] = {0x80};  // of a message that is gone
  host->run();
  send(node_id(1));
  EXPECT_EQ(host->rows.at(key), Bytes{0x80});
  EXPECT_EQ(rows_with("out/"), 2u);
  EXPECT_EQ(rows_with("try/"), 0u);
}

TEST_F(OutboxTest, WhatCannotBeReadWaits) {
  host->run();
  host->tables.store.get = [](const atlas_host*, atlas_bytes, const atlas_sink*) -> atlas_status {
    return ATLAS_E_INTERNAL;
  };
  const auto call = send(node_id(1));
  EXPECT_EQ(status_of(call), "waiting");
  EXPECT_EQ(rows_with("out/"), 1u);
  EXPECT_TRUE(host->dials.empty());
}

TEST_F(OutboxTest, StoppingEndsCommandsAndKeepsMessages) {
  host->run();
  const auto call = send(node_id(1));
  const auto behind = send(node_id(1));
  host->drain();
  EXPECT_EQ(host->calls.at(send(node_id(2))).status, ATLAS_E_STOPPING);
  host->fail_dial(host->dials.at(0), ATLAS_E_STOPPING, "stopping");
  EXPECT_EQ(status_of(call), "waiting");
  EXPECT_EQ(host->running_timers(), 0u);
  host->advance(kHour);
  EXPECT_TRUE(host->dials.empty());
  const auto rows = host->rows;
  host->stop();
  EXPECT_TRUE(host->calls.at(behind).finished);
  EXPECT_EQ(host->rows, rows);
  restart();
  EXPECT_EQ(run("outbox").size(), 2u);
  EXPECT_EQ(run("outbox").at(0).at("attempts"), 0);  // it was no real attempt
}

// --- without a daemon ---

TEST_F(OutboxClient, SendsDirectly) {
  host->run();
  const auto call = send("198.51.100.7:4433");
  answer_dial(1);
  acknowledge();
  EXPECT_EQ(result(call).at("status"), "received");
  EXPECT_EQ(result(call).at("to"), node_id(1));
  EXPECT_TRUE(host->rows.empty());
}

TEST_F(OutboxClient, WhatWasNotReceivedWasNotSent) {
  host->run();
  const auto call = send(node_id(1));
  host->fail_dial(host->dials.at(0), ATLAS_E_UNREACHABLE, "nobody there");
  EXPECT_EQ(result(call).at("status"), "failed");
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_UNREACHABLE);
  EXPECT_TRUE(host->rows.empty());
  const auto refused = send(node_id(1));
  answer_dial(1);
  host->answer_error(host->requests.at(0), 2003, "inbox full");
  EXPECT_EQ(host->calls.at(refused).status, ATLAS_E_DENIED);
}

TEST_F(OutboxClient, LeavesTheOutboxOfTheDaemonAlone) {
  host->run();
  atlas::msgpack::Writer row;
  Message message = message_of(kSelf, 1);
  row.map(3).text("target").text(node_id(1)).text("created_at").integer(1).text("message").raw(encode(message));
  host->rows[{'o', 'u', 't', '/', 0, 0, 0, 0, 0, 0, 0, 1}] = row.take();
  restart();
  host->advance(kHour);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_EQ(rows_with("out/"), 1u);
}

}  // namespace
}  // namespace messaging::test
