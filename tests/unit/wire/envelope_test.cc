// Headers, and the reader that cuts envelopes out of a stream: every fault, every way to cut, and what it holds in
// memory.
#include "wire/envelope.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace atlas::wire {
namespace {

using base::Bytes;
using base::ByteView;
using State = EnvelopeReader::State;

Bytes bytes(std::string_view hex) {
  return *base::from_hex(hex);
}
Bytes copy(ByteView view) {
  return {view.begin(), view.end()};
}

TEST(Header, ReadsTypeAndBigEndianLength) {
  Header header;
  EXPECT_FALSE(check_header(bytes("ac01012000010203"), kMaxPayload, header));
  EXPECT_EQ(header.type, 0x20);
  EXPECT_EQ(header.length, 0x010203u);
}

TEST(Header, FaultsInTheOrderOfTheChecks) {
  Header header{9, 9};
  EXPECT_EQ(check_header(bytes("ad01022000ffffff"), 10, header), Code::kRejected);
  EXPECT_EQ(check_header(bytes("ac02022000ffffff"), 10, header), Code::kRejected);
  EXPECT_EQ(check_header(bytes("ac010220ffffffff"), 10, header), Code::kProtocolVersion);
  EXPECT_EQ(check_header(bytes("ac010020ffffffff"), 10, header), Code::kProtocolVersion);
  EXPECT_EQ(check_header(bytes("ac01012000ffffff"), 10, header), Code::kPayloadTooLarge);
  EXPECT_EQ(check_header(bytes("ac0101200000000b"), 10, header), Code::kPayloadTooLarge);
  EXPECT_EQ(check_header(bytes("ac010120000000"), 10, header), Code::kRejected) << "too few bytes";
  EXPECT_EQ(header.type, 9) << "untouched by faults";
  EXPECT_FALSE(check_header(bytes("ac0101200000000a"), 10, header));
  EXPECT_EQ(header.length, 10u);
}

TEST(Header, LimitsAreThoseOfTheProtocol) {
  Header header;
  EXPECT_FALSE(check_header(bytes("ac01011000400000"), kMaxPayload, header));
  EXPECT_EQ(check_header(bytes("ac01011000400001"), kMaxPayload, header), Code::kPayloadTooLarge);
  EXPECT_FALSE(check_header(bytes("ac01010100004000"), kMaxHandshakePayload, header));
  EXPECT_EQ(check_header(bytes("ac01010100004001"), kMaxHandshakePayload, header), Code::kPayloadTooLarge);
}

TEST(Header, SealWritesWhatCheckReads) {
  EXPECT_EQ(seal(0xf0, bytes("80")), bytes("ac0101f00000000180"));
  EXPECT_EQ(seal(0xff, {}), bytes("ac0101ff00000000"));
  const Bytes large = seal(0x22, Bytes(70'000, 1));
  EXPECT_EQ(copy(ByteView(large).first(8)), bytes("ac01012200011170"));
  EXPECT_EQ(large.size(), 70'008u);
}

TEST(EnvelopeReader, WholeEnvelopeIsNotCopied) {
  const Bytes stream = seal(0x10, bytes("81a16101"));
  ByteView data = stream;
  EnvelopeReader reader;
  ASSERT_EQ(reader.feed(data), State::kEnvelope);
  EXPECT_EQ(reader.envelope().type, 0x10);
  EXPECT_EQ(reader.envelope().payload.data(), stream.data() + kHeaderSize);
  EXPECT_EQ(copy(reader.envelope().payload), bytes("81a16101"));
  EXPECT_EQ(reader.buffered(), 0u);
  EXPECT_TRUE(data.empty());
  EXPECT_FALSE(reader.at_boundary());
  reader.pop();
  EXPECT_TRUE(reader.at_boundary());
}

// The payload alone may arrive whole too, after its header.
TEST(EnvelopeReader, PayloadInOnePieceIsNotCopied) {
  const Bytes stream = seal(0x10, bytes("81a16101"));
  EnvelopeReader reader;
  ByteView head = ByteView(stream).first(kHeaderSize);
  EXPECT_EQ(reader.feed(head), State::kNeedMore);
  EXPECT_FALSE(reader.at_boundary());
  ByteView rest = ByteView(stream).subspan(kHeaderSize);
  ASSERT_EQ(reader.feed(rest), State::kEnvelope);
  EXPECT_EQ(reader.envelope().payload.data(), stream.data() + kHeaderSize);
  EXPECT_EQ(reader.buffered(), 0u);
}

TEST(EnvelopeReader, EveryCutOfTwoEnvelopesGivesBoth) {
  Bytes stream = seal(0x10, bytes("81a16101"));
  const Bytes second = seal(0x11, bytes("80"));
  stream.insert(stream.end(), second.begin(), second.end());
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    EnvelopeReader reader;
    std::vector<std::pair<int, Bytes>> seen;
    for (ByteView part : {ByteView(stream).first(cut), ByteView(stream).subspan(cut)}) {
      while (reader.feed(part) == State::kEnvelope) {
        seen.emplace_back(reader.envelope().type, copy(reader.envelope().payload));
        reader.pop();
      }
      EXPECT_TRUE(part.empty());
    }
    ASSERT_EQ(seen.size(), 2u) << cut;
    EXPECT_EQ(seen[0], std::pair(0x10, bytes("81a16101")));
    EXPECT_EQ(seen[1], std::pair(0x11, bytes("80")));
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(EnvelopeReader, EmptyPayloadIsAnEnvelope) {
  const Bytes stream = seal(0x21, {});
  ByteView data = stream;
  EnvelopeReader reader;
  ASSERT_EQ(reader.feed(data), State::kEnvelope);
  EXPECT_TRUE(reader.envelope().payload.empty());
}

TEST(EnvelopeReader, KeepsTheEnvelopeUntilPop) {
  Bytes stream = seal(0x10, bytes("80"));
  const Bytes second = seal(0x11, bytes("80"));
  stream.insert(stream.end(), second.begin(), second.end());
  ByteView data = stream;
  EnvelopeReader reader;
  ASSERT_EQ(reader.feed(data), State::kEnvelope);
  const std::size_t left = data.size();
  EXPECT_EQ(reader.feed(data), State::kEnvelope);
  EXPECT_EQ(data.size(), left) << "nothing is taken before pop()";
  EXPECT_EQ(reader.envelope().type, 0x10);
}

TEST(EnvelopeReader, RandomCutsGiveTheSameBytes) {
  base::SeededRandom random(42);
  for (int round = 0; round < 30; ++round) {
    Bytes payload(random.below(200'000));
    random.fill(payload);
    const Bytes stream = seal(0x22, payload);
    const std::size_t most = 1 + random.below(5'000);
    EnvelopeReader reader;
    ByteView rest = stream;
    State state = State::kNeedMore;
    while (state == State::kNeedMore) {
      ByteView part = rest.first(std::min<std::size_t>(rest.size(), 1 + random.below(most)));
      rest = rest.subspan(part.size());
      state = reader.feed(part);
    }
    ASSERT_EQ(state, State::kEnvelope);
    EXPECT_EQ(copy(reader.envelope().payload), payload);
    EXPECT_TRUE(rest.empty());
  }
}

// The header may promise 4 MiB; only what comes is kept (A15).
TEST(EnvelopeReader, NeverHoldsMoreThanHasArrived) {
  const Bytes header = bytes("ac01012200400000");
  for (const std::size_t step : {1u, 7u, 1'200u, 65'536u}) {
    EnvelopeReader reader;
    ByteView head = header;
    ASSERT_EQ(reader.feed(head), State::kNeedMore);
    EXPECT_EQ(reader.buffered(), 0u);
    const Bytes piece(step, 0xc0);
    for (std::size_t arrived = step; arrived < 40'000; arrived += step) {
      ByteView data = piece;
      ASSERT_EQ(reader.feed(data), State::kNeedMore);
      ASSERT_EQ(reader.buffered(), arrived) << "pieces of " << step;
    }
  }
}

TEST(EnvelopeReader, FourMebibytesArriveInPacketSizedPieces) {
  Bytes payload(kMaxPayload);
  base::SeededRandom(1).fill(payload);
  const Bytes stream = seal(0x10, payload);
  EnvelopeReader reader;
  ByteView rest = stream;
  State state = State::kNeedMore;
  while (state == State::kNeedMore) {
    ByteView part = rest.first(std::min<std::size_t>(rest.size(), 1'200));
    rest = rest.subspan(part.size());
    state = reader.feed(part);
  }
  ASSERT_EQ(state, State::kEnvelope);
  EXPECT_EQ(copy(reader.envelope().payload), payload);
  reader.pop();
  EXPECT_EQ(reader.buffered(), 0u);
}

TEST(EnvelopeReader, RefusesALengthOverTheLimit) {
  EnvelopeReader reader;
  const Bytes header = bytes("ac01011000400001");
  ByteView data = header;
  EXPECT_EQ(reader.feed(data), State::kFault);
  EXPECT_EQ(reader.fault(), Code::kPayloadTooLarge);
  EXPECT_FALSE(reader.at_boundary());
}

TEST(EnvelopeReader, HandshakeLimitIsLower) {
  const Bytes longest = bytes("ac01010100004000");
  const Bytes longer = bytes("ac01010100004001");
  ByteView data = longest;
  EXPECT_EQ(EnvelopeReader(kMaxHandshakePayload).feed(data), State::kNeedMore);
  data = longer;
  EXPECT_EQ(EnvelopeReader().feed(data), State::kNeedMore);
  data = longer;
  EnvelopeReader reader(kMaxHandshakePayload);
  EXPECT_EQ(reader.feed(data), State::kFault);
  EXPECT_EQ(reader.fault(), Code::kPayloadTooLarge);
}

TEST(EnvelopeReader, LimitCanRiseAfterTheHandshake) {
  EnvelopeReader reader(4);
  reader.set_limit(5);
  const Bytes stream = seal(0x10, bytes("84a1610102"));
  ByteView data = stream;
  EXPECT_EQ(reader.feed(data), State::kEnvelope);
}

TEST(EnvelopeReader, StaysFaulted) {
  EnvelopeReader reader;
  const Bytes broken = bytes("4745542000000000");
  ByteView data = broken;
  EXPECT_EQ(reader.feed(data), State::kFault);
  EXPECT_EQ(reader.fault(), Code::kRejected);
  const Bytes good = seal(0x10, bytes("80"));
  data = good;
  EXPECT_EQ(reader.feed(data), State::kFault);
  EXPECT_EQ(data.size(), good.size()) << "takes nothing any more";
}

}  // namespace
}  // namespace atlas::wire
