#include "quic/send_queue.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace atlas::quic {
namespace {

struct Sent {
  net::SocketAddress remote;
  std::uint8_t ecn;
  base::Bytes data;
  std::size_t segment;
};

class FakeSocket final : public net::UdpSocket {
 public:
  net::SocketAddress local() const override { return {}; }
  std::size_t send(std::span<const net::SendBatch> batches) override {
    const std::size_t taken = std::min(batches.size(), room);
    for (const auto& batch : batches.first(taken)) {
      sent.push_back({batch.remote, batch.ecn, {batch.data.begin(), batch.data.end()}, batch.segment});
    }
    room -= taken;
    return taken;
  }
  const net::UdpCounters& counters() const override { return counters_; }

  std::vector<Sent> sent;
  std::size_t room = SIZE_MAX;

 private:
  net::UdpCounters counters_;
};

net::SocketAddress peer(std::uint16_t port) {
  return {net::IpAddress::v4({192, 0, 2, 1}), port};
}

class SendQueueTest : public ::testing::Test {
 protected:
  bool put(std::size_t length, std::uint16_t port = 1, std::uint8_t ecn = 2) {
    const base::MutableBytes room = queue.reserve(1452);
    if (room.empty()) return false;
    std::fill_n(room.begin(), length, static_cast<std::uint8_t>(count++));
    queue.commit(length, peer(port), {}, ecn);
    return true;
  }

  FakeSocket socket;
  SendQueue queue{socket};
  int count = 0;
};

TEST_F(SendQueueTest, JoinsDatagramsOfOneSizeAndAShorterLast) {
  put(1200), put(1200), put(300), put(1200);
  ASSERT_TRUE(queue.flush());
  ASSERT_EQ(socket.sent.size(), 2u);
  EXPECT_EQ(socket.sent[0].data.size(), 2700u);
  EXPECT_EQ(socket.sent[0].segment, 1200u);
  EXPECT_EQ(socket.sent[1].data.size(), 1200u);
  EXPECT_EQ(socket.sent[0].data[0], 0);
  EXPECT_EQ(socket.sent[0].data[2400], 2);
  EXPECT_EQ(socket.sent[1].data[0], 3);
  EXPECT_TRUE(queue.empty());
}

TEST_F(SendQueueTest, ALargerOneBeginsARunOfItsOwn) {
  put(1200), put(1444), put(1200);
  queue.flush();
  ASSERT_EQ(socket.sent.size(), 2u);
  EXPECT_EQ(socket.sent[0].segment, 1200u);
  EXPECT_EQ(socket.sent[0].data.size(), 1200u);
  EXPECT_EQ(socket.sent[1].segment, 1444u);
  EXPECT_EQ(socket.sent[1].data.size(), 2644u);
}

TEST_F(SendQueueTest, AnotherAddressOrMarkBeginsARunOfItsOwn) {
  put(1200, 1), put(1200, 2), put(1200, 2, 0), put(1200, 2, 0);
  queue.flush();
  ASSERT_EQ(socket.sent.size(), 3u);
  EXPECT_EQ(socket.sent[0].remote, peer(1));
  EXPECT_EQ(socket.sent[1].remote, peer(2));
  EXPECT_EQ(socket.sent[2].ecn, 0);
  EXPECT_EQ(socket.sent[2].data.size(), 2400u);
}

TEST_F(SendQueueTest, ARunStaysWithinTheKernelsLimits) {
  for (int i = 0; i < 200; ++i) put(1452);
  for (int i = 0; i < 200; ++i) put(40, 2);
  queue.flush();
  std::size_t datagrams = 0;
  for (const Sent& run : socket.sent) {
    EXPECT_LE(run.data.size(), SendQueue::kMostRunBytes);
    const std::size_t segments = (run.data.size() + run.segment - 1) / run.segment;
    EXPECT_LE(segments, SendQueue::kMostSegments);
    datagrams += segments;
  }
  EXPECT_EQ(datagrams, 400u);
}

TEST_F(SendQueueTest, KeepsTheTailWhenTheKernelIsFull) {
  for (std::uint16_t port = 1; port <= 5; ++port) put(1200, port);
  socket.room = 2;
  EXPECT_FALSE(queue.flush());
  EXPECT_TRUE(queue.blocked());
  EXPECT_TRUE(queue.reserve(1452).empty());
  EXPECT_FALSE(put(1200));
  queue.put(base::Bytes(50, 1), peer(9), {});
  socket.room = 1;
  EXPECT_FALSE(queue.flush());
  socket.room = SIZE_MAX;
  EXPECT_TRUE(queue.flush());
  ASSERT_EQ(socket.sent.size(), 5u);
  for (std::uint16_t port = 1; port <= 5; ++port) EXPECT_EQ(socket.sent[port - 1].remote, peer(port));
  EXPECT_FALSE(queue.blocked());
  EXPECT_TRUE(put(1200));
}

TEST_F(SendQueueTest, MemoryIsBounded) {
  socket.room = 0;
  std::size_t taken = 0;
  while (put(1452)) taken += 1452;
  EXPECT_GT(taken, SendQueue::kBlocks * SendQueue::kBlockBytes * 9 / 10);
  EXPECT_LE(taken, SendQueue::kBlocks * SendQueue::kBlockBytes);
  socket.room = SIZE_MAX;
  EXPECT_TRUE(queue.flush());
  std::size_t sent = 0;
  for (const Sent& run : socket.sent) sent += run.data.size();
  EXPECT_EQ(sent, taken);
}

TEST_F(SendQueueTest, SendsByItselfWhenItsBlocksAreFull) {
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(put(1452));
  EXPECT_TRUE(queue.flush());
  std::size_t next = 0;
  for (const Sent& run : socket.sent) {
    for (std::size_t at = 0; at < run.data.size(); at += run.segment) {
      ASSERT_EQ(run.data[at], static_cast<std::uint8_t>(next++));
    }
  }
  EXPECT_EQ(next, 5000u);
}

}  // namespace
}  // namespace atlas::quic
