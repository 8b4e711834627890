// What UdpSender makes of the kernel's answers, against a kernel that answers as each case wants.
#include "net/udp_send.h"

#include <gtest/gtest.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <string>

namespace atlas::net {
namespace {

struct Datagram {
  SocketAddress to;
  std::string payload;
  int ecn = 0;
  std::optional<std::string> source;
};

// Takes messages, cuts segmented ones, and fails where told.
class FakeKernel {
 public:
  SendMessages call() {
    return [this](int, mmsghdr* messages, unsigned count, int) { return send(messages, count); };
  }

  std::vector<Datagram> sent;
  bool knows_gso = true;
  int gso_error = EIO;
  std::size_t room = SIZE_MAX;            // datagrams until EAGAIN
  std::size_t largest = 65507;            // EMSGSIZE above
  std::optional<std::uint16_t> bad_port;  // this destination port answers bad_error
  int bad_error = EINVAL;
  std::deque<int> next_errors;
  std::size_t largest_message = 0, most_segments = 0;

 private:
  int send(mmsghdr* messages, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      if (const int error = send_one(messages[i].msg_hdr); error != 0) {
        errno = error;
        return i == 0 ? -1 : static_cast<int>(i);
      }
    }
    return static_cast<int>(count);
  }

  int send_one(msghdr& header) {
    if (!next_errors.empty()) {
      const int error = next_errors.front();
      next_errors.pop_front();
      if (error != 0) return error;
    }
    Datagram datagram;
    datagram.to = *SocketAddress::from(static_cast<sockaddr*>(header.msg_name), header.msg_namelen);
    std::size_t segment = header.msg_iov->iov_len;
    const bool segmented = read_control(header, datagram, segment);
    if (bad_port == datagram.to.port) return bad_error;
    if (segmented && !knows_gso) return gso_error;
    if (segment > largest) return EMSGSIZE;
    if (room == 0) return EAGAIN;
    const std::string_view all(static_cast<char*>(header.msg_iov->iov_base), header.msg_iov->iov_len);
    largest_message = std::max(largest_message, all.size());
    std::size_t segments = 0;
    for (std::size_t at = 0; at < all.size() || at == 0; at += std::max<std::size_t>(segment, 1)) {
      datagram.payload = all.substr(at, segment);
      sent.push_back(datagram);
      ++segments;
    }
    most_segments = std::max(most_segments, segments);
    room -= std::min(room, segments);
    return 0;
  }

  static bool read_control(msghdr& header, Datagram& datagram, std::size_t& segment) {
    bool segmented = false;
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
      if (message->cmsg_level == IPPROTO_UDP && message->cmsg_type == UDP_SEGMENT) {
        std::uint16_t value;
        std::memcpy(&value, CMSG_DATA(message), sizeof value);
        segment = value;
        segmented = true;
      } else if (message->cmsg_type == IP_PKTINFO && message->cmsg_level == IPPROTO_IP) {
        in_pktinfo info;
        std::memcpy(&info, CMSG_DATA(message), sizeof info);
        std::array<std::uint8_t, 4> bytes;
        std::memcpy(bytes.data(), &info.ipi_spec_dst, 4);
        datagram.source = IpAddress::v4(bytes).text();
      } else if (message->cmsg_type == IPV6_PKTINFO && message->cmsg_level == IPPROTO_IPV6) {
        in6_pktinfo info;
        std::memcpy(&info, CMSG_DATA(message), sizeof info);
        std::array<std::uint8_t, 16> bytes;
        std::memcpy(bytes.data(), &info.ipi6_addr, 16);
        datagram.source = IpAddress::v6(bytes).text();
      } else {
        int tos;
        std::memcpy(&tos, CMSG_DATA(message), sizeof tos);
        datagram.ecn = tos & 3;
      }
    }
    return segmented;
  }
};

class UdpSenderTest : public testing::Test {
 protected:
  UdpSender make(UdpSender::Socket socket = {}) { return UdpSender(socket, counters, kernel.call()); }

  static base::Bytes pattern(std::size_t size) {
    base::Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 31 + i / 251);
    return bytes;
  }
  static SendBatch batch(const base::Bytes& data, std::size_t segment, std::uint16_t port = 1000) {
    return {.remote = {IpAddress::v4({127, 0, 0, 1}), port}, .local = {}, .data = data, .segment = segment};
  }
  std::string arrived() const {
    return std::accumulate(kernel.sent.begin(), kernel.sent.end(), std::string(),
                           [](std::string all, const Datagram& one) { return std::move(all) + one.payload; });
  }
  static std::string text(const base::Bytes& data) { return {data.begin(), data.end()}; }

  FakeKernel kernel;
  UdpCounters counters;
};

