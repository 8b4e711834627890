// The messaging role over its exported object: what it claims, and messages of peers on their way into the inbox
// (protocol.md, section 6; attack A57).
#include "inbox.h"
#include "kit/documented_keys.h"
#include "messaging/role_fixture.h"

namespace messaging::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class Messaging : public RoleTest {};
class MessagingClient : public RoleTest {
 protected:
  MessagingClient() : RoleTest(ATLAS_MODE_CLIENT) {}
};

TEST_F(Messaging, ClaimsMessageAndPromisesAnAnswer) {
  host->run();
  EXPECT_EQ(host->claimed, (std::map<std::uint8_t, std::uint32_t>{{0x10, ATLAS_HANDLE_ANSWERS}}));
}

TEST_F(Messaging, WrongConfigurationIsNoted) {
  for (const char* key : {"inbox_messages", "inbox_bytes", "inbox_per_peer", "inbox_bytes_per_peer", "outbox_messages",
                          "outbox_bytes", "outbox_audit_rows"}) {
    host->config[key] = std::int64_t{0};
  }
  host->config["retry_first"] = "1ms";
  host->config["retry_longest"] = "2d";
  host->config["retry_for"] = false;
  EXPECT_EQ(host->init(), ATLAS_OK);
  EXPECT_EQ(host->problems.size(), 10u);
}

TEST_F(Messaging, TheLargestLimitsFitWhatTheNodeGrants) {
  host->run();
  const auto most = [&](const std::string& key) {
    const std::string& asked = host->asked.at(key);
    return std::stoll(asked.substr(asked.rfind(' ') + 1));
  };
  EXPECT_LE(most("inbox_bytes") + most("outbox_bytes"), 200ll << 20);  // of 256 MiB; the rest are small rows
  // Rows for ids of removed messages: 50 000. One more for each waiting message that was tried.
  EXPECT_LE(most("inbox_messages") + 50'000 + 2 * most("outbox_messages") + most("outbox_audit_rows"), 200'000);
}

// --- taking messages ---

TEST_F(Messaging, AMessageIsKeptAcknowledgedAndShown) {
  host->run();
  const auto peer = connect(1);
  EXPECT_TRUE(is_ack(deliver(peer, 7, "hello"), 7));
  const auto shown = run("inbox");
  ASSERT_EQ(shown.size(), 1u);
  EXPECT_EQ(shown[0].at("id"), message_id(7));
  EXPECT_EQ(shown[0].at("from"), node_id(1));
  EXPECT_EQ(shown[0].at("body"), "hello");
  EXPECT_EQ(shown[0].at("received_at"), host->unix_seconds());
  EXPECT_TRUE(shown[0].at("topic").is_null());
  EXPECT_EQ(host->metric("received"), 1);
  EXPECT_EQ(host->metric("inbox_messages"), 1);
}

TEST_F(Messaging, TheAckWaitsForTheCommit) {
  host->run();
  const auto peer = connect(1);
  HeldCommits commits(*host);
  const auto reply = host->deliver_open(peer, 0x10, encode(message_of(node_id(1), 7)));
  EXPECT_FALSE(host->replies[reply].answered);
  // A repeat waits for the same commit.
  const auto repeat = host->deliver_open(peer, 0x10, encode(message_of(node_id(1), 7)));
  EXPECT_FALSE(host->replies[repeat].answered);
  EXPECT_EQ(commits.size(), 1u);
  commits.commit();
  EXPECT_TRUE(is_ack(host->replies[reply], 7));
  EXPECT_TRUE(is_ack(host->replies[repeat], 7));
  EXPECT_EQ(host->metric("received"), 1);
  EXPECT_EQ(host->metric("repeats"), 1);
}

TEST_F(Messaging, RepeatsBeforeTheCommitAreBounded) {
  host->run();
  const auto peer = connect(1);
  HeldCommits commits(*host);
  const Bytes message = encode(message_of(node_id(1), 7));
  for (int i = 0; i < 17; ++i) host->deliver_open(peer, 0x10, message);
  EXPECT_EQ(host->replies[host->deliver_open(peer, 0x10, message)].error_code, 5001u);
  commits.commit();
  EXPECT_EQ(host->metric("received"), 1);
  EXPECT_EQ(host->metric("repeats"), 16);
}

