// The outbox of the messaging role: durable before the first attempt, tried again until somebody takes it, paced so
// that it ends in no ban.
#include <set>

#include "kit/documented_keys.h"
#include "outbox_fixture.h"

namespace messaging::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

// --- one message ---

TEST_F(OutboxTest, NothingIsTriedBeforeTheMessageIsSafe) {
  host->run();
  HeldCommits commits(*host);
  const auto call = send(node_id(1));
  EXPECT_EQ(commits.size(), 1u);
  connect(1);
  host->advance(kMinute);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_FALSE(host->calls.at(call).finished);
  commits.commit();
  ASSERT_EQ(host->dials.size(), 1u);
  EXPECT_EQ(host->dials[0].target, node_id(1));
}

TEST_F(OutboxTest, AnAcknowledgedMessageIsReceived) {
  host->run();
  const auto call = host->run_command(
      "send", {{"target", node_id(1)}, {"body", "{\"n\":1}"}, {"--topic", "t"}, {"--reply-to", message_id(3)}});
  answer_dial(1);
  const Message sent = sent_in(host->requests.at(0));
  EXPECT_EQ(host->requests[0].type, 0x10);
  EXPECT_EQ(sent.from, kSelf);
  EXPECT_EQ(sent.to, node_id(1));
  EXPECT_EQ(sent.timestamp, host->unix_seconds());
  EXPECT_EQ(sent.topic, "t");
  EXPECT_EQ(sent.reply_to, message_id(3));
  EXPECT_EQ(atlas::json::from_msgpack(sent.body), "{\"n\":1}");
  acknowledge();
  EXPECT_EQ(result(call),
            (nlohmann::json{
                {"id", sent.id}, {"to", node_id(1)}, {"status", "received"}, {"attempts", 1}, {"reason", nullptr}}));
  EXPECT_EQ(host->calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(rows_with("out/") + rows_with("try/"), 0u);
  EXPECT_EQ(outcomes(), std::vector<std::string>{"received"});
  EXPECT_EQ(host->metric("sent"), 1);
  EXPECT_EQ(host->metric("outbox_messages"), 0);
}

TEST_F(OutboxTest, ARefusalIsFinal) {
  host->run();
  const auto call = send(node_id(1));
  answer_dial(1);
  refuse(2003, "inbox full");
  EXPECT_EQ(status_of(call), "refused");
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_DENIED);
  EXPECT_THAT(host->calls.at(call).error, HasSubstr("inbox full"));
  host->advance(kDay);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_EQ(rows_with("out/"), 0u);
  EXPECT_EQ(outcomes(), std::vector<std::string>{"refused"});
}

TEST_F(OutboxTest, WhatARefusalSaysIsBounded) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  refuse(2003, std::string(1'000, 'x'));
  const std::string reason = run("outbox", {{"--audit", "true"}}).at(0).at("reason");
  EXPECT_EQ(reason.size(), 256u);
  EXPECT_THAT(reason, HasSubstr("xxx"));
}

TEST_F(OutboxTest, AnAckOfSomethingElseIsNone) {
  host->run();
  const auto call = send(node_id(1));
  answer_dial(1);
  host->answer(host->requests.at(0), 0x11, encode_ack(message_id(1)));
  EXPECT_EQ(status_of(call), "refused");
}

TEST_F(OutboxTest, NobodyThereIsWaitingAndTriedAgain) {
  host->run();
  const auto call = send(node_id(1));
  unreachable();
  EXPECT_EQ(status_of(call), "waiting");
  EXPECT_EQ(result(call).at("reason"), "nobody there");
  EXPECT_EQ(host->calls.at(call).status, ATLAS_OK);
  EXPECT_EQ(run("outbox").at(0).at("attempts"), 1);
  wait_for_attempt(kMinute);
  answer_dial(1);
  acknowledge();
  EXPECT_EQ(outcomes(), (std::vector<std::string>{"waiting", "received"}));
  EXPECT_EQ(host->metric("sent"), 1);
  EXPECT_EQ(host->metric("outbox_messages"), 0);
}

TEST_F(OutboxTest, PausesGrowWithJitterUpToTheLongest) {
  host->run();
  send(node_id(1));
  std::set<std::uint64_t> last;
  for (int i = 0; i < 40; ++i) {
    unreachable();
    const std::uint64_t whole = std::min<std::uint64_t>(5'000ull << std::min(i, 10), 300'000);
    const auto pause = wait_for_attempt(kHour, 10);
    EXPECT_GE(pause, whole * 3 / 4) << i;
    EXPECT_LE(pause, whole + 60) << i;
    if (i >= 10) last.insert(pause);
  }
  EXPECT_GT(last.size(), 10u);
  EXPECT_EQ(run("outbox", {{"--audit", "true"}}).size(), 40u);
}

TEST_F(OutboxTest, TheSameMessageGoesOutAgainWhenTheAckGotLost) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  const Bytes first = host->requests.at(0).body;
  host->advance(10 * kSecond);  // no answer
  wait_for_attempt(kMinute);
  answer_dial(1);
  EXPECT_EQ(host->requests.at(0).body, first);
  acknowledge();
  EXPECT_EQ(outcomes(), (std::vector<std::string>{"waiting", "received"}));
}

