// One stream, one exchange: requests run at FIN, every breach of section 4 ends the stream with its code, and what
// arrives whole is not copied.
#include "session/exchange.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

namespace {
// Counts allocations of this thread while it is on.
thread_local bool counting = false;
thread_local std::size_t allocations = 0;
}  // namespace

// GCC 12 sees the free() of an inlined delete and the new that it belongs to as strangers.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void* operator new(std::size_t size) {
  if (counting) ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace atlas::session {
namespace {

using base::kSecond;
using In = InboundExchange::Outcome::What;
using Out = OutboundExchange::Outcome::What;
using wire::Code;

constexpr base::MonoNs kStart = 50 * kSecond;

base::Bytes envelope(std::uint8_t type, std::size_t size) {
  base::Bytes payload(size);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(i * 7 + 1);
  return wire::seal(type, payload);
}
base::Bytes joined(base::Bytes first, const base::Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}
base::Bytes payload_of(const base::Bytes& sealed) {
  return {sealed.begin() + wire::kHeaderSize, sealed.end()};
}
base::Bytes bytes(base::ByteView view) {
  return {view.begin(), view.end()};
}

struct Broken {
  const char* name;
  std::vector<std::uint8_t> header;
  Code code;
};
const Broken kBroken[] = {
    {"magic", {0xac, 0x02, 0x01, 0x10, 0, 0, 0, 0}, Code::kRejected},
    {"version", {0xac, 0x01, 0x02, 0x10, 0, 0, 0, 0}, Code::kProtocolVersion},
    {"length", {0xac, 0x01, 0x01, 0x10, 0x00, 0x40, 0x00, 0x01}, Code::kPayloadTooLarge},
};

// --- responder ---

TEST(InboundExchange, WholeRequestWithFinIsHandedOnWithoutCopyOrAllocation) {
  const base::Bytes request = envelope(0x10, 1000);
  counting = true;
  allocations = 0;
  InboundExchange exchange(kStart);
  const auto outcome = exchange.on_data(request, true, kStart);
  counting = false;
  EXPECT_EQ(allocations, 0u);
  ASSERT_EQ(outcome.what, In::kRequest);
  EXPECT_EQ(outcome.type, 0x10);
  EXPECT_EQ(outcome.payload.data(), request.data() + wire::kHeaderSize);
  EXPECT_EQ(outcome.payload.size(), 1000u);
  EXPECT_TRUE(exchange.awaits_answer());
}

TEST(InboundExchange, EveryCutGivesTheSameRequestAtFin) {
  const base::Bytes request = envelope(0x20, 50);
  for (std::size_t cut = 0; cut <= request.size(); ++cut) {
    for (const bool fin_alone : {false, true}) {
      InboundExchange exchange(kStart);
      const base::Bytes head(request.begin(), request.begin() + cut);
      ASSERT_EQ(exchange.on_data(head, false, kStart).what, In::kWait) << cut;
      base::Bytes tail(request.begin() + cut, request.end());
      InboundExchange::Outcome outcome;
      if (fin_alone) {
        ASSERT_EQ(exchange.on_data(tail, false, kStart).what, In::kWait);
        std::fill(tail.begin(), tail.end(), 0xee);  // the piece is the caller's again
        outcome = exchange.on_data({}, true, kStart);
      } else {
        outcome = exchange.on_data(tail, true, kStart);
      }
      ASSERT_EQ(outcome.what, In::kRequest) << cut;
      EXPECT_EQ(outcome.type, 0x20);
      EXPECT_EQ(bytes(outcome.payload), payload_of(request));
    }
  }
}

TEST(InboundExchange, ByteByByte) {
  const base::Bytes request = envelope(0x20, 300);
  InboundExchange exchange(kStart);
  for (const std::uint8_t& byte : request) ASSERT_EQ(exchange.on_data({&byte, 1}, false, kStart).what, In::kWait);
  const auto outcome = exchange.on_data({}, true, kStart);
  ASSERT_EQ(outcome.what, In::kRequest);
  EXPECT_EQ(bytes(outcome.payload), payload_of(request));
}

TEST(InboundExchange, EmptyPayloadIsARequest) {
  InboundExchange exchange(kStart);
  EXPECT_EQ(exchange.on_data(wire::seal(0xf0, {}), false, kStart).what, In::kWait);
  const auto outcome = exchange.on_data({}, true, kStart);
  EXPECT_EQ(outcome.what, In::kRequest);
  EXPECT_EQ(outcome.type, 0xf0);
  EXPECT_TRUE(outcome.payload.empty());
}

TEST(InboundExchange, SecondEnvelopeIsReset2003) {
  const base::Bytes one = envelope(0x10, 20), two = joined(one, one);
  for (std::size_t cut = 0; cut <= two.size(); ++cut) {
    InboundExchange exchange(kStart);
    auto outcome = exchange.on_data(base::ByteView(two).first(cut), false, kStart);
    if (outcome.what == In::kWait) outcome = exchange.on_data(base::ByteView(two).subspan(cut), true, kStart);
    EXPECT_EQ(outcome.what, In::kReset) << cut;
    EXPECT_EQ(outcome.code, Code::kRejected);
    EXPECT_EQ(exchange.deadline(), base::kNever);
  }
}

TEST(InboundExchange, IncompleteEnvelopeAtFinIsReset2003) {
  const base::Bytes request = envelope(0x10, 20);
  for (std::size_t size = 0; size < request.size(); ++size) {
    InboundExchange exchange(kStart);
    const auto outcome = exchange.on_data(base::ByteView(request).first(size), true, kStart);
    EXPECT_EQ(outcome.what, In::kReset) << size;
    EXPECT_EQ(outcome.code, Code::kRejected);
  }
}

TEST(InboundExchange, HeaderFaultsAreAnsweredAtOnceWithoutAwaitingThePayload) {
  for (const Broken& broken : kBroken) {
    InboundExchange exchange(kStart);
    const auto outcome = exchange.on_data(broken.header, false, kStart);
    EXPECT_EQ(outcome.what, In::kError) << broken.name;
    EXPECT_EQ(outcome.code, broken.code) << broken.name;
    EXPECT_EQ(exchange.deadline(), base::kNever);
    EXPECT_EQ(exchange.on_data(broken.header, true, kStart).what, In::kWait);
  }
}

TEST(InboundExchange, LargestPayloadIsTakenAndOneByteMoreIsNot) {
  const base::Bytes largest = envelope(0x10, wire::kMaxPayload);
  InboundExchange exchange(kStart);
  EXPECT_EQ(exchange.on_data(largest, true, kStart).what, In::kRequest);
}

TEST(InboundExchange, IdleForTheTimeoutIsReset2003) {
  InboundExchange exchange(kStart, 10 * kSecond);
  EXPECT_EQ(exchange.deadline(), kStart + 10 * kSecond);
  const base::Bytes request = envelope(0x10, 20);
  exchange.on_data(base::ByteView(request).first(5), false, kStart + 3 * kSecond);
  EXPECT_EQ(exchange.deadline(), kStart + 13 * kSecond);
  exchange.on_data({}, false, kStart + 9 * kSecond);  // nothing is nothing
  EXPECT_EQ(exchange.deadline(), kStart + 13 * kSecond);
  EXPECT_EQ(exchange.on_timeout(kStart + 13 * kSecond - 1).what, In::kWait);
  const auto outcome = exchange.on_timeout(kStart + 13 * kSecond);
  EXPECT_EQ(outcome.what, In::kReset);
  EXPECT_EQ(outcome.code, Code::kRejected);
  EXPECT_EQ(exchange.on_timeout(kStart + 99 * kSecond).what, In::kWait);
}

TEST(InboundExchange, WholeRequestWithoutFinTimesOutToo) {
  InboundExchange exchange(kStart);
  exchange.on_data(envelope(0x10, 20), false, kStart);
  EXPECT_EQ(exchange.on_timeout(kStart + kExchangeTimeout).what, In::kReset);
}

TEST(InboundExchange, AnswersKeepItOpenAndTheLastOneEndsIt) {
  InboundExchange exchange(kStart);
  exchange.on_data(envelope(0x10, 20), true, kStart);
  EXPECT_EQ(exchange.deadline(), kStart + kExchangeTimeout);
  exchange.answered(kStart + kSecond, false);
  EXPECT_EQ(exchange.deadline(), kStart + kSecond + kExchangeTimeout);
  exchange.answered(kStart + 2 * kSecond, true);
  EXPECT_FALSE(exchange.awaits_answer());
  EXPECT_EQ(exchange.deadline(), base::kNever);
}

TEST(InboundExchange, RequestThatNobodyAnswersIsReset) {
  InboundExchange exchange(kStart);
  exchange.on_data(envelope(0x10, 20), true, kStart);
  EXPECT_EQ(exchange.on_timeout(kStart + kExchangeTimeout).what, In::kReset);
  EXPECT_FALSE(exchange.awaits_answer());
}

TEST(InboundExchange, IdleExchangeIsSmall) {
  EXPECT_LE(sizeof(InboundExchange), 200u);
}

// --- opener ---

TEST(OutboundExchange, WholeAnswerWithFinIsHandedOnWithoutCopyOrAllocation) {
  const base::Bytes answer = envelope(0x11, 1000);
  counting = true;
  allocations = 0;
  OutboundExchange exchange(kStart);
  const auto outcome = exchange.on_data(answer, true, kStart);
  counting = false;
  EXPECT_EQ(allocations, 0u);
  ASSERT_EQ(outcome.what, Out::kAnswer);
  EXPECT_TRUE(outcome.over);
  EXPECT_EQ(outcome.payload.data(), answer.data() + wire::kHeaderSize);
  EXPECT_EQ(exchange.deadline(), base::kNever);
}

TEST(OutboundExchange, EveryCutGivesTheSameAnswer) {
  const base::Bytes answer = envelope(0x22, 50);
  for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
    OutboundExchange exchange(kStart);
    auto outcome = exchange.on_data(base::ByteView(answer).first(cut), false, kStart);
    if (outcome.what == Out::kWait) outcome = exchange.on_data(base::ByteView(answer).subspan(cut), false, kStart);
    ASSERT_EQ(outcome.what, Out::kAnswer) << cut;
    EXPECT_FALSE(outcome.over);
    EXPECT_EQ(bytes(outcome.payload), payload_of(answer));
    outcome = exchange.on_data({}, true, kStart);
    EXPECT_EQ(outcome.what, Out::kWait);
    EXPECT_TRUE(outcome.over);
  }
}

TEST(OutboundExchange, FinishWithoutAnEnvelopeIsNoAnswer) {
  OutboundExchange exchange(kStart);
  const auto outcome = exchange.on_data({}, true, kStart);
  EXPECT_EQ(outcome.what, Out::kNoAnswer);
  EXPECT_TRUE(outcome.over);
}

TEST(OutboundExchange, FirstEnvelopeIsTheAnswerHoweverThePiecesFall) {
  const base::Bytes answer = envelope(0x22, 30), more = envelope(0x23, 10);
  const base::Bytes all = joined(joined(answer, more), more);
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    OutboundExchange exchange(kStart);
    const base::ByteView pieces[] = {base::ByteView(all).first(cut), base::ByteView(all).subspan(cut)};
    int answers = 0;
    bool over = false;
    for (int i = 0; i < 2; ++i) {
      const auto outcome = exchange.on_data(pieces[i], i == 1, kStart);
      if (outcome.what == Out::kAnswer) {
        ++answers;
        EXPECT_EQ(outcome.type, 0x22);
        EXPECT_EQ(bytes(outcome.payload), payload_of(answer)) << cut;
      } else {
        EXPECT_EQ(outcome.what, Out::kWait) << cut;
      }
      over = outcome.over;
    }
    EXPECT_EQ(answers, 1) << cut;
    EXPECT_TRUE(over) << cut;
  }
}