TEST_F(Messaging, WhatCouldNotBeStoredWasNotReceived) {
  host->run();
  const auto peer = connect(1);
  host->commit_status = ATLAS_E_INTERNAL;
  EXPECT_EQ(deliver(peer, 7).error_code, 5001u);
  EXPECT_EQ(host->metric("inbox_messages"), 0);
  host->commit_status = ATLAS_OK;
  host->store_status = ATLAS_E_FULL;
  EXPECT_EQ(deliver(peer, 7).error_code, 5001u);
  host->store_status = ATLAS_OK;
  EXPECT_TRUE(is_ack(deliver(peer, 7), 7));
  EXPECT_EQ(inbox_ids(), std::vector{message_id(7)});
  EXPECT_EQ(host->metric("refused_disk"), 2);
  EXPECT_EQ(host->metric("received"), 1);
}

TEST_F(Messaging, FromAndToAreChecked) {
  host->run();
  const auto peer = connect(1);
  Message message = message_of(node_id(2), 7);
  EXPECT_EQ(deliver(peer, message).error_code, 2003u);
  message = message_of(node_id(1), 7);
  message.to = node_id(3);
  const FakeReply reply = deliver(peer, message);
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_THAT(reply.error_text, HasSubstr("to is not this node"));
  EXPECT_EQ(host->metric("refused_identity"), 2);
  EXPECT_TRUE(host->rows.empty());
}

TEST_F(Messaging, MalformedIsRefusedWithTheReason) {
  host->run();
  const auto peer = connect(1);
  Message message = message_of(node_id(1), 7);
  message.id = "7";
  const FakeReply reply = deliver(peer, message);
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_THAT(reply.error_text, HasSubstr("id"));
  EXPECT_EQ(host->deliver(peer, 0x10, {0x80}).error_code, 2003u);
  EXPECT_EQ(host->metric("refused_malformed"), 2);
}

// --- delivered once ---

TEST_F(Messaging, ARepeatGetsTheSameAckAndIsDeliveredOnce) {
  host->run();
  const auto peer = connect(1);
  const FakeReply first = deliver(peer, 7, "one");
  const FakeReply again = deliver(peer, 7, "another body");
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.type, 0x11);
  ASSERT_EQ(run("inbox").size(), 1u);
  EXPECT_EQ(run("inbox")[0].at("body"), "one");
  EXPECT_EQ(host->metric("repeats"), 1);
}

TEST_F(Messaging, ARepeatIsKnownAfterARestart) {
  host->run();
  deliver(connect(1), 7);
  restart();
  EXPECT_TRUE(is_ack(deliver(connect(1), 7), 7));
  EXPECT_EQ(host->metric("repeats"), 1);
  EXPECT_EQ(inbox_ids().size(), 1u);
}

TEST_F(Messaging, ARepeatIsKnownAfterTheMessageWasRemoved) {
  host->run();
  deliver(connect(1), 7);
  run("inbox", {{"--remove", message_id(7)}});
  EXPECT_EQ(host->metric("inbox_messages"), 0);
  EXPECT_TRUE(is_ack(deliver(host->peers.begin()->first, 7), 7));
  restart();
  EXPECT_TRUE(is_ack(deliver(connect(1), 7), 7));
  EXPECT_TRUE(inbox_ids().empty());
}

TEST_F(Messaging, KilledBeforeTheCommitItIsDeliveredByTheRepeat) {
  host->run();
  {
    HeldCommits commits(*host);
    const auto reply = host->deliver_open(connect(1), 0x10, encode(message_of(node_id(1), 7)));
    commits.lose();
    EXPECT_EQ(host->replies[reply].error_code, 5001u);
  }
  restart();
  EXPECT_TRUE(is_ack(deliver(connect(1), 7), 7));
  EXPECT_EQ(host->metric("received"), 1);
  EXPECT_EQ(inbox_ids(), std::vector{message_id(7)});
}

