#include "host/replies.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Notes answers as "status type code text body".
struct Answers {
  std::vector<std::string> seen;
  static void note(void* arg, const atlas_answer* answer) {
    static_cast<Answers*>(arg)->seen.push_back(std::to_string(answer->status) + " " + std::to_string(answer->type) +
                                               " " + std::to_string(answer->error_code) + " " +
                                               std::string(view(answer->error_text)) + " " + string_of(answer->body));
  }
};

class Messages : public HostTest {
 protected:
  void begin(std::uint32_t flags = 0) {
    script.init = [this, flags] { return script.messages().handle(script.host, 0x90, flags, handle_message); };
    network.add_peer(7, "atlas_seven");
    start();
  }
  atlas_status request(std::uint32_t timeout_ms = 1000, atlas_request* out = nullptr) {
    return script.messages().request(script.host, 7, 0x91, bytes_of("ask"), timeout_ms, Answers::note, &answers, out);
  }
  Answer answer(std::string_view body) {
    Answer out;
    out.ok = true;
    out.type = 0x92;
    out.body.assign(body.begin(), body.end());
    return out;
  }
  Answers answers;
};

TEST_F(Messages, HandlerGetsTheMessageAndReplies) {
  begin(ATLAS_HANDLE_ANSWERS);
  script.handler = [&](const atlas_message& message) {
    EXPECT_EQ(message.type, 0x90);
    EXPECT_EQ(message.from, 7u);
    EXPECT_EQ(string_of(message.body), "hello");
    EXPECT_EQ(script.messages().reply(script.host, message.reply_to, 0x91, bytes_of("world")), ATLAS_OK);
    EXPECT_EQ(script.messages().reply(script.host, message.reply_to, 0x91, bytes_of("again")), ATLAS_E_STATE);
    return ATLAS_OK;
  };
  EXPECT_EQ(deliver(0x90, 55, "hello"), Delivered::kQueued);
  settle();
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].to, 55u);
  EXPECT_EQ(network.replies[0].type, 0x91);
  EXPECT_EQ(string_of(network.replies[0].payload), "world");
}

// What is refused was not begun: the plugin may try again.
TEST_F(Messages, FullNetworkIsToldAndLosesNothing) {
  begin(ATLAS_HANDLE_ANSWERS);
  atlas_reply_to owed = 0;
  script.handler = [&](const atlas_message& message) {
    owed = message.reply_to;
    return ATLAS_OK;
  };
  deliver(0x90, 55, "hello");
  settle();
  network.full = true;
  EXPECT_EQ(script.messages().send(script.host, 7, 0x91, bytes_of("x")), ATLAS_E_FULL);
  EXPECT_EQ(script.peers().disconnect(script.host, 7, 0, {}), ATLAS_E_FULL);
  EXPECT_EQ(script.messages().reply(script.host, owed, 0x91, bytes_of("world")), ATLAS_E_FULL);
  EXPECT_EQ(script.messages().fail(script.host, owed, 4000, text_of("no")), ATLAS_E_FULL);
  network.full = false;
  EXPECT_EQ(script.messages().reply(script.host, owed, 0x91, bytes_of("world")), ATLAS_OK);
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].to, 55u);
  EXPECT_EQ(script.messages().reply(script.host, owed, 0x91, bytes_of("again")), ATLAS_E_STATE);
}

// The I/O thread leaves the check of a large payload to the strand.
TEST_F(Messages, UncheckedPayloadsAreCheckedBeforeTheRoleSeesThem) {
  begin(ATLAS_HANDLE_ANSWERS);
  int handled = 0;
  script.handler = [&](const atlas_message&) { return ++handled, ATLAS_OK; };
  const auto deliver_unchecked = [&](std::string_view body) {
    host->deliver({.type = 0x90, .from = 7, .reply_to = 55, .payload = base::as_bytes(body), .unchecked = true});
    settle();
  };
  deliver_unchecked(
      "\x82\xa1"
      "a\x01\xa1"
      "a\x02");  // a key twice
  EXPECT_EQ(handled, 0);
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].type, wire::kError);
  deliver_unchecked(
      "\x81\xa1"
      "a\x01");
  EXPECT_EQ(handled, 1);

  ASSERT_EQ(request(), ATLAS_OK);
  settle();
  Answer malformed = answer("\x81");
  malformed.unchecked = true;
  network.requests[0].done(std::move(malformed));
  settle();
  EXPECT_THAT(answers.seen, testing::ElementsAre(testing::StartsWith(std::to_string(ATLAS_E_INTERNAL))));
}