TEST_F(UdpSenderTest, ManyBatchesLeaveInOneCall) {
  auto sender = make();
  const base::Bytes data = pattern(3000);
  std::vector<SendBatch> batches(40, batch(data, 1200));
  EXPECT_EQ(sender.send(batches), 40u);
  EXPECT_EQ(counters.send_calls, 1u);
  EXPECT_EQ(counters.sent_datagrams, 120u);
  EXPECT_EQ(counters.sent_bytes, 120'000u);
  ASSERT_EQ(kernel.sent.size(), 120u);
  EXPECT_EQ(kernel.sent[0].payload.size(), 1200u);
  EXPECT_EQ(kernel.sent[2].payload.size(), 600u);
  EXPECT_EQ(kernel.sent[0].payload + kernel.sent[1].payload + kernel.sent[2].payload, text(data));
}

TEST_F(UdpSenderTest, MoreBatchesThanOneCallHolds) {
  auto sender = make();
  const base::Bytes data = pattern(100);
  std::vector<SendBatch> batches(UdpSender::kMessagesPerCall * 2 + 1, batch(data, 100));
  EXPECT_EQ(sender.send(batches), batches.size());
  EXPECT_EQ(counters.send_calls, 3u);
  EXPECT_EQ(kernel.sent.size(), batches.size());
}

TEST_F(UdpSenderTest, SplitsAtTheLimitsOfOneMessage) {
  auto sender = make();
  const base::Bytes many = pattern(200 * 100), large = pattern(150'000);
  EXPECT_EQ(sender.send(std::vector{batch(many, 100), batch(large, 1452)}), 2u);
  EXPECT_LE(kernel.most_segments, UdpSender::kMaxSegments);
  EXPECT_LE(kernel.largest_message, UdpSender::kMaxMessageBytes);
  EXPECT_EQ(arrived(), text(many) + text(large));
  for (std::size_t i = 0; i < 200; ++i) ASSERT_EQ(kernel.sent[i].payload.size(), 100u);
  for (std::size_t i = 200; i + 1 < kernel.sent.size(); ++i) ASSERT_EQ(kernel.sent[i].payload.size(), 1452u);
}

TEST_F(UdpSenderTest, KernelWithoutSegmentingGetsSingleDatagrams) {
  for (const int error : {EIO, EINVAL}) {
    kernel = {};
    counters = {};
    kernel.knows_gso = false;
    kernel.gso_error = error;
    auto sender = make();
    const base::Bytes one = pattern(500), several = pattern(3100);
    EXPECT_EQ(sender.send(std::vector{batch(one, 1200), batch(several, 1000), batch(several, 1000)}), 3u);
    EXPECT_EQ(arrived(), text(one) + text(several) + text(several));
    EXPECT_EQ(kernel.sent.size(), 9u);
    EXPECT_FALSE(sender.gso());
    EXPECT_EQ(counters.gso_refused, 1u);
    EXPECT_EQ(counters.sent_datagrams, 9u);
    EXPECT_EQ(counters.failed, 0u);
  }
}

// Port 0 and the like answer EINVAL too; a peer that advertises such an address must not slow the socket down.
TEST_F(UdpSenderTest, BadDestinationDoesNotSwitchSegmentingOff) {
  kernel.bad_port = 0;
  auto sender = make();
  const base::Bytes data = pattern(3000);
  EXPECT_EQ(sender.send(std::vector{batch(data, 1200), batch(data, 1200, 0), batch(data, 1200)}), 3u);
  EXPECT_TRUE(sender.gso());
  EXPECT_EQ(counters.failed, 3u);
  EXPECT_EQ(counters.sent_datagrams, 6u);
  EXPECT_EQ(arrived(), text(data) + text(data));
}

TEST_F(UdpSenderTest, FullBufferStopsAtABatch) {
  kernel.room = 2;
  auto sender = make();
  const base::Bytes data = pattern(100);
  std::vector<SendBatch> batches(5, batch(data, 100));
  EXPECT_EQ(sender.send(batches), 2u);
  EXPECT_TRUE(sender.blocked());
  EXPECT_EQ(counters.blocked, 1u);
  kernel.room = SIZE_MAX;
  EXPECT_EQ(sender.send(std::span(batches).subspan(2)), 3u);
  EXPECT_FALSE(sender.blocked());
  EXPECT_EQ(kernel.sent.size(), 5u);
}

TEST_F(UdpSenderTest, FullBufferInsideABatchKeepsTheRest) {
  kernel.room = 3;
  auto sender = make({.gso = false});
  const base::Bytes second = pattern(800), third = pattern(100);
  base::Bytes first = pattern(1000);
  const std::string all = text(first) + text(second) + text(third);
  EXPECT_EQ(sender.send(std::vector{batch(first, 200), batch(second, 200), batch(third, 200)}), 1u);
  EXPECT_TRUE(sender.blocked());
  std::fill(first.begin(), first.end(), 0);  // it counts as taken: the caller's buffer is its own again
  EXPECT_EQ(sender.send(std::vector{batch(second, 200)}), 0u) << "the rest goes first";
  kernel.room = 1;
  EXPECT_FALSE(sender.flush());
  kernel.room = SIZE_MAX;
  EXPECT_TRUE(sender.flush());
  EXPECT_EQ(sender.send(std::vector{batch(second, 200), batch(third, 200)}), 2u);
  EXPECT_EQ(arrived(), all);
}

TEST_F(UdpSenderTest, FullBufferWhileFindingOutAboutSegmenting) {
  auto sender = make();
  kernel.next_errors = {EINVAL, EAGAIN};
  const base::Bytes data = pattern(3000);
  EXPECT_EQ(sender.send(std::vector{batch(data, 1200)}), 0u);
  EXPECT_TRUE(sender.blocked());
  EXPECT_TRUE(sender.gso());
  EXPECT_EQ(sender.send(std::vector{batch(data, 1200)}), 1u);
  EXPECT_EQ(arrived(), text(data));
  EXPECT_EQ(kernel.sent.size(), 3u);
}

TEST_F(UdpSenderTest, TooLargeForThePathIsDroppedAndCounted) {
  kernel.largest = 1400;
  auto sender = make();
  const base::Bytes probe = pattern(1450), small = pattern(1200), segments = pattern(2900);
  EXPECT_EQ(sender.send(std::vector{batch(probe, 1450), batch(small, 1200), batch(segments, 1450)}), 3u);
  EXPECT_EQ(counters.oversize, 3u);
  EXPECT_EQ(counters.sent_datagrams, 1u);
  EXPECT_TRUE(sender.gso());
  EXPECT_EQ(arrived(), text(small));
}

TEST_F(UdpSenderTest, OtherErrorsCostOnlyTheirBatch) {
  for (const int error : {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM, ENOBUFS, EACCES}) {
    kernel = {};
    counters = {};
    kernel.bad_port = 7;
    kernel.bad_error = error;
    auto sender = make();
    const base::Bytes data = pattern(10);
    EXPECT_EQ(sender.send(std::vector{batch(data, 10), batch(data, 10, 7), batch(data, 10)}), 3u);
    EXPECT_EQ(counters.failed, 1u);
    EXPECT_EQ(counters.sent_datagrams, 2u);
  }
}

TEST_F(UdpSenderTest, InterruptedCallsAreMadeAgain) {
  kernel.next_errors = {EINTR, EINTR};
  auto sender = make();
  const base::Bytes data = pattern(10);
  EXPECT_EQ(sender.send(std::vector{batch(data, 10)}), 1u);
  EXPECT_EQ(kernel.sent.size(), 1u);
  EXPECT_EQ(counters.failed, 0u);
}

TEST_F(UdpSenderTest, OtherFamilyIsRefusedWithoutACall) {
  auto sender = make();
  const base::Bytes data = pattern(20);
  SendBatch v6 = batch(data, 10);
  v6.remote = *SocketAddress::parse("[::1]:9");
  SendBatch none = batch(data, 20);
  none.remote = {};
  EXPECT_EQ(sender.send(std::vector{v6, batch(data, 20), none}), 3u);
  EXPECT_EQ(counters.failed, 3u);
  EXPECT_EQ(counters.send_calls, 1u);
  EXPECT_EQ(kernel.sent.size(), 1u);
}

TEST_F(UdpSenderTest, EcnAndSourceAreMarked) {
  auto sender = make();
  const base::Bytes data = pattern(2000);
  SendBatch marked = batch(data, 1000);
  marked.ecn = 2;
  marked.local = *SocketAddress::parse("127.0.0.9:1");
  SendBatch anywhere = batch(data, 2000);
  anywhere.local = *SocketAddress::parse("0.0.0.0:1");
  EXPECT_EQ(sender.send(std::vector{marked, anywhere}), 2u);
  ASSERT_EQ(kernel.sent.size(), 3u);
  EXPECT_EQ(kernel.sent[1].ecn, 2);
  EXPECT_EQ(kernel.sent[1].source, "127.0.0.9");
  EXPECT_EQ(kernel.sent[2].ecn, 0);
  EXPECT_FALSE(kernel.sent[2].source);

  auto bound = make({.source_fixed = true});
  EXPECT_EQ(bound.send(std::vector{marked}), 1u);
  EXPECT_FALSE(kernel.sent.back().source);
}

TEST_F(UdpSenderTest, Ipv6AndDualStack) {
  auto sender = make({.family = Family::kV6, .dual_stack = true});
  const base::Bytes data = pattern(10);
  SendBatch v6 = batch(data, 10);
  v6.remote = *SocketAddress::parse("[::1]:9");
  v6.local = *SocketAddress::parse("[2001:db8::5]:0");
  v6.ecn = 1;
  EXPECT_EQ(sender.send(std::vector{v6, batch(data, 10)}), 2u);
  ASSERT_EQ(kernel.sent.size(), 2u);
  EXPECT_EQ(kernel.sent[0].to.text(), "[::1]:9");
  EXPECT_EQ(kernel.sent[0].source, "2001:db8::5");
  EXPECT_EQ(kernel.sent[0].ecn, 1);
  EXPECT_EQ(kernel.sent[1].to.text(), "127.0.0.1:1000");
}

TEST_F(UdpSenderTest, EmptyDatagramIsOneDatagram) {
  auto sender = make();
  EXPECT_EQ(sender.send(std::vector{batch({}, 0), batch({}, 1200)}), 2u);
  EXPECT_EQ(counters.sent_datagrams, 2u);
  EXPECT_EQ(kernel.sent.size(), 2u);
}

}  // namespace
}  // namespace atlas::net