TEST_F(Messaging, KilledInTheMiddleOfARemovalTheMessageIsStillThere) {
  host->run();
  deliver(connect(1), 7);
  host->tables.store.remove = [](const atlas_host*, atlas_bytes, atlas_durable_fn, void*) -> atlas_status {
    return ATLAS_OK;  // it will not come to the disk
  };
  run("inbox", {{"--remove", message_id(7)}});
  restart();
  EXPECT_EQ(inbox_ids(), std::vector{message_id(7)});
  EXPECT_TRUE(is_ack(deliver(connect(1), 7), 7));
  EXPECT_EQ(host->metric("repeats"), 1);
}

TEST_F(Messaging, IdsAreOfOneSenderOnly) {
  host->run();
  const auto thief = connect(1), honest = connect(2);
  deliver(thief, 7, "first");
  EXPECT_TRUE(is_ack(deliver(honest, 7, "second"), 7));
  EXPECT_EQ(inbox_ids().size(), 2u);
}

TEST_F(Messaging, IdsOfRemovedMessagesAreBoundedWhateverStays) {
  atlas::Host plain(host->c_host());
  Inbox::Limits limits;
  limits.remembered = 10;
  Inbox inbox(plain, limits);
  std::vector<Inbox::Taken> taken;
  const auto take = [&](std::uint64_t number) {
    inbox.take(message_of(node_id(1), number), [&](Inbox::Taken how) { taken.push_back(how); });
    host->settle();
    return taken.back();
  };
  take(1);  // stays, and is the oldest
  for (std::uint64_t i = 2; i <= 50; ++i) {
    EXPECT_EQ(take(i), Inbox::Taken::kNew);
    EXPECT_TRUE(inbox.remove(message_id(i)).ok());
  }
  EXPECT_EQ(rows_with("seen/"), 10u);
  EXPECT_EQ(rows_with("in/"), 1u);
  EXPECT_EQ(take(41), Inbox::Taken::kRepeat);
  EXPECT_EQ(take(1), Inbox::Taken::kRepeat);
  EXPECT_EQ(take(40), Inbox::Taken::kNew);  // forgotten
}

TEST_F(Messaging, RowsOfANewerVersionAreLeftAloneAndNotOverwritten) {
  const Bytes key = {'i', 'n', '/', 0, 0, 0, 0, 0, 0, 0, 1};
  host->rows[key] = {0x81, 0xa1, 'x', 0x01};
  host->run();
  EXPECT_TRUE(is_ack(deliver(connect(1), 7), 7));
  EXPECT_EQ(host->rows.at(key), (Bytes{0x81, 0xa1, 'x', 0x01}));
  EXPECT_EQ(inbox_ids(), std::vector{message_id(7)});
}

// --- caps ---

TEST_F(Messaging, OneSenderHasItsCap) {
  host->config["inbox_per_peer"] = std::int64_t{3};
  host->run();
  const auto greedy = connect(1), honest = connect(2);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_TRUE(is_ack(deliver(greedy, i), i));
  const FakeReply reply = deliver(greedy, 4);
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_THAT(reply.error_text, HasSubstr("this sender"));
  EXPECT_TRUE(is_ack(deliver(greedy, 1), 1));  // a repeat is still one
  EXPECT_TRUE(is_ack(deliver(honest, 1), 1));
  run("inbox", {{"--remove", message_id(3)}});
  EXPECT_TRUE(is_ack(deliver(greedy, 4), 4));
  EXPECT_EQ(host->metric("refused_full"), 1);
}

TEST_F(Messaging, TheCapOfASenderHoldsAfterARestart) {
  host->config["inbox_per_peer"] = std::int64_t{1};
  host->run();
  deliver(connect(1), 1);
  restart();
  EXPECT_EQ(deliver(connect(1), 2).error_code, 2003u);
}

TEST_F(Messaging, TheWholeInboxHasItsCap) {
  host->config["inbox_messages"] = std::int64_t{4};
  host->run();
  for (std::uint64_t i = 1; i <= 4; ++i) EXPECT_TRUE(is_ack(deliver(connect(i), i), i));
  const FakeReply reply = deliver(connect(5), 5);
  EXPECT_EQ(reply.error_code, 2003u);
  EXPECT_EQ(reply.error_text, "inbox full");
}

