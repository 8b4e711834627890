// The dial plan: section 11's order and timing, and section 5's rule for two connections of the same pair.
#include "session/dial_plan.h"

#include <gtest/gtest.h>

namespace atlas::session {
namespace {

using base::kMillisecond;
using base::kSecond;
using What = DialPlan::Action::What;

constexpr base::MonoNs kStart = 77 * kSecond;

std::vector<Candidate> numbered(int count) {
  std::vector<Candidate> list;
  for (int i = 1; i <= count; ++i) {
    list.push_back({Candidate::Via::kAddress, *net::SocketAddress::parse("192.0.2." + std::to_string(i) + ":4433")});
  }
  return list;
}

// "s0 g1": start 0, give up 1.
std::string shown(const std::vector<DialPlan::Action>& actions) {
  std::string out;
  for (const auto& action : actions) {
    out +=
        (out.empty() ? "" : " ") + std::string(action.what == What::kStart ? "s" : "g") + std::to_string(action.index);
  }
  return out;
}

TEST(Candidates, AddressThenPublicAddress) {
  wire::PeerRecord record;
  record.address = "192.0.2.1:4433";
  record.public_address = "[2001:db8::1]:4433";
  const auto list = candidates_of(record);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].via, Candidate::Via::kAddress);
  EXPECT_EQ(list[0].address.text(), "192.0.2.1:4433");
  EXPECT_EQ(list[1].via, Candidate::Via::kPublicAddress);
  EXPECT_EQ(list[1].address.text(), "[2001:db8::1]:4433");
}

TEST(Candidates, SameAddressInAnotherSpellingIsOne) {
  wire::PeerRecord record;
  record.address = "192.0.2.1:4433";
  record.public_address = "[::ffff:192.0.2.1]:4433";
  EXPECT_EQ(candidates_of(record).size(), 1u);
}

TEST(Candidates, WhatNoPeerCanHaveIsLeftOut) {
  for (const char* text : {"", "garbage", "example.org:4433", "192.0.2.1:0", "0.0.0.0:4433", "[::]:4433",
                           "224.0.0.1:4433", "255.255.255.255:4433", "[ff02::1]:4433", "192.0.2.1:70000"}) {
    wire::PeerRecord record;
    record.address = text;
    EXPECT_TRUE(candidates_of(record).empty()) << text;
  }
}

TEST(Candidates, RelaysOfThePeerComeBeforeOurs) {
  wire::PeerRecord record;
  record.relays = {"198.51.100.1:4433", "no address", "198.51.100.2:4433"};
  const std::vector<std::string> ours = {"198.51.100.2:4433", "198.51.100.3:4433"};
  const auto list = relay_candidates_of(record, ours);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].address.text(), "198.51.100.1:4433");
  EXPECT_EQ(list[1].address.text(), "198.51.100.2:4433");
  EXPECT_EQ(list[2].address.text(), "198.51.100.3:4433");
  EXPECT_EQ(list[2].via, Candidate::Via::kRelay);
}

TEST(Candidates, RelaysAreBounded) {
  wire::PeerRecord record;
  for (int i = 1; i < 200; ++i) record.relays.push_back("198.51.100." + std::to_string(i) + ":4433");
  EXPECT_EQ(relay_candidates_of(record, record.relays).size(), kMaxRelayCandidates);
}

TEST(DialPlan, NextStartsAfterAQuarterOfASecondOfSilence) {
  DialPlan plan(numbered(3), {}, kStart);
  EXPECT_EQ(plan.deadline(), kStart);
  EXPECT_EQ(shown(plan.poll(kStart)), "s0");
  EXPECT_EQ(plan.deadline(), kStart + 250 * kMillisecond);
  EXPECT_EQ(shown(plan.poll(kStart + 250 * kMillisecond - 1)), "");
  EXPECT_EQ(shown(plan.poll(kStart + 250 * kMillisecond)), "s1");
  EXPECT_EQ(shown(plan.poll(kStart + 500 * kMillisecond)), "s2");
  EXPECT_EQ(plan.deadline(), kStart + 5 * kSecond);
  EXPECT_FALSE(plan.over());
}

TEST(DialPlan, LatePollStartsOneAndKeepsTheDistance) {
  DialPlan plan(numbered(3), {}, kStart);
  EXPECT_EQ(shown(plan.poll(kStart + kSecond)), "s0");
  EXPECT_EQ(plan.deadline(), kStart + kSecond + 250 * kMillisecond);
}

TEST(DialPlan, FailureStartsTheNextAtOnce) {
  DialPlan plan(numbered(2), {}, kStart);
  plan.poll(kStart);
  plan.failed(0, wire::DialFailure::kReset, kStart + kMillisecond);
  EXPECT_EQ(plan.deadline(), kStart + kMillisecond);
  EXPECT_EQ(shown(plan.poll(kStart + kMillisecond)), "s1");
}