TEST(OutboundExchange, FaultsOfTheAnswerFailTheRequestWithTheirCode) {
  for (const Broken& broken : kBroken) {
    OutboundExchange exchange(kStart);
    const auto outcome = exchange.on_data(broken.header, false, kStart);
    EXPECT_EQ(outcome.what, Out::kFault) << broken.name;
    EXPECT_EQ(outcome.code, broken.code) << broken.name;
    EXPECT_TRUE(outcome.over);
    EXPECT_EQ(exchange.on_data(broken.header, true, kStart).what, Out::kWait);
  }
}

TEST(OutboundExchange, IncompleteAnswerAtFinIs2003) {
  const base::Bytes answer = envelope(0x11, 20);
  for (std::size_t size = 1; size < answer.size(); ++size) {
    OutboundExchange exchange(kStart);
    const auto outcome = exchange.on_data(base::ByteView(answer).first(size), true, kStart);
    EXPECT_EQ(outcome.what, Out::kFault) << size;
    EXPECT_EQ(outcome.code, Code::kRejected);
  }
}

TEST(OutboundExchange, FaultBehindTheAnswerKeepsTheAnswer) {
  const base::Bytes answer = envelope(0x11, 20);
  OutboundExchange together(kStart);
  const base::Bytes both = joined(answer, kBroken[0].header);
  const auto at_once = together.on_data(both, false, kStart);
  EXPECT_EQ(at_once.what, Out::kAnswer);
  EXPECT_TRUE(at_once.over);
  EXPECT_EQ(at_once.code, Code::kRejected);
  EXPECT_EQ(bytes(at_once.payload), payload_of(answer));

  OutboundExchange apart(kStart);
  EXPECT_EQ(apart.on_data(answer, false, kStart).what, Out::kAnswer);
  const auto later = apart.on_data(kBroken[1].header, false, kStart);
  EXPECT_EQ(later.what, Out::kReset);
  EXPECT_EQ(later.code, Code::kProtocolVersion);
}