TEST_F(Messaging, BytesHaveTheirCaps) {
  host->config["inbox_bytes"] = std::int64_t{100'000};
  host->config["inbox_bytes_per_peer"] = std::int64_t{30'000};
  host->run();
  const std::string large(20'000, 'x');
  const auto peer = connect(1);
  EXPECT_TRUE(is_ack(deliver(peer, 1, large), 1));
  EXPECT_EQ(deliver(peer, 2, large).error_code, 2003u);
  EXPECT_TRUE(is_ack(deliver(peer, 2, "small"), 2));
  EXPECT_TRUE(is_ack(deliver(connect(2), 1, large), 1));
  EXPECT_TRUE(is_ack(deliver(connect(3), 1, large), 1));
  // More than half is used: from now on nobody holds more than a 64th of what is free.
  EXPECT_EQ(deliver(connect(4), 1, large).error_code, 2003u);
  EXPECT_TRUE(is_ack(deliver(connect(5), 1, std::string(100, 'x')), 1));
}

TEST_F(Messaging, HonestDeliveryGoesOnWhileManyStuffTheInbox) {
  host->run();
  std::uint64_t stuffed = 0;
  for (std::uint64_t attacker = 100; attacker < 200; ++attacker) {
    const auto peer = connect(attacker);
    for (std::uint64_t i = 1; is_ack(deliver(peer, i), i); ++i) ++stuffed;
    host->replies.clear();
  }
  EXPECT_LT(stuffed, 10'000u);
  const auto honest = connect(1);
  for (std::uint64_t i = 1; i <= 5; ++i) EXPECT_TRUE(is_ack(deliver(honest, i), i));
}

// --- net inbox ---

TEST_F(Messaging, InboxShowsTheNewestInOrder) {
  host->run();
  const auto first = connect(1), second = connect(2);
  for (std::uint64_t i = 1; i <= 6; ++i) deliver(i % 2 ? first : second, i);
  EXPECT_THAT(inbox_ids({{"--limit", "2"}}), ElementsAre(message_id(5), message_id(6)));
  EXPECT_THAT(inbox_ids({{"--from", node_id(2)}, {"--limit", "2"}}), ElementsAre(message_id(4), message_id(6)));
  EXPECT_EQ(host->calls.at(host->run_command("inbox", {{"--limit", "0"}})).status, ATLAS_E_ARG);
  EXPECT_EQ(host->calls.at(host->run_command("inbox", {{"--remove", message_id(9)}})).status, ATLAS_E_GONE);
}

TEST_F(Messaging, OneMessageIsShownById) {
  host->run();
  deliver(connect(1), 7, "first");
  deliver(connect(2), 7, "second");
  deliver(connect(3), 8, "third");
  EXPECT_EQ(run("inbox", {{"--id", message_id(7)}}).at("body"), "second");
  EXPECT_EQ(run("inbox", {{"--id", message_id(7)}, {"--from", node_id(1)}}).at("body"), "first");
  EXPECT_EQ(host->calls.at(host->run_command("inbox", {{"--id", message_id(9)}})).status, ATLAS_E_GONE);
}

TEST_F(Messaging, IdsThatAreNoneAreUsageErrors) {
  host->run();
  for (const auto& [command, option] : std::vector<std::pair<std::string, std::string>>{
           {"inbox", "--from"}, {"inbox", "--id"}, {"inbox", "--remove"}, {"outbox", "--remove"}}) {
    const auto& call = host->calls.at(host->run_command(command, {{option, "foo"}}));
    EXPECT_EQ(call.status, ATLAS_E_ARG) << command << ' ' << option;
    EXPECT_THAT(call.error, HasSubstr(option + ": foo: a "));
  }
}

TEST_F(Messaging, InboxPrintsTheKeysOfTheReference) {
  host->run();
  deliver(connect(1), 7);
  const auto documented = atlas::kit::documented_keys("net inbox");
  ASSERT_EQ(documented.size(), 2u);
  EXPECT_EQ(atlas::kit::keys_of(run("inbox").at(0)), documented[0]);
  EXPECT_EQ(atlas::kit::keys_of(run("inbox", {{"--id", message_id(7)}})), documented[0]);
  const auto removed = run("inbox", {{"--remove", message_id(7)}});
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(atlas::kit::keys_of(removed.at(0)), documented[1]);
}

TEST_F(Messaging, TheResultFitsALineOfTheControlSocket) {
  host->config["inbox_bytes_per_peer"] = std::int64_t{96 << 20};
  host->run();
  const auto peer = connect(1);
  deliver(peer, 1, "old");
  deliver(peer, 2, std::string(3 << 20, '\x01'));  // six times as long in JSON
  deliver(peer, 3, std::string(3 << 20, 'x'));
  deliver(peer, 4, "new");
  const auto call = host->run_command("inbox", {});
  EXPECT_LT(host->calls.at(call).result->size(), 8u << 20);
  EXPECT_THAT(host->calls.at(call).progress, Contains(HasSubstr("older")));
  const auto shown = result(call);
  EXPECT_EQ(shown.back().at("body"), "new");
  run("inbox", {{"--remove", message_id(4)}});
  run("inbox", {{"--remove", message_id(3)}});
  const auto alone = run("inbox", {{"--limit", "1"}});
  EXPECT_TRUE(alone[0].at("body").is_null());
  EXPECT_GT(alone[0].at("body_bytes"), 3 << 20);
}

TEST_F(Messaging, FollowShowsWhatIsThereAndWhatComes) {
  host->run();
  const auto peer = connect(1), other = connect(2);
  deliver(peer, 1);
  const auto all = host->run_command("inbox", {{"--follow", "true"}});
  const auto one = host->run_command("inbox", {{"--follow", "true"}, {"--from", node_id(2)}});
  EXPECT_EQ(host->calls.at(all).rows.size(), 1u);
  EXPECT_EQ(host->calls.at(one).rows.size(), 0u);
  deliver(peer, 2);
  deliver(peer, 2);  // a repeat is shown once
  deliver(other, 3);
  EXPECT_EQ(host->calls.at(all).rows.size(), 3u);
  EXPECT_THAT(host->calls.at(all).rows.back(), HasSubstr(message_id(3)));
  EXPECT_EQ(host->calls.at(one).rows.size(), 1u);
  EXPECT_FALSE(host->calls.at(all).finished);
}

TEST_F(Messaging, FollowEndsWhenThePersonLeaves) {
  host->run();
  std::vector<atlas_call> calls;
  for (int i = 0; i < 16; ++i) calls.push_back(host->run_command("inbox", {{"--follow", "true"}}));
  EXPECT_EQ(host->calls.at(host->run_command("inbox", {{"--follow", "true"}})).status, ATLAS_E_FULL);
  host->cancel_command(calls[3]);
  deliver(connect(1), 1);
  EXPECT_TRUE(host->calls.at(calls[3]).rows.empty());
  EXPECT_EQ(host->calls.at(calls[4]).rows.size(), 1u);
  EXPECT_FALSE(host->calls.at(host->run_command("inbox", {{"--follow", "true"}})).finished);
}

TEST_F(Messaging, FollowEndsWithTheNode) {
  host->run();
  const auto call = host->run_command("inbox", {{"--follow", "true"}});
  host->drain();
  EXPECT_TRUE(host->calls.at(call).finished);
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_STOPPING);
}

TEST_F(MessagingClient, ReadsTheInboxAndDoesNotFollow) {
  host->run();
  deliver(connect(1), 1);
  EXPECT_EQ(inbox_ids().size(), 1u);
  const auto call = host->run_command("inbox", {{"--follow", "true"}});
  EXPECT_EQ(host->calls.at(call).status, ATLAS_E_GONE);
  EXPECT_THAT(host->calls.at(call).error, HasSubstr("net listen"));
}

}  // namespace
}  // namespace messaging::test