TEST_F(Messages, NegativeStatusBecomesAnError) {
  begin();
  atlas_status status = ATLAS_E_ARG;
  script.handler = [&](const atlas_message&) { return status; };
  deliver(0x90, 1);
  settle();
  status = ATLAS_E_INTERNAL;
  deliver(0x90, 2);
  deliver(0x90, 0);  // nobody waits: nothing is sent
  settle();
  ASSERT_EQ(network.replies.size(), 2u);
  EXPECT_EQ(network.replies[0].error_code(), 2003u);
  EXPECT_EQ(network.replies[0].error_text(), "bad argument");
  EXPECT_EQ(network.replies[1].error_code(), 5001u);
}

TEST_F(Messages, FailSendsTheErrorWithTextCutBetweenCharacters) {
  begin(ATLAS_HANDLE_ANSWERS);
  const std::string text = std::string(255, 'x') + "\xc3\xa9";  // the last character straddles byte 256
  script.handler = [&](const atlas_message& message) {
    return script.messages().fail(script.host, message.reply_to, ATLAS_ERROR_REJECTED, text_of(text));
  };
  deliver(0x90, 1);
  settle();
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].error_code(), 2003u);
  EXPECT_EQ(network.replies[0].error_text(), std::string(255, 'x'));
}

TEST_F(Messages, BrokenPromiseIsAnsweredForThePlugin) {
  begin(ATLAS_HANDLE_ANSWERS);
  atlas_reply_to kept = 0;
  script.handler = [&](const atlas_message& message) {
    kept = message.reply_to;
    return ATLAS_OK;
  };
  deliver(0x90, 1);
  settle();
  pass(kAnswerTimeout - 1);
  EXPECT_TRUE(network.replies.empty());
  deliver(0x90, 2);
  settle();
  pass(1);
  ASSERT_EQ(network.replies.size(), 1u);
  EXPECT_EQ(network.replies[0].to, 1u);
  EXPECT_EQ(network.replies[0].error_code(), 5001u);
  EXPECT_EQ(metric("atlas_plugin0_unanswered"), 1);
  EXPECT_EQ(script.messages().reply(script.host, kept, 0x91, {}), ATLAS_OK);  // the second request's
  pass(kAnswerTimeout);
  EXPECT_EQ(network.replies.size(), 2u);
}

TEST_F(Messages, UnpromisedRequestIsForgottenInSilence) {
  begin();
  atlas_reply_to kept = 0;
  script.handler = [&](const atlas_message& message) {
    kept = message.reply_to;
    return ATLAS_OK;
  };
  deliver(0x90, 1);
  settle();
  pass(kAnswerTimeout);
  EXPECT_TRUE(network.replies.empty());
  EXPECT_EQ(metric("atlas_plugin0_unanswered"), 0);
  EXPECT_LT(script.messages().reply(script.host, kept, 0x91, {}), 0);
}

TEST_F(Messages, ReplyToALostPeerIsGone) {
  begin(ATLAS_HANDLE_ANSWERS);
  atlas_reply_to kept = 0;
  script.handler = [&](const atlas_message& message) {
    kept = message.reply_to;
    return ATLAS_OK;
  };
  deliver(0x90, 1);
  settle();
  host->peer_event({ATLAS_PEER_DOWN, 7, "atlas_seven", 0, false});
  EXPECT_EQ(script.messages().reply(script.host, kept, 0x91, {}), ATLAS_E_GONE);
  pass(kAnswerTimeout);
  EXPECT_TRUE(network.replies.empty());
}

TEST_F(Messages, RequestIsAnsweredOnTheStrandOnce) {
  begin();
  atlas_request handle = 0;
  EXPECT_EQ(request(1500, &handle), ATLAS_OK);
  EXPECT_NE(handle, 0u);
  ASSERT_EQ(network.requests.size(), 1u);
  EXPECT_EQ(network.requests[0].sent.type, 0x91);
  EXPECT_EQ(network.requests[0].timeout, 1500 * base::kMillisecond);
  network.requests[0].done(answer("reply"));
  EXPECT_TRUE(answers.seen.empty());
  settle();
  EXPECT_THAT(answers.seen, ElementsAre("0 146 0  reply"));
  EXPECT_EQ(script.messages().cancel(script.host, handle), ATLAS_E_GONE);
}

