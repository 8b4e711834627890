#include "quic/stream.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace atlas::quic {
namespace {

TEST(SendBuffer, GivesOutWhatWasPutInAndNothingMoves) {
  base::SeededRandom random(11);
  SendBuffer buffer;
  std::string written, sent;
  struct Flight {
    base::ByteView bytes;
    std::string copy;
  };
  std::vector<Flight> flights;
  std::size_t acknowledged = 0, oldest = 0;
  for (int i = 0; i < 20'000; ++i) {
    switch (random.below(4)) {
      case 0: {
        base::Bytes data(random.below(10) == 0 ? random.below(100'000) : random.below(300));
        random.fill(data);
        written += base::as_text(data);
        buffer.append(data);
        break;
      }
      case 1:
      case 2: {
        const base::ByteView piece = buffer.next();
        ASSERT_EQ(piece.empty(), buffer.unsent() == 0);
        if (piece.empty()) break;
        const std::size_t step = 1 + random.below(std::min<std::size_t>(piece.size(), 3000));
        sent += base::as_text(piece.first(step));
        flights.push_back({piece.first(step), std::string(base::as_text(piece.first(step)))});
        buffer.mark_sent(step);
        break;
      }
      default:
        for (std::uint64_t n = random.below(4); n > 0 && oldest < flights.size(); --n, ++oldest) {
          ASSERT_EQ(base::as_text(flights[oldest].bytes), flights[oldest].copy);
          buffer.mark_acknowledged(flights[oldest].copy.size());
          acknowledged += flights[oldest].copy.size();
        }
    }
    ASSERT_EQ(buffer.unsent(), written.size() - sent.size());
    ASSERT_EQ(buffer.unacknowledged(), written.size() - acknowledged);
  }
  for (; oldest < flights.size(); ++oldest) ASSERT_EQ(base::as_text(flights[oldest].bytes), flights[oldest].copy);
  EXPECT_EQ(sent, written.substr(0, sent.size()));
}

TEST(SendBuffer, NoMoreThanWasSentCanBeAcknowledged) {
  SendBuffer buffer;
  buffer.append(base::Bytes(100, 1));
  buffer.mark_acknowledged(50);
  EXPECT_EQ(buffer.unacknowledged(), 100u);
  buffer.mark_sent(60);
  buffer.mark_acknowledged(1000);
  EXPECT_EQ(buffer.unacknowledged(), 40u);
  EXPECT_EQ(buffer.next().size(), 40u);
}

TEST(Stream, AWindowDoublesWithEachWindowConsumed) {
  Stream stream(0);
  EXPECT_EQ(stream.window.grow(99, 100, 350), 0u);
  EXPECT_EQ(stream.window.grow(1, 100, 350), 100u);
  EXPECT_EQ(stream.window.grow(150, 100, 350), 0u);
  EXPECT_EQ(stream.window.grow(50, 100, 350), 150u);
  EXPECT_EQ(stream.window.grow(100'000, 100, 350), 0u);
}

TEST(WorkList, ServesInTurn) {
  Stream a(0), b(4), c(8);
  WorkList list;
  EXPECT_TRUE(list.empty());
  list.add(a), list.add(b), list.add(c), list.add(a);
  EXPECT_EQ(list.front(), &a);
  list.rotate(a);
  EXPECT_EQ(list.front(), &b);
  list.remove(c);
  list.remove(c);
  list.rotate(b);
  EXPECT_EQ(list.front(), &a);
  list.remove(a);
  list.remove(b);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace atlas::quic
