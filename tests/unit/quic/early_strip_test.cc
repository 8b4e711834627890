#include "quic/early_strip.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace atlas::quic {
namespace {

base::Bytes long_packet(std::uint8_t type, std::size_t token, std::size_t payload, std::size_t id = 8) {
  base::Bytes out = {static_cast<std::uint8_t>(0xc0 | type << 4), 0, 0, 0, 1};
  out.push_back(static_cast<std::uint8_t>(id));
  out.insert(out.end(), id, 0xaa);
  out.push_back(4);
  out.insert(out.end(), 4, 0xbb);
  if (type == 0) {
    out.push_back(static_cast<std::uint8_t>(token));
    out.insert(out.end(), token, 0xcc);
  }
  out.push_back(static_cast<std::uint8_t>(0x40 | payload >> 8));
  out.push_back(static_cast<std::uint8_t>(payload));
  out.insert(out.end(), payload, 0xdd);
  return out;
}

base::Bytes operator+(base::Bytes a, const base::Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const base::Bytes kShort = {0x41, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

TEST(EarlyStrip, KeepsLongHeadersAndCutsAtTheFirstShortOne) {
  const base::Bytes initial = long_packet(0, 0, 50), handshake = long_packet(2, 0, 700);
  EXPECT_EQ(long_header_prefix(initial), initial.size());
  EXPECT_EQ(long_header_prefix(initial + handshake), initial.size() + handshake.size());
  EXPECT_EQ(long_header_prefix(initial + handshake + kShort), initial.size() + handshake.size());
  EXPECT_EQ(long_header_prefix(handshake + kShort + initial), handshake.size());
  EXPECT_EQ(long_header_prefix(kShort), 0u);
  EXPECT_EQ(long_header_prefix(kShort + initial), 0u);
  EXPECT_EQ(long_header_prefix(long_packet(1, 0, 20) + kShort), long_packet(1, 0, 20).size());
  EXPECT_EQ(long_header_prefix(long_packet(0, 60, 20) + kShort), long_packet(0, 60, 20).size());
  EXPECT_EQ(long_header_prefix(long_packet(0, 0, 0) + kShort), long_packet(0, 0, 0).size());
}

TEST(EarlyStrip, LeavesToTheLibraryWhatFillsADatagram) {
  base::Bytes negotiation = long_packet(0, 0, 10);
  negotiation[4] = 0;
  EXPECT_EQ(long_header_prefix(negotiation + kShort), negotiation.size() + kShort.size());
  const base::Bytes retry = long_packet(3, 0, 10);
  EXPECT_EQ(long_header_prefix(retry + kShort), retry.size() + kShort.size());
}

TEST(EarlyStrip, EveryTruncationIsLeftWhole) {
  const base::Bytes packet = long_packet(0, 20, 100) + long_packet(2, 0, 300);
  const std::size_t first = long_packet(0, 20, 100).size();
  for (std::size_t size = 0; size < packet.size(); ++size) {
    EXPECT_EQ(long_header_prefix(base::ByteView(packet).first(size)), size) << size;
  }
  EXPECT_EQ(long_header_prefix(base::ByteView(packet).first(first)), first);
}

TEST(EarlyStrip, NeverReadsPastTheEnd) {
  base::SeededRandom random(5);
  for (int i = 0; i < 20'000; ++i) {
    base::Bytes noise(random.below(80));
    random.fill(noise);
    if (!noise.empty()) noise[0] |= 0x80;
    EXPECT_LE(long_header_prefix(noise), noise.size());
  }
}

}  // namespace
}  // namespace atlas::quic