TEST_F(OutboxTest, APeerThatIsBusyIsTriedAgain) {
  host->run();
  const auto call = send(node_id(1));
  answer_dial(1);
  refuse(5001, "could not be stored");
  EXPECT_EQ(status_of(call), "waiting");
  EXPECT_LE(wait_for_attempt(kMinute), 5 * kSecond + 100);
}

TEST_F(OutboxTest, ARateLimitIsKept) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  refuse(4001, "rate limited");
  EXPECT_GE(wait_for_attempt(kHour), 200 * kSecond);
  EXPECT_EQ(host->dials.size(), 1u);
}

TEST_F(OutboxTest, ARateLimitIsKeptByAllForThatReceiver) {
  host->run();
  send(node_id(1));
  answer_dial(1);
  refuse(4001, "rate limited");
  const auto call = send(node_id(1));
  EXPECT_TRUE(host->dials.empty());
  host->lose_peer(host->peers.begin()->first);
  connect(1);  // that it is there again changes nothing
  host->advance(20 * kSecond);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_EQ(status_of(call), "waiting");
  send(node_id(2));
  EXPECT_EQ(host->dials.size(), 1u);
}

TEST_F(OutboxTest, APeerThatComesUpIsTriedAtOnce) {
  host->run();
  send(node_id(1));
  for (int i = 0; i < 12; ++i) {
    unreachable();
    wait_for_attempt(kHour);
  }
  unreachable();
  connect(2);
  EXPECT_GT(wait_for_attempt(kSecond), 500u);
  connect(1);
  EXPECT_LE(wait_for_attempt(kSecond), 100u);
}

TEST_F(OutboxTest, GivenAnAddressItTriesWhoComesUpThere) {
  host->run();
  send("198.51.100.7:4433");
  for (int i = 0; i < 12; ++i) {
    unreachable();
    wait_for_attempt(kHour);
  }
  unreachable();
  connect(1, "198.51.100.7:4433");
  EXPECT_LE(wait_for_attempt(kSecond), 100u);
}

TEST_F(OutboxTest, AfterTheFirstContactItIsForThatNodeOnly) {
  host->run();
  const auto call = send("198.51.100.7:4433");
  answer_dial(1);
  host->lose_peer(host->peers.begin()->first);  // after the request was sent
  EXPECT_EQ(result(call).at("to"), node_id(1));
  wait_for_attempt(kMinute);
  EXPECT_EQ(host->dials.at(0).target, node_id(1));
  unreachable();
  restart();
  wait_for_attempt(kMinute);
  EXPECT_EQ(host->dials.at(0).target, node_id(1));
  unreachable();
  connect(1, "203.0.113.1:9");
  EXPECT_LE(wait_for_attempt(kSecond), 100u);
}