TEST(DialPlan, FirstSuccessWinsAndTheOthersAreGivenUp) {
  DialPlan plan(numbered(4), {}, kStart);
  plan.poll(kStart);
  plan.poll(kStart + 250 * kMillisecond);
  plan.poll(kStart + 500 * kMillisecond);
  plan.succeeded(1);
  plan.succeeded(2);
  EXPECT_TRUE(plan.over());
  EXPECT_EQ(plan.winner(), 1u);
  EXPECT_EQ(plan.deadline(), base::kNever);
  EXPECT_EQ(shown(plan.poll(kStart + kSecond)), "g0 g2");
  EXPECT_EQ(shown(plan.poll(kStart + 10 * kSecond)), "");
}

TEST(DialPlan, EachCandidateHasFiveSeconds) {
  DialPlan plan(numbered(2), {}, kStart);
  plan.poll(kStart);
  plan.poll(kStart + 250 * kMillisecond);
  EXPECT_EQ(shown(plan.poll(kStart + 5 * kSecond)), "g0");
  EXPECT_FALSE(plan.over());
  EXPECT_EQ(plan.deadline(), kStart + 5250 * kMillisecond);
  EXPECT_EQ(shown(plan.poll(kStart + 5250 * kMillisecond)), "g1");
  EXPECT_TRUE(plan.over());
  EXPECT_EQ(plan.winner(), std::nullopt);
  EXPECT_EQ(plan.failure(), wire::DialFailure::kUnreachable);
  EXPECT_EQ(plan.deadline(), base::kNever);
}

TEST(DialPlan, WinnerIsNotGivenUpWhenItsTimeIsOver) {
  DialPlan plan(numbered(1), {}, kStart);
  plan.poll(kStart);
  plan.succeeded(0);
  EXPECT_EQ(shown(plan.poll(kStart + 6 * kSecond)), "");
  EXPECT_EQ(plan.winner(), 0u);
}

TEST(DialPlan, RefusalSaysMoreThanSilence) {
  DialPlan plan(numbered(3), {}, kStart);
  plan.poll(kStart);
  plan.failed(0, wire::DialFailure::kRejected, kStart);
  plan.poll(kStart);
  plan.failed(1, wire::DialFailure::kReset, kStart);
  plan.poll(kStart);
  plan.poll(kStart + 5 * kSecond);
  EXPECT_TRUE(plan.over());
  EXPECT_EQ(plan.failure(), wire::DialFailure::kRejected);
}

TEST(DialPlan, CandidateOutOfTimeIsWhatItHadComeTo) {
  DialPlan plan(numbered(1), {}, kStart);
  plan.poll(kStart);
  plan.gave_up(0, wire::DialFailure::kExpired);  // it is still dialling
  EXPECT_EQ(shown(plan.poll(kStart + 5 * kSecond)), "g0");
  EXPECT_EQ(plan.failure(), wire::DialFailure::kUnreachable);
  plan.gave_up(0, wire::DialFailure::kExpired);
  plan.gave_up(7, wire::DialFailure::kRejected);
  EXPECT_EQ(plan.failure(), wire::DialFailure::kExpired);
}

TEST(DialPlan, EventsOfCandidatesThatAreOverChangeNothing) {
  DialPlan plan(numbered(2), {}, kStart);
  plan.succeeded(1);  // was never started
  EXPECT_FALSE(plan.over());
  plan.poll(kStart);
  plan.failed(0, wire::DialFailure::kReset, kStart);
  plan.succeeded(0);
  plan.failed(7, wire::DialFailure::kReset, kStart);
  plan.succeeded(7);
  EXPECT_FALSE(plan.over());
  EXPECT_EQ(shown(plan.poll(kStart)), "s1");
}

TEST(DialPlan, WithoutCandidatesItIsOverAsUnreachable) {
  DialPlan plan({}, {}, kStart);
  EXPECT_TRUE(plan.over());
  EXPECT_EQ(shown(plan.poll(kStart)), "");
  EXPECT_EQ(plan.deadline(), base::kNever);
  EXPECT_EQ(plan.failure(), wire::DialFailure::kUnreachable);
}

TEST(DialPlan, TimeAtItsEndSaturates) {
  DialPlan plan(numbered(2), {}, base::kNever - 10);
  EXPECT_EQ(shown(plan.poll(base::kNever - 10)), "s0");
  EXPECT_LT(plan.deadline(), base::kNever);
}

TEST(NewcomerWins, NewerReplacesTheOlder) {
  for (const bool old_ours : {false, true}) {
    for (const bool new_ours : {false, true}) EXPECT_TRUE(newcomer_wins("a", "b", old_ours, new_ours, false));
  }
  EXPECT_TRUE(newcomer_wins("a", "b", true, true, true));
  EXPECT_TRUE(newcomer_wins("a", "b", false, false, true));
}

TEST(NewcomerWins, CrossedDialsLeaveTheOneOfTheSmallerIdOnBothSides) {
  // Both sides, both orders of arrival: exactly the connection that "a" dialled stays.
  EXPECT_TRUE(newcomer_wins("a", "b", false, true, true));   // at a: its own comes second
  EXPECT_FALSE(newcomer_wins("a", "b", true, false, true));  // at a: b's comes second
  EXPECT_TRUE(newcomer_wins("b", "a", true, false, true));   // at b: a's comes second
  EXPECT_FALSE(newcomer_wins("b", "a", false, true, true));  // at b: its own comes second
}

}  // namespace
}  // namespace atlas::session