TEST_F(Messages, ErrorsAndTimeoutsReachTheCallback) {
  begin();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(request(), ATLAS_OK);
  Answer error;
  error.ok = true;
  error.type = wire::kError;
  error.error_code = 2003;
  error.error_text = "no";
  network.requests[0].done(std::move(error));
  Answer late;
  late.fault = base::Fault::kTimeout;
  network.requests[1].done(std::move(late));
  Answer gone;
  gone.fault = base::Fault::kGone;
  network.requests[2].done(std::move(gone));
  settle();
  EXPECT_THAT(answers.seen, ElementsAre("0 224 2003 no ", "-5 0 0  ", "-4 0 0  "));
  EXPECT_NE(network.requests[0].tag, network.requests[1].tag);
}

TEST_F(Messages, CancelledRequestStaysSilentEvenWhenItsAnswerWaits) {
  begin();
  atlas_request handle = 0;
  ASSERT_EQ(request(1000, &handle), ATLAS_OK);
  network.requests[0].done(answer("too late"));  // on its way to the strand
  EXPECT_EQ(script.messages().cancel(script.host, handle), ATLAS_OK);
  settle();
  EXPECT_TRUE(answers.seen.empty());
  EXPECT_THAT(network.cancelled, ElementsAre(network.requests[0].tag));
}

TEST_F(Messages, AnswerWithoutRoomComesWithoutItsBody) {
  config.plugins.queue_bytes = 10;
  begin();
  ASSERT_EQ(request(), ATLAS_OK);
  ASSERT_EQ(request(), ATLAS_OK);
  network.requests[0].done(answer("123456"));
  network.requests[1].done(answer("123456"));
  settle();
  EXPECT_THAT(answers.seen, ElementsAre("0 146 0  123456", "-6 0 0  "));
}

TEST_F(Messages, RefusesWhatMayNotLeave) {
  begin();
  const auto& messages = script.messages();
  for (const int type : {0x00, 0x01, 0x0f, 0xe0, 0xef, 0xff}) {
    EXPECT_EQ(messages.send(script.host, 7, static_cast<std::uint8_t>(type), {}), ATLAS_E_DENIED);
  }
  const std::string large(wire::kMaxPayload + 1, 'x');
  EXPECT_EQ(messages.send(script.host, 7, 0x90, bytes_of(large)), ATLAS_E_ARG);
  EXPECT_THAT(script.last_error(), HasSubstr("4194304"));
  EXPECT_EQ(messages.send(script.host, 7, 0x90, {nullptr, 5}), ATLAS_E_ARG);
  EXPECT_EQ(messages.send(script.host, 8, 0x90, {}), ATLAS_E_GONE);
  EXPECT_EQ(messages.send(script.host, 7, 0x90, bytes_of("x")), ATLAS_OK);
  EXPECT_EQ(network.sent.size(), 1u);
  EXPECT_EQ(request(0), ATLAS_E_ARG);
  EXPECT_EQ(request(600'001), ATLAS_E_ARG);
  EXPECT_EQ(messages.request(script.host, 7, 0x91, {}, 1000, nullptr, nullptr, nullptr), ATLAS_E_ARG);
  EXPECT_EQ(messages.request(script.host, 8, 0x91, {}, 1000, Answers::note, nullptr, nullptr), ATLAS_E_GONE);
  EXPECT_EQ(messages.reply(script.host, 12345, 0x91, {}), ATLAS_E_GONE);
  EXPECT_EQ(messages.reply(script.host, 0, 0x91, {}), ATLAS_E_GONE);
  EXPECT_EQ(messages.fail(script.host, 12345, 0, {}), ATLAS_E_ARG);
  EXPECT_TRUE(network.requests.empty());
}

TEST_F(Messages, OneByteOnceAndKnownFlagsOnly) {
  script.init = [&] {
    const auto& messages = script.messages();
    EXPECT_EQ(messages.handle(script.host, 0x90, 0, handle_message), ATLAS_OK);
    EXPECT_EQ(messages.handle(script.host, 0x90, 0, handle_message), ATLAS_E_CONFLICT);
    EXPECT_EQ(messages.handle(script.host, 0x91, 0x80, handle_message), ATLAS_E_ARG);
    EXPECT_EQ(messages.handle(script.host, 0x91, 0, nullptr), ATLAS_E_ARG);
    return ATLAS_OK;
  };
  load();
  EXPECT_THAT(row().types, ElementsAre(0x90));
}

}  // namespace
}  // namespace atlas::host::test
