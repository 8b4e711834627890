// Dials of core/node: one plan for a target, waiters answered once, losers given up, failures told.
#include "node/dialler.h"

#include <gtest/gtest.h>

#include <map>

#include "unit/node/manual_loop.h"

namespace atlas::node {
namespace {

class DiallerTest : public testing::Test {
 protected:
  DiallerTest()
      : deadlines(loop),
        dialler(deadlines, counters,
                {.open = [this](const DialTarget&, const session::Candidate& candidate,
                                DialTicket ticket) -> base::Result<void> {
                   opened.push_back({candidate.address.text(), ticket});
                   if (refuse_open) return base::fail(base::Fault::kUnreachable, "no route");
                   return {};
                 },
                 .abandon =
                     [this](DialTicket ticket, Abandon why) {
                       abandoned.push_back(ticket.attempt);
                       causes.push_back(why);
                       return had_come_to;
                     },
                 .mark_failure = [this](const std::string& id, wire::DialFailure failure) { marked[id] = failure; }}) {}

  DialTarget target(std::initializer_list<const char*> addresses, std::optional<std::string> node_id = {}) {
    DialTarget out;
    out.key = node_id.value_or(*addresses.begin());
    out.node_id = node_id;
    for (const char* address : addresses) {
      out.candidates.push_back({session::Candidate::Via::kAddress, *net::SocketAddress::parse(address)});
    }
    return out;
  }
  host::ConnectedFn note() {
    return [this](host::Connected&& result) { results.push_back(std::move(result)); };
  }

  ManualLoop loop;
  Deadlines deadlines;
  NodeCounters counters;
  bool refuse_open = false;
  std::vector<std::pair<std::string, DialTicket>> opened;
  std::vector<std::size_t> abandoned;
  std::vector<Abandon> causes;
  wire::DialFailure had_come_to = wire::DialFailure::kUnreachable;
  std::map<std::string, wire::DialFailure> marked;
  std::vector<host::Connected> results;
  Dialler dialler;
};

TEST_F(DiallerTest, WhatIsNoTargetIsABadArgument) {
  for (const char* text : {"foo", "192.0.2.1:0"}) {
    DialTarget bad;
    bad.key = text;
    dialler.dial(std::move(bad), base::kSecond, note());
  }
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].fault, base::Fault::kArgument);
  EXPECT_NE(results[0].error.find("foo: neither ip:port nor a node id"), std::string::npos) << results[0].error;
  EXPECT_EQ(results[1].fault, base::Fault::kArgument);
  EXPECT_TRUE(opened.empty());
}

TEST_F(DiallerTest, AnUnknownNodeIsUnreachableWithAdvice) {
  const std::string id = "atlas_" + std::string(64, 'a');
  DialTarget unknown;
  unknown.key = id;
  unknown.node_id = id;
  dialler.dial(std::move(unknown), base::kSecond, note());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kUnreachable);
  EXPECT_NE(results[0].error.find("`atlas net discover --node " + id + '`'), std::string::npos) << results[0].error;
}

TEST_F(DiallerTest, NextCandidateStartsAfterTheStagger) {
  dialler.dial(target({"192.0.2.1:1", "192.0.2.2:2"}), 30 * base::kSecond, note());
  ASSERT_EQ(opened.size(), 1u);
  loop.advance(249 * base::kMillisecond);
  EXPECT_EQ(opened.size(), 1u);
  loop.advance(base::kMillisecond);
  ASSERT_EQ(opened.size(), 2u);
  EXPECT_EQ(opened[1].first, "192.0.2.2:2");
}

TEST_F(DiallerTest, FirstHandshakeWinsAndTheOtherIsGivenUp) {
  dialler.dial(target({"192.0.2.1:1", "192.0.2.2:2"}), 30 * base::kSecond, note());
  loop.advance(base::kSecond);
  dialler.on_session(opened[1].second, 77, "atlas_x");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_TRUE(results[0].ok);
  EXPECT_EQ(results[0].peer, 77u);
  EXPECT_EQ(abandoned, std::vector<std::size_t>{0});
  EXPECT_EQ(causes, std::vector<Abandon>{Abandon::kLost});
  EXPECT_EQ(dialler.size(), 0u);
  dialler.on_failed(opened[0].second, wire::DialFailure::kReset, "late");  // means nothing any more
  EXPECT_EQ(results.size(), 1u);
}