TEST(OutboundExchange, EndlessAnswersAreCutOff) {
  const base::Bytes one = envelope(0x11, 4);
  OutboundExchange exchange(kStart);
  EXPECT_EQ(exchange.on_data(one, false, kStart).what, Out::kAnswer);
  for (std::uint32_t i = 0; i < OutboundExchange::kMaxMoreAnswers; ++i) {
    ASSERT_EQ(exchange.on_data(one, false, kStart).what, Out::kWait) << i;
  }
  EXPECT_EQ(exchange.on_data(one, false, kStart).what, Out::kReset);
}

TEST(InboundExchange, LetGoHoldsAndReadsNothing) {
  InboundExchange exchange(kStart);
  const base::Bytes whole = envelope(0x90, 4000);
  exchange.on_data(base::ByteView(whole).first(3000), false, kStart);
  EXPECT_EQ(exchange.buffered(), 3000u - wire::kHeaderSize);
  exchange.let_go();
  EXPECT_EQ(exchange.buffered(), 0u);
  EXPECT_EQ(exchange.on_data(base::ByteView(whole).subspan(3000), true, kStart).what, In::kWait);
  EXPECT_EQ(exchange.buffered(), 0u);
  EXPECT_EQ(exchange.deadline(), base::kNever);
}

TEST(OutboundExchange, SilenceForTheTimeoutFailsTheRequest) {
  OutboundExchange exchange(kStart, 10 * kSecond);
  EXPECT_EQ(exchange.deadline(), kStart + 10 * kSecond);
  EXPECT_EQ(exchange.on_timeout(kStart + kSecond).what, Out::kWait);
  const auto outcome = exchange.on_timeout(kStart + 10 * kSecond);
  EXPECT_EQ(outcome.what, Out::kTimeout);
  EXPECT_EQ(outcome.code, Code::kRejected);
  EXPECT_EQ(exchange.deadline(), base::kNever);
}