TEST_F(OutboxTest, ExpiresWhenNobodyTakesIt) {
  host->config["retry_for"] = "1h";
  host->run();
  send(node_id(1));
  const std::uint64_t begin = host->now_ms;
  while (rows_with("out/") != 0 && host->now_ms - begin < kDay) {
    wait_for_attempt(kHour, 1'000);
    unreachable();
  }
  EXPECT_GE(host->now_ms - begin, kHour);
  EXPECT_LE(host->now_ms - begin, kHour + 6 * kMinute);
  EXPECT_EQ(outcomes().back(), "expired");
  EXPECT_EQ(host->metric("expired"), 1);
  EXPECT_EQ(rows_with("try/"), 0u);
}

TEST_F(OutboxTest, ALongDowntimeLeavesOneMoreAttempt) {
  host->run();
  send(node_id(1));
  unreachable();
  restart(30 * kDay);
  wait_for_attempt(kMinute);
  answer_dial(1);
  acknowledge();
  EXPECT_EQ(outcomes().back(), "received");
}

TEST_F(OutboxTest, AClockThatWasAheadDoesNotKeepItForEver) {
  host->config["retry_for"] = "1h";
  host->wall_jump_ms = static_cast<std::int64_t>(365 * kDay);
  host->run();
  send(node_id(1));
  unreachable();
  restart();
  host->wall_jump_ms = 0;
  restart();
  for (int i = 0; i < 100 && rows_with("out/") != 0; ++i) {
    wait_for_attempt(kHour, 1'000);
    unreachable();
  }
  EXPECT_EQ(outcomes().back(), "expired");
}

// --- several ---

TEST_F(OutboxTest, OneAtATimeGoesToOneReceiver) {
  host->run();
  send(node_id(1), "a");
  send(node_id(1), "b");
  send(node_id(2), "c");
  ASSERT_EQ(host->dials.size(), 2u);
  EXPECT_EQ(host->dials[0].target, node_id(1));
  EXPECT_EQ(host->dials[1].target, node_id(2));
  answer_dial(1);
  EXPECT_EQ(host->dials.size(), 1u);
  acknowledge();
  host->advance(kSecond);
  EXPECT_EQ(host->dials.size(), 2u);
}

TEST_F(OutboxTest, AFullOutboxStaysBelowTheRateLimitOfItsReceiver) {
  host->run();
  std::vector<std::uint64_t> sent;
  host->responder = [&](const FakeRequest& request) {
    sent.push_back(host->now_ms);
    return FakeReply{true, 0x11, encode_ack(sent_in(request).id), 0, ""};
  };
  connect(1);
  for (int i = 0; i < 200; ++i) send(node_id(1));
  while (!host->dials.empty() || host->metric("outbox_messages") != 0) {
    if (!host->dials.empty()) answer_dial(1);
    host->advance(10);
    ASSERT_LT(host->now_ms, kDay);
  }
  ASSERT_EQ(sent.size(), 200u);
  for (const auto begin : sent) {
    const auto within = [&](std::uint64_t span) {
      return std::count_if(sent.begin(), sent.end(), [&](auto at) { return at >= begin && at < begin + span; });
    };
    EXPECT_LE(within(kSecond), 5);
    EXPECT_LE(within(kMinute), 52);
  }
  EXPECT_EQ(host->metric("sent"), 200);
}

TEST_F(OutboxTest, WhoWaitsBehindOthersHearsOfItInTime) {
  host->run();
  std::vector<atlas_call> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(send(node_id(1)));
  for (int i = 0; i < 200; ++i) {
    if (!host->dials.empty()) answer_dial(1);
    if (!host->requests.empty()) acknowledge();
    host->advance(100);
  }
  host->advance(200);
  for (const auto call : calls) EXPECT_TRUE(host->calls.at(call).finished);
  EXPECT_EQ(status_of(calls.front()), "received");
  EXPECT_EQ(status_of(calls.back()), "waiting");
  EXPECT_THAT(std::string(result(calls.back()).at("reason")), HasSubstr("others wait"));
}

TEST_F(OutboxTest, AnAbsentReceiverIsDialledForOneAtATime) {
  host->config["outbox_messages"] = std::int64_t{50};
  host->run();
  for (int i = 0; i < 20; ++i) {
    send(node_id(1));
    if (!host->dials.empty()) unreachable();
  }
  std::size_t dials = 0;
  for (std::uint64_t second = 0; second < 3600; ++second) {
    host->advance(kSecond);
    for (; !host->dials.empty(); ++dials) unreachable();
  }
  // As for the oldest alone: six growing pauses, then one dial in at least 225 s.
  EXPECT_LE(dials, 22u);
  EXPECT_GE(dials, 10u);
  EXPECT_EQ(host->metric("outbox_messages"), 20);
}

TEST_F(OutboxTest, SoManyAreUnderWayAtOnce) {
  host->run();
  for (std::uint64_t i = 1; i <= 40; ++i) send(node_id(i));
  EXPECT_EQ(host->dials.size(), 32u);
  unreachable();
  host->advance(100);
  EXPECT_EQ(host->dials.size(), Outbox::kMaxUnderWay);
}

TEST_F(OutboxTest, MessagesAndBytesAreBounded) {
  host->config["outbox_messages"] = std::int64_t{3};
  host->config["outbox_bytes"] = std::int64_t{100'000};
  host->run();
  send(node_id(1));
  send(node_id(2), std::string(98'000, 'x'));
  const auto large = send(node_id(3), std::string(3'000, 'x'));
  EXPECT_EQ(host->calls.at(large).status, ATLAS_E_FULL);
  EXPECT_THAT(host->calls.at(large).error,
              AllOf(HasSubstr("net outbox"), HasSubstr("more than 100000 (plugins.messaging.outbox_bytes)")));
  send(node_id(3));
  const auto fourth = send(node_id(4));
  EXPECT_EQ(host->calls.at(fourth).status, ATLAS_E_FULL);
  EXPECT_THAT(host->calls.at(fourth).error, HasSubstr("3 messages may wait (plugins.messaging.outbox_messages)"));
  EXPECT_EQ(rows_with("out/"), 3u);
  unreachable();
  const std::string id = run("outbox").at(0).at("id");
  run("outbox", {{"--remove", id}});
  EXPECT_FALSE(host->calls.at(send(node_id(4))).finished);
}

TEST_F(OutboxTest, TheLimitsHoldAfterARestart) {
  host->config["outbox_messages"] = std::int64_t{1};
  host->run();
  send(node_id(1));
  unreachable();
  restart();
  EXPECT_EQ(host->calls.at(send(node_id(2))).status, ATLAS_E_FULL);
}

TEST_F(OutboxTest, TheAuditIsBounded) {
  host->config["outbox_audit_rows"] = std::int64_t{5};
  host->run();
  send(node_id(1));
  for (int i = 0; i < 12; ++i) {
    wait_for_attempt(kHour, 500);
    unreachable();
  }
  EXPECT_EQ(rows_with("audit/"), 5u);
  const auto rows = run("outbox", {{"--audit", "true"}});
  EXPECT_EQ(rows.front().at("attempt"), 8);
  EXPECT_EQ(rows.back().at("attempt"), 12);
  EXPECT_EQ(run("outbox", {{"--audit", "true"}, {"--limit", "2"}}).size(), 2u);
  host->config["outbox_audit_rows"] = std::int64_t{2};  // a smaller limit bites at the next start
  restart();
  EXPECT_EQ(rows_with("audit/"), 2u);
  EXPECT_EQ(run("outbox", {{"--audit", "true"}}).front().at("attempt"), 11);
}

// --- people ---

TEST_F(OutboxTest, RemovedIsGivenUp) {
  host->run();
  const auto call = send(node_id(1));
  const std::string id = run("outbox").at(0).at("id");
  run("outbox", {{"--remove", id}});  // while it is under way
  EXPECT_EQ(status_of(call), "removed");
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_GONE);
  answer_dial(1);
  acknowledge();
  host->advance(kDay);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_EQ(rows_with("out/") + rows_with("try/"), 0u);
  EXPECT_EQ(host->calls.at(host->run_command("outbox", {{"--remove", id}})).status, ATLAS_E_GONE);
  // The way to that receiver is free again.
  send(node_id(1));
  wait_for_attempt(kSecond);
  EXPECT_EQ(host->dials.size(), 1u);
}

TEST_F(OutboxTest, BadArgumentsAreErrorsBeforeAnythingIsStored) {
  host->run();
  const auto fails = [&](const std::map<std::string, std::string>& args) {
    const auto& call = host->calls.at(host->run_command("send", args));
    EXPECT_EQ(call.status, ATLAS_E_ARG);
    return call.error;
  };
  EXPECT_THAT(fails({{"target", "bob"}, {"body", "hi"}}), HasSubstr("bob: neither ip:port nor a node id"));
  EXPECT_THAT(fails({{"target", "localhost:14433"}, {"body", "hi"}}), HasSubstr("host names are not looked up"));
  EXPECT_THAT(fails({{"target", node_id(1)}, {"body", "hi"}, {"--topic", std::string(257, 't')}}),
              HasSubstr("--topic"));
  EXPECT_THAT(fails({{"target", node_id(1)}, {"body", "hi"}, {"--reply-to", "7"}}), HasSubstr("--reply-to"));
  EXPECT_THAT(fails({{"target", node_id(1)}, {"body", std::string(16, '[') + std::string(16, ']')}}),
              HasSubstr("deep"));
  EXPECT_TRUE(host->rows.empty());
}

TEST_F(OutboxTest, WhatCannotBeStoredIsNotSent) {
  host->run();
  host->commit_status = ATLAS_E_INTERNAL;
  const auto call = send(node_id(1));
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_INTERNAL);
  EXPECT_TRUE(host->dials.empty());
  EXPECT_EQ(host->metric("outbox_messages"), 0);
  host->commit_status = ATLAS_OK;
  host->store_status = ATLAS_E_FULL;
  EXPECT_EQ(host->calls.at(send(node_id(1))).status, ATLAS_E_FULL);
}

TEST_F(OutboxTest, AStoreThatIsFullIsNoFullOutbox) {
  host->run();
  host->store_status = ATLAS_E_FULL;
  host->last_error = "the store of plugin messaging is at its quota";
  EXPECT_EQ(host->calls.at(send(node_id(1))).error, "not stored: the store of plugin messaging is at its quota");
  host->store_status = ATLAS_OK;
  host->commit_status = ATLAS_E_FULL;
  const auto& disk = host->calls.at(send(node_id(1)));
  EXPECT_EQ(disk.status, ATLAS_E_FULL);
  EXPECT_THAT(disk.error, HasSubstr("no room left on the disk"));
}

TEST_F(OutboxTest, PrintsTheKeysOfTheReference) {
  host->run();
  const auto call = send(node_id(1));
  unreachable();
  const auto sent = atlas::kit::documented_keys("net send");
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(atlas::kit::keys_of(result(call)), sent[0]);
  const auto documented = atlas::kit::documented_keys("net outbox");
  ASSERT_EQ(documented.size(), 3u);
  const auto waiting = run("outbox").at(0);
  EXPECT_EQ(atlas::kit::keys_of(waiting), documented[0]);
  EXPECT_GT(waiting.at("next_at"), host->unix_seconds());
  wait_for_attempt(kMinute);
  EXPECT_TRUE(run("outbox").at(0).at("next_at").is_null());
  answer_dial(1);
  acknowledge();
  const auto attempts = run("outbox", {{"--audit", "true"}});
  EXPECT_EQ(atlas::kit::keys_of(attempts.at(0)), documented[1]);
  EXPECT_EQ(attempts.at(0).at("reason"), "nobody there");
  EXPECT_TRUE(attempts.at(1).at("reason").is_null());
  send(node_id(2));
  const std::string id = run("outbox").at(0).at("id");
  EXPECT_EQ(atlas::kit::keys_of(run("outbox", {{"--remove", id}}).at(0)), documented[2]);
}

}  // namespace
}  // namespace messaging::test
