#include "quic/frame_guard.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace atlas::quic {
namespace {

using Verdict = FrameGuard::Verdict;

base::Bytes new_id(std::uint8_t sequence, std::uint8_t retire_prior_to) {
  base::Bytes out = {0x18, sequence, retire_prior_to, 8};
  out.insert(out.end(), 8 + 16, sequence);
  return out;
}

base::Bytes operator+(base::Bytes a, const base::Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// One of each kind that RFC 9000 knows, in its own length.
const std::vector<base::Bytes> kFrames = {
    {0x00},
    {0x01},
    {0x02, 9, 1, 0, 2},
    {0x02, 30, 1, 2, 2, 1, 3, 0, 4},
    {0x03, 9, 1, 0, 2, 5, 6, 7},
    {0x04, 4, 1, 0x40, 0x99},
    {0x05, 4, 1},
    {0x06, 0, 3, 'a', 'b', 'c'},
    {0x07, 2, 'a', 'b'},
    {0x0a, 4, 2, 'a', 'b'},
    {0x0b, 4, 0},
    {0x0e, 4, 9, 2, 'a', 'b'},
    {0x10, 0x80, 1, 2, 3},
    {0x11, 4, 0x41, 0},
    {0x12, 9},
    {0x13, 9},
    {0x14, 9},
    {0x15, 4, 9},
    {0x16, 9},
    {0x17, 9},
    {0x19, 1},
    {0x1a, 1, 2, 3, 4, 5, 6, 7, 8},
    {0x1b, 1, 2, 3, 4, 5, 6, 7, 8},
    {0x1c, 0x0a, 0, 2, 'n', 'o'},
    {0x1d, 3, 2, 'n', 'o'},
    {0x1e},
};

TEST(FrameGuard, PassesWhatHonestPeersSend) {
  FrameGuard guard;
  base::Bytes all;
  for (const base::Bytes& frame : kFrames) {
    EXPECT_EQ(guard.check(frame, 1), Verdict::kPass) << int{frame[0]};
    all = all + frame;
  }
  EXPECT_EQ(guard.check(all, 2), Verdict::kPass);
  EXPECT_EQ(guard.check(all + base::Bytes{0x08, 4, 'r', 'e', 's', 't'}, 3), Verdict::kPass);
  EXPECT_EQ(guard.check(all + base::Bytes{0x0d, 4, 9, 'r', 'e', 's', 't'}, 4), Verdict::kPass);
  EXPECT_EQ(guard.check({}, 5), Verdict::kPass);
  EXPECT_FALSE(guard.refused());
}

// RFC 9000, section 13.2: ACK, PADDING and CONNECTION_CLOSE ask for no acknowledgement.
TEST(FrameGuard, TellsWhatMayWaitForItsAcknowledgement) {
  const std::vector<std::uint8_t> silent = {0x00, 0x02, 0x03, 0x1c, 0x1d}, urgent = {0x1a};
  const auto is_in = [](const auto& types, std::uint8_t type) { return std::ranges::find(types, type) != types.end(); };
  FrameGuard guard;
  for (const base::Bytes& frame : kFrames) {
    guard.begin_datagram();
    EXPECT_FALSE(guard.ack_may_wait());
    guard.check(frame, 1);
    EXPECT_EQ(guard.ack_may_wait(), !is_in(silent, frame[0]) && !is_in(urgent, frame[0])) << int{frame[0]};
    guard.check(base::Bytes{0x01}, 2);
    EXPECT_EQ(guard.ack_may_wait(), !is_in(urgent, frame[0])) << "with a PING behind " << int{frame[0]};
  }
}

TEST(FrameGuard, RefusesEveryTruncation) {
  for (const base::Bytes& frame : kFrames) {
    for (std::size_t size = 1; size < frame.size(); ++size) {
      FrameGuard guard;
      EXPECT_EQ(guard.check(base::ByteView(frame).first(size), 1), Verdict::kRefuse) << int{frame[0]} << " " << size;
      EXPECT_TRUE(guard.refused());
    }
  }
  const base::Bytes id = new_id(1, 0);
  for (std::size_t size = 1; size < id.size(); ++size) {
    FrameGuard guard;
    EXPECT_EQ(guard.check(base::ByteView(id).first(size), 1), Verdict::kRefuse) << size;
  }
}

TEST(FrameGuard, RefusesKindsThatAreNotOffered) {
  for (const base::Bytes& frame : {base::Bytes{0x30, 'x'}, base::Bytes{0x31, 1, 'x'}, base::Bytes{0x1f},
                                   base::Bytes{0x40, 0xaf}, base::Bytes{0x20, 1}}) {
    FrameGuard guard;
    EXPECT_EQ(guard.check(frame, 1), Verdict::kRefuse) << int{frame[0]};
  }
}

TEST(FrameGuard, ConnectionIdsInOrderPass) {
  FrameGuard guard;
  EXPECT_EQ(guard.check(new_id(1, 0) + new_id(2, 0) + new_id(3, 0), 1), Verdict::kPass);
  EXPECT_EQ(guard.check(new_id(4, 2), 2), Verdict::kPass);
  EXPECT_EQ(guard.check(new_id(3, 0), 3), Verdict::kPass) << "not retired, only sent again";
  EXPECT_EQ(guard.check(new_id(4, 2), 4), Verdict::kPass);
}

TEST(FrameGuard, ConnectionIdsOutOfPlaceAreRefused) {
  FrameGuard guard;
  EXPECT_EQ(guard.check(new_id(9, 9), 5), Verdict::kPass);
  EXPECT_EQ(guard.check(new_id(7, 0), 6), Verdict::kRefuse);
  FrameGuard same_packet;
  EXPECT_EQ(same_packet.check(new_id(9, 9) + new_id(7, 7), 5), Verdict::kRefuse);
  FrameGuard impossible;
  EXPECT_EQ(impossible.check(new_id(1, 2), 1), Verdict::kRefuse);
}

TEST(FrameGuard, AnOldPacketIsDroppedAndNobodyBlamed) {
  FrameGuard guard;
  EXPECT_EQ(guard.check(new_id(1, 0), 1), Verdict::kPass);
  EXPECT_EQ(guard.check(new_id(4, 3), 7), Verdict::kPass);
  EXPECT_EQ(guard.check(new_id(1, 0), 1), Verdict::kDrop) << "the network delivered it twice";
  EXPECT_EQ(guard.check(new_id(2, 0), 3), Verdict::kDrop) << "overtaken";
  EXPECT_FALSE(guard.refused());
  EXPECT_EQ(guard.check(new_id(2, 0), 8), Verdict::kRefuse);
}

TEST(FrameGuard, BoundsTheCostlyKindsInOnePacket) {
  base::Bytes ids, challenges;
  for (std::uint8_t i = 0; i < FrameGuard::kMostNewConnectionIds; ++i) ids = ids + new_id(i, 0);
  for (unsigned i = 0; i < FrameGuard::kMostPathChallenges; ++i) {
    challenges = challenges + base::Bytes{0x1a, 1, 2, 3, 4, 5, 6, 7, 8};
  }
  FrameGuard guard;
  EXPECT_EQ(guard.check(ids + challenges, 1), Verdict::kPass);
  EXPECT_EQ(guard.check(ids + new_id(60, 0), 2), Verdict::kRefuse);
  FrameGuard other;
  EXPECT_EQ(other.check(challenges + base::Bytes{0x1a, 1, 2, 3, 4, 5, 6, 7, 8}, 1), Verdict::kRefuse);
}

TEST(FrameGuard, NeverReadsPastTheEnd) {
  base::SeededRandom random(7);
  for (int i = 0; i < 50'000; ++i) {
    base::Bytes noise(random.below(60));
    random.fill(noise);
    if (!noise.empty()) noise[0] %= 0x20;
    FrameGuard guard;
    const Verdict verdict = guard.check(noise, 1);
    EXPECT_EQ(verdict == Verdict::kRefuse, guard.refused());
  }
}

}  // namespace
}  // namespace atlas::quic