// A byte now and then keeps an answer alive, but not for ever.
TEST(OutboundExchange, AnswerThatDribblesEndsAllTheSame) {
  OutboundExchange exchange(kStart, 10 * kSecond);
  const base::Bytes whole = envelope(0x11, 4000);
  base::MonoNs now = kStart;
  for (std::size_t i = 0; i < whole.size() && now < exchange.deadline(); ++i, now += 9 * kSecond) {
    ASSERT_EQ(exchange.on_data(base::ByteView(whole).subspan(i, 1), false, now).what, Out::kWait);
  }
  EXPECT_EQ(exchange.deadline(), kStart + base::limits::session_slow_answer * 10 * kSecond);
  EXPECT_EQ(exchange.on_timeout(now).what, Out::kTimeout);
}

TEST(OutboundExchange, RequestThatStillMovesPutsItsAnswerOff) {
  OutboundExchange exchange(kStart, 10 * kSecond);
  exchange.request_moved(kStart + 9 * kSecond);
  EXPECT_EQ(exchange.deadline(), kStart + 19 * kSecond);
  exchange.request_moved(kStart + 99 * kSecond);
  EXPECT_EQ(exchange.deadline(), kStart + 100 * kSecond);
}

TEST(OutboundExchange, SilenceAfterTheAnswerOnlyResetsTheStream) {
  OutboundExchange exchange(kStart);
  exchange.on_data(envelope(0x11, 4), false, kStart);
  EXPECT_EQ(exchange.on_timeout(kStart + kExchangeTimeout).what, Out::kReset);
}

TEST(OutboundExchange, IdleExchangeIsSmall) {
  EXPECT_LE(sizeof(OutboundExchange), 200u);
}

}  // namespace
}  // namespace atlas::session