TEST_F(DiallerTest, TwoWhoAskForOneTargetShareOneDial) {
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  EXPECT_EQ(opened.size(), 1u);
  dialler.on_session(opened[0].second, 5, "atlas_x");
  EXPECT_EQ(results.size(), 2u);
}

TEST_F(DiallerTest, AllCandidatesFailedIsToldAndMarked) {
  const std::string id = "atlas_" + std::string(64, 'a');
  dialler.dial(target({"192.0.2.1:1", "192.0.2.2:2"}, id), 30 * base::kSecond, note());
  dialler.on_failed(opened[0].second, wire::DialFailure::kUnreachable, "");
  ASSERT_EQ(opened.size(), 2u);  // at once, without waiting for the stagger
  dialler.on_failed(opened[1].second, wire::DialFailure::kRejected, "banned");
  ASSERT_EQ(results.size(), 1u);
  EXPECT_FALSE(results[0].ok);
  EXPECT_EQ(results[0].fault, base::Fault::kDenied);
  EXPECT_NE(results[0].error.find("banned"), std::string::npos);
  ASSERT_TRUE(marked.contains(id));
  EXPECT_EQ(marked[id], wire::DialFailure::kRejected);
}

TEST_F(DiallerTest, CandidateHasFiveSeconds) {
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  loop.advance(5 * base::kSecond - 1);
  EXPECT_TRUE(results.empty());
  loop.advance(1);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kUnreachable);
  EXPECT_EQ(abandoned, std::vector<std::size_t>{0});
}

TEST_F(DiallerTest, CandidateThatConnectedAndWasSilentIsMarkedExpired) {
  const std::string id = "atlas_" + std::string(64, 'a');
  dialler.dial(target({"192.0.2.1:1"}, id), 30 * base::kSecond, note());
  had_come_to = wire::DialFailure::kExpired;
  loop.advance(5 * base::kSecond);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(causes, std::vector<Abandon>{Abandon::kTimeout});
  EXPECT_EQ(marked[id], wire::DialFailure::kExpired);
  EXPECT_NE(results[0].error.find("expired"), std::string::npos) << results[0].error;
}

TEST_F(DiallerTest, WaiterWithLessTimeIsAnsweredAlone) {
  dialler.dial(target({"192.0.2.1:1"}), base::kSecond, note());
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  loop.advance(base::kSecond);
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kTimeout);
  EXPECT_EQ(dialler.size(), 1u);
  dialler.on_session(opened[0].second, 9, "atlas_x");
  EXPECT_EQ(results.size(), 2u);
}

TEST_F(DiallerTest, LastWaiterLeavingEndsTheDial) {
  dialler.dial(target({"192.0.2.1:1"}), base::kSecond, note());
  loop.advance(base::kSecond);
  EXPECT_EQ(dialler.size(), 0u);
  EXPECT_EQ(abandoned, std::vector<std::size_t>{0});
  EXPECT_EQ(causes, std::vector<Abandon>{Abandon::kTimeout});
}

TEST_F(DiallerTest, SocketThatCannotOpenIsAFailure) {
  refuse_open = true;
  dialler.dial(target({"192.0.2.1:1", "192.0.2.2:2"}), 30 * base::kSecond, note());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_NE(results[0].error.find("no route"), std::string::npos);
}

TEST_F(DiallerTest, NumberOfDialsIsBounded) {
  for (std::size_t i = 0; i < kMaxDials; ++i) {
    const std::string address = "192.0.2.1:" + std::to_string(i + 1);
    dialler.dial(target({address.c_str()}), 30 * base::kSecond, note());
  }
  EXPECT_TRUE(results.empty());
  dialler.dial(target({"192.0.2.9:9"}), 30 * base::kSecond, note());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kFull);
}

TEST_F(DiallerTest, WaitersOfOneDialAreBounded) {
  for (std::size_t i = 0; i < kMaxDialWaiters; ++i) dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  EXPECT_TRUE(results.empty());
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kFull);
  dialler.dial(target({"192.0.2.2:2"}), 30 * base::kSecond, note());
  EXPECT_EQ(results.size(), 1u) << "another dial has waiters of its own";
}

TEST_F(DiallerTest, StopAnswersEverybody) {
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  dialler.stop();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].fault, base::Fault::kStopping);
  EXPECT_EQ(causes, std::vector<Abandon>{Abandon::kStopping});
  dialler.dial(target({"192.0.2.1:1"}), 30 * base::kSecond, note());
  EXPECT_EQ(results.size(), 2u);
}

}  // namespace
}  // namespace atlas::node
