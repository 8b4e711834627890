// Limits by trust: every figure of section 10 bites at its exact request, and nobody within the figures is refused.
#include "session/limits.h"

#include <gtest/gtest.h>

namespace atlas::session {
namespace {

using base::kMillisecond;
using base::kSecond;
using wire::Trust;

constexpr base::MonoNs kStart = 1000 * kSecond;

struct Paced {
  LimitSettings settings;
  PeerBudget budget;
  LimitRule at(base::MonoNs when, Trust trust = Trust::kUnknown, std::uint64_t payload = 100) {
    return budget.admit(settings, trust, payload, kStart + when);
  }
};

TEST(PeerBudget, SixthRequestAtOnceIsRefused) {
  for (const Trust trust : {Trust::kUnknown, Trust::kVerified, Trust::kBootstrap, Trust::kRelay}) {
    Paced peer;
    for (int i = 0; i < 5; ++i) EXPECT_EQ(peer.at(0, trust), LimitRule::kNone) << i;
    EXPECT_EQ(peer.at(0, trust), LimitRule::kPerSecond);
  }
}

TEST(PeerBudget, TokensComeBackAtTheTiersRate) {
  Paced unknown;
  for (int i = 0; i < 5; ++i) unknown.at(0);
  EXPECT_EQ(unknown.at(200 * kMillisecond - 1), LimitRule::kPerSecond);
  EXPECT_EQ(unknown.at(200 * kMillisecond), LimitRule::kNone);
  EXPECT_EQ(unknown.at(200 * kMillisecond), LimitRule::kPerSecond);

  Paced verified;
  for (int i = 0; i < 5; ++i) verified.at(0, Trust::kVerified);
  EXPECT_EQ(verified.at(50 * kMillisecond - 1, Trust::kVerified), LimitRule::kPerSecond);
  EXPECT_EQ(verified.at(50 * kMillisecond, Trust::kVerified), LimitRule::kNone);
}

TEST(PeerBudget, PollingForFractionsOfATokenNeverAddsOne) {
  Paced peer;
  for (int i = 0; i < 5; ++i) peer.at(0);
  std::uint32_t admitted = 0;
  // 7 ns off any round figure, for 10 s, at up to 5 a second; the minute allows it.
  for (base::MonoNs t = 0; t <= 10 * kSecond; t += 333'337) admitted += peer.at(t) == LimitRule::kNone;
  EXPECT_LE(admitted, 50u);
  EXPECT_GE(admitted, 49u);
}

TEST(PeerBudget, SixtyFirstRequestInAMinuteIsRefusedAndTheNextMinuteIsFree) {
  Paced peer;
  for (int i = 0; i < 60; ++i) ASSERT_EQ(peer.at(i * 500 * kMillisecond), LimitRule::kNone) << i;
  EXPECT_EQ(peer.at(30 * kSecond), LimitRule::kPerMinute);
  EXPECT_EQ(peer.at(60 * kSecond - 1), LimitRule::kPerMinute);
  EXPECT_EQ(peer.at(60 * kSecond), LimitRule::kNone);
  EXPECT_EQ(peer.at(60 * kSecond), LimitRule::kPerMinute);
}

TEST(PeerBudget, ThreeHundredAndFirstOfAVerifiedPeerIsRefused) {
  Paced peer;
  for (int i = 0; i < 300; ++i) ASSERT_EQ(peer.at(i * 100 * kMillisecond, Trust::kVerified), LimitRule::kNone) << i;
  EXPECT_EQ(peer.at(59 * kSecond, Trust::kVerified), LimitRule::kPerMinute);
}

TEST(PeerBudget, SteadySenderAtTheFigureIsNeverRefused) {
  Paced peer;
  for (int i = 0; i < 600; ++i) ASSERT_EQ(peer.at(i * kSecond), LimitRule::kNone) << i;
}

TEST(PeerBudget, NoMinuteEverHoldsMoreThanTheFigure) {
  Paced peer;
  std::vector<base::MonoNs> admitted;
  std::uint64_t state = 42;
  for (base::MonoNs t = 0; t < 600 * kSecond;) {
    if (peer.at(t) == LimitRule::kNone) admitted.push_back(t);
    state = state * 6364136223846793005u + 1442695040888963407u;
    t += (state >> 33) % (400 * kMillisecond);
  }
  ASSERT_GT(admitted.size(), 500u);
  for (std::size_t i = 60; i < admitted.size(); ++i) {
    EXPECT_GE(admitted[i] - admitted[i - 60], PeerBudget::kMinute - PeerBudget::kSlot) << i;
  }
}

TEST(PeerBudget, PayloadOfAMinuteIsLimitedAndARefusedOneDoesNotCount) {
  Paced peer;
  EXPECT_EQ(peer.at(0, Trust::kUnknown, 4'000'000), LimitRule::kNone);
  EXPECT_EQ(peer.at(kSecond, Trust::kUnknown, 4'000'000), LimitRule::kNone);
  EXPECT_EQ(peer.at(2 * kSecond, Trust::kUnknown, 2'000'001), LimitRule::kPayload);
  EXPECT_EQ(peer.at(3 * kSecond, Trust::kUnknown, 2'000'000), LimitRule::kNone);
  EXPECT_EQ(peer.at(4 * kSecond, Trust::kUnknown, 1), LimitRule::kPayload);
  EXPECT_EQ(peer.at(4 * kSecond, Trust::kUnknown, 0), LimitRule::kNone);
  EXPECT_EQ(peer.at(60 * kSecond, Trust::kUnknown, 4'000'000), LimitRule::kNone);
  EXPECT_EQ(peer.at(60 * kSecond, Trust::kUnknown, UINT64_MAX), LimitRule::kPayload);
}

TEST(PeerBudget, PerMinuteAboveWhatTheSecondsAllowLeavesTheSecondsInForce) {
  Paced peer;
  peer.settings.unknown.per_minute = 1'000'000;
  std::uint32_t admitted = 0;
  for (base::MonoNs t = 0; t < 60 * kSecond; t += 10 * kMillisecond)
    admitted += peer.at(t, Trust::kUnknown, 0) == LimitRule::kNone;
  EXPECT_LE(admitted, 5u + 5u * 60u);
  EXPECT_GE(admitted, 5u * 60u);
}

TEST(PeerBudget, ConfiguredPerMinuteBelowTheBurstBites) {
  Paced peer;
  peer.settings.unknown.per_minute = 2;
  EXPECT_EQ(peer.at(0), LimitRule::kNone);
  EXPECT_EQ(peer.at(0), LimitRule::kNone);
  EXPECT_EQ(peer.at(0), LimitRule::kPerMinute);
}

TEST(PeerBudget, LogStaysBoundedWhateverTheFigure) {
  Paced peer;
  peer.settings.unknown = {1'000'000, 100'000'000, UINT64_MAX};
  peer.settings.burst = 1'000'000;
  std::size_t most = 0;
  for (base::MonoNs t = 0; t < 200 * kSecond; t += kMillisecond) {
    ASSERT_EQ(peer.at(t), LimitRule::kNone);
    most = std::max(most, peer.budget.log_entries());
  }
  EXPECT_LE(most, PeerBudget::kMinute / PeerBudget::kSlot + 1);
}

TEST(PeerBudget, TimeThatStandsOrGoesBackRefillsNothing) {
  Paced peer;
  for (int i = 0; i < 5; ++i) peer.at(10 * kSecond);
  EXPECT_EQ(peer.at(0), LimitRule::kPerSecond);
  EXPECT_EQ(peer.at(10 * kSecond), LimitRule::kPerSecond);
}

TEST(PeerBudget, ThirdViolationWithinFiveMinutesBans) {
  const LimitSettings settings;
  PeerBudget budget;
  EXPECT_FALSE(budget.violation(settings, kStart));
  EXPECT_FALSE(budget.violation(settings, kStart + kSecond));
  EXPECT_TRUE(budget.violation(settings, kStart + 299 * kSecond));
}

TEST(PeerBudget, ViolationsOlderThanFiveMinutesDoNotCount) {
  const LimitSettings settings;
  PeerBudget budget;
  EXPECT_FALSE(budget.violation(settings, kStart));
  EXPECT_FALSE(budget.violation(settings, kStart + 200 * kSecond));
  EXPECT_FALSE(budget.violation(settings, kStart + 300 * kSecond));
  EXPECT_TRUE(budget.violation(settings, kStart + 301 * kSecond));
}

TEST(PeerBudget, AtMostOneViolationASecond) {
  const LimitSettings settings;
  PeerBudget budget;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(budget.violation(settings, kStart + i * kMillisecond));
  EXPECT_FALSE(budget.violation(settings, kStart + 1000 * kMillisecond));
  EXPECT_FALSE(budget.violation(settings, kStart + 1999 * kMillisecond));
  EXPECT_TRUE(budget.violation(settings, kStart + 2000 * kMillisecond));
}

TEST(PeerBudget, BanWipesTheSlate) {
  const LimitSettings settings;
  PeerBudget budget;
  budget.violation(settings, kStart);
  budget.violation(settings, kStart + kSecond);
  ASSERT_TRUE(budget.violation(settings, kStart + 2 * kSecond));
  EXPECT_FALSE(budget.violation(settings, kStart + 3 * kSecond));
  EXPECT_FALSE(budget.violation(settings, kStart + 4 * kSecond));
  EXPECT_TRUE(budget.violation(settings, kStart + 5 * kSecond));
}

TEST(PeerBudget, ViolationsToBanIsHeldToItsRange) {
  LimitSettings settings;
  settings.violations_to_ban = 0;
  PeerBudget one;
  EXPECT_TRUE(one.violation(settings, kStart));
  settings.violations_to_ban = 1000;
  PeerBudget most;
  for (std::size_t i = 1; i < PeerBudget::kMaxViolations; ++i)
    EXPECT_FALSE(most.violation(settings, kStart + i * kSecond));
  EXPECT_TRUE(most.violation(settings, kStart + 100 * kSecond));
}

TEST(PeerBudget, IdleOnlyWhenNothingIsRemembered) {
  const LimitSettings settings;
  PeerBudget budget;
  EXPECT_TRUE(budget.idle(settings, kStart));
  budget.admit(settings, Trust::kUnknown, 0, kStart);
  EXPECT_FALSE(budget.idle(settings, kStart + 60 * kSecond - 1));
  EXPECT_TRUE(budget.idle(settings, kStart + 60 * kSecond));
  budget.violation(settings, kStart);
  EXPECT_FALSE(budget.idle(settings, kStart + 299 * kSecond));
  EXPECT_TRUE(budget.idle(settings, kStart + 300 * kSecond));
}

TEST(Budgets, ReconnectDoesNotRefill) {
  base::SeededRandom random(1);
  const LimitSettings settings;
  Budgets budgets(random);
  for (int i = 0; i < 5; ++i) budgets.of("atlas_a").admit(settings, Trust::kUnknown, 0, kStart);
  EXPECT_EQ(budgets.of("atlas_a").admit(settings, Trust::kUnknown, 0, kStart), LimitRule::kPerSecond);
  EXPECT_EQ(budgets.of("atlas_b").admit(settings, Trust::kUnknown, 0, kStart), LimitRule::kNone);
}

TEST(Budgets, CapacityDropsTheLongestUnused) {
  base::SeededRandom random(1);
  const LimitSettings settings;
  Budgets budgets(random, 3);
  const auto use = [&](const char* id, base::MonoNs at) {
    return budgets.of(id).admit(settings, Trust::kUnknown, 9'000'000, at);
  };
  use("a", kStart);
  use("b", kStart + 1);
  use("c", kStart + 2);
  EXPECT_EQ(use("a", kStart + 3), LimitRule::kPayload);  // remembered, and used again
  use("d", kStart + 4);                                  // takes the place of "b"
  EXPECT_EQ(budgets.size(), 3u);
  EXPECT_EQ(use("c", kStart + 5), LimitRule::kPayload);
  EXPECT_EQ(use("a", kStart + 6), LimitRule::kPayload);
  EXPECT_EQ(use("b", kStart + 7), LimitRule::kNone);
}

TEST(Budgets, TakenOutIsForgottenThere) {
  base::SeededRandom random(1);
  const LimitSettings settings;
  Budgets budgets(random);
  budgets.of("a").admit(settings, Trust::kUnknown, 9'000'000, kStart);
  EXPECT_EQ(budgets.take("b").admit(settings, Trust::kUnknown, 9'000'000, kStart), LimitRule::kNone);
  EXPECT_EQ(budgets.take("a").admit(settings, Trust::kUnknown, 9'000'000, kStart), LimitRule::kPayload);
  EXPECT_EQ(budgets.size(), 0u);
  EXPECT_EQ(budgets.take("a").admit(settings, Trust::kUnknown, 9'000'000, kStart), LimitRule::kNone);
}

TEST(Budgets, SweepDropsWhatIsIdle) {
  base::SeededRandom random(1);
  const LimitSettings settings;
  Budgets budgets(random);
  for (int i = 0; i < 100; ++i) {
    budgets.of("peer" + std::to_string(i)).admit(settings, Trust::kUnknown, 0, kStart + i * kSecond);
  }
  budgets.sweep(settings, kStart + 109 * kSecond);
  EXPECT_EQ(budgets.size(), 50u);
  budgets.sweep(settings, kStart + 1000 * kSecond);
  EXPECT_EQ(budgets.size(), 0u);
}

TEST(LimitRule, NamesAreThoseOfTheCounters) {
  EXPECT_EQ(to_text(LimitRule::kPerSecond), "per_second");
  EXPECT_EQ(to_text(LimitRule::kPerMinute), "per_minute");
  EXPECT_EQ(to_text(LimitRule::kPayload), "payload_per_minute");
}

}  // namespace
}  // namespace atlas::session
